"""What every metric comes down to: a row of numbers a sentence, and a formula that makes scores of their sums.

That shape gives the score of any subset, of a resampled test set, and of a single sentence without comparing texts
again, and all resamples at once.
"""

import re
from typing import Callable, Dict, Mapping, NamedTuple, Sequence

import numpy as np

Values = Dict[str, np.ndarray]

MANY = 100_000  # sentences, whose rows are worth to be made small


class Statistics(NamedTuple):
    """A system's outputs as one metric sees them.

    ``rows`` is [N, K], one row a sentence. ``combine`` takes sums of rows [..., K] and returns values by name,
    each [...]. ``signature`` says how the numbers came about, in sacreBLEU's manner.
    """

    rows: np.ndarray
    combine: Callable[[np.ndarray], Values]
    signature: str

    def values(self) -> Dict[str, float]:
        """The scores of all sentences together."""
        return {name: float(value) for name, value in self.combine(self.rows.sum(axis=0)).items()}

    def by_sentence(self) -> Values:
        """The scores of every sentence by itself, each [N]."""
        return self.combine(self.rows)


def joined(parts: Sequence[Statistics]) -> Statistics:
    """The statistics of all sentences out of those of parts of them, in order."""
    rows = np.concatenate([part.rows for part in parts])
    signatures = {part.signature for part in parts}
    signature = parts[0].signature if len(signatures) == 1 else re.sub(r"nrefs:[^|]*", "nrefs:var", parts[0].signature)
    return parts[0]._replace(rows=rows, signature=signature)


def compact(found: Statistics) -> Statistics:
    """The same with counts as small numbers, for test sets of more than ``MANY`` sentences."""
    # Signed, for rows are subtracted from each other.
    for kind in (np.int16, np.int32):
        small = found.rows.astype(kind)
        if np.array_equal(small, found.rows):
            return found._replace(rows=small)
    return found


def means(columns: Mapping[str, Sequence[float]], signature: str) -> Statistics:
    """Statistics of a metric that is 100 times a mean over sentences: ``columns`` holds their values by name."""
    names = list(columns)
    count = len(columns[names[0]])
    rows = np.column_stack([np.asarray(columns[name], dtype=float) for name in names] + [np.ones(count)])

    def combine(sums: np.ndarray) -> Values:
        return {name: 100 * ratio(sums[..., place], sums[..., -1]) for place, name in enumerate(names)}

    return Statistics(rows, combine, signature)


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Elementwise quotient, 0 where the denominator is 0."""
    safe = np.where(denominator == 0, 1.0, denominator)
    return np.where(denominator == 0, 0.0, numerator / safe)


def count_references(references: Sequence[Sequence[str]]) -> str:
    """The number of references a sentence for a signature: ``1``, or ``var`` where it varies."""
    counts = {len(some) for some in references}
    return str(counts.pop()) if len(counts) == 1 else "var"
