"""Beam search as fairseq does it, in NumPy, for engines that compute one step at a time.

B sentences of a batch, K hypotheses of each side by side: rows [B * K]. A step looks at the best 2 K continuations of
each sentence; those among the first K that end are finished, the first K others go on. A sentence is done when K
hypotheses of it are finished. None is empty, and at the longest length every hypothesis ends.
"""

from dataclasses import dataclass
from typing import List, Optional

import numpy as np


@dataclass(frozen=True)
class Candidates:
    """The likeliest next symbols of each row, best first, the ``</s>`` among them where it is likely enough.

    Attributes:
        ids: [rows, N].
        log_probabilities: [rows, N].
        end: of ``</s>``, [rows]; wanted at the last step alone.
    """

    ids: np.ndarray
    log_probabilities: np.ndarray
    end: Optional[np.ndarray] = None


@dataclass(frozen=True)
class Finished:
    """One finished hypothesis.

    Attributes:
        ids: its symbols, without ``</s>``.
        score: its log-probability by its length, ``</s>`` included, to the power of the length penalty.
        rows: for each symbol and ``</s>`` the row of that step that it was written in.
    """

    ids: List[int]
    score: float
    rows: List[int]


class BeamSearch:
    """The state of one batch's search.

    Args:
        sentences: B.
        beam: K.
        length_penalty: exponent of the length.
        longest: most symbols of an output, ``</s>`` apart; 1 or more.
        end: id of ``</s>``.
    """

    def __init__(self, sentences: int, beam: int, length_penalty: float, longest: int, end: int):
        self.beam = beam
        self.length_penalty = length_penalty
        self.longest = longest
        self.end = end
        self.finished: List[List[Finished]] = [[] for _ in range(sentences)]
        #: The sentences that are not done; the rows are theirs.
        self.active = np.arange(sentences)
        self._step = 0
        self._scores = np.zeros((sentences, 1), dtype=np.float32)  # one row each before the first step
        self._written: List[np.ndarray] = []
        self._origins: List[np.ndarray] = []

    @property
    def last(self) -> bool:
        """Whether every hypothesis ends at the next step."""
        return self._step >= self.longest

    def advance(self, candidates: Candidates) -> Optional[np.ndarray]:
        """Take a step.

        Returns:
            for each row [B' * K] of the next one which row of this one it goes on from; None where all are done.
        """
        sentences, width = self._scores.shape
        if self.last:
            assert candidates.end is not None, "the last step ends every hypothesis"
            ids = np.full((sentences * width, 1), self.end)
            steps = candidates.end[:, None]
        else:
            ids, steps = candidates.ids, candidates.log_probabilities
            if self._step == 0:
                steps = np.where(ids == self.end, -np.inf, steps)
        scores = (self._scores.reshape(-1, 1) + steps).reshape(sentences, -1)
        places = np.argsort(-scores, axis=1, kind="stable")[:, : 2 * self.beam]
        scores = np.take_along_axis(scores, places, 1)
        symbols = np.take_along_axis(ids.reshape(sentences, -1), places, 1)
        ends = (symbols == self.end) & np.isfinite(scores)
        origins = places // ids.shape[1] + width * np.arange(sentences)[:, None]

        going_on = []
        for sentence in range(sentences):
            done = self.finished[self.active[sentence]]
            for place in np.flatnonzero(ends[sentence, : self.beam]):
                if len(done) < self.beam:
                    done.append(self._finished(int(origins[sentence, place]), float(scores[sentence, place])))
            if len(done) < self.beam and not self.last:
                going_on.append(sentence)
        if not going_on:
            return None
        kept = np.array([np.flatnonzero(~ends[sentence])[: self.beam] for sentence in going_on])
        rows = np.array(going_on)[:, None]
        self._scores = scores[rows, kept]
        self._written.append(symbols[rows, kept].ravel())
        self._origins.append(origins[rows, kept].ravel())
        self.active = self.active[going_on]
        self._step += 1
        return self._origins[-1]

    @property
    def symbols(self) -> np.ndarray:
        """What was written last, [B' * K]."""
        return self._written[-1]

    def best(self) -> List[List[Finished]]:
        """The finished hypotheses of each sentence, best first."""
        return [sorted(found, key=lambda one: -one.score) for found in self.finished]

    def _finished(self, row: int, score: float) -> Finished:
        ids: List[int] = []
        rows = [row]
        for written, origins in zip(reversed(self._written), reversed(self._origins)):
            ids.append(int(written[row]))
            row = int(origins[row])
            rows.append(row)
        length = len(ids) + 1
        return Finished(ids[::-1], score / length**self.length_penalty, rows[::-1])
