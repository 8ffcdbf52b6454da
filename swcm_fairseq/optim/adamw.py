"""AdamW in one pass over memory, where torch has a kernel for it.

fairseq's own ``adam`` is a fused kernel only with apex or on its own CUDA build; elsewhere it is a dozen passes over
weights, gradients and moments. The update is the same, decoupled weight decay included, but that torch adds eps to the
root of the second moment after correcting it for its start at zero, fairseq before.
"""

import ast
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Dict, List, NamedTuple

import torch
from fairseq.dataclass import FairseqDataclass
from fairseq.optim import FairseqOptimizer, register_optimizer
from omegaconf import II

from ..errors import SwcmError

logger = logging.getLogger(__name__)


@dataclass
class SwcmAdamWConfig(FairseqDataclass):
    # The names and defaults of fairseq's adam, so that one can take the other's place.
    adam_betas: Any = field(default=(0.9, 0.999), metadata={"help": "decay of the two moments, such as '(0.9, 0.98)'"})
    adam_eps: float = field(default=1e-8, metadata={"help": "added to the root of the second moment"})
    weight_decay: float = field(default=0.0, metadata={"help": "decoupled: the weights shrink by this times --lr"})
    lr: List[float] = II("optimization.lr")


class ScaledRate(NamedTuple):
    """Mark on parameters, as ``param_group``: their learning rate is ``--lr`` times ``scale``."""

    scale: float


@register_optimizer("adamw", dataclass=SwcmAdamWConfig)
class SwcmAdamW(FairseqOptimizer):
    """``torch.optim.AdamW``, fused where torch can do it for the parameters' device and dtype."""

    def __init__(self, cfg, params):
        super().__init__(cfg)
        params = list(params)
        _refuse_half_precision(params)
        self.kernel = _kernel(params)
        self._optimizer = torch.optim.AdamW(_groups(params), **self.optimizer_config, **self.kernel)
        self.set_lr(self.optimizer_config["lr"])
        logger.info("adamw: %s", "fused" if self.kernel.get("fused") else "this torch has no fused kernel here")

    @property
    def optimizer_config(self):
        """What ``torch.optim.AdamW`` takes, from the command line's settings."""
        return {
            "lr": float(self.cfg.lr[0] if isinstance(self.cfg.lr, Sequence) else self.cfg.lr),
            "betas": _betas(self.cfg.adam_betas),
            "eps": self.cfg.adam_eps,
            "weight_decay": self.cfg.weight_decay,
        }

    def get_lr(self):
        """``--lr`` as the schedule has it now."""
        return self.param_groups[0]["lr"] / self.param_groups[0]["lr_scale"]

    def set_lr(self, lr):
        """Set it; parameters with a ``ScaledRate`` get their share."""
        for group in self.param_groups:
            group["lr"] = lr * group["lr_scale"]

    def load_state_dict(self, state_dict, optimizer_overrides=None):
        """Restore moments and step, as ``FairseqOptimizer`` does; which kernel runs is decided here, not there.

        The state may come from another torch, another device, or fairseq's ``adam``.
        """
        scales = [group["lr_scale"] for group in self.param_groups]
        super().load_state_dict(state_dict, optimizer_overrides)
        for group, scale in zip(self.param_groups, scales):
            group.update({"fused": None, "foreach": None}, lr_scale=scale, **self.kernel)
            for param in group["params"]:
                state = self.optimizer.state.get(param)
                if state:
                    # The fused kernel counts steps on the device, the others on the CPU.
                    device = param.device if self.kernel.get("fused") else "cpu"
                    state["step"] = torch.as_tensor(state["step"], dtype=torch.float32, device=device)

    def clip_grad_norm(self, max_norm, aggregate_norm_fn=None):
        """fairseq's; off the CPU in a few kernels, not one or two for each tensor."""
        grads = [param.grad for param in self.params if param.grad is not None]
        if not grads or grads[0].device.type == "cpu" or not hasattr(torch, "_foreach_norm"):
            return super().clip_grad_norm(max_norm, aggregate_norm_fn)
        norm = torch.stack(torch._foreach_norm(grads)).float().norm()
        if aggregate_norm_fn is not None:
            norm = aggregate_norm_fn(norm)
        if max_norm > 0:
            torch._foreach_mul_(grads, (float(max_norm) / (norm + 1e-6)).clamp_(max=1))
        return norm

    @property
    def supports_flat_params(self):
        return True


def _groups(params):
    """Groups for ``torch.optim.AdamW``, by the parameters' ``ScaledRate``; one where none has any."""
    groups: Dict[float, Dict] = {}
    for param in params:
        rate = getattr(param, "param_group", None)
        scale = rate.scale if isinstance(rate, ScaledRate) else 1.0
        groups.setdefault(scale, {"params": [], "lr_scale": scale})["params"].append(param)
    return list(groups.values())


def _refuse_half_precision(params):
    if any(param.dtype in (torch.float16, torch.bfloat16) for param in params):
        raise SwcmError(
            "--optimizer adamw updates float32 weights, and --memory-efficient-fp16 and --memory-efficient-bf16 keep "
            "none: leave them out, or take --optimizer adam, which can do without"
        )


def _betas(value):
    """Two floats from "(0.9, 0.98)", a tuple or a configuration's list."""
    try:
        betas = ast.literal_eval(value) if isinstance(value, str) else value
        first, second = (float(beta) for beta in betas)
    except (ValueError, SyntaxError, TypeError):
        first = second = -1.0
    if not (0.0 <= first < 1.0 and 0.0 <= second < 1.0):
        raise SwcmError(f"--adam-betas {value!r}: give two numbers from 0 to below 1, such as '(0.9, 0.98)'")
    return first, second


def _kernel(params):
    """Options of ``torch.optim.AdamW`` for its quickest way that runs here."""
    if all(_fused_runs(*kind) for kind in {(param.device, param.dtype) for param in params}):
        return {"fused": True}
    return {"foreach": True} if all(param.device.type != "cpu" for param in params) else {}


def _fused_runs(device, dtype):
    """Whether this torch takes a fused step there: which ones do has changed with most of its versions, so try."""
    param = torch.nn.Parameter(torch.zeros(1, device=device, dtype=dtype))
    param.grad = torch.zeros_like(param)
    try:
        torch.optim.AdamW([param], fused=True).step()
    except (TypeError, RuntimeError):
        return False
    return True
