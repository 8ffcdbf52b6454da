"""Which way attention is computed, and its masks in the form that each way takes.

On a GPU one fused kernel does all of it (torch's ``scaled_dot_product_attention``): it needs no mask to leave the
future out, and takes others as numbers to add to the scores. On a CPU, and in torch 1, the plain products are computed,
with a mask of bools.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def fuses(x: Tensor) -> bool:
    """Whether attention over ``x`` is one kernel where no weights are asked for."""
    if torch.jit.is_scripting():
        return False
    return _fuses(x)


@torch.jit.unused
def _fuses(x: Tensor) -> bool:
    return x.device.type != "cpu" and hasattr(F, "scaled_dot_product_attention")


def mask_for(x: Tensor, forbidden: Tensor) -> Tensor:
    """``forbidden``, bool, as attention over ``x`` takes it: unchanged, or as numbers to add; once for all layers."""
    if not fuses(x):
        return forbidden
    # No softmax sees anything of it beside another score; and a row with nothing to attend to stays finite, as it would
    # not with -inf. (TorchScript lacks constants of modules.)
    return forbidden.to(x.dtype).mul_(-3e4)
