"""Padding left out of all that works position by position.

In training targets are padded to the longest of their batch, by a fifth to a half where batches are made by the
sources' lengths. Only attention needs them side by side; everything else, which is nearly all of the work, is done for
the N real positions alone, as one row [1, N, C] instead of [B, T, C].
"""

from typing import NamedTuple, Optional

import torch
from torch import Tensor


class RealPositions(NamedTuple):
    """Which positions of [B, T] are no padding.

    Attributes:
        places: [N], ascending, each ``row * T + column``.
        rows, columns: B, T.
    """

    places: Tensor
    rows: int
    columns: int


def asking_waits(x: Tensor) -> bool:
    """Whether looking at a value of ``x`` means to wait until its device has done all that it was told to do."""
    return x.device.type != "cpu"


def places_of(real: Tensor, count: int) -> Tensor:
    """[N], the flat places of the ``count`` True ones of ``real``, ascending, without a wait for its device."""
    if not asking_waits(real):
        return real.flatten().nonzero().squeeze(1)
    return torch.sort(real.flatten().to(torch.uint8), descending=True, stable=True)[1][:count]


def real_positions(real: Tensor) -> Optional[RealPositions]:
    """Those of ``real`` [B, T], bool; None where leaving padding out does not pay.

    It does not where so little is padding, nor where finding out how much it is means to wait.
    """
    if asking_waits(real):
        return None
    places = real.flatten().nonzero().squeeze(1)
    # Taking positions apart and together costs about what one padded position in 32 does.
    if 32 * (real.numel() - places.numel()) < real.numel():
        return None
    return RealPositions(places, real.size(0), real.size(1))


def unpad(x: Tensor, real: RealPositions) -> Tensor:
    """[B, T, C] -> [1, N, C]."""
    return x.reshape(real.rows * real.columns, x.size(-1)).index_select(0, real.places)[None]


def pad(x: Tensor, real: RealPositions) -> Tensor:
    """[1, N, C] -> [B, T, C], zero at padding."""
    padded = x.new_zeros(real.rows * real.columns, x.size(-1)).index_copy(0, real.places, x[0])
    return padded.view(real.rows, real.columns, -1)
