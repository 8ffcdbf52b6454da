"""Which sentences of many are nearly the same as a given one: counted exactly, for the few that are asked about.

``overlap.twins`` finds all pairs, which is more work the more sentences there are for each of them. But a split has to
know the neighbours of the sentences that it holds out alone, and these are some hundred of any number.
"""

import sys
import time
from array import array
from fractions import Fraction
from typing import Dict, FrozenSet, Iterable, List, Optional, Sequence, Set

import numpy as np

from .overlap import Of

_SECONDS = 10.0  # between two lines of progress


class Progress:
    """Lines on standard error that say how far a long work has come."""

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.done = what, total, 0
        self._began = self._said = time.monotonic()

    def step(self, number: int = 1) -> None:
        """So many more are done."""
        self.done += number
        now = time.monotonic()
        if now - self._said >= _SECONDS and self.done:
            self._said = now
            left = (now - self._began) / self.done * max(0, self.total - self.done)
            line = f"{self.what}: {self.done:,} of {self.total:,}, about {left / 60:.0f} min left"
            print(line, file=sys.stderr, flush=True)


class Index:
    """Sets of elements, and for each element the sets that have it; as numbers in arrays.

    Args:
        sets: none of them empty.
        of: min or max, which of two sizes the shared elements are a share of.
        share: a decimal number, from which two sets are twins.
    """

    def __init__(self, sets: Iterable[FrozenSet[str]], of: Of, share: str) -> None:
        self._share = Fraction(share)
        self._of = np.minimum if of is min else np.maximum
        numbers: Dict[str, int] = {}
        flat, sizes = array("i"), array("i")
        for elements in sets:
            flat.extend(numbers.setdefault(element, len(numbers)) for element in elements)
            sizes.append(len(elements))
        self._flat = np.frombuffer(flat, dtype=np.int32) if flat else np.zeros(0, dtype=np.int32)
        self.sizes = np.frombuffer(sizes, dtype=np.int32).astype(np.int64) if sizes else np.zeros(0, dtype=np.int64)
        self._starts = np.concatenate([[0], np.cumsum(self.sizes)])
        owners = np.repeat(np.arange(len(sizes), dtype=np.int32), self.sizes)
        self._postings = owners[np.argsort(self._flat, kind="stable")]
        self._bounds = np.concatenate([[0], np.cumsum(np.bincount(self._flat, minlength=len(numbers)))])

    def shared(self, place: int) -> np.ndarray:
        """int [N]: how many elements each set has in common with the one at ``place``."""
        own = self._flat[self._starts[place] : self._starts[place + 1]]
        lists = [self._postings[self._bounds[one] : self._bounds[one + 1]] for one in own]
        return np.bincount(np.concatenate(lists), minlength=len(self.sizes))

    def overlaps(self, place: int, others: np.ndarray) -> np.ndarray:
        """float [M]: the overlap with the sets at ``others`` [M]."""
        return self.shared(place)[others] / self._of(self.sizes[others], self.sizes[place])

    def twins_of(self, place: int) -> List[int]:
        """The places of all twins, ascending."""
        shared = self.shared(place)
        some = np.flatnonzero(shared)
        wanted = self._share.numerator * self._of(self.sizes[some], self.sizes[place])
        twins = some[self._share.denominator * shared[some] >= wanted]
        return [int(other) for other in twins if other != place]

    def work(self) -> int:
        """How many sets ``overlap.twins`` would look at."""
        frequency = np.diff(self._bounds)[self._flat]
        # The rarest of each set, as many as cannot all be missing.
        owners = np.repeat(np.arange(len(self.sizes)), self.sizes)
        order = np.lexsort((frequency, owners))
        rank = np.arange(len(order)) - np.repeat(self._starts[:-1], self.sizes)
        needed = -(-self._share.numerator * self.sizes // self._share.denominator)
        looked_up = rank <= np.repeat(self.sizes - needed, self.sizes)
        return int(frequency[order][looked_up].sum())


class ClustersOnDemand:
    """Twins, and twins of twins, of the sentences that are asked about.

    Args:
        indexes: sentences are twins by any of them.
        largest: sentences of a cluster that is of use.
    """

    def __init__(self, indexes: Sequence[Index], largest: int) -> None:
        self._indexes = indexes
        self._largest = largest
        self._large: Set[int] = set()  # members of clusters that are too large
        self.sizes: List[int] = []  # of the clusters that were found whole
        self.looked_at = 0

    def of(self, place: int) -> Optional[List[int]]:
        """The cluster of the sentence at ``place``, ascending; None where it is too large."""
        cluster, todo = {place}, [place]
        while todo:
            one = todo.pop()
            self.looked_at += 1
            new = {twin for index in self._indexes for twin in index.twins_of(one)} - cluster
            cluster |= new
            if len(cluster) > self._largest or not self._large.isdisjoint(cluster):
                self._large |= cluster
                return None
            todo += sorted(new)
        self.sizes.append(len(cluster))
        return sorted(cluster)
