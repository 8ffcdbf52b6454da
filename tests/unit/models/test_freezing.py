"""What is frozen stays as it was, whatever the loss says; the rest learns."""

import pytest
import torch

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.models.freezing import freeze
from tests.support.toy import toy_dictionary, toy_model

DICTIONARY = toy_dictionary()


def moved_by_a_step(model):
    """The first parts of the names of parameters that a step of gradient descent changes."""
    model.train()
    tokens = torch.full((2, 3), DICTIONARY.nspecial)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    logits, _ = model(tokens, None, tokens)
    logits.logsumexp(-1).sum().backward()
    torch.optim.SGD(trained, lr=1.0).step()
    changed = [name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])]
    return {".".join(part for part in name.split(".")[:4] if not part.isdigit()) for name in changed}


@pytest.mark.parametrize(
    "parts, still, moving",
    [
        ("embeddings", ["encoder.embeddings"], ["encoder.layers", "decoder.layers"]),
        ("embeddings,encoder", ["encoder"], ["decoder.layers"]),
        ("decoder", ["decoder"], ["encoder.layers", "encoder.embeddings"]),
        ("decoder-self-attention", ["decoder.layers.self_attn"], ["decoder.layers.cross_attn", "decoder.layers.ffn"]),
        ("decoder-cross-attention", ["decoder.layers.cross_attn"], ["decoder.layers.self_attn"]),
        ("decoder-feed-forward", ["decoder.layers.ffn"], ["decoder.layers.cross_attn", "encoder.layers.ffn"]),
    ],
)
def test_frozen_parts_stay_and_others_learn(parts, still, moving):
    model = toy_model(DICTIONARY)
    freeze(model, parts)
    changed = moved_by_a_step(model)
    for beginning in still:
        assert not [name for name in changed if name.startswith(beginning)]
    for beginning in moving:
        assert [name for name in changed if name.startswith(beginning)], beginning


def test_unknown_parts_are_all_named():
    with pytest.raises(SwcmError) as caught:
        freeze(toy_model(DICTIONARY), "encodr, embeddings,heads")
    assert "'encodr'" in str(caught.value) and "'heads'" in str(caught.value)


def test_something_must_be_left():
    with pytest.raises(SwcmError, match="nothing to train"):
        freeze(toy_model(DICTIONARY), "embeddings,encoder,decoder")
