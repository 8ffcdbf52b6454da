"""Scores as sums over sentences, which batches and processes add up."""

from typing import Dict, Optional, Sequence

import numpy as np

from ..languages import language
from ..scoring import METRICS
from ..scoring.normalization import NORMALIZERS, normalize


class ScoreSums:
    """Some metrics of one language, as a vector of ``width`` sums.

    The scores of the sums over all sentences are those of ``swcm-score`` on all sentences: that command's metrics add
    rows of numbers up in the same way.

    Args:
        names: of the metrics.
        lang: code of the language that the outputs are in.
    """

    def __init__(self, names: Sequence[str], lang: str):
        self.names = list(names)
        self.target = language(lang)
        # One sentence shows how many sums a metric has, and whether all that it needs is installed.
        probe = self._measure(["a"], ["a"])
        self._combine = {name: found.combine for name, found in probe.items()}
        ends = np.cumsum([found.rows.shape[1] for found in probe.values()]).tolist()
        self._places = dict(zip(probe, map(slice, [0] + ends, ends)))
        #: The number of sentences comes last.
        self.width = ends[-1] + 1
        #: How each number is made, in sacreBLEU's manner.
        self.signatures = {name: f"norm:{NORMALIZERS[0]}|{found.signature}" for name, found in probe.items()}

    def _measure(self, hypotheses: Sequence[str], references: Sequence[str]):
        hypotheses = normalize(hypotheses, NORMALIZERS[0])
        lists = [[one] for one in normalize(references, NORMALIZERS[0])]
        return {name: METRICS[name].compute(hypotheses, lists, self.target) for name in self.names}

    def of(self, hypotheses: Sequence[str], references: Sequence[str]) -> np.ndarray:
        """The sums [width] over sentences, of texts; zeros where there are none."""
        if not hypotheses:
            return np.zeros(self.width)
        rows = [found.rows.sum(axis=0) for found in self._measure(hypotheses, references).values()]
        return np.concatenate([*rows, [len(hypotheses)]])

    def scores(self, sums: np.ndarray) -> Optional[Dict[str, float]]:
        """The score by metric of sums [width]; None where they are of no sentence."""
        if sums[-1] == 0:
            return None
        return {name: float(self._combine[name](sums[place])[name]) for name, place in self._places.items()}
