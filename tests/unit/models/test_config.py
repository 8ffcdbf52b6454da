import pytest

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.models.config import XlmSwcmConfig, fill_in, layer_sizes, resolve_sizes
from swcm_fairseq.pretrained import read_encoder
from tests.support.tiny_encoder import make_encoder_folder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return read_encoder(make_encoder_folder(tmp_path_factory.mktemp("encoder"), layers=2, width=24, heads=4, ffn=40))


def test_sizes_come_from_the_encoder(tmp_path):
    cfg = XlmSwcmConfig()
    resolve_sizes(cfg, read_encoder(make_encoder_folder(tmp_path, layers=3, width=22, heads=2, ffn=9, eps=1e-12)))
    assert (cfg.encoder_layers, cfg.encoder_embed_dim, cfg.encoder_ffn_embed_dim) == (3, 22, 9)
    assert (cfg.encoder_attention_heads, cfg.max_positions) == (2, 64)
    assert (cfg.activation_fn, cfg.layer_norm_eps) == ("gelu", 1e-12)


def test_every_size_that_disagrees_is_named_at_once(encoder):
    cfg = XlmSwcmConfig(
        encoder_layers=3,
        encoder_embed_dim=64,
        encoder_ffn_embed_dim=40,
        encoder_attention_heads=8,
        max_positions=512,
        activation_fn="relu",
        layer_norm_eps=1e-12,
    )
    with pytest.raises(SwcmError) as caught:
        resolve_sizes(cfg, encoder)
    named = {problem.split(":")[0] for problem in caught.value.problems}
    assert named == {
        "encoder_layers",
        "encoder_embed_dim",
        "encoder_attention_heads",
        "max_positions",
        "activation_fn",
        "layer_norm_eps",
    }
    assert "encoder_layers: the encoder has 2, the architecture or a flag says 3" in caught.value.problems
    assert encoder.path in str(caught.value)


def test_sizes_that_agree_are_accepted(encoder):
    resolve_sizes(XlmSwcmConfig(encoder_layers=2, encoder_embed_dim=24, max_positions=64), encoder)


def test_without_an_encoder_the_missing_sizes_are_named():
    with pytest.raises(SwcmError, match="--encoder-embed-dim, --encoder-ffn-embed-dim, --encoder-attention-heads"):
        resolve_sizes(XlmSwcmConfig(encoder_layers=2), None)


def test_all_that_is_impossible_is_named_at_once():
    cfg = XlmSwcmConfig(
        encoder_layers=2,
        encoder_embed_dim=20,
        encoder_ffn_embed_dim=8,
        encoder_attention_heads=3,
        activation_fn="swish",
        insert_normal_every=-1,
    )
    with pytest.raises(SwcmError) as caught:
        resolve_sizes(cfg, None)
    assert len(caught.value.problems) == 3
    assert "width 20 is not a multiple of 3 heads" in str(caught.value)
    assert "'swish'" in str(caught.value) and "--insert-normal-every" in str(caught.value)


@pytest.mark.parametrize("layer", [-1, 2])
def test_variants_that_cannot_be_are_all_named(layer):
    sizes = {"encoder_layers": 2, "encoder_embed_dim": 8, "encoder_ffn_embed_dim": 8, "encoder_attention_heads": 2}
    cfg = XlmSwcmConfig(cross_attention_shift=-1, drop_encoder_residual=layer, copied_lr_scale=0.0, **sizes)
    with pytest.raises(SwcmError) as caught:
        resolve_sizes(cfg, None)
    assert len(caught.value.problems) == 3
    for flag in ("--cross-attention-shift", "--drop-encoder-residual", "--copied-lr-scale"):
        assert flag in str(caught.value)


def test_layer_wise_memory_wants_custom_layers():
    cfg = XlmSwcmConfig(
        encoder_layers=2,
        encoder_embed_dim=8,
        encoder_ffn_embed_dim=8,
        encoder_attention_heads=2,
        decoder_layer_kind="normal",
        cross_attention_memory="same-layer",
    )
    with pytest.raises(SwcmError, match="--cross-attention-memory same-layer is for custom layers"):
        resolve_sizes(cfg, None)
    cfg.decoder_layer_kind = "custom"
    resolve_sizes(cfg, None)


def test_a_flag_is_stronger_than_a_preset():
    cfg = XlmSwcmConfig(encoder_layers=5)
    fill_in(cfg, {"encoder_layers": 3, "encoder_embed_dim": 64})
    assert (cfg.encoder_layers, cfg.encoder_embed_dim) == (5, 64)


def test_what_nothing_says_is_as_in_xlm_r():
    """Facebook's fairseq and Hugging Face's facebook/xlm-roberta-base: 512 positions, gelu, epsilon 1e-5."""
    cfg = XlmSwcmConfig(
        encoder_layers=1, encoder_embed_dim=8, encoder_ffn_embed_dim=8, encoder_attention_heads=2, insert_normal_every=0
    )
    resolve_sizes(cfg, None)
    assert (cfg.max_positions, cfg.activation_fn, cfg.layer_norm_eps) == (512, "gelu", 1e-5)


def test_every_layer_gets_the_settings_of_its_name():
    cfg = XlmSwcmConfig(
        encoder_embed_dim=8,
        encoder_attention_heads=2,
        encoder_ffn_embed_dim=12,
        activation_fn="relu",
        layer_norm_eps=1e-3,
        dropout=0.1,
        attention_dropout=0.2,
        activation_dropout=0.3,
    )
    assert tuple(layer_sizes(cfg)) == (8, 2, 12, "relu", 1e-3, 0.1, 0.2, 0.3)
