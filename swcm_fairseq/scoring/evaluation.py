"""All systems on all languages: scores with intervals, and every system against the first."""

from typing import Any, Dict, List, NamedTuple, Sequence

from . import resampling
from .metrics import measure, summary
from .statistics import Statistics
from .testsets import BASELINES, TestSet

Measured = Dict[str, Dict[str, Statistics]]  # system -> metric -> statistics


class Evaluation(NamedTuple):
    """What was measured of one language.

    ``scores`` are by system, as ``score`` returns them. ``compared`` holds, by system, the differences to the
    ``baseline``, ``{"chrf": {"difference": 1.2, "interval": [0.3, 2.1], "p": 0.01}}``; it is empty where there is
    nothing to compare.
    """

    lang: str
    test_set: TestSet
    measured: Measured
    scores: Dict[str, Dict[str, Any]]
    baseline: str
    compared: Dict[str, Dict[str, Any]]


def evaluate(
    test_set: TestSet,
    lang: str,
    metrics: Sequence[str],
    normalizer: str = "nmt_nfkc",
    resamples: int = resampling.RESAMPLES,
    permutations: int = resampling.PERMUTATIONS,
    seed: int = resampling.SEED,
    workers: int = 1,
) -> Evaluation:
    """Score every system of a test set; the first is the baseline that the others are tested against.

    Baselines are scored and not tested: that they differ is no news. ``resamples`` 0 gives no intervals and no
    tests; ``permutations`` 0 no tests.
    """
    measured: Measured = {
        name: measure(outputs, test_set.references, lang, metrics, normalizer, workers)
        for name, outputs in test_set.systems.items()
    }
    scores = {name: summary(found, resamples, seed) for name, found in measured.items()}
    real: List[str] = [name for name in measured if name not in BASELINES]
    baseline = real[0] if real else next(iter(measured))
    compared = {}
    if resamples and permutations:
        first = list(measured[baseline].values())
        for name in real[1:]:
            found = resampling.compare(first, list(measured[name].values()), resamples, permutations, seed)
            compared[name] = {
                value: {"difference": one.difference, "interval": list(one.interval), "p": one.p}
                for differences in found
                for value, one in differences.items()
            }
    return Evaluation(lang, test_set, measured, scores, baseline, compared)


def as_json(evaluations: Sequence[Evaluation], signature: str) -> Dict[str, Any]:
    """One system on one language: its scores alone. Otherwise the shape of the quickstart's scores file,
    ``{"systems": {system: {lang: scores}}}``, with the differences under ``"compared"``."""
    names = list(evaluations[0].scores)
    if len(evaluations) == 1 and len(names) == 1:
        return evaluations[0].scores[names[0]]
    result: Dict[str, Any] = {"systems": {name: {one.lang: one.scores[name] for one in evaluations} for name in names}}
    if evaluations[0].compared:
        result["compared"] = {
            "baseline": evaluations[0].baseline,
            "signature": signature,
            "systems": {
                name: {one.lang: one.compared[name] for one in evaluations} for name in evaluations[0].compared
            },
        }
    return result
