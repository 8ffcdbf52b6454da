"""Step by step the decoder computes what it computes at once, wherever beam search moves its rows."""

import pytest
import torch

from tests.support.toy import frozen_model, toy_dictionary, toy_model, toy_sources

DICTIONARY = toy_dictionary()


VARIANTS = {
    "plain": {},
    "identity": {"inserted_layers": "identity"},
    "tied, a residual dropped": {"tie_decoder": True, "drop_encoder_residual": 2},
    "layer by layer": {"cross_attention_memory": "same-layer"},
    "layer by layer, inputs": {"cross_attention_memory": "same-layer-input"},
}


@pytest.fixture(scope="module", params=VARIANTS.values(), ids=VARIANTS)
def model(request):
    return toy_model(DICTIONARY, **request.param)


def random_targets(rows, length, seed=0):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(DICTIONARY.nspecial, DICTIONARY.index("<mask>"), (rows, length), generator=generator)
    tokens[:, 0] = DICTIONARY.index("[kk]")
    return tokens


def close(output, expected):
    torch.testing.assert_close(output, expected, atol=1e-5, rtol=0)


# Between steps, rows go where these say: stay, within a sentence, across sentences, fewer rows, more rows.
ORDERS = {
    "none": [[0, 1, 2, 3]] * 5,
    "within sentences": [[1, 0, 3, 3], [0, 0, 2, 3], [0, 1, 3, 2], [1, 1, 2, 2], [0, 1, 2, 3]],
    "across sentences": [[3, 2, 1, 0], [0, 0, 0, 3], [2, 3, 0, 1], [1, 2, 3, 0], [0, 2, 1, 3]],
    "back and forth between sentences": [[0, 2, 2, 3], [1, 0, 2, 3], [0, 1, 2, 3], [1, 0, 3, 2], [0, 1, 2, 3]],
    "shrinking and growing": [[0, 1, 2, 3], [2, 3], [1, 0], [1], [0, 0, 0]],
}


