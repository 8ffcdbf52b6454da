"""Rows of a beam that read the same sentence, and so share what depends on the source alone.

Beam search lays a batch out as rows, the hypotheses of one sentence side by side. The memory (the encoder's output,
and its projections in every cross-attention) is kept once a sentence: row r of R reads row ``r // (R / M)`` of the
memory's M. Where that order cannot be had, the memory is repeated, row by row.

The caches themselves are reordered in ``models/decoder.py`` (``reorder_incremental_state``), layer by layer with
``reorder_cache`` of ``attention.py``.
"""

from typing import Optional, Tuple

import torch
from torch import Tensor

from .padding import asking_waits


def regroup(memory_rows: Tensor, new_order: Tensor) -> Optional[Tuple[Tensor, Tensor]]:
    """What of the memory is needed when rows come into another order.

    Args:
        memory_rows: [R], the row of the memory that each row reads.
        new_order: [R'], which row each new row was.

    Returns:
        None where the memory stays as it is, as in most steps of a search; else the memory's rows to keep, in order
        [M'], and ``memory_rows`` of the new rows [R'] among these.
    """
    wanted = memory_rows[new_order]
    if torch.equal(wanted, memory_rows):
        return None
    kept, counts = torch.unique_consecutive(wanted, return_counts=True)
    if bool(counts.ne(counts[:1]).any()):
        kept = wanted
    places = torch.arange(kept.numel(), device=kept.device)
    return kept, places.repeat_interleave(wanted.numel() // max(1, kept.numel()))


def stays(new_order: Tensor, rows: int) -> bool:
    """Whether ``new_order`` leaves all of ``rows`` in their places, as in greedy decoding; False where asking waits."""
    if asking_waits(new_order):
        return False
    return new_order.numel() == rows and torch.equal(new_order, torch.arange(rows, device=new_order.device))
