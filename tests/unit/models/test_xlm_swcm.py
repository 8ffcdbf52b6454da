"""Assembly: what is one parameter, how many there are, and what does not fit."""

from argparse import Namespace
from types import SimpleNamespace

import pytest
import torch
from fairseq.dataclass.configs import FairseqConfig
from fairseq.models import ARCH_CONFIG_REGISTRY
from omegaconf import OmegaConf, open_dict

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.models.config import PRESETS, XlmSwcmConfig
from swcm_fairseq.models.xlm_swcm import XlmSwcmModel
from swcm_fairseq.training_run import begin, running
from tests.support.tiny_encoder import make_encoder_folder
from tests.support.toy import SIZES, build_model, start_from, toy_dictionary, toy_sources


def encoder_layer_numbers(width, inner):
    attention = 4 * width * width + 4 * width
    feed_forward = 2 * width * inner + inner + width
    return attention + feed_forward + 2 * 2 * width


def normal_layer_numbers(width, inner):
    return encoder_layer_numbers(width, inner) + 4 * width * width + 4 * width + 2 * width


def numbers(rows, width, inner, positions, layers, inserted, untied):
    """How many numbers section 3.2 of the paper makes of these sizes; a custom layer is two encoder layers."""
    embeddings = (rows + positions + 2) * width + 2 * width
    decoder = 2 * layers * encoder_layer_numbers(width, inner) + inserted * normal_layer_numbers(width, inner)
    output = rows * width + rows if untied else 0
    return embeddings + layers * encoder_layer_numbers(width, inner) + decoder + output


