"""``--amp`` with ``adamw``: what torch's scaler makes of the gradients, and what checkpoints keep of it."""

import copy
from types import SimpleNamespace

import pytest
import torch
from fairseq.dataclass.configs import FairseqConfig
from fairseq.optim import AMPOptimizer
from omegaconf import OmegaConf

from swcm_fairseq.optim import SwcmAdamW

pytestmark = pytest.mark.usefixtures("patched")


class StandIn:
    """torch's GradScaler as torch 1.12 has it for CUDA alone: unscales once between two updates, by the optimizer."""

    def __init__(self, init_scale):
        self.factor, self.unscaled = init_scale, set()

    def scale(self, loss):
        return loss * self.factor

    def unscale_(self, optimizer):
        self.unscaled.add(id(optimizer))
        for group in optimizer.param_groups:
            for param in group["params"]:
                param.grad.div_(self.factor)

    def step(self, optimizer):
        if id(optimizer) not in self.unscaled:
            self.unscale_(optimizer)
        optimizer.step()

    def update(self):
        self.unscaled.clear()

    def is_enabled(self):
        return True

    def get_scale(self):
        return self.factor

    def state_dict(self):
        return {"scale": self.factor}

    def load_state_dict(self, state):
        self.factor = state["scale"]


def scaler(kind, scale):
    if kind == "torch's":
        if not hasattr(torch, "amp") or not hasattr(torch.amp, "GradScaler"):
            pytest.skip("this torch has no scaler for a CPU; the placeholder plays it")
        return torch.amp.GradScaler("cpu", init_scale=scale)
    return StandIn(scale)


def amp(param, kind="placeholder", scale=1024.0):
    cfg = OmegaConf.structured(FairseqConfig)
    # Of eps's size, so that the size of the gradients matters, which Adam otherwise makes light of.
    settings = SimpleNamespace(lr=[0.1], adam_betas=(0.9, 0.99), adam_eps=0.5, weight_decay=0.0)
    optimizer = AMPOptimizer(cfg, [param], SwcmAdamW(settings, [param]))
    optimizer._grad_scaler = scaler(kind, scale)
    return optimizer


@pytest.mark.parametrize("kind", ["placeholder", "torch's"])
def test_gradients_are_unscaled_once(kind):
    plain, param = (torch.nn.Parameter(torch.tensor([1.0, -2.0])) for _ in range(2))
    alone = amp(plain).fp32_optimizer
    plain.grad = torch.tensor([0.5, 0.25])
    alone.step()

    optimizer = amp(param, kind)
    optimizer.backward((param * torch.tensor([0.5, 0.25])).sum())
    assert param.grad.tolist() == [512.0, 256.0]
    norm = optimizer.clip_grad_norm(0.0)
    assert float(norm) == pytest.approx(0.3125**0.5)
    optimizer.step()
    assert torch.allclose(param, plain, atol=1e-7)


def test_a_run_goes_on_with_its_scale_and_its_moments():
    param = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    first = amp(param, scale=64.0)
    param.grad = torch.tensor([32.0, 16.0])
    first.clip_grad_norm(0.0)
    first.step()
    saved = copy.deepcopy(first.state_dict())

    other = torch.nn.Parameter(param.detach().clone())
    second = amp(other)
    second.load_state_dict(saved)
    assert second.scaler.get_scale() == 64.0
    for one, parameter in ((first, param), (second, other)):
        parameter.grad = torch.tensor([8.0, -8.0])
        one.clip_grad_norm(0.0)
        one.step()
    assert torch.equal(other, param)
    assert int(second.optimizer.state[other]["step"]) == 2


def test_a_checkpoint_of_another_optimizer_or_of_none_is_taken():
    param = torch.nn.Parameter(torch.tensor([1.0]))
    optimizer = amp(param)
    optimizer.load_state_dict(amp(param).fp32_optimizer.state_dict())
    assert optimizer.scaler.get_scale() == 1024.0
