"""Numbers stay numbers: masks that leave nothing to attend to, the shortest and longest inputs, exact gradients."""

import pytest
import torch

from swcm_fairseq.modules.layers import CustomLayer, LayerSizes, NormalLayer
from tests.support.toy import toy_dictionary, toy_model, toy_sources


@pytest.fixture(scope="module")
def dictionary():
    return toy_dictionary()


@pytest.fixture(scope="module")
def model(dictionary):
    return toy_model(dictionary, max_positions=512)


def finite_in_both_directions(model, source, target):
    model.zero_grad()
    logits, extra = model(source, None, target)
    assert torch.isfinite(logits).all() and torch.isfinite(extra["attn"][0]).all()
    logits.logsumexp(-1).sum().backward()
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            assert torch.isfinite(parameter.grad).all(), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("length", [1, 2, 256, 511])
def test_every_length_beside_a_source_of_padding_alone(model, dictionary, length, dtype):
    """Lengths up to the longest: 512 positions, of which the decoder's <s> takes one."""
    model = model.to(dtype)
    source = torch.full((3, length + 1), dictionary.pad())
    source[0] = toy_sources(dictionary, [length + 1])[0]
    source[1, -1] = dictionary.eos()  # one token, padding on the left
    target = torch.full((3, length), dictionary.pad())  # the last one is of padding alone too
    target[0] = source[0, :length]
    target[1, 0] = dictionary.index("[kk]")
    finite_in_both_directions(model, source, target)
    model.to(torch.float32)


def test_a_batch_of_nothing_but_padding(model, dictionary):
    padding = torch.full((2, 5), dictionary.pad())
    finite_in_both_directions(model, padding, padding)


@pytest.mark.parametrize("kind", [CustomLayer, NormalLayer])
def test_gradients_are_those_of_the_function(kind):
    """Against differences in float64, of the inputs and of every tensor of the layer, with masks in place."""
    torch.manual_seed(0)
    sizes = LayerSizes(4, 2, 6, "gelu", 1e-5, dropout=0.0, attention_dropout=0.0, activation_dropout=0.0)
    layer = kind(sizes).double().eval()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    x, memory = (torch.randn(2, length, 4, dtype=torch.float64, requires_grad=True) for length in (3, 2))
    future = torch.ones(3, 3, dtype=torch.bool).triu(1)[None, None]
    memory_mask = torch.tensor([[False, False], [False, True]])[:, None, None, :]
    parameters = tuple(layer.parameters())

    def function(x, memory, *_):
        return layer(x, memory, future, memory_mask)[0]

    assert torch.autograd.gradcheck(function, (x, memory, *parameters))