@pytest.mark.parametrize("orders", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("lengths", [[7, 4], [5, 5]], ids=["padded", "even"])
@pytest.mark.parametrize("frozen", [False, True], ids=["", "frozen"])
@torch.no_grad()
def test_incremental_equals_full(model, orders, lengths, frozen):
    decoder = (frozen_model(model) if frozen else model).decoder
    sources = toy_sources(DICTIONARY, lengths)
    beams = torch.tensor([0, 0, 1, 1])
    encoder_out = model.encoder.reorder_encoder_out(model.encoder(sources), beams)
    sentences, tokens, state = beams, random_targets(4, 6), {}
    for step, order in enumerate(orders, 1):
        logits, extra = decoder(tokens[:, :step], encoder_out, state)
        full, full_extra = model.decoder(tokens[:, :step], model.encoder(sources[sentences]))
        close(logits[:, 0], full[:, -1])
        if frozen:
            assert extra["attn"] == [None]
        else:
            close(extra["attn"][0][:, 0], full_extra["attn"][0][:, -1])
        order = torch.tensor(order)
        sentences, tokens = sentences[order], tokens[order]
        decoder.reorder_incremental_state_scripting(state, order)
        encoder_out = model.encoder.reorder_encoder_out(encoder_out, order)


@torch.no_grad()
def test_the_future_is_hidden(model):
    encoder_out = model.encoder(toy_sources(DICTIONARY, [5]))
    tokens = random_targets(1, 6)
    changed = tokens.clone()
    changed[0, 4:] = torch.tensor([DICTIONARY.index("a"), DICTIONARY.index("b")])
    before, _ = model.decoder(tokens, encoder_out)
    after, _ = model.decoder(changed, encoder_out)
    close(before[:, :4], after[:, :4])
    assert float((before[:, 4] - after[:, 4]).abs().max()) > 1e-3


@pytest.mark.parametrize("left", [False, True], ids=["right", "left"])
@torch.no_grad()
def test_padding_of_targets_changes_nothing(model, left):
    encoder_out = model.encoder(toy_sources(DICTIONARY, [5]))
    tokens = random_targets(1, 4)
    padding = torch.full((1, 3), DICTIONARY.pad())
    padded = torch.cat([padding, tokens] if left else [tokens, padding], 1)
    expected, _ = model.decoder(tokens, encoder_out)
    output, _ = model.decoder(padded, encoder_out)
    close(output[:, 3:] if left else output[:, :4], expected)


@pytest.mark.parametrize("left", [False, True], ids=["right", "left"])
@torch.no_grad()
def test_padding_of_sources_changes_nothing(model, left):
    tokens = random_targets(1, 4)
    short = toy_sources(DICTIONARY, [4, 9], left)[:1]
    alone = short[short.ne(DICTIONARY.pad())][None]
    close(model(short, None, tokens)[0], model(alone, None, tokens)[0])


@torch.no_grad()
def test_attention_weights_sum_to_one_and_leave_padding_out(model):
    sources = toy_sources(DICTIONARY, [7, 4])
    _, extra = model(sources, None, random_targets(2, 3))
    weights = extra["attn"][0]
    assert weights.shape == (2, 3, 7)
    close(weights.sum(-1), torch.ones(2, 3))
    assert float(weights[1, :, 4:].max()) == 0.0


@torch.no_grad()
def test_the_attention_given_is_the_last_layers(model):
    seen = []
    for layer in model.decoder.layers:
        layer.cross_attn.register_forward_hook(lambda module, inputs, output: seen.append(output[1]))
    try:
        _, extra = model(toy_sources(DICTIONARY, [7, 4]), None, random_targets(2, 3))
    finally:
        for layer in model.decoder.layers:
            layer.cross_attn._forward_hooks.clear()
    assert len(seen) == len(model.decoder.layers) and [weights is None for weights in seen] == [True] * 5 + [False]
    close(extra["attn"][0], seen[-1][:, 1:])  # without that of <s>


@torch.no_grad()
def test_a_source_of_padding_alone_gives_no_nan_and_spares_its_neighbours(model):
    sources = toy_sources(DICTIONARY, [5, 5])
    sources[0] = DICTIONARY.pad()
    tokens = random_targets(2, 4)
    output, extra = model(sources, None, tokens)
    assert bool(torch.isfinite(output).all()) and bool(torch.isfinite(extra["attn"][0]).all())
    close(output[1:], model(sources[1:], None, tokens[1:])[0])


@torch.no_grad()
def test_the_source_is_read(model):
    tokens = random_targets(2, 4)[:1].repeat(2, 1)
    output, _ = model(toy_sources(DICTIONARY, [5, 5]), None, tokens)
    assert float((output[0] - output[1]).abs().max()) > 1e-2


@torch.no_grad()
def test_features_and_output_layer_make_the_logits(model):
    encoder_out, tokens = model.encoder(toy_sources(DICTIONARY, [5, 3])), random_targets(2, 4)
    logits, extra = model.decoder(tokens, encoder_out, return_all_hiddens=True)
    features, _ = model.decoder(tokens, encoder_out, features_only=True)
    weight, bias = model.output_parameters()
    assert weight is model.encoder.embeddings.tokens.weight and bias is None
    close(logits, features @ weight.t())
    assert len(extra["inner_states"]) == 1 + 6
    close(extra["inner_states"][-1].transpose(0, 1), features)


@torch.no_grad()
def test_an_untied_output_has_a_weight_and_a_bias_of_its_own():
    model = toy_model(DICTIONARY, untie_output_projection=True)
    encoder_out, tokens = model.encoder(toy_sources(DICTIONARY, [5])), random_targets(1, 4)
    before, _ = model.decoder(tokens, encoder_out)
    weight, bias = model.output_parameters()
    bias[7] += 2.0
    after, _ = model.decoder(tokens, encoder_out)
    close(after[..., 7], before[..., 7] + 2.0)
    weight[9] = 0.0
    assert model.encoder.embeddings.tokens.weight[9].any()


@torch.no_grad()
def test_the_tag_is_heard_though_the_first_position_washes_tokens_out():
    model = toy_model(DICTIONARY)
    positions = model.decoder.embeddings.positions.weight
    positions[model.decoder.padding_idx + 1, 0] = 1e4  # as in XLM-R: beside it no token's row counts
    encoder_out = model.encoder(toy_sources(DICTIONARY, [5]))
    features = [
        model.decoder(torch.tensor([[DICTIONARY.index(tag)]]), encoder_out, features_only=True)[0]
        for tag in ("[kk]", "[mn]")
    ]
    assert (features[0] - features[1]).norm() / features[0].norm() > 0.05
