"""Text into SentencePiece pieces and back, so that nothing in a text is taken for a symbol of the dictionary."""

import os
import re
from typing import List, Sequence

from sentencepiece import SentencePieceProcessor

from ..errors import SwcmError

UNKNOWN = "<unk>"
_SPACE = "\u2581"  # what SentencePiece writes for a space
_SYMBOL = re.compile(r"<.*>\Z|\[\w+\]\Z")  # what a dictionary has beside pieces: specials and language tags


def load_model(path: str) -> SentencePieceProcessor:
    """The SentencePiece model in the file at ``path``.

    Raises:
        SwcmError: there is no such file, or it holds no whole model.
    """
    if not os.path.isfile(path):
        raise SwcmError("there is no SentencePiece model {}".format(path))
    try:
        return SentencePieceProcessor(model_file=path)
    except (RuntimeError, OSError) as error:
        raise SwcmError("{} is no SentencePiece model, or was cut short ({})".format(path, error))


class Pieces:
    """Cuts text into the pieces of a SentencePiece model and joins them again.

    SentencePiece gives text that it does not know as one piece, so a ``</s>``, ``<mask>`` or ``[kk]`` in it would be
    taken for the dictionary's. Such a piece becomes ``<unk>``; other unknown text stands as it is.

    Has the two methods of fairseq's ``--bpe``, ``encode`` and ``decode``.
    """

    def __init__(self, model: SentencePieceProcessor) -> None:
        self.model = model
        ids = range(model.get_piece_size())
        #: The pieces that stand for text.
        self.known = {model.id_to_piece(i) for i in ids if not model.is_control(i) and not model.is_unknown(i)}

    @classmethod
    def load(cls, path: str) -> "Pieces":
        """Open the model at ``path``; raises as ``load_model``."""
        return cls(load_model(path))

    def cut(self, texts: Sequence[str], threads: int = 1) -> List[List[str]]:
        """The pieces of each text."""
        cut = self.model.encode(list(texts), out_type=str, num_threads=threads)
        return [[UNKNOWN if p not in self.known and _SYMBOL.match(p) else p for p in pieces] for pieces in cut]

    def encode(self, text: str) -> str:
        """The pieces of one text, joined by spaces."""
        return " ".join(self.cut([text])[0])

    def decode(self, line: str) -> str:
        """The text of pieces that are joined by spaces."""
        return line.replace(" ", "").replace(_SPACE, " ").strip()
