"""Training computes real positions alone, and what comes out is what it would be with padding in between."""

import pytest
import torch

from swcm_fairseq.modules.padding import pad, real_positions, unpad
from tests.support.toy import toy_dictionary, toy_model, toy_sources

DICTIONARY = toy_dictionary()
REAL = torch.tensor([[False, True, True], [True, False, False]])


def test_there_and_back():
    real = real_positions(REAL)
    x = torch.arange(12.0).view(2, 3, 2)
    alone = unpad(x, real)
    assert alone.tolist() == [[[2.0, 3.0], [4.0, 5.0], [6.0, 7.0]]]
    assert torch.equal(pad(alone, real), x * REAL[..., None])


def test_gradients_go_where_the_numbers_came_from():
    real = real_positions(REAL)
    for function, shape in ((unpad, (2, 3, 2)), (pad, (1, 3, 2))):
        x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda x, function=function: function(x, real), (x,))


@pytest.mark.parametrize("padded, left_out", [(0, False), (1, False), (3, False), (4, True), (50, True)])
def test_a_little_padding_is_cheaper_than_leaving_it_out(padded, left_out):
    real = torch.ones(2, 64, dtype=torch.bool)
    real[1, 64 - padded :] = False
    assert (real_positions(real) is not None) == left_out


@pytest.fixture(params=["custom and normal", "identity"])
def model(request):
    return toy_model(DICTIONARY, inserted_layers="identity" if request.param == "identity" else "normal")


def batch(left):
    """Sources [3, 6] and targets [3, 9] of 2, 9 and 5 pieces."""
    targets = toy_sources(DICTIONARY, [2, 9, 5], left, seed=1)
    targets[targets.eq(DICTIONARY.bos())] = DICTIONARY.index("[kk]")
    return toy_sources(DICTIONARY, [6, 3, 4]), targets


@pytest.mark.parametrize("left", [False, True], ids=["right", "left"])
def test_outputs_and_gradients_are_those_of_padded_computation(model, left):
    sources, targets = batch(left)
    real = targets.ne(DICTIONARY.pad())
    drawn = torch.randn(int(real.sum()), len(DICTIONARY), generator=torch.Generator().manual_seed(0))
    outputs, gradients = [], []
    for training in (False, True):
        model.train(training)
        model.zero_grad()
        outputs.append(model(sources, None, targets)[0][real])
        (outputs[-1] * drawn).sum().backward()
        gradients.append([parameter.grad.clone() for parameter in model.parameters()])
    torch.testing.assert_close(*outputs, atol=1e-5, rtol=0)
    for one, other in zip(*gradients):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def positions_computed(model, **asked):
    """How many positions every decoder layer and sublayer was given."""
    sources, targets = batch(left=False)
    seen, hooks = [], []
    for layer in model.decoder.layers:
        for module in (layer, *layer.children()):
            hook = module.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].shape[:2].numel()))
            hooks.append(hook)
    model.decoder(targets, model.encoder(sources), **asked)
    for hook in hooks:
        hook.remove()
    return set(seen)


def test_padding_is_left_out_of_every_sublayer_in_training_alone(model):
    with_start = 16 + 3  # <s> comes before each
    assert positions_computed(model.train()) == {with_start}
    assert positions_computed(model.eval()) == {3 * 10}


def test_states_that_are_asked_for_have_their_padding(model):
    assert positions_computed(model.train(), return_all_hiddens=True) == {3 * 10}
