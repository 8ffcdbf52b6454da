"""How well a SentencePiece model covers a text: what it cannot spell, and how many pieces a word or syllable takes."""

import re
from typing import Dict, List, NamedTuple, Sequence

from ..languages import CHARACTERS, SYLLABLES, Language
from .pieces import Pieces
from .symbols import SPACE
from .whole_words import SYLLABLE_ENDS

_BETWEEN_SYLLABLES = re.compile(rf"[\s{re.escape(SYLLABLE_ENDS)}]+")
UNIT_NAMES = {"words": "word", "syllables": "syllable", "characters": "character"}


class Coverage(NamedTuple):
    """Counts over a text.

    Attributes:
        units: words, syllables or characters, as the language counts.
        unknown_pieces: of ``pieces``; SentencePiece makes one of a whole run of unknown characters.
        unknown_characters: of ``characters``, spaces left out.
    """

    lines: int = 0
    units: int = 0
    pieces: int = 0
    unknown_pieces: int = 0
    characters: int = 0
    unknown_characters: int = 0

    def plus(self, other: "Coverage") -> "Coverage":
        """Both texts' counts."""
        return Coverage(*(mine + theirs for mine, theirs in zip(self, other)))

    def rates(self) -> Dict[str, float]:
        """Shares of unknown pieces and characters, and pieces a unit."""
        return {
            "unknown_pieces": self.unknown_pieces / max(1, self.pieces),
            "unknown_characters": self.unknown_characters / max(1, self.characters),
            "pieces_per_unit": self.pieces / max(1, self.units),
        }


def count_units(text: str, language: Language) -> int:
    """Words, syllables or characters of ``text``, whichever the language counts in."""
    if language.units == CHARACTERS:
        return sum(not character.isspace() for character in text)
    if language.units == SYLLABLES:
        return sum(bool(part) for part in _BETWEEN_SYLLABLES.split(text))
    return len(text.split())


def coverage(pieces: Pieces, lines: Sequence[str], cut: Sequence[List[str]], language: Language) -> Coverage:
    """The counts of ``lines``, which the model has ``cut`` into pieces."""
    return Coverage(
        lines=len(lines),
        units=sum(count_units(line, language) for line in lines),
        pieces=sum(map(len, cut)),
        unknown_pieces=sum(piece not in pieces.known for line in cut for piece in line),
        characters=sum(_size(piece) for line in cut for piece in line),
        unknown_characters=sum(_size(piece) for line in cut for piece in line if piece not in pieces.known),
    )


def _size(piece: str) -> int:
    return len(piece) - piece.count(SPACE)
