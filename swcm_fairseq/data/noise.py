"""mBART's noise, which denoising undoes (the paper's DAE; Liu et al. 2020, section 2.2).

Sentences change places, and spans of units (see ``units``) give way to one ``<mask>`` each. Everything here is a pure
function of its arguments; ``noise_generator`` makes the randomness from (seed, epoch, index) alone, so neither the
number of workers nor a restart can change an example.

Two things differ from the usual implementations, which let spans overlap and round budgets up: spans here never
overlap, and a budget that is no whole number is rounded up with the probability of its fraction. So the share of
masked units is the one asked for, in short sentences too.
"""

from typing import NamedTuple, Tuple

import numpy as np

from ..errors import SwcmError
from ..vocabulary.whole_words import WholeWords


class NoiseSettings(NamedTuple):
    """How much noise.

    Attributes:
        mask_ratio: share of a text's units that are masked, 0 to 1.
        poisson_lambda: mean length of a span in units. Spans of length zero insert a ``<mask>``.
        permute_sentences: share of a text's sentences that change places with each other, 0 to 1.
    """

    mask_ratio: float = 0.35
    poisson_lambda: float = 3.5
    permute_sentences: float = 1.0

    def check(self) -> "NoiseSettings":
        """Return the settings; raises ``SwcmError`` for all that cannot be."""
        problems = [
            "--{} is {}; it is a share, from 0 to 1".format(name.replace("_", "-"), getattr(self, name))
            for name in ("mask_ratio", "permute_sentences")
            if not 0 <= getattr(self, name) <= 1
        ]
        # Below this nearly all spans would be insertions.
        if not 0.1 <= self.poisson_lambda <= 1000:
            problems.append(f"--poisson-lambda is {self.poisson_lambda}; it goes from 0.1 to 1000")
        if problems:
            raise SwcmError("this noise cannot be made", problems)
        return self


def noise_generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The randomness of one example in one epoch.

    Takes some 20 microseconds; NumPy's older kind takes ten times that.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, epoch, index])))


def add_noise(
    pieces: np.ndarray,
    units: WholeWords,
    eos: int,
    mask: int,
    settings: NoiseSettings,
    random: np.random.Generator,
    max_length: int,
) -> np.ndarray:
    """Permute the sentences of a text and mask spans of its units.

    Args:
        pieces: ids [T]; ``eos`` ends each sentence. Symbols that are no text stay in place, each once.
        units: of the text's language.
        eos, mask: ids of ``</s>`` and ``<mask>``.
        random: see ``noise_generator``.
        max_length: of the result, at least T; of insertions that would exceed it, the last are left out.

    Returns:
        ids [T'].
    """
    pieces = permute_sentences(pieces, eos, settings.permute_sentences, random)
    starts = units.starts(pieces)
    number = int(np.count_nonzero(starts))
    budget = round_at_random(number * settings.mask_ratio, random)
    lengths = truncate(draw_span_lengths(budget, settings.poisson_lambda, random), budget)
    begins, lengths = place_spans(lengths, number, random)
    return mask_spans(pieces, starts, units.protected[pieces], begins, lengths, mask, max_length)


def permute_sentences(pieces: np.ndarray, eos: int, share: float, random: np.random.Generator) -> np.ndarray:
    """Let ``share`` of the sentences, drawn at random, change places; the others stay where they are.

    ``pieces`` [T] ends with ``eos``; a sentence keeps its own ``eos``.
    """
    ends = np.flatnonzero(pieces == eos) + 1
    if len(ends) < 2:
        return pieces
    moving = round_at_random(len(ends) * share, random)
    if moving < 2:
        return pieces
    order = np.arange(len(ends))
    moved = random.choice(len(ends), moving, replace=False)
    order[np.sort(moved)] = moved
    sentences = np.split(pieces, ends)
    return np.concatenate([sentences[i] for i in order] + sentences[len(ends) :])


def round_at_random(number: float, random: np.random.Generator) -> int:
    """One of the two whole numbers around ``number``, so that the mean is ``number``."""
    # 0.35 * 20 comes out just above 7; such a crumb must not count.
    return int(np.floor(round(number, 9) + random.random()))


def draw_span_lengths(budget: int, mean: float, random: np.random.Generator) -> np.ndarray:
    """Poisson lengths in the order drawn, as many as it takes for their sum to reach ``budget``; none for 0.

    The last one may exceed the budget: these are the lengths before ``truncate``.
    """
    lengths, missing = np.zeros(0, dtype=np.int64), budget
    while missing > 0:
        # Enough for most cases in one call.
        lengths = np.concatenate([lengths, random.poisson(mean, int(missing / mean * 1.3) + 4)])
        sums = lengths.cumsum()
        missing = budget - int(sums[-1])
    # The first of the places where the sum has reached the budget is the last length.
    return lengths[: int(sums.searchsorted(budget)) + 1] if len(lengths) else lengths


def truncate(lengths: np.ndarray, budget: int) -> np.ndarray:
    """Shorten the last length so that all add up to ``budget``."""
    if len(lengths) == 0:
        return lengths
    lengths = lengths.copy()
    lengths[-1] -= lengths.sum() - budget
    return lengths


def place_spans(lengths: np.ndarray, number: int, random: np.random.Generator) -> Tuple[np.ndarray, np.ndarray]:
    """Put spans among ``number`` units, every arrangement without overlaps being equally likely.

    Returns:
        each span's first unit, ascending (``number`` for an insertion behind the last), and its length.
    """
    spans = len(lengths)
    if spans == 0:
        return lengths, lengths
    # A text of the uncovered units and the spans, one place each: which places do the spans take?
    places = random.choice(number - int(lengths.sum()) + spans, spans, replace=False)
    order = places.argsort()
    places, lengths = places[order], lengths[order]
    covered_before = lengths.cumsum() - lengths
    return places - np.arange(spans) + covered_before, lengths


def mask_spans(
    pieces: np.ndarray,
    starts: np.ndarray,
    protected: np.ndarray,
    begins: np.ndarray,
    lengths: np.ndarray,
    mask: int,
    max_length: int,
) -> np.ndarray:
    """Put one ``mask`` for each span of units.

    A span that runs on into the next sentence leaves the ``</s>`` between them standing, behind its ``mask``.

    Args:
        pieces: ids [T].
        starts: bool [T], where units begin.
        protected: bool [T], what belongs to no unit and is never removed.
        begins, lengths: the spans in units, in order and without overlaps; length 0 inserts a ``mask`` before
            the unit.
        max_length: the last insertions beyond it are left out.
    """
    # Spans are few and what lies between them is copied as it is, so a loop over spans beats masks over pieces.
    edges = np.flatnonzero(starts).tolist()
    number = len(edges)
    if number:
        edges.append(int(np.flatnonzero(~protected)[-1]) + 1)  # behind the last unit
    one_mask = np.array([mask], dtype=pieces.dtype)
    parts, insertions, copied = [], [], 0
    for begin, length in zip(begins.tolist(), lengths.tolist()):
        start, end = edges[begin], edges[begin + length]
        parts += [pieces[copied:start], one_mask]
        if length == 0:
            insertions.append(len(parts) - 1)
        else:
            parts.append(pieces[start:end][protected[start:end]])
        copied = end
    parts.append(pieces[copied:])
    surplus = sum(map(len, parts)) - max_length
    for _ in range(min(surplus, len(insertions))):
        del parts[insertions.pop()]
    return np.concatenate(parts)
