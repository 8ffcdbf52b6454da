"""The start, tensor by tensor, against the encoder's own file."""

import os

import pytest
import torch
from safetensors.torch import load_file

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.models.embedding_rows import tag_rows
from swcm_fairseq.models.initialization import initialize
from swcm_fairseq.pretrained import read_encoder
from tests.support.tiny_encoder import make_encoder_folder
from tests.support.toy import build_model, start_from, toy_dictionary

# Hugging Face's names, beside the parts of a decoder layer that start from them (paper, section 3.2).
FROM_ATTENTION = {
    "in_proj": ["attention.self.query", "attention.self.key", "attention.self.value"],
    "out_proj": ["attention.output.dense"],
    "layer_norm": ["attention.output.LayerNorm"],
}
FROM_FEED_FORWARD = {"fc1": ["intermediate.dense"], "fc2": ["output.dense"], "layer_norm": ["output.LayerNorm"]}
PARTS = {
    "encoder": {"self_attn": FROM_ATTENTION, "ffn": FROM_FEED_FORWARD},
    "custom": {
        "self_attn": FROM_ATTENTION,
        "ffn1": FROM_FEED_FORWARD,
        "cross_attn": FROM_ATTENTION,
        "ffn2": FROM_FEED_FORWARD,
    },
    "normal": {"self_attn": FROM_ATTENTION, "cross_attn": FROM_ATTENTION, "ffn": FROM_FEED_FORWARD},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_encoder_folder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def file(folder):
    return load_file(os.path.join(folder, "model.safetensors"))


def expected_layer(file, kind, layer):
    """Name within a layer of this package -> the tensor that section 3.2 wants there."""
    wanted = {}
    for part, modules in PARTS[kind].items():
        for module, names in modules.items():
            for each in ("weight", "bias"):
                parts = [file[f"encoder.layer.{layer}.{name}.{each}"] for name in names]
                wanted[f"{part}.{module}.{each}"] = torch.cat(parts)
    return wanted


def assert_equal(layer, expected):
    state = layer.state_dict()
    assert set(state) == set(expected)
    for name, tensor in state.items():
        assert torch.equal(tensor, expected[name]), name


def same_anywhere(layer, others):
    """Names of matrices in ``layer`` that equal any matrix of ``others``."""
    matrices = [t for other in others for t in other.state_dict().values() if t.dim() == 2]
    matrices += [t for whole in matrices for t in whole.chunk(3) if whole.size(0) % 3 == 0]
    own = {name: tensor for name, tensor in layer.state_dict().items() if tensor.dim() == 2}
    return [n for n, t in own.items() if any(t.shape == other.shape and torch.equal(t, other) for other in matrices)]


def test_encoder_layers_are_the_files(folder, file):
    model = start_from(folder)
    for index, layer in enumerate(model.encoder.layers):
        assert_equal(layer, expected_layer(file, "encoder", index))


def test_custom_layer_i_equals_encoder_layer_i(folder, file):
    layers = start_from(folder).decoder.layers
    for place, index in ((0, 0), (1, 1), (2, 2), (4, 3)):  # X = 3: the normal layer is the fourth
        assert_equal(layers[place], expected_layer(file, "custom", index))


def test_embeddings_are_the_files_with_token_type_zero_added_in(folder, file):
    state = start_from(folder).state_dict()
    positions = file["embeddings.position_embeddings.weight"] + file["embeddings.token_type_embeddings.weight"][0]
    rows = file["embeddings.word_embeddings.weight"]
    for side in ("encoder", "decoder"):
        assert torch.equal(state[side + ".embeddings.tokens.weight"][: len(rows)], rows)
        assert torch.equal(state[side + ".embeddings.positions.weight"], positions)
        for each in ("weight", "bias"):
            assert torch.equal(state[side + ".embeddings.layer_norm." + each], file["embeddings.LayerNorm." + each])


def test_encoder_decoder_and_the_two_attentions_of_a_layer_are_copies(folder):
    model = start_from(folder)
    layer = model.decoder.layers[0]
    parts = [model.encoder.layers[0].self_attn, layer.self_attn, layer.cross_attn]
    forwards = [model.encoder.layers[0].ffn, layer.ffn1, layer.ffn2]
    with torch.no_grad():
        for group in (parts, forwards):
            for changed in range(3):
                before = [{n: t.clone() for n, t in one.state_dict().items()} for one in group]
                for parameter in group[changed].parameters():
                    parameter.add_(1.0)
                for i, (one, old) in enumerate(zip(group, before)):
                    for name, tensor in one.state_dict().items():
                        assert torch.equal(tensor, old[name]) == (i != changed), name


@torch.no_grad()
def test_a_started_custom_layer_is_its_encoder_layer_twice(folder):
    model = start_from(folder, insert_normal_every=0)
    torch.manual_seed(0)
    x = torch.randn(2, 6, 24)
    padding = torch.tensor([[False] * 6, [False] * 4 + [True] * 2])[:, None, None]
    for encoder_layer, custom in zip(model.encoder.layers, model.decoder.layers):
        once = encoder_layer(x, padding)
        output, _ = custom(x, memory=once, mask=padding, memory_mask=padding)
        torch.testing.assert_close(output, encoder_layer(once, padding), atol=1e-5, rtol=0)


@pytest.mark.parametrize("memory", ["last", "same-layer", "same-layer-input"])
@torch.no_grad()
def test_what_custom_layers_are_given_to_read(folder, memory):
    """With ``same-layer`` it is what makes a started one its encoder layer twice; the last one has it in any case."""
    model = start_from(folder, cross_attention_memory=memory)  # custom, custom, custom, normal, custom
    calls = {}
    for layer in (*model.encoder.layers, *model.decoder.layers):
        layer.register_forward_hook(lambda module, given, made: calls.setdefault(module, (given, made)) and None)
    tokens = torch.tensor([[0, 5, 6, 7, 8, 2]])
    model(tokens, None, tokens)
    inputs = [calls[layer][0][0] for layer in model.encoder.layers]
    outputs = [calls[layer][1] for layer in model.encoder.layers]
    read = [calls[layer][0][1] for layer in model.decoder.layers]
    expected = {"last": outputs[-1:] * 4, "same-layer": outputs, "same-layer-input": inputs}[memory]
    assert torch.equal(read.pop(3), outputs[-1])
    assert all(torch.equal(one, other) for one, other in zip(read, expected))
    customs = [layer for place, layer in enumerate(model.decoder.layers) if place != 3]
    for number, (custom, x) in enumerate(zip(customs, inputs)):
        twice = model.encoder.layers[number](outputs[number])
        same = torch.allclose(custom(x, memory=read[number])[0], twice, atol=1e-5)
        assert same == (memory == "same-layer" or (memory == "last" and number == 3))


def test_normal_layers_are_random(folder):
    model, other = start_from(folder, insert_normal_every=2), start_from(folder, insert_normal_every=2, seed=2)
    normal = [model.decoder.layers[i] for i in (2, 5)]
    assert same_anywhere(normal[0], list(model.encoder.layers) + normal[1:]) == []
    assert same_anywhere(normal[0], [other.decoder.layers[2]]) == []
    assert same_anywhere(normal[0], [start_from(folder, insert_normal_every=2).decoder.layers[2]]) != []


def test_a_warm_insertion_is_the_encoder_layers_but_for_its_cross_attention(folder, file):
    model = start_from(folder, insert_normal_every=2, inserted_layers="warm")
    for place, index in ((2, 1), (5, 3)):
        layer = model.decoder.layers[place]
        expected = expected_layer(file, "normal", index)
        for part in ("self_attn", "ffn"):
            names = {name[len(part) + 1 :]: tensor for name, tensor in expected.items() if name.startswith(part)}
            assert_equal(getattr(layer, part), names)
        assert same_anywhere(layer.cross_attn, model.encoder.layers) == []


def test_shifted_second_halves_are_of_layers_further_up(folder, file):
    layers = start_from(folder, insert_normal_every=0, cross_attention_shift=2).decoder.layers
    for place, second in enumerate([2, 3, 3, 3]):
        expected = expected_layer(file, "custom", place)
        above = expected_layer(file, "custom", second)
        later = {name: above[name] for name in expected if name.startswith(("cross_attn.", "ffn2."))}
        assert_equal(layers[place], {**expected, **later})


def test_a_tied_decoder_is_one_with_the_encoder_and_still_drawn_where_it_was(folder):
    model = start_from(folder, tie_decoder=True)
    free = start_from(folder)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, free.state_dict()[name]), name
    for place, index in ((0, 0), (1, 1), (2, 2), (4, 3)):
        layer, origin = model.decoder.layers[place], model.encoder.layers[index]
        for part, whole in ((layer.self_attn, origin.self_attn), (layer.cross_attn, origin.self_attn)):
            assert part.in_proj.weight is whole.in_proj.weight and part.layer_norm.bias is whole.layer_norm.bias
        assert layer.ffn1.fc1.weight is layer.ffn2.fc1.weight is origin.ffn.fc1.weight
        name = f"decoder.layers.{place}.cross_attn.in_proj.weight"
        assert model.init_origins[name] == ("tied", f"encoder.layers.{index}.self_attn.in_proj.weight")
    inserted = {id(parameter) for parameter in model.decoder.layers[3].parameters()}
    assert not inserted & {id(parameter) for parameter in model.encoder.parameters()}


