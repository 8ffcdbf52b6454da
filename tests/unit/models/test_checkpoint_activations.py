"""--checkpoint-activations: the same losses and gradients, and less kept for them."""

import copy

import pytest
import torch

from swcm_fairseq.models.checkpoint_activations import checkpoint_activations
from tests.support.toy import toy_dictionary, toy_model, toy_sources

DICTIONARY = toy_dictionary()
VARIANTS = {
    "plain": {},
    "layer by layer": {"cross_attention_memory": "same-layer"},
    "tied": {"tie_decoder": True},
}


@pytest.fixture(scope="module", params=VARIANTS.values(), ids=VARIANTS)
def models(request):
    model = toy_model(DICTIONARY, dropout=0.2, attention_dropout=0.2, **request.param).train()
    checkpointed = copy.deepcopy(model)
    checkpoint_activations(checkpointed)
    return model, checkpointed


def loss_and_kept(model):
    """A loss with its gradients computed, and how many bytes were kept for them."""
    torch.manual_seed(3)
    model.zero_grad()
    sources = toy_sources(DICTIONARY, [9, 4, 7])
    sizes = {}
    own = {parameter.data_ptr() for parameter in model.parameters()}

    def keep(tensor):
        if tensor.data_ptr() not in own:
            sizes[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output, _ = model(sources, None, sources)
    loss = output.float().square().mean()
    loss.backward()
    return loss.item(), sum(sizes.values())


def test_losses_and_gradients_stay_and_less_is_kept(models):
    (loss, kept), (again, less) = [loss_and_kept(model) for model in models]
    assert loss == again and less < kept / 2
    for one, other in zip(models[0].parameters(), models[1].parameters()):
        assert one.grad is not None and torch.equal(one.grad, other.grad)


def test_gradients_reach_layers_behind_a_frozen_embedding(models):
    for model in models:
        for parameter in model.encoder.embeddings.parameters():
            parameter.requires_grad_(False)
    loss_and_kept(models[0])
    loss_and_kept(models[1])
    weights = [model.encoder.layers[0].ffn.fc1.weight for model in models]
    assert torch.equal(weights[0].grad, weights[1].grad)


def test_without_gradients_nothing_changes(models):
    sources = toy_sources(DICTIONARY, [9, 4, 7])
    with torch.no_grad():
        outputs = [model.eval()(sources, None, sources)[0] for model in models]
    for model in models:
        model.train()
    assert torch.equal(*outputs)
