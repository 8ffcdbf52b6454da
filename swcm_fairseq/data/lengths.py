"""Lengths: the order that makes batches of like ones, and cutting to a limit with counts of what was cut."""

from typing import Optional, Sequence

import numpy as np
import torch
from torch import Tensor


class CutSequences:
    """Sequences of pieces, each cut to ``limit`` pieces, its ``</s>`` included and kept.

    Args:
        sequences: of pieces, with or without a closing ``</s>``.
        sizes: their lengths.
        eos: id of ``</s>``.
        limit: pieces that are left at most, ``</s>`` included.
        chosen: which sequences to take, in this order; all where it is left out.

    Attributes:
        sizes: lengths after cutting, [N].
        cut: how many sequences were cut.
        pieces_lost: how many pieces that took away.
    """

    def __init__(self, sequences: Sequence[Tensor], sizes, eos: int, limit: int, chosen: Optional[np.ndarray] = None):
        self._sequences = sequences
        self._eos = eos
        self._limit = limit
        self._chosen = np.arange(len(sequences)) if chosen is None else chosen
        sizes = np.asarray(sizes)[self._chosen]
        self.sizes = np.minimum(sizes, limit)
        self.cut = int((sizes > limit).sum())
        self.pieces_lost = int((sizes - self.sizes).sum())

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, index: int) -> Tensor:
        pieces = self._sequences[int(self._chosen[index])]
        if len(pieces) <= self._limit:
            return pieces
        return torch.cat([pieces[: self._limit - 1], pieces.new_tensor([self._eos])])


def by_length(source_sizes: np.ndarray, target_sizes: Optional[np.ndarray]) -> np.ndarray:
    """All indices by source length, ties by target length, so that batches hold like lengths.

    Equal lengths stand in random order (fairseq seeds NumPy by epoch around this call).

    Args:
        source_sizes, target_sizes: [N], in pieces.
    """
    indices = np.random.permutation(len(source_sizes)).astype(np.int64)
    if target_sizes is not None:
        indices = indices[np.argsort(target_sizes[indices], kind="mergesort")]
    return indices[np.argsort(source_sizes[indices], kind="mergesort")]


def nothing_but_end(sequences: Sequence[Tensor], sizes, eos: int) -> np.ndarray:
    """bool [N]: which sequences are empty but for ``</s>``; only the shortest are looked at."""
    empty = np.asarray(sizes) == 0
    for index in np.flatnonzero(np.asarray(sizes) == 1):
        empty[index] = int(sequences[int(index)][0]) == eos
    return empty
