"""Products with frozen weights are the same products, in another layout where torch has one."""

import pytest
import torch
import torch.nn.functional as F

from swcm_fairseq.modules import linear
from swcm_fairseq.modules.linear import PackedLinear

PACKED = pytest.mark.skipif(
    not hasattr(torch.ops.mkldnn, "_linear_pointwise"), reason="this torch has no packed products: 1.12 lacks them"
)


def drawn(*shape, dtype=torch.float32, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-5), (torch.bfloat16, 0.1)])
@pytest.mark.parametrize("shape", [(1, 40), (5, 1, 40), (3, 7, 40), (320, 40), (0, 40)])
@pytest.mark.parametrize("with_bias", [True, False])
@torch.no_grad()
def test_frozen_products_equal_plain_ones(dtype, tolerance, shape, with_bias):
    packed_linear = PackedLinear()
    packed_linear.freeze()
    x, weight = drawn(*shape, dtype=dtype), drawn(24, 40, dtype=dtype, seed=1)
    bias = drawn(24, dtype=dtype, seed=2) if with_bias else None
    for _ in range(2):
        found = packed_linear(x, weight, bias)
        assert found.dtype is dtype
        torch.testing.assert_close(found, F.linear(x, weight, bias), atol=tolerance, rtol=tolerance)


@PACKED
@torch.no_grad()
def test_parts_of_one_weight_are_kept_apart_and_packed_once():
    packed_linear = PackedLinear()
    packed_linear.freeze()
    x, weight = drawn(2, 40), drawn(24, 40)
    for _ in range(3):
        for part in (weight, weight[:8], weight[8:]):
            torch.testing.assert_close(packed_linear(x, part, None), F.linear(x, part))
    # weight[:8] begins where weight does.
    assert len(packed_linear.packed) == 3


@PACKED
@pytest.mark.parametrize(
    "amd, dtype, copies", [(False, torch.float32, 0), (True, torch.float32, 1), (False, torch.bfloat16, 1)]
)
@torch.no_grad()
def test_one_row_of_float32_is_multiplied_from_the_plain_layout_but_on_amds(monkeypatch, amd, dtype, copies):
    monkeypatch.setattr(linear, "made_by_amd", lambda: amd)
    copies *= linear._works(dtype)  # bf16 only where the processor has it
    x, weight = drawn(1, 1, 40, dtype=dtype), drawn(24, 40, dtype=dtype)
    for looked_up in (False, True):
        packed_linear = PackedLinear()
        packed_linear.freeze()
        found = packed_linear.product(weight, None)(x) if looked_up else packed_linear(x, weight, None)
        assert sum(packed is not None for _, packed in packed_linear.packed.values()) == copies
        torch.testing.assert_close(found, F.linear(x, weight), atol=0.1, rtol=0.1)


def test_gradients_are_there_when_asked_for():
    packed_linear = PackedLinear()
    packed_linear.freeze()
    x, weight = drawn(2, 40), drawn(24, 40).requires_grad_()
    packed_linear(x, weight, None).sum().backward()
    torch.testing.assert_close(weight.grad, x.sum(0).expand(24, 40))
    assert not packed_linear.packed


@torch.no_grad()
def test_before_freezing_weights_may_change():
    packed_linear = PackedLinear()
    x, weight = drawn(2, 40), drawn(24, 40)
    before = packed_linear(x, weight, None)
    weight.mul_(2)
    torch.testing.assert_close(packed_linear(x, weight, None), 2 * before)


@torch.no_grad()
def test_a_torch_whose_packed_products_are_wrong_is_not_used(monkeypatch):
    class Wrong:
        @staticmethod
        def _reorder_linear_weight(weight):
            return weight

        @staticmethod
        def _linear_pointwise(x, weight, bias, *rest):
            return torch.zeros(x.size(0), weight.size(0), dtype=x.dtype)

    class Ops:
        mkldnn = Wrong

    monkeypatch.setattr(linear, "_WORKING", {})
    monkeypatch.setattr(torch, "ops", Ops)
    packed_linear = PackedLinear()
    packed_linear.freeze()
    x, weight = drawn(2, 40), drawn(24, 40)
    torch.testing.assert_close(packed_linear(x, weight, None), F.linear(x, weight))


def test_linear_layers_start_narrow_with_a_zero_bias():
    layer = linear.linear(400, 300)
    assert abs(float(layer.weight.std()) - 0.02) < 0.001 and not layer.bias.any()
