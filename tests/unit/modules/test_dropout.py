"""Dropout with a draw of its own on a CPU."""

import pytest
import torch

from swcm_fairseq.modules.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.75])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_share_and_scale(p, dtype):
    torch.manual_seed(1)
    x = torch.full((1001, 333), 3.0, dtype=dtype)
    y = Dropout(p)(x)
    # Five standard deviations of a share.
    assert abs(y.eq(0).float().mean().item() - p) < 5 * (p * (1 - p) / x.numel()) ** 0.5
    assert y.dtype == dtype
    assert y[y != 0].unique().tolist() == pytest.approx([3 / (1 - p)], rel=1e-2 if dtype == torch.bfloat16 else 1e-6)


def test_every_number_is_drawn_for_itself():
    torch.manual_seed(1)
    y = Dropout(0.5)(torch.ones(4000, 40)).eq(0).float()
    assert torch.corrcoef(y.t()).sub(torch.eye(40)).abs().max() < 0.1
    again = Dropout(0.5)(torch.ones(4000, 40)).eq(0).float()
    assert abs((again == y).float().mean().item() - 0.5) < 0.01


def test_what_is_dropped_has_no_gradient():
    x = torch.ones(50, 7, requires_grad=True)
    y = Dropout(0.3)(x)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())


def test_off_in_evaluation_unless_asked_for():
    module, x = Dropout(0.5, "Layer").eval(), torch.ones(100)
    assert module(x) is x
    module.make_generation_fast_("layer", retain_dropout=True)
    assert module(x).eq(0).any()


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_all_or_nothing(p):
    assert Dropout(p)(torch.ones(9)).tolist() == [1 - p] * 9


def test_the_seed_says_what_is_drawn():
    drawn = []
    for _ in range(2):
        torch.manual_seed(7)
        drawn.append(Dropout(0.4)(torch.ones(5, 3)))
    assert torch.equal(*drawn)


@pytest.mark.parametrize("p", [0.1, 0.3, 0.75])
def test_of_all_draws_as_many_are_dropped_as_p_says(p, monkeypatch):
    """Each of the 65,536 equally likely draws once: exactly p of them, rounded, are dropped."""

    def every_draw_once(bits, *_):
        return bits.copy_(torch.arange(-(2**15), 2**15, dtype=torch.int16).view(torch.int64))

    monkeypatch.setattr(torch.Tensor, "random_", every_draw_once)
    assert int(Dropout(p)(torch.ones(2**16)).eq(0).sum()) == round(p * 2**16)
