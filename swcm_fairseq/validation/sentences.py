"""Which sentences of a validation set are decoded."""

from typing import List, Sequence

import numpy as np
import torch
from fairseq.data import BaseWrapperDataset, FairseqDataset

from ..data.batch import Example

_SHOWN = 2  # sentences of each pair that are printed on request


def spread(size: int, count: int) -> np.ndarray:
    """``count`` places of ``size``, evenly spread; all of them where there are no more."""
    count = min(count, size)
    return np.arange(count) * size // max(count, 1)


class ScoredSentences(BaseWrapperDataset):
    """A validation set whose batches tell which of their sentences are to be decoded, and which of those shown.

    Sentences that are decoded come first, so that they fill batches of their own and not a place in each.

    Args:
        dataset: the examples, pair after pair.
        sizes: number of examples of each pair.
        most: how many of each pair are decoded; 0 for all.
    """

    def __init__(self, dataset: FairseqDataset, sizes: Sequence[int], most: int = 0):
        super().__init__(dataset)
        self.scored = np.zeros(len(dataset), dtype=bool)
        self.shown = np.zeros(len(dataset), dtype=bool)
        first = 0
        for size in sizes:
            chosen = first + spread(size, most or size)
            self.scored[chosen] = True
            self.shown[chosen[spread(len(chosen), _SHOWN)]] = True
            first += size

    def collater(self, samples: List[Example]):
        """The dataset's batch with ``scored`` and ``shown``, bool [B]."""
        batch = super().collater(samples)
        if batch:
            places = [example.index for example in samples]
            batch["scored"] = torch.from_numpy(self.scored[places])
            batch["shown"] = torch.from_numpy(self.shown[places])
        return batch

    def ordered_indices(self) -> np.ndarray:
        """The dataset's order, of the sentences that are decoded and then of the others."""
        order = self.dataset.ordered_indices()
        scored = self.scored[order]
        return np.concatenate([order[scored], order[~scored]])
