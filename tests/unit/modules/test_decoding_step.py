"""A step without the modules writes what the modules write, number for number, and is left out where it cannot."""

import pytest
import torch

from swcm_fairseq.models import decoder as decoders
from tests.support.toy import frozen_model, toy_dictionary, toy_model, toy_sources

DICTIONARY = toy_dictionary()
KINDS = {
    "custom and normal": {},
    "normal alone": {"decoder_layer_kind": "normal"},
    "identity": {"inserted_layers": "identity"},
    "relu": {"activation_fn": "relu"},
    "tied": {"tie_decoder": True},
    "memory of the same layer": {"cross_attention_memory": "same-layer"},
}


@torch.no_grad()
def logits_of(model, beam=3, steps=5):
    """[steps, sentences * beam, V] and the caches, with rows of two sentences, one padded, that change their order."""
    rows = torch.arange(2).repeat_interleave(beam)
    encoder_out = model.encoder.reorder_encoder_out(model.encoder(toy_sources(DICTIONARY, [7, 4])), rows)
    drawn = torch.Generator().manual_seed(3)
    tokens = torch.randint(DICTIONARY.nspecial, DICTIONARY.nspecial + 9, (2 * beam, steps), generator=drawn)
    found, state = [], {}
    for length in range(1, steps + 1):
        found.append(model.decoder(tokens[:, :length], encoder_out, state)[0][:, 0])
        order = torch.cat([torch.randint(0, beam, (beam,), generator=drawn) + start for start in (0, beam)])
        tokens = tokens[order]
        model.decoder.reorder_incremental_state_scripting(state, order)
    caches = [entry["keys_values"] for entry in state.values() if "keys_values" in entry]
    return torch.stack(found), caches


@pytest.fixture
def steps_taken(monkeypatch):
    """How many of a decoder's layers went through a step, of each call that made one."""
    made = []
    original = decoders.decoding_step

    def counting(layers):
        step = original(layers)

        def counted(*arguments):
            made.append(len(layers))
            return step(*arguments)

        return step and counted

    monkeypatch.setattr(decoders, "decoding_step", counting)
    return made


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize("settings", KINDS.values(), ids=KINDS)
def test_the_same_numbers(monkeypatch, steps_taken, settings, beam, dtype):
    model = toy_model(DICTIONARY, **settings)
    found, caches = logits_of(frozen_model(model, dtype), beam)
    assert len(steps_taken) == 4, "all steps but the first, which begins the caches"
    monkeypatch.setattr(decoders, "decoding_step", lambda layers: None)
    expected, expected_caches = logits_of(frozen_model(model, dtype), beam)
    assert torch.equal(found, expected)
    assert len(caches) == len(expected_caches) > 0
    assert all(map(torch.equal, caches, expected_caches))


@pytest.mark.parametrize("case", ["not frozen", "attention asked for", "dropout retained", "training", "all states"])
def test_where_the_modules_are_needed(steps_taken, case):
    model = toy_model(DICTIONARY, dropout=0.3)
    if case == "attention asked for":
        model = frozen_model(model, need_attn=True)
    elif case == "dropout retained":
        model = frozen_model(model, retain_dropout=True)
    elif case != "not frozen":
        model = frozen_model(model)
    if case == "training":
        model.decoder.train()
    if case == "all states":
        forward = model.decoder.forward
        model.decoder.forward = lambda *arguments: forward(*arguments, return_all_hiddens=True)
    torch.manual_seed(1)
    drawn, _ = logits_of(model)
    assert not steps_taken
    torch.manual_seed(2)
    again, _ = logits_of(model)
    assert torch.equal(drawn, again) is (case not in ("dropout retained", "training"))


def test_gradients_are_there_when_asked_for(steps_taken):
    model = frozen_model(toy_model(DICTIONARY))
    encoder_out, state = (
        model.encoder.reorder_encoder_out(model.encoder(toy_sources(DICTIONARY, [5])), torch.zeros(1).long()),
        {},
    )
    for length in (1, 2):
        logits, _ = model.decoder(torch.full((1, length), DICTIONARY.nspecial), encoder_out, state)
    logits.sum().backward()
    assert not steps_taken and model.decoder.layers[0].ffn1.fc1.weight.grad.abs().sum() > 0


def test_a_model_that_was_cast_after_a_step_has_its_new_weights(steps_taken):
    model = toy_model(DICTIONARY)
    once = frozen_model(model)
    logits_of(once)
    found, _ = logits_of(once.to(torch.float64))
    expected, _ = logits_of(frozen_model(model, torch.float64))
    assert found.dtype is torch.float64 and torch.equal(found, expected)
