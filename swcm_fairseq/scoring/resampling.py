"""How far a score could have come out otherwise: bootstrap intervals, and paired tests between systems.

The bootstrap (Koehn 2004) draws the test set's sentences anew, with replacement; paired, the same draws are used for
both systems. Approximate randomization (Riezler and Maxwell 2005) exchanges the two systems' outputs at random: had
they been alike, a difference as large as the one seen would come up often.
"""

import re
from typing import Callable, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from .statistics import Statistics

SEED = 20250215  # fixed, so that the numbers of a test set are the same on every run
RESAMPLES = 1000
PERMUTATIONS = 10000
CONFIDENCE = 95
_CHUNK = 2**22  # random numbers drawn at once: a compromise of memory and speed
_LEAST = 16  # rows of them, so that the tables are gone through a few times only
_BLOCK = 2**16  # rows of a table that are summed at once

Interval = Tuple[float, float]


class Difference(NamedTuple):
    """A system's score less the baseline's: the value, its interval, and p of no difference (two-sided)."""

    difference: float
    interval: Interval
    p: float


def intervals(measured: Sequence[Statistics], resamples: int = RESAMPLES, seed: int = SEED) -> List[Dict]:
    """95% bootstrap intervals of every value of every metric of one test set: ``{"bleu": (low, high)}`` each."""
    sums = _sums([one.rows for one in measured], resamples, seed, _draws)
    return [{name: _middle(value) for name, value in one.combine(row).items()} for one, row in zip(measured, sums)]


def compare(
    baseline: Sequence[Statistics],
    system: Sequence[Statistics],
    resamples: int = RESAMPLES,
    permutations: int = PERMUTATIONS,
    seed: int = SEED,
) -> List[Dict[str, Difference]]:
    """A paired comparison, metric by metric: both hold the same metrics of outputs for the same sentences.

    Returns:
        for each metric its values' ``Difference`` by name; the interval comes from the paired bootstrap, p from
        approximate randomization.
    """
    both = [one.rows for one in baseline] + [one.rows for one in system]
    drawn = _sums(both, resamples, seed, _draws)
    steps = [np.subtract(there.rows, here.rows) for here, there in zip(baseline, system)]
    exchanged = _sums(steps, permutations, seed, _coins)
    results = []
    for place, (here, there) in enumerate(zip(baseline, system)):
        found, swap = {}, exchanged[place]
        before, after = here.rows.sum(axis=0), there.rows.sum(axis=0)
        values = _less(there.combine(after), here.combine(before))
        samples = _less(there.combine(drawn[len(baseline) + place]), here.combine(drawn[place]))
        chance = _less(there.combine(after - swap), here.combine(before + swap))
        for name, value in values.items():
            # The slack is for sums that come out a little different in another order.
            as_large = np.count_nonzero(np.abs(chance[name]) >= abs(value) - 1e-9)
            found[name] = Difference(float(value), _middle(samples[name]), (as_large + 1) / (permutations + 1))
        results.append(found)
    return results


def signed(signature: str, resamples: int, seed: int = SEED) -> str:
    """A metric's signature with the bootstrap in it, in the place where sacreBLEU has it: behind the references."""
    ((head, tail),) = re.findall(r"\A(.*?\|nrefs:[^|]*)(.*)\Z", signature, re.DOTALL)
    return f"{head}|bs:{resamples}|seed:{seed}{tail}"


def test_signature(resamples: int = RESAMPLES, permutations: int = PERMUTATIONS, seed: int = SEED) -> str:
    """The signature of ``compare``."""
    return f"bs:{resamples}|ar:{permutations}|seed:{seed}|conf:{CONFIDENCE}"


def _less(these: Dict[str, np.ndarray], those: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    return {name: these[name] - those[name] for name in these}


def _middle(values: np.ndarray) -> Interval:
    outside = (100 - CONFIDENCE) / 2
    low, high = np.percentile(values, [outside, 100 - outside])
    return float(low), float(high)


def _draws(generator: np.random.Generator, count: int, sentences: int) -> np.ndarray:
    """[count, sentences]: how often each sentence is in each of ``count`` test sets drawn with replacement."""
    drawn = generator.integers(0, sentences, (count, sentences))
    drawn += sentences * np.arange(count)[:, None]
    return np.bincount(drawn.ravel(), minlength=count * sentences).reshape(count, sentences)


def _coins(generator: np.random.Generator, count: int, sentences: int) -> np.ndarray:
    """[count, sentences] of 0 and 1."""
    return generator.integers(0, 2, (count, sentences))


def _sums(tables: Sequence[np.ndarray], times: int, seed: int, weigh: Callable) -> List[np.ndarray]:
    """For every table [N, K] its rows summed with random weights, ``times`` over: [times, K].

    All tables get the same weights, and so do all calls with the same seed and N, which is what pairing takes.
    """
    generator = np.random.default_rng(seed)
    sentences = len(tables[0])
    step = max(_LEAST, _CHUNK // sentences)
    parts = []
    for start in range(0, times, step):
        weights = _weights(generator, min(step, times - start), sentences, weigh)
        sums = np.zeros((len(weights), sum(table.shape[1] for table in tables)))
        for first in range(0, sentences, _BLOCK):
            block = np.concatenate([table[first : first + _BLOCK] for table in tables], axis=1).astype(float)
            sums += weights[:, first : first + _BLOCK].astype(float) @ block
        parts.append(sums)
    return np.split(np.concatenate(parts), np.cumsum([table.shape[1] for table in tables])[:-1], axis=1)


def _weights(generator: np.random.Generator, count: int, sentences: int, weigh: Callable) -> np.ndarray:
    """What ``weigh`` gives, [count, sentences]; of many sentences in a byte each, which no weight of theirs exceeds."""
    if count * sentences <= _CHUNK:
        return weigh(generator, count, sentences)
    result = np.empty((count, sentences), dtype=np.uint8)
    for row in range(count):
        result[row] = weigh(generator, 1, sentences)[0]
    return result