@pytest.mark.parametrize("kind", ["custom", "normal"])
def test_random_start_keeps_kinds_number_and_embeddings_and_draws_every_layer(folder, kind):
    shared = start_from(folder, decoder_layer_kind=kind)
    model = start_from(folder, decoder_layer_kind=kind, decoder_init="random")
    assert [type(layer) for layer in model.decoder.layers] == [type(layer) for layer in shared.decoder.layers]
    for layer in model.decoder.layers:
        assert same_anywhere(layer, model.encoder.layers) == []
    for name, tensor in model.encoder.state_dict().items():
        if name != "embeddings.tokens.weight":
            assert torch.equal(tensor, shared.encoder.state_dict()[name]), name
    rows = slice(0, len(model.encoder.dictionary) - 3)
    assert torch.equal(model.decoder.embeddings.tokens.weight[rows], shared.encoder.embeddings.tokens.weight[rows])


def test_normal_kind_starts_its_three_parts_from_one_encoder_layer(folder, file):
    layers = start_from(folder, decoder_layer_kind="normal").decoder.layers
    for place, index in ((0, 0), (1, 1), (2, 2), (4, 3)):
        assert_equal(layers[place], expected_layer(file, "normal", index))


# Part of a custom layer -> the encoder layers that it starts from, by hand; None: drawn.
BASELINE_INITS = {
    "warm": [{"self_attn": 1, "ffn1": 1, "cross_attn": None, "ffn2": 1}, 1, 4],
    "feed-forward": [{"self_attn": None, "ffn1": 1, "cross_attn": None, "ffn2": 1}, 1, 4],
    "interleaved": [{"self_attn": 2, "ffn1": 2, "cross_attn": 3, "ffn2": 3}, 1, 2],
}


