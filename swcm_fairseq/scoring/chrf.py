"""chrF and chrF++ (Popovic 2015, 2017) from sacreBLEU's counts.

Character n-grams need no tokenizer, so these compare across scripts best. chrF++ adds word n-grams, words
being what stands between white space: in Tibetan or Chinese it is little more than chrF.
"""

from typing import Sequence

import numpy as np
from sacrebleu.metrics import CHRF

from ..languages import Language
from .bleu import by_number
from .statistics import Statistics, Values, ratio


def chrf(hypotheses: Sequence[str], references: Sequence[Sequence[str]], target: Language) -> Statistics:
    """Corpus chrF2, 0 to 100."""
    return _chrf("chrf", 0, hypotheses, references)


def chrfpp(hypotheses: Sequence[str], references: Sequence[Sequence[str]], target: Language) -> Statistics:
    """Corpus chrF2++ (word n-grams up to 2), 0 to 100."""
    return _chrf("chrfpp", 2, hypotheses, references)


def chrfpp_of_counts(rows: np.ndarray, signature: str) -> Statistics:
    """chrF++ of counts that were kept: ``rows`` and ``signature`` of what ``chrfpp`` returned."""
    return _of_counts("chrfpp", rows, signature)


def _chrf(name: str, word_order: int, hypotheses, references) -> Statistics:
    metric = CHRF(word_order=word_order)
    rows = np.asarray(metric._extract_corpus_statistics(hypotheses, by_number(references)), dtype=float)
    return _of_counts(name, rows, str(metric.get_signature()))


def _of_counts(name: str, rows: np.ndarray, signature: str) -> Statistics:
    def combine(sums: np.ndarray) -> Values:
        return {name: _f_score(sums, CHRF.BETA)}

    return Statistics(rows, combine, signature)


def _f_score(sums: np.ndarray, beta: float) -> np.ndarray:
    """chrF of sums [..., 3 x orders]: n-grams of the hypothesis, of the reference, and in both, order by order.

    Precision and recall are means over the orders that both sides are long enough for.
    """
    hypothesis, reference, both = (sums[..., place::3] for place in range(3))
    orders = ((hypothesis > 0) & (reference > 0)).astype(float)
    count = orders.sum(axis=-1)
    precision = ratio((ratio(both, hypothesis) * orders).sum(axis=-1), count)
    recall = ratio((ratio(both, reference) * orders).sum(axis=-1), count)
    return 100 * ratio((1 + beta**2) * precision * recall, beta**2 * precision + recall)
