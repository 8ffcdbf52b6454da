"""AdamW in one pass over memory where torch has it."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Dict, List

import torch
from fairseq import utils
from fairseq.dataclass import FairseqDataclass
from fairseq.optim import FairseqOptimizer, register_optimizer
from omegaconf import II

FUSED_DEVICES = ("cpu", "cuda")


@dataclass
class AdamWConfig(FairseqDataclass):
    """Flags of ``--optimizer adamw``; those it shares with fairseq's adam have the same names."""

    adam_betas: str = field(default="(0.9, 0.999)", metadata={"help": "betas of the moments"})
    adam_eps: float = field(default=1e-8, metadata={"help": "epsilon of the denominator"})
    weight_decay: float = field(default=0.0, metadata={"help": "decoupled weight decay, times the learning rate"})
    lr: List[float] = II("optimization.lr")


@register_optimizer("adamw", dataclass=AdamWConfig)
class SwcmAdamW(FairseqOptimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019), by torch's own ``AdamW``.

    fairseq's ``adam`` is a Python loop on a CPU that goes over every tensor a dozen times. Torch's fused kernel goes
    over it once; torch before 2.4 has none for CPUs and takes its plain implementation, with the same results.
    """

    def __init__(self, cfg, params):
        super().__init__(cfg)
        params = list(params)
        self._optimizer = torch.optim.AdamW(params, **self.optimizer_config, **_fused(params))

    @property
    def optimizer_config(self) -> Dict[str, Any]:
        """What a checkpoint's optimizer state is overridden with."""
        return {
            "lr": self.cfg.lr[0] if isinstance(self.cfg.lr, Collection) else self.cfg.lr,
            "betas": tuple(utils.eval_str_list(self.cfg.adam_betas)),
            "eps": self.cfg.adam_eps,
            "weight_decay": self.cfg.weight_decay,
        }

    @property
    def supports_flat_params(self) -> bool:
        return True


def _fused(params) -> Dict[str, bool]:
    tensors = [tensor for group in params for tensor in (group["params"] if isinstance(group, dict) else [group])]
    suited = all(tensor.device.type in FUSED_DEVICES and tensor.dtype == torch.float32 for tensor in tensors)
    version = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
    return {"fused": True} if suited and version >= (2, 4) else {}
