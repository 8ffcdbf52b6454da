"""Text into SentencePiece pieces and back, so that nothing in a text is taken for a symbol of the dictionary."""

import os
import re
from typing import Iterator, List, Sequence, Tuple

from sentencepiece import SentencePieceProcessor

from ..errors import SwcmError
from .stand_ins import known_to, protect, restore

UNKNOWN = "<unk>"
_SPACE = "\u2581"  # what SentencePiece writes for a space
_PROBE = 100  # texts that tell whether a model knows a script
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
    taken for the dictionary's. Such a piece becomes ``<unk>``; other unknown text stands as it is. Signs that the
    model's normalization would lose go through it in disguise where the model knows that (``stand_ins``).

    Has the two methods of fairseq's ``--bpe``, ``encode`` and ``decode``.
    """

    def __init__(self, model: SentencePieceProcessor) -> None:
        self.model = model
        ids = list(range(model.get_piece_size()))
        self._pieces = model.id_to_piece(ids)
        #: The pieces that stand for text.
        self.known = {self._pieces[i] for i in ids if i != model.unk_id() and not model.is_control(i)}
        self._stand_ins = known_to(self.known)

    @classmethod
    def load(cls, path: str) -> "Pieces":
        """Open the model at ``path``; raises as ``load_model``."""
        return cls(load_model(path))

    def cut(self, texts: Sequence[str], threads: int = 1) -> List[List[str]]:
        """The pieces of each text."""
        return [pieces for pieces, _ in self.cut_and_count(texts, threads)]

    def cut_and_count(self, texts: Sequence[str], threads: int = 1) -> Iterator[Tuple[List[str], int]]:
        """For each text its pieces, and how many of them the model lacks."""
        texts = [protect(text, self._stand_ins) for text in texts] if self._stand_ins else list(texts)
        # SentencePiece gives numbers a third faster than pieces. Where something is unknown they do not say what, and
        # the text is cut again; where much is, by pieces from the start.
        unknown = self.model.unk_id()
        probe = self.model.encode(texts[:_PROBE])
        if 5 * sum(unknown in ids for ids in probe) > len(probe):
            for pieces in self.model.encode(texts, out_type=str, num_threads=threads):
                yield self._guarded(pieces)
            return
        names = self._pieces
        for text, ids in zip(texts, self.model.encode(texts, num_threads=threads)):
            if unknown in ids:
                yield self._guarded(self.model.encode(text, out_type=str))
            else:
                yield [names[i] for i in ids], 0

    def _guarded(self, pieces: List[str]) -> Tuple[List[str], int]:
        if self.known.issuperset(pieces):
            return pieces, 0
        lacking = [piece not in self.known for piece in pieces]
        guarded = [UNKNOWN if new and _SYMBOL.match(p) else p for p, new in zip(pieces, lacking)]
        return guarded, sum(lacking)

    def encode(self, text: str) -> str:
        """The pieces of one text, joined by spaces."""
        return " ".join(self.cut([text])[0])

    def decode(self, line: str) -> str:
        """The text of pieces that are joined by spaces."""
        return restore(line.replace(" ", "").replace(_SPACE, " ").strip())
