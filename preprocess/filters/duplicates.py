"""Lines that were there before."""

import hashlib
from typing import List, Sequence

import numpy as np

BYTES = 8  # of a hash. Among a hundred million lines the odds that any two share one are 1 to 3,700.


def digest(texts: Sequence[str]) -> bytes:
    """The hash of a line, or of a pair: ``("a", "b")`` is not ``("a\\nb",)``, for no text holds a line end."""
    return hashlib.blake2b("\n".join(texts).encode("utf-8"), digest_size=BYTES).digest()


class Seen:
    """A memory of hashes that takes 8 bytes for each different one.

    Sorted arrays, each at least twice as long as the next; a set of Python's would take ten times as much.
    """

    def __init__(self) -> None:
        self.runs: List[np.ndarray] = []

    def first_times(self, digests: bytes) -> np.ndarray:
        """bool [N]: which of the N hashes in ``digests`` are neither in the memory nor before them in ``digests``."""
        keys = np.frombuffer(digests, dtype=np.uint64)
        new = np.zeros(len(keys), dtype=bool)
        new[np.unique(keys, return_index=True)[1]] = True
        for run in self.runs:
            places = np.minimum(np.searchsorted(run, keys), len(run) - 1)
            new &= run[places] != keys
        return new

    def remember(self, digests: bytes, which: Sequence[bool]) -> None:
        """Take those of N hashes into the memory; they are new to it, and different."""
        keys = np.frombuffer(digests, dtype=np.uint64)[np.asarray(which, dtype=bool)]
        if len(keys):
            self.runs.append(np.sort(keys))
        while len(self.runs) > 1 and len(self.runs[-2]) < 2 * len(self.runs[-1]):
            last = self.runs.pop()
            # Stable sorting is radix sort or merging here: linear.
            self.runs[-1] = np.sort(np.concatenate([self.runs[-1], last]), kind="stable")
