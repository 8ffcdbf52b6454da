"""Dropout whose random numbers cost little on a processor."""

import torch
import torch.nn.functional as F
from fairseq.modules import FairseqDropout
from torch import Tensor

_STEPS = 2**16  # how finely a probability is rounded


class Dropout(FairseqDropout):
    """fairseq's dropout, flags for decoding included, with another draw on a CPU.

    torch draws 64 random bits for every number there, one after the other, which took a twentieth of a training step;
    16 bits do, with the probability rounded to 1 / 65,536. On other devices it is torch's own.
    """

    def forward(self, x: Tensor, inplace: bool = False) -> Tensor:
        """Any shape; the rest is scaled by 1 / (1 - p)."""
        if self.p == 0 or not (self.training or self.apply_during_inference):
            return x
        if torch.jit.is_scripting() or inplace or self.p == 1 or x.device.type != "cpu":
            return F.dropout(x, self.p, True, inplace)
        return self._drop(x)

    @torch.jit.unused
    def _drop(self, x: Tensor) -> Tensor:
        bits = torch.empty((x.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
        kept = bits.view(torch.int16)[: x.numel()] >= round(self.p * _STEPS) - _STEPS // 2
        return x * kept.view(x.shape).to(x.dtype).div_(1 - self.p)
