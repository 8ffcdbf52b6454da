"""Which sentences the report shows, and where it cuts the test set by length."""

from typing import Dict, List, NamedTuple, Tuple

import numpy as np

from ...languages import language
from .. import resampling
from ..evaluation import Evaluation
from ..metrics import METRICS
from ..tokenizers import tokenizer_for
from .plots import Point

BINS = 5
# By sentence BLEU is 0 wherever no four words agree.
_NOT_BY_SENTENCE = ("bleu", "spbleu")


def main_metric(evaluation: Evaluation) -> str:
    """The metric that sentences are ranked by: the first asked for where more is better, BLEU only for want of any."""
    measured = next(iter(evaluation.measured.values()))
    good = [name for name in measured if METRICS[name].better > 0]
    return next((name for name in good if name not in _NOT_BY_SENTENCE), (good or list(measured))[0])


def ranked(evaluation: Evaluation) -> List[int]:
    """Sentences' places, best first, by the mean of the systems that were tested against the baseline, and it."""
    name = main_metric(evaluation)
    real = [evaluation.baseline, *evaluation.compared]
    total = sum(evaluation.measured[system][name].by_sentence()[name] for system in real)
    return np.argsort(-total, kind="stable").tolist()


class ByLength(NamedTuple):
    """``points`` has, for each system, a value a bin; ``bins`` are labels such as ``5-8``; ``unit`` says of what."""

    unit: str
    bins: List[str]
    points: Dict[str, List[Point]]


def by_length(evaluation: Evaluation, intervals: bool) -> ByLength:
    """The main metric over bins of about equally many sentences, by length of the source (or the reference)."""
    name = main_metric(evaluation)
    split = tokenizer_for(language(evaluation.lang))
    sources = evaluation.test_set.sources
    texts = sources if sources is not None else [some[0] for some in evaluation.test_set.references]
    lengths = np.array([len(split(text)) for text in texts])
    edges = np.unique(np.percentile(lengths, np.linspace(0, 100, BINS + 1), method="lower").astype(int))
    bins: List[Tuple[str, np.ndarray]] = []
    for place, low in enumerate(edges[:-1] if len(edges) > 1 else edges):
        last = place + 2 >= len(edges)
        high = int(edges[-1]) if last else int(edges[place + 1]) - 1
        bins.append((str(low) if low == high else f"{low}-{high}", (lengths >= low) & (lengths <= high)))
    points: Dict[str, List[Point]] = {}
    for system, measured in evaluation.measured.items():
        points[system] = []
        for _, chosen in bins:
            part = measured[name]._replace(rows=measured[name].rows[chosen])
            limits = resampling.intervals([part], 200)[0][name] if intervals else None
            points[system].append(Point(part.values()[name], limits))
    unit = "tokens of the source" if sources is not None else "tokens of the reference"
    return ByLength(unit, [label for label, _ in bins], points)


def to_look_into(evaluation: Evaluation) -> int:
    """The place of the sentence whose attention is shown: the best of a middling length."""
    split = tokenizer_for(language(evaluation.lang))
    outputs = evaluation.test_set.systems[evaluation.baseline]
    name = main_metric(evaluation)
    values = evaluation.measured[evaluation.baseline][name].by_sentence()[name]
    lengths = [len(split(output)) for output in outputs]
    for least, most in ((4, 12), (2, 30)):
        fit = [place for place, length in enumerate(lengths) if least <= length <= most]
        if fit:
            return max(fit, key=lambda place: values[place])
    return int(np.argmax(values))
