"""Linear layers: how they are drawn, and how they are computed when their weights stay as they are."""

from typing import Dict, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .embeddings import INIT_STD


def linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer with weights from N(0, 0.02) and a zero bias.

    The narrow start keeps a random post-norm layer close to the identity beside copied ones.
    """
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=INIT_STD)
    nn.init.zeros_(layer.bias)
    return layer


class PackedLinear(nn.Module):
    """``x W^T + b``; frozen, from copies of the weights in the layout that oneDNN reads quickest.

    A step of beam search multiplies few rows with all weights, which plain layouts on a processor make two to four
    times as slow as reading the weights must be. The copies take as much memory as the weights. One row of float32, as
    in greedy search of one sentence, is quicker from the plain layout. On other devices, for other types, where
    gradients are asked for or torch has no such layout, and in TorchScript, it is ``F.linear``.
    """

    def __init__(self):
        super().__init__()
        self.packed: Optional[Dict[Tuple, Tuple[Tensor, Optional[Tensor]]]] = None

    def freeze(self) -> None:
        """From now on weights that were multiplied with once stay as they are."""
        self.packed = {}

    def forward(self, x: Tensor, weight: Tensor, bias: Optional[Tensor]) -> Tensor:
        """x [..., C], weight [F, C], bias [F] or None -> [..., F]."""
        if torch.jit.is_scripting():
            return F.linear(x, weight, bias)
        return self._quickest(x, weight, bias)

    @torch.jit.unused
    def _quickest(self, x: Tensor, weight: Tensor, bias: Optional[Tensor]) -> Tensor:
        if self.packed is None or torch.is_grad_enabled():
            return F.linear(x, weight, bias)
        numbers, width = x.numel(), weight.size(1)
        if numbers == 0 or (numbers == width and weight.dtype == torch.float32):
            return F.linear(x, weight, bias)
        # The weight is kept beside its copy, so that no other can come to lie at its address.
        key = (weight.data_ptr(), weight.size(0), weight.dtype)
        kept = self.packed.get(key)
        if kept is None:
            kept = self.packed[key] = (weight, _packed(weight))
        if kept[1] is None:
            return F.linear(x, weight, bias)
        return torch.ops.mkldnn._linear_pointwise(x, kept[1], bias, "none", [], "")


def _packed(weight: Tensor) -> Optional[Tensor]:
    """A copy in oneDNN's layout; None where there is none."""
    if weight.device.type != "cpu" or not _works(weight.dtype):
        return None
    return torch.ops.mkldnn._reorder_linear_weight(weight.detach())


_WORKING: Dict[torch.dtype, bool] = {}


def _works(dtype: torch.dtype) -> bool:
    """Whether this torch, on this machine, computes packed products of this type."""
    if dtype not in _WORKING:
        _WORKING[dtype] = dtype in (torch.float32, torch.bfloat16) and _tried(dtype)
    return _WORKING[dtype]


def _tried(dtype: torch.dtype) -> bool:
    # They are torch.compile's, not part of its public interface: they are believed when they have been seen to work.
    drawn = torch.Generator().manual_seed(1)
    x, weight = torch.randn(3, 32, generator=drawn).to(dtype), torch.randn(48, 32, generator=drawn).to(dtype)
    try:
        packed = torch.ops.mkldnn._reorder_linear_weight(weight)
        found = torch.ops.mkldnn._linear_pointwise(x, packed, None, "none", [], "")
    except (AttributeError, RuntimeError, NotImplementedError):
        return False
    return torch.allclose(found.float(), F.linear(x.float(), weight.float()), atol=0.2, rtol=0.02)
