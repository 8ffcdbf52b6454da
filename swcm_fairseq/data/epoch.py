"""The number of the epoch, where processes that load data see it change."""

import torch


class SharedEpoch:
    """An epoch's number in memory that worker processes share with the training process.

    A DataLoader's workers hold copies of the dataset as it was when they started, and fairseq may keep the same
    workers for several epochs: a plain attribute would stay at the first epoch there.
    """

    def __init__(self):
        self._cell = torch.tensor([1], dtype=torch.int64).share_memory_()

    @property
    def number(self) -> int:
        return int(self._cell[0])

    @number.setter
    def number(self, number: int) -> None:
        self._cell[0] = number
