import math

import pytest
import torch

from swcm_fairseq.modules.attention import AttentionSublayer
from swcm_fairseq.modules.feed_forward import FeedForwardSublayer
from swcm_fairseq.modules.layers import CustomLayer, EncoderLayer, IdentityLayer, LayerSizes, NormalLayer

SIZES = LayerSizes(
    width=8,
    heads=2,
    inner_width=12,
    activation="gelu",
    eps=1e-5,
    dropout=0.0,
    attention_dropout=0.0,
    activation_dropout=0.0,
)


def scattered(module):
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.4 * torch.randn_like(parameter))
    return module.eval()


def silence(*linears):
    for parameter in (parameter for one in linears for parameter in one.parameters()):
        parameter.zero_()


@pytest.mark.parametrize("name", ["gelu", "relu"])
@torch.no_grad()
def test_feed_forward_equals_the_formula(name):
    module = scattered(FeedForwardSublayer(SIZES._replace(width=4, inner_width=5, activation=name)))
    # BERT's gelu is the exact one, by the error function, not the approximation by tanh.
    function = {"gelu": lambda v: v * 0.5 * (1 + math.erf(v / math.sqrt(2))), "relu": lambda v: max(v, 0.0)}[name]
    x = 4 * torch.randn(4)  # where the two differ
    inner = torch.tensor([function(float(row @ x + bias)) for row, bias in zip(module.fc1.weight, module.fc1.bias)])
    total = x + module.fc2.weight @ inner + module.fc2.bias
    centred = total - total.mean()
    expected = centred / torch.sqrt((centred**2).mean() + 1e-5) * module.layer_norm.weight + module.layer_norm.bias
    torch.testing.assert_close(module(x[None, None])[0, 0], expected, atol=1e-5, rtol=1e-5)


@pytest.fixture
def inputs():
    torch.manual_seed(1)
    future = torch.ones(4, 4, dtype=torch.bool).triu(1)
    padding = torch.tensor([[False] * 5, [False, False, True, True, True]])[:, None, None]
    return torch.randn(2, 4, 8), torch.randn(2, 5, 8), future, padding


def test_an_encoder_layer_is_attention_then_feed_forward(inputs):
    layer, (_, x, _, padding) = scattered(EncoderLayer(SIZES)), inputs
    torch.testing.assert_close(layer(x, padding), layer.ffn(layer.self_attn(x, mask=padding)[0]))


def test_an_encoder_layer_without_residual_leaves_its_input_out(inputs):
    layer, x = scattered(EncoderLayer(SIZES, residual=False)), inputs[1]
    whole = scattered(EncoderLayer(SIZES))
    # Attention that weighs all pieces alike says the same of each of them, once nothing is added.
    for module in (layer, whole):
        module.self_attn.in_proj.weight.data[:16] = 0
        module.self_attn.in_proj.bias.data[:16] = 0
    assert torch.allclose(layer(x)[:, :1].expand(-1, 5, -1), layer(x), atol=1e-5)
    assert not torch.allclose(whole(x)[:, :1].expand(-1, 5, -1), whole(x), atol=0.1)
    assert [name for name, _ in layer.named_parameters()] == [name for name, _ in whole.named_parameters()]


def test_an_identity_layer_starts_as_the_identity_and_can_learn(inputs):
    torch.manual_seed(0)
    layer, (x, memory, future, padding) = IdentityLayer(SIZES), inputs
    output, _ = layer(x, memory, future, padding)
    assert torch.equal(output, x)
    (output * torch.randn_like(output)).sum().backward()
    for last in (layer.self_attn.out_proj, layer.cross_attn.out_proj, layer.ffn.fc2):
        assert last.weight.grad.abs().max() > 0


