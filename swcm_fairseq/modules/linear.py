"""Linear layers: how they are drawn, and how they are computed when their weights stay as they are."""

from typing import Callable, Dict, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..processors import made_by_amd
from .embeddings import INIT_STD


def linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer with weights from N(0, 0.02) and a zero bias.

    The narrow start keeps a random post-norm layer close to the identity beside copied ones.
    """
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=INIT_STD)
    nn.init.zeros_(layer.bias)
    return layer


#: x [..., C] -> x W^T + b [..., F], with a weight and bias that stay as they are.
Product = Callable[[Tensor], Tensor]


class PackedLinear(nn.Module):
    """``x W^T + b``; frozen, from copies of the weights in the layout that oneDNN reads quickest.

    A step of beam search multiplies few rows with all weights, which plain layouts on a processor make two to four
    times as slow as reading the weights must be. The copies take as much memory as the weights. One row of float32, as
    in greedy search of one sentence, is quicker from the plain layout but on AMD's processors. On other devices, for
    other types, where gradients are asked for or torch has no such layout, and in TorchScript, it is ``F.linear``.
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
        if self.packed is None or torch.is_grad_enabled() or x.numel() in _plain_sizes(weight):
            return F.linear(x, weight, bias)
        packed = self._copy(weight)
        if packed is None:
            return F.linear(x, weight, bias)
        return torch.ops.mkldnn._linear_pointwise(x, packed, bias, "none", [], "")

    def product(self, weight: Tensor, bias: Optional[Tensor]) -> Product:
        """The same for one weight, once frozen and without gradients, with what can be looked up beforehand."""
        if not _can_be_packed(weight):
            return lambda x: F.linear(x, weight, bias)
        multiply, plain_sizes = torch.ops.mkldnn._linear_pointwise.default, _plain_sizes(weight)
        packed: Optional[Tensor] = None

        def product(x: Tensor) -> Tensor:
            nonlocal packed
            if x.numel() in plain_sizes:
                return F.linear(x, weight, bias)
            if packed is None:
                packed = self._copy(weight)
            return multiply(x, packed, bias, "none", [], "")

        return product

    def _copy(self, weight: Tensor) -> Optional[Tensor]:
        assert self.packed is not None, "weights are copied once they are frozen"
        # The weight is kept beside its copy, so that no other can come to lie at its address.
        key = (weight.data_ptr(), weight.size(0), weight.dtype)
        kept = self.packed.get(key)
        if kept is None:
            kept = self.packed[key] = (weight, _packed(weight))
        return kept[1]


def _plain_sizes(weight: Tensor) -> Tuple[int, ...]:
    """How many numbers x has where the plain layout is to be taken: none, or those of one row."""
    # MKL multiplies one row from the plain layout quickest, but not on AMD's processors.
    return (0, weight.size(1)) if weight.dtype == torch.float32 and not made_by_amd() else (0,)


def _packed(weight: Tensor) -> Optional[Tensor]:
    """A copy in oneDNN's layout; None where there is none."""
    return torch.ops.mkldnn._reorder_linear_weight(weight.detach()) if _can_be_packed(weight) else None


def _can_be_packed(weight: Tensor) -> bool:
    return weight.device.type == "cpu" and _works(weight.dtype)


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
