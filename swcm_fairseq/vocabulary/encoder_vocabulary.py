"""The vocabulary that lies beside an encoder: its SentencePiece model, or fairseq's dict.txt."""

import os
from typing import List, NamedTuple, Optional, Tuple

from ..errors import some
from ..input_files import read_text
from .sentencepiece_model import BYTE, BYTE_FALLBACK, SentencePieceModel
from .symbols import BOS, EOS, MASK, SENTENCEPIECE_MODEL, SPECIALS, UNKNOWN

SENTENCEPIECE_NAMES = (SENTENCEPIECE_MODEL, "spm.model", "sentencepiece.model")

# A SentencePiece model of XLM-R begins with these; fairseq has its own rows for them.
_SENTENCEPIECE_SPECIALS = [UNKNOWN, BOS, EOS]


class Vocabulary(NamedTuple):
    """Pieces in row order (row 4 first) with the file they come from, and the SentencePiece model's path."""

    pieces: Optional[List[str]]
    origin: Optional[str]
    sentencepiece_model: Optional[str]

    def rows(self) -> int:
        """Embedding rows that specials, pieces and ``<mask>`` take."""
        return len(SPECIALS) + len(self.pieces or []) + 1


def read_vocabulary(folder: str, dictionary: Optional[str] = None) -> Tuple[Vocabulary, List[str]]:
    """The vocabulary in ``folder``, and what is wrong with it.

    Args:
        folder: where a SentencePiece model may lie.
        dictionary: a dict.txt of fairseq whose order is that of the rows, None where there is none.
    """
    paths = [os.path.join(folder, name) for name in SENTENCEPIECE_NAMES]
    model = next((path for path in paths if os.path.isfile(path)), None)
    problems: List[str] = []
    pieces = origin = None
    if model:
        read = SentencePieceModel.read(model).pieces
        pieces, origin = [piece.text for piece in read], model
        if any(piece.kind == BYTE for piece in read):
            problems.append(f"{model} {BYTE_FALLBACK}")
        if pieces[:3] != _SENTENCEPIECE_SPECIALS:
            problems.append(f"{model} begins with {pieces[:3]}, not {_SENTENCEPIECE_SPECIALS}")
        pieces = pieces[3:]
    if dictionary:
        listed = _dictionary_pieces(dictionary)
        if pieces is not None and sorted(listed) != sorted(pieces):
            differing = sorted(set(pieces) ^ set(listed)) or ["symbols that stand twice"]
            problems.append(f"{dictionary} and {model} hold different pieces: {some(differing)}")
        pieces, origin = listed, dictionary
    clashes = [symbol for symbol in SPECIALS + (MASK,) if symbol in set(pieces or [])]
    if clashes:
        problems.append("{} has among its pieces {}, which have rows of their own".format(origin, " ".join(clashes)))
    return Vocabulary(pieces, origin, model), problems


def dictionary_symbols(path: str) -> List[str]:
    """The symbols of a dict.txt in its order, which leaves the four specials out."""
    symbols = []
    lines = read_text(path).split("\n")
    for line in lines[:-1] if not lines[-1] else lines:
        if line.endswith(" #fairseq:overwrite"):
            line = line[: -len(" #fairseq:overwrite")]
        symbols.append(line.rsplit(" ", 1)[0])
    return symbols


def _dictionary_pieces(path: str) -> List[str]:
    """The symbols of a dict.txt between the specials and ``<mask>``."""
    symbols = dictionary_symbols(path)
    # XLM-R's dict.txt leaves <mask> to the task, which appends it; others were saved with it.
    return symbols[:-1] if symbols and symbols[-1] == MASK else symbols
