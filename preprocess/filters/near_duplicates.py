"""Lines that are nearly the same as one that was there before, in text of any size.

Two texts are as near as their sets of 4 successive characters overlap (Jaccard), letters in lower case, numbers and
punctuation set aside. MinHash estimates that from 64 numbers a text, and locality-sensitive hashing finds the texts to
compare (8 bands of 8 numbers; Broder 1997, Indyk and Motwani 1998). ``preprocess/overlap.py`` compares exactly
and is for the short lines of a test set; here are hashes because a crawl has millions of lines.

The numbers of a text are rensa's, 50 microseconds for 300 characters (datasketch 2.0 takes ten times as long). What
libraries have for finding texts again keeps kilobytes a line; ``NearSeen`` keeps 200 bytes, in arrays.
"""

from typing import List, Sequence

from swcm_preprocess.overlap import fingerprint

import numpy as np
from rensa import RMinHash

NUMBERS, BANDS = 64, 8
LENGTH = 4  # characters
SHORTEST = 12  # letters; shorter texts are too few sets to be near each other without being the same

_SEED = 20250
_MIX = np.uint64(0x9E3779B97F4A7C15)


def signatures(texts: Sequence[str]) -> np.ndarray:
    """uint32 [N, 64]: the MinHash numbers of texts; zeros for a text that is too short to be compared."""
    result = np.zeros((len(texts), NUMBERS), dtype=np.uint32)
    for place, text in enumerate(texts):
        letters = fingerprint(text)
        if len(letters) >= SHORTEST:
            marked = "\x02" + letters + "\x03"
            # A text at a time: for many, rensa starts threads, with which no process that is forked later gets along.
            one = RMinHash(NUMBERS, _SEED)
            one.update([marked[i : i + LENGTH] for i in range(len(marked) - LENGTH + 1)])
            result[place] = one.digest()
    return result


class NearSeen:
    """A memory of signatures; the first of a group of near texts is the one that is kept.

    A text is compared with the first text that was kept with the same numbers in a band. So the result depends on the
    order of the texts, and not on how they come in batches.

    Args:
        least: share of the numbers that two texts must have in common to be near: an estimate of their overlap, with
            a standard error of 0.05.
    """

    def __init__(self, least: float) -> None:
        self.least = least
        self.count = 0
        self._kept = np.zeros((1024, NUMBERS), dtype=np.uint8)  # the low byte of each number tells as much
        self._bands = [_Index() for _ in range(BANDS)]

    def first_times(self, found: np.ndarray) -> List[bool]:
        """Which of N texts, by their signatures [N, 64], are near to none that was kept before, also of these."""
        rows = NUMBERS // BANDS
        keys = np.zeros((len(found), BANDS), dtype=np.uint64)
        for row in range(rows):
            keys = (keys ^ found[:, row::rows].astype(np.uint64)) * _MIX
            keys ^= keys >> np.uint64(32)
        earlier = np.stack([band.look_up(keys[:, i]) for i, band in enumerate(self._bands)], axis=1).tolist()
        comparable = found.any(axis=1).tolist()
        low = found.astype(np.uint8)
        fresh: List[dict] = [{} for _ in range(BANDS)]
        new = []
        for place, row_keys in enumerate(keys.tolist()):
            if not comparable[place]:
                new.append(True)
                continue
            firsts = [
                known if known >= 0 else band.get(key, -1) for known, band, key in zip(earlier[place], fresh, row_keys)
            ]
            candidates = {index for index in firsts if index >= 0}
            is_new = not any(self._share(low[place], index) >= self.least for index in candidates)
            if is_new:
                self._remember(low[place])
                for known, band, key in zip(firsts, fresh, row_keys):
                    if known < 0:
                        band[key] = self.count - 1
            new.append(is_new)
        for index, band in zip(self._bands, fresh):
            index.add(band)
        return new

    def _share(self, numbers: np.ndarray, index: int) -> float:
        return np.count_nonzero(numbers == self._kept[index]) / NUMBERS

    def _remember(self, numbers: np.ndarray) -> None:
        if self.count == len(self._kept):
            self._kept = np.concatenate([self._kept, np.zeros_like(self._kept)])
        self._kept[self.count] = numbers
        self.count += 1


class _Index:
    """Key -> number, in sorted arrays each at least twice as long as the next: 12 bytes an entry."""

    def __init__(self) -> None:
        self.runs: List[tuple] = []

    def look_up(self, keys: np.ndarray) -> np.ndarray:
        """int64 [N]: the number of each key, -1 where there is none; the first added where there are several."""
        found = np.full(len(keys), -1, dtype=np.int64)
        for known, numbers in reversed(self.runs):
            places = np.minimum(np.searchsorted(known, keys), len(known) - 1)
            found = np.where(known[places] == keys, numbers[places], found)
        return found

    def add(self, entries: dict) -> None:
        if not entries:
            return
        keys = np.fromiter(entries.keys(), dtype=np.uint64, count=len(entries))
        numbers = np.fromiter(entries.values(), dtype=np.uint32, count=len(entries))
        order = np.argsort(keys, kind="stable")
        self.runs.append((keys[order], numbers[order]))
        while len(self.runs) > 1 and len(self.runs[-2][0]) < 2 * len(self.runs[-1][0]):
            keys, numbers = (np.concatenate(both) for both in zip(self.runs[-2], self.runs[-1]))
            order = np.argsort(keys, kind="stable")
            self.runs[-2:] = [(keys[order], numbers[order])]