def counted(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("every, inserted", [(0, 0), (1, 4), (2, 2), (3, 1), (4, 1)])
@pytest.mark.parametrize("untied", [False, True])
def test_numbers_are_as_many_as_the_formula_says(every, inserted, untied):
    dictionary = toy_dictionary()
    model = build_model(dictionary, insert_normal_every=every, untie_output_projection=untied, **SIZES)
    assert counted(model) == numbers(len(dictionary), 16, 24, 40, 4, inserted, untied)


# CINO's 135,359 rows, 12 layers of 768 and 3,072, 512 positions; the paper's 16 decoder layers.
PAPERS = {"rows": 135359, "width": 768, "inner": 3072, "positions": 512, "layers": 12}


def test_the_formula_gives_the_papers_sizes():
    ours = numbers(inserted=4, untied=True, **PAPERS)
    assert numbers(inserted=4, untied=False, **PAPERS) == 397_322_496
    assert ours == 501_413_567
    # The card's 492,548,543 has three normal layers with two LayerNorms each, a pooler and a row of token types.
    pooler, token_types = 768 * 768 + 768, 768
    assert ours - normal_layer_numbers(768, 3072) - 3 * 2 * 768 + pooler + token_types == 492_548_543


@pytest.mark.skipif(not hasattr(torch, "get_default_device"), reason="this torch builds nothing without memory")
@pytest.mark.parametrize("untied, expected", [(False, 397_322_496), (True, 501_413_567)])
def test_the_papers_model_has_as_many_numbers(untied, expected):
    dictionary = toy_dictionary([f"p{i}" for i in range(135359 - 5)], languages=[])
    sizes = PRESETS["xlm_swcm_base"]._asdict()
    with torch.device("meta"):
        model = build_model(dictionary, untie_output_projection=untied, **sizes)
    assert len(model.decoder.layers) == 16
    assert counted(model) == expected


@pytest.mark.parametrize(
    "name, layers, width, inner, heads",
    [
        ("xlm_swcm_base", 12, 768, 3072, 12),
        ("xlm_swcm_large", 24, 1024, 4096, 16),
        ("xlm_swcm_small", 12, 384, 1536, 12),
        ("xlm_swcm_tiny", 3, 64, 128, 4),
    ],
)
def test_presets(name, layers, width, inner, heads):
    sizes = ["encoder_layers", "encoder_embed_dim", "encoder_ffn_embed_dim", "encoder_attention_heads"]
    args = Namespace()
    ARCH_CONFIG_REGISTRY[name](args)
    assert [getattr(args, size) for size in sizes] == [layers, width, inner, heads]
    args = Namespace(encoder_layers=7)
    ARCH_CONFIG_REGISTRY[name](args)
    assert args.encoder_layers == 7


@pytest.mark.parametrize(
    "flags, kinds",
    [
        ({}, "CustomLayer CustomLayer NormalLayer CustomLayer CustomLayer NormalLayer"),
        ({"inserted_layers": "duplicate"}, " ".join(["CustomLayer"] * 6)),
        ({"decoder_layer_kind": "normal"}, " ".join(["NormalLayer"] * 6)),
        (
            {"inserted_layers": "identity"},
            "CustomLayer CustomLayer IdentityLayer CustomLayer CustomLayer IdentityLayer",
        ),
    ],
    ids=["plain", "BASE-B", "Cino-Transformer", "identity"],
)
def test_the_flags_choose_the_layers(flags, kinds):
    model = build_model(toy_dictionary(), insert_normal_every=2, **SIZES, **flags)
    assert " ".join(type(layer).__name__ for layer in model.decoder.layers) == kinds


@pytest.mark.parametrize("start, origin", [("shared", "copied"), ("random", "random")])
def test_the_flag_says_where_decoder_layers_start(tmp_path, start, origin):
    model = start_from(make_encoder_folder(tmp_path), decoder_init=start, insert_normal_every=0)
    layers = [one.kind for name, one in model.init_origins.items() if name.startswith("decoder.layers.")]
    assert layers and set(layers) == {origin}


def test_embeddings_are_one_parameter_in_encoder_decoder_and_output():
    model = build_model(toy_dictionary(), **SIZES)
    encoder, decoder = model.encoder.embeddings, model.decoder.embeddings
    assert encoder.tokens.weight is decoder.tokens.weight is model.output_parameters()[0]
    assert encoder.positions.weight is decoder.positions.weight
    assert encoder.layer_norm.weight is decoder.layer_norm.weight
    assert encoder.layer_norm.bias is decoder.layer_norm.bias
    own = {id(parameter) for parameter in model.encoder.parameters()}
    shared = [name for name, parameter in model.decoder.named_parameters() if id(parameter) in own]
    assert sorted(shared) == [
        "embeddings.layer_norm.bias",
        "embeddings.layer_norm.weight",
        "embeddings.positions.weight",
        "embeddings.tokens.weight",
    ]


def test_a_change_of_the_token_table_is_seen_by_encoder_decoder_and_output():
    dictionary = toy_dictionary()
    model = build_model(dictionary, **SIZES)
    sources, tokens = toy_sources(dictionary, [4]), torch.tensor([[dictionary.index("[kk]"), 8]])

    def outputs():
        memory = {"encoder_out": [torch.ones(2, 1, 16)], "encoder_padding_mask": []}
        features, _ = model.decoder(tokens, memory, features_only=True)
        return model.encoder(sources)["encoder_out"][0], features, model.decoder.output_layer(torch.ones(1, 16))

    with torch.no_grad():
        before = outputs()
        model.encoder.embeddings.tokens.weight += torch.randn_like(model.encoder.embeddings.tokens.weight)
        after = outputs()
    for old, new in zip(before, after):
        assert float((old - new).abs().max()) > 1e-2


def test_one_optimizer_step_keeps_what_is_one_parameter_one():
    dictionary = toy_dictionary()
    model = build_model(dictionary, **SIZES)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(toy_sources(dictionary, [4]), None, torch.tensor([[dictionary.index("[kk]"), 8]]))[
        0
    ].square().sum().backward()
    optimizer.step()
    state = model.state_dict()
    for name in ("tokens.weight", "positions.weight", "layer_norm.weight", "layer_norm.bias"):
        assert torch.equal(state["encoder.embeddings." + name], state["decoder.embeddings." + name])


def test_two_dictionaries_have_two_token_tables_and_one_table_of_positions():
    source, target = toy_dictionary("abc", ["zh"]), toy_dictionary("defgh", ["kk"])
    model = build_model(source, target, **SIZES)
    assert model.encoder.embeddings.tokens.weight.shape == (4 + 3 + 2, 16)
    assert model.decoder.embeddings.tokens.weight.shape == (4 + 5 + 2, 16)
    assert model.output_parameters()[0] is model.decoder.embeddings.tokens.weight
    assert model.encoder.embeddings.positions.weight is model.decoder.embeddings.positions.weight


def test_a_pretrained_encoder_wants_one_dictionary(tmp_path):
    folder = make_encoder_folder(tmp_path)
    dictionary = start_from(folder).encoder.dictionary
    with pytest.raises(SwcmError, match="--joined-dictionary"):
        build_model(dictionary, toy_dictionary(), pretrained_encoder=folder)


def test_longest_inputs_are_the_encoders(tmp_path):
    model = start_from(make_encoder_folder(tmp_path, positions=30))
    # The decoder's <s>, which fairseq does not see, takes a place.
    assert model.max_positions() == (28, 27)


def test_what_a_run_keeps_has_the_sizes_and_not_the_encoders_path(tmp_path):
    """fairseq builds from a copy of the settings, and checkpoints hold the run's own."""
    encoder = make_encoder_folder(tmp_path / "encoder")
    root = OmegaConf.structured(FairseqConfig())
    root.checkpoint.save_dir = str(tmp_path)
    with open_dict(root):
        root.model = OmegaConf.structured(XlmSwcmConfig(pretrained_encoder=encoder))
    dictionary = start_from(encoder).encoder.dictionary
    task = SimpleNamespace(source_dictionary=dictionary, target_dictionary=dictionary)
    with running(root):
        model = XlmSwcmModel.build_model(root.model, task)
    assert root.model.pretrained_encoder is None and root.model.encoder_embed_dim == 24
    assert model.cfg.pretrained_encoder is None
    # Nothing is written before it is certain that the training begins.
    assert not (tmp_path / "init_report.tsv").exists()
    begin(root)
    assert (tmp_path / "init_report.tsv").exists()