@pytest.mark.parametrize("decoder_init", BASELINE_INITS)
def test_what_baselines_copy(folder, decoder_init):
    wanted, place, depth = BASELINE_INITS[decoder_init]
    model = start_from(folder, decoder_init=decoder_init, insert_normal_every=0)
    assert len(model.decoder.layers) == depth
    layer = model.decoder.layers[place]
    for part, index in wanted.items():
        found = dict(getattr(layer, part).named_parameters())
        if index is None:
            assert same_anywhere(getattr(layer, part), model.encoder.layers) == []
            continue
        origin = model.encoder.layers[index].ffn if part.startswith("ffn") else model.encoder.layers[index].self_attn
        for name, parameter in origin.named_parameters():
            copied = not (decoder_init == "feed-forward" and name.startswith("layer_norm"))
            assert torch.equal(found[name], parameter) is copied, (part, name)


def test_duplicates_are_second_copies_of_their_own(folder, file):
    layers = start_from(folder, inserted_layers="duplicate").decoder.layers
    for place, index in enumerate((0, 1, 2, 2, 3)):
        assert_equal(layers[place], expected_layer(file, "custom", index))
    with torch.no_grad():
        layers[2].ffn1.fc1.weight.zero_()
    assert layers[3].ffn1.fc1.weight.any()


def test_tag_rows_are_spread_as_the_pieces_are(file):
    """Channel by channel, and the specials count for nothing."""
    pieces = file["embeddings.word_embeddings.weight"][4:]
    pieces = pieces * torch.linspace(0.2, 5, pieces.size(1))
    table = torch.cat([torch.full_like(pieces[:4], 50.0), pieces])
    rows = tag_rows(table, 4000, torch.Generator().manual_seed(1))
    assert ((rows.mean(0) - pieces.mean(0)).abs() < 0.1 * pieces.std(0)).all()
    assert torch.allclose(rows.std(0), pieces.std(0), rtol=0.1)


def test_the_tags_of_a_model_are_such_rows(folder, file):
    rows = start_from(folder).state_dict()["encoder.embeddings.tokens.weight"]
    pieces, tags = file["embeddings.word_embeddings.weight"][4:], rows[-3:]
    away = (tags - pieces.mean(0)) / pieces.std(0)
    assert away.abs().max() < 5 and 0.5 < float(away.std()) < 1.5
    assert not torch.equal(tags[0], tags[1]) and not torch.equal(tags[1], tags[2])


def test_an_untied_output_starts_from_the_token_table_with_a_zero_bias(folder):
    model = start_from(folder, untie_output_projection=True)
    weight, bias = model.output_parameters()
    table = model.encoder.embeddings.tokens.weight
    assert torch.equal(weight, table) and weight.data_ptr() != table.data_ptr()
    assert not bias.any()


def test_all_that_does_not_fit_is_named_at_once(folder):
    encoder = read_encoder(folder)
    dictionary = toy_dictionary(encoder.pieces)
    model = build_model(
        dictionary,
        encoder_layers=3,
        encoder_embed_dim=24,
        encoder_ffn_embed_dim=39,
        encoder_attention_heads=4,
        max_positions=64,
    )
    with pytest.raises(SwcmError) as caught:
        initialize(model, model.decoder.plan, encoder, "shared")
    message = str(caught.value)
    assert "encoder.layer.3.output.dense.weight has no place in the model" in message
    assert (
        "encoder.layer.0.intermediate.dense.weight is (40, 24), encoder.layers.0.ffn.fc1.weight wants (39, 24)"
        in message
    )
    assert "decoder.layers.0.ffn2.fc2.weight" in message