@torch.no_grad()
def test_an_identity_layer_is_pre_norm(inputs):
    torch.manual_seed(0)
    layer, (x, memory, future, padding) = scattered(IdentityLayer(SIZES)), inputs
    silence(layer.self_attn.out_proj, layer.cross_attn.out_proj)
    inner = torch.nn.functional.gelu(layer.ffn.fc1(layer.ffn.layer_norm(x)))
    torch.testing.assert_close(layer(x, memory, future, padding)[0], x + layer.ffn.fc2(inner))
    layer = scattered(IdentityLayer(SIZES))
    silence(layer.ffn.fc2, layer.cross_attn.out_proj)
    # A pre-norm sublayer does not see how large its input is, and adds to it.
    step = layer(x, memory, future, padding)[0] - x
    torch.testing.assert_close(layer(3 * x, memory, future, padding)[0], 3 * x + step, atol=1e-3, rtol=1e-3)


def test_a_custom_layer_has_a_feed_forward_after_each_attention(inputs):
    layer, (x, memory, future, padding) = scattered(CustomLayer(SIZES)), inputs
    expected = layer.ffn1(layer.self_attn(x, mask=future)[0])
    expected = layer.ffn2(layer.cross_attn(expected, memory, padding)[0])
    torch.testing.assert_close(layer(x, memory, future, padding)[0], expected)


def test_a_normal_layer_has_one_feed_forward_at_its_end(inputs):
    layer, (x, memory, future, padding) = scattered(NormalLayer(SIZES)), inputs
    expected = layer.ffn(layer.cross_attn(layer.self_attn(x, mask=future)[0], memory, padding)[0])
    torch.testing.assert_close(layer(x, memory, future, padding)[0], expected)


@pytest.mark.parametrize("kind", [CustomLayer, NormalLayer])
def test_the_weights_given_are_those_of_the_cross_attention(kind, inputs):
    layer, (x, memory, future, padding) = scattered(kind(SIZES)), inputs
    _, weights = layer(x, memory, future, padding, need_weights=True)
    assert weights.shape == (2, 4, 5)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4))
    assert float(weights[1, :, 2:].max()) == 0.0


@pytest.mark.parametrize("kind", [CustomLayer, NormalLayer])
def test_a_fresh_layer_is_near_the_identity_on_normed_input(kind):
    torch.manual_seed(0)
    x = torch.nn.functional.layer_norm(torch.randn(3, 5, 64), (64,))
    layer = kind(SIZES._replace(width=64, heads=4, inner_width=128)).eval()
    output, _ = layer(x, torch.randn(3, 4, 64))
    # The layers around it start from an encoder's and would be drowned by a random one of usual spread.
    assert float((output - x).std()) < 0.1


class Nothing(torch.nn.Module):
    """Drops all that it is given."""

    def forward(self, x):
        return torch.zeros_like(x)


def test_what_dropout_takes_away_has_no_part_in_the_output(inputs):
    x, memory, _, _ = inputs
    for name in ("dropout_module", "attention_dropout_module"):
        for other in (None, memory):
            attention = scattered(AttentionSublayer(SIZES))
            setattr(attention, name, Nothing())
            left = x if name == "dropout_module" else x + attention.out_proj.bias
            torch.testing.assert_close(attention(x, other)[0], attention.layer_norm(left))
    for name in ("dropout_module", "activation_dropout_module"):
        ffn = scattered(FeedForwardSublayer(SIZES))
        setattr(ffn, name, Nothing())
        left = x if name == "dropout_module" else x + ffn.fc2.bias
        torch.testing.assert_close(ffn(x), ffn.layer_norm(left))


def test_dropout_is_where_the_settings_put_it():
    layer = CustomLayer(SIZES._replace(dropout=0.1, attention_dropout=0.2, activation_dropout=0.3))
    for attention in (layer.self_attn, layer.cross_attn):
        assert (attention.dropout_module.p, attention.attention_dropout_module.p) == (0.1, 0.2)
    for ffn in (layer.ffn1, layer.ffn2):
        assert (ffn.dropout_module.p, ffn.activation_dropout_module.p) == (0.1, 0.3)
