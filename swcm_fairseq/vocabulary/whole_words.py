"""Units of text that noise masks whole: words, Tibetan syllables, or single pieces.

A unit's edge lies before white space (SentencePiece's ``▁``) and, in Tibetan, also after a tsheg or shad. Pieces know
nothing of units, so one may hold an edge in its middle; then the units on both sides count as one, joined until an
edge of the text is also an edge between two pieces.
"""

from typing import List

import numpy as np

from ..languages import CHARACTERS, SYLLABLES, language
from .dictionary import tags_in
from .symbols import MASK, SPACE, SPECIALS

# Tsheg (the second one does not break lines), then the shads that close a clause.
SYLLABLE_ENDS = "\u0f0b\u0f0c" + "\u0f0d\u0f0e\u0f0f\u0f10\u0f11\u0f14"


def protected_symbols(symbols: List[str]) -> np.ndarray:
    """bool [V]: the specials, ``<mask>`` and the tags, which are no text and belong to no unit."""
    fixed = set(SPECIALS) | {MASK} | set(tags_in(symbols))
    return np.array([symbol in fixed for symbol in symbols], dtype=bool)


class WholeWords:
    """Where units begin in sequences of pieces of one language.

    Args:
        symbols: of the dictionary, in the order of their ids, the four specials included.
        code: the language, whose entry in ``languages`` says what its units are.
    """

    def __init__(self, symbols: List[str], code: str):
        kind = language(code).units
        self.protected = protected_symbols(symbols)
        if kind == CHARACTERS:
            self._opens = np.ones(len(symbols), dtype=bool)
        else:
            self._opens = np.array([symbol[:1] == SPACE for symbol in symbols], dtype=bool)
        self._has_ends = kind == SYLLABLES
        if self._has_ends:
            self._begins_with_end = np.array([symbol[:1] in SYLLABLE_ENDS for symbol in symbols], dtype=bool)
            self._ends_with_end = np.array([symbol[-1:] in SYLLABLE_ENDS for symbol in symbols], dtype=bool)

    def starts(self, pieces: np.ndarray) -> np.ndarray:
        """bool [T]: which of ``pieces`` [T] (ids) begin a unit.

        A unit goes on to the next start, or to the next symbol that is no text. Such symbols (``</s>`` between
        sentences, ``<unk>``, tags) begin nothing.
        """
        protected = self.protected[pieces]
        starts = self._opens[pieces]
        starts[:1] = True
        starts[1:] |= protected[:-1]
        if self._has_ends:
            starts[1:] |= self._ends_with_end[pieces[:-1]] & ~self._begins_with_end[pieces[1:]]
        return starts & ~protected
