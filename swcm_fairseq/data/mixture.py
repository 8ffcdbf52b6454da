"""Several datasets as one, drawn anew every epoch by the sampling formula."""

from typing import List, Optional, Sequence

import numpy as np
from fairseq.data import FairseqDataset

from .base import ExampleDataset
from .batch import Example
from .epoch import SharedEpoch
from .sampling import draw, draw_counts, sampling_shares


class MixtureDataset(ExampleDataset):
    """Examples of several datasets, mixed within batches.

    What an epoch holds is a function of (seed, epoch) alone, so a run that was stopped goes on with the same data.

    Args:
        datasets: datasets of ``Example`` that collate alike, such as ``PairDataset``.
        alpha: exponent of the sampling formula over the datasets' sizes; None or 1 takes every example once.
        seed: of the draw.
        shares: each dataset's share of an epoch, in the place of ``alpha``.
        examples: how many examples an epoch has; as many as the datasets together where it is left out.
    """

    def __init__(
        self,
        datasets: Sequence[FairseqDataset],
        alpha: Optional[float] = None,
        seed: int = 1,
        shares: Optional[Sequence[float]] = None,
        examples: Optional[int] = None,
    ):
        self.datasets = list(datasets)
        self.seed = seed
        self.sizes = [len(dataset) for dataset in self.datasets]
        self.examples = sum(self.sizes) if examples is None else examples
        self.shares = shares
        if shares is None and alpha is not None and alpha != 1.0:
            self.shares = sampling_shares(self.sizes, alpha)
        self._epoch = SharedEpoch()
        self._draw(epoch=1)

    def _draw(self, epoch: int) -> None:
        self._drawn_epoch = epoch
        if self.shares is None:
            parts = [np.arange(size) for size in self.sizes]
        else:
            random = np.random.RandomState([self.seed, epoch])
            counts = draw_counts(np.asarray(self.shares), self.examples)
            parts = [draw(size, count, random) for size, count in zip(self.sizes, counts)]
        self.dataset_of = np.concatenate([np.full(len(part), i) for i, part in enumerate(parts)]).astype(np.int64)
        self.index_in = np.concatenate(parts).astype(np.int64)
        self.source_sizes = self._gather("source_sizes")
        self.target_sizes = self._gather("target_sizes")

    def _gather(self, name: str) -> np.ndarray:
        sizes = np.zeros(len(self.dataset_of), dtype=np.int64)
        for i, dataset in enumerate(self.datasets):
            chosen = self.dataset_of == i
            sizes[chosen] = getattr(dataset, name)[self.index_in[chosen]]
        return sizes

    def set_epoch(self, epoch: int) -> None:
        for dataset in self.datasets:
            dataset.set_epoch(epoch)
        self._epoch.number = epoch
        self._follow_epoch()

    def _follow_epoch(self) -> None:
        """Draw anew where the epoch has changed: in a worker process, nobody calls ``set_epoch``."""
        epoch = self._epoch.number
        if self.shares is not None and epoch != self._drawn_epoch:
            self._draw(epoch)

    @property
    def can_reuse_epoch_itr_across_epochs(self) -> bool:
        # Batches are made from lengths, and a new draw has new ones.
        return self.shares is None and all(dataset.can_reuse_epoch_itr_across_epochs for dataset in self.datasets)

    def __getitem__(self, index: int) -> Example:
        self._follow_epoch()
        dataset, place = self.datasets[self.dataset_of[index]], int(self.index_in[index])
        # Where an example is drawn twice, a dataset that makes noise makes another one each time.
        example = dataset.example(place, key=index) if hasattr(dataset, "example") else dataset[place]
        return example._replace(index=index)

    def collater(self, samples: List[Example]):
        return self.datasets[0].collater(samples)
