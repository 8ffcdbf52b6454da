"""The estimate of a training's memory, against models of many sizes."""

import json

import pytest
import torch
import torch.nn.functional as F

from swcm_fairseq import training_memory
from swcm_fairseq.models.checkpoint_activations import checkpoint_activations
from swcm_fairseq.modules.attention import AttentionSublayer
from swcm_fairseq.training_memory import GIB, ModelSizes
from tests.support.toy import build_model, toy_dictionary

SIZES = [
    ModelSizes(3, 64, 256, 300, 3, 130),
    ModelSizes(4, 128, 512, 50, 0, 130),
    ModelSizes(6, 96, 384, 999, 2, 514),
]


class FusedAttention(torch.autograd.Function):
    """Keeps what kernels of a GPU keep: what they were given, what they gave, and a number for each row."""

    @staticmethod
    def forward(ctx, query, key, value):
        batch, heads, length, depth = query.shape
        attended = query.new_empty(batch, length, heads, depth).transpose(1, 2)
        ctx.save_for_backward(query, key, value, attended, query.new_empty(batch, heads, length, dtype=torch.float32))
        return attended


@pytest.fixture(params=SIZES, ids=str)
def sizes(request):
    return request.param


@pytest.fixture
def model(sizes):
    dictionary = toy_dictionary([f"p{number}" for number in range(sizes.vocabulary - 8)])
    assert len(dictionary) == sizes.vocabulary
    return build_model(
        dictionary,
        encoder_layers=sizes.layers,
        encoder_embed_dim=sizes.width,
        encoder_ffn_embed_dim=sizes.inner_width,
        encoder_attention_heads=4,
        max_positions=sizes.positions - 2,
        insert_normal_every=sizes.insert_normal_every,
        dropout=0.1,
    )


def test_parameters_are_those_of_the_model(sizes, model):
    assert sizes.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert sizes.lasting() == 20 * sizes.parameters and sizes.lasting(True) == 12 * sizes.parameters


@pytest.mark.skipif(not hasattr(F, "scaled_dot_product_attention"), reason="this torch has no fused attention")
@pytest.mark.parametrize("checkpointed", [False, True])
def test_activations_are_those_of_a_model_on_a_gpu(sizes, model, checkpointed, monkeypatch):
    monkeypatch.setattr(AttentionSublayer, "_fused", lambda self, q, k, v, mask, causal: FusedAttention.apply(q, k, v))
    model = model.to("meta", torch.bfloat16).train()
    tokens = torch.zeros(8, 64, dtype=torch.long, device="meta")
    weights = {parameter.untyped_storage()._cdata for parameter in model.parameters()}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            kept[storage._cdata] = storage  # alive, so that no other takes its place
        return tensor

    def keep_input(layer, arguments):
        keep(arguments[0])

    if checkpointed:
        checkpoint_activations(model)
        for layer in [*model.encoder.layers, *model.decoder.layers]:
            layer.register_forward_pre_hook(keep_input)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model.decoder.extract_features(tokens, model.encoder(tokens))
    measured = sum(storage.nbytes() for storage in kept.values()) / tokens.numel()
    expected = sizes.bytes_a_piece(checkpointed)
    if checkpointed:
        expected -= 2 * training_memory.ENCODER_LAYER * sizes.width  # no backward pass yet
    assert measured == pytest.approx(expected, rel=0.05)


def test_what_fits_follows_memory_and_the_encoders_sizes(tmp_path, capsys):
    base = training_memory.sizes_of_encoder(str(tmp_path / "none"))
    pieces = [base.pieces_in(size * GIB) for size in (8, 24, 80)]
    assert pieces[0] == 0 and 3000 < pieces[1] < 10000 and pieces[2] > 5 * pieces[1]
    assert base.pieces_in(24 * GIB, checkpoint_activations=True) > 10 * pieces[1]
    found = {"num_hidden_layers": 12, "hidden_size": 384, "intermediate_size": 1536, "vocab_size": 12500}
    (tmp_path / "config.json").write_text(json.dumps(found))
    assert training_memory.sizes_of_encoder(str(tmp_path)) == ModelSizes(12, 384, 1536, 12500)
    training_memory.main(["--arch", "xlm_swcm_large", "--memory", "24"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("1,297,8") and [line.split()[0] for line in lines[1:3]] == ["none", "none"]
    assert int(lines[4].split()[0]) > 10 * int(lines[3].split()[0]) > 5000


def test_an_unknown_architecture_is_refused():
    with pytest.raises(training_memory.SwcmError, match="xlm_swcm_large"):
        training_memory.main(["--arch", "xlm_swcm_huge"])
