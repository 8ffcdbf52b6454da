"""Text into SentencePiece pieces and back, so that nothing in a text is taken for a symbol of the dictionary."""

import itertools
import os
import re
from typing import Iterable, List, NamedTuple, Sequence

import regex
from sentencepiece import SentencePieceProcessor

from ..errors import SwcmError
from ..files import utf8_name
from ..input_files import check_fetched
from .protected_characters import known_to, protect, restore
from .sentencepiece_model import BYTE_FALLBACK
from .symbols import SPACE, UNKNOWN

_PROBE = 16  # texts that tell whether a model knows a script
_WHITE_SPACE = re.compile(r"\s")
_SYMBOL = re.compile(r"<.*>\Z|\[\w+\]\Z")  # what a dictionary has beside pieces: specials and language tags
# SentencePiece's space and the empty Braille cell have no ink either.
_INK = regex.compile(r"[^\p{White_Space}\p{Z}\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2581\u2800]")


def is_blank(text: str) -> bool:
    """Whether ``text`` shows nothing: white space, controls, invisible signs, or not even those."""
    return _INK.search(text) is None


def load_model(path: str) -> SentencePieceProcessor:
    """The SentencePiece model in the file at ``path``.

    Raises:
        SwcmError: there is no such file, it holds no whole model, or one with byte fallback.
    """
    if not os.path.isfile(path):
        raise SwcmError(f"there is no SentencePiece model {path}")
    check_fetched(path)
    try:
        with utf8_name(path) as name:
            model = SentencePieceProcessor(model_file=name)
    except (RuntimeError, OSError) as error:
        raise SwcmError(f"{path} is no SentencePiece model, or was cut short ({error})")
    if any(model.is_byte(list(range(model.get_piece_size())))):
        raise SwcmError(f"{path} {BYTE_FALLBACK}")
    return model


class Lines(NamedTuple):
    """Texts in pieces that are joined by spaces.

    Attributes:
        written: one a text.
        pieces: how many there are in all.
        unknown: how many of them the model lacks.
        split: some piece holds white space, at which it would be cut again.
    """

    written: List[str]
    pieces: int
    unknown: int
    split: bool


class Pieces:
    """Cuts text into the pieces of a SentencePiece model and joins them again.

    SentencePiece gives text that it does not know as one piece, so a ``</s>``, ``<mask>`` or ``[kk]`` in it would be
    taken for the dictionary's. Such a piece becomes ``<unk>``; other unknown text stands as it is. Signs that the
    model's normalization would lose go through it in disguise where the model knows that (``protected_characters``).

    Has the two methods of fairseq's ``--bpe``, ``encode`` and ``decode``.
    """

    def __init__(self, model: SentencePieceProcessor) -> None:
        self.model = model
        ids = list(range(model.get_piece_size()))
        self._names = model.id_to_piece(ids)
        #: The pieces that stand for text.
        self.known = set(self._names)
        self.known.discard(self._names[model.unk_id()])
        self.known.difference_update(name for name, control in zip(self._names, model.is_control(ids)) if control)
        self._placeholders = known_to(self._names)
        # The kinds of white space that stand in pieces. Models that normalize have none, or hardly any.
        self._white_space = set(_WHITE_SPACE.findall("".join(self._names)))

    @classmethod
    def load(cls, path: str) -> "Pieces":
        """Open the model at ``path``; raises as ``load_model``."""
        return cls(load_model(path))

    def cut(self, texts: Sequence[str], threads: int = 1) -> List[List[str]]:
        """The pieces of each text."""
        return [self._guarded(pieces) for pieces in self._encode(self._protected(texts), str, threads)]

    def ids(self, texts: Sequence[str], threads: int = 1) -> List[List[int]]:
        """The numbers of the pieces of each text in the SentencePiece model, all that it lacks having one."""
        return self._encode(self._protected(texts), int, threads)

    def lines(self, texts: Sequence[str]) -> Lines:
        """The pieces of each text, joined by spaces: what ``encode`` gives, for many texts at once and counted."""
        texts = self._protected(texts)
        unknown = self.model.unk_id()
        probe = texts[:: len(texts) // _PROBE + 1]
        if 2 * sum(unknown in ids for ids in self._encode(probe, int)) > len(probe):
            return self._lines_by_pieces(texts)
        # SentencePiece gives numbers a third faster than pieces. Where something is unknown they do not say what, and
        # the text is cut again.
        found = self._encode(texts, int)
        names = self._names
        written = [" ".join([names[i] for i in ids]) for ids in found]
        again = [place for place, ids in enumerate(found) if unknown in ids]
        total, lacking, split = sum(map(len, found)), 0, self._holds_white_space(written)
        if again:
            few = self._lines_by_pieces([texts[place] for place in again])
            for place, line in zip(again, few.written):
                written[place] = line
            lacking, split = few.unknown, split or few.split
        return Lines(written, total, lacking, split)

    def _lines_by_pieces(self, texts: Sequence[str]) -> Lines:
        found = self._encode(texts, str)
        written = [" ".join(pieces) for pieces in found]
        total = sum(map(len, found))
        unknown = total - sum(map(self.known.__contains__, itertools.chain.from_iterable(found)))
        split = self._holds_white_space(written)
        if unknown:
            joined = "\n".join(written)
            split = split or len(joined.split()) != total
            if "<" in joined or "[" in joined:
                for place, line in enumerate(written):
                    if "<" in line or "[" in line:
                        written[place] = " ".join(self._guarded(found[place]))
        return Lines(written, total, unknown, split)

    def _holds_white_space(self, written: Sequence[str]) -> bool:
        return bool(self._white_space) and _holds_any(written, self._white_space)

    def _protected(self, texts: Sequence[str]) -> List[str]:
        if self._placeholders and _holds_any(texts, map(chr, self._placeholders)):
            return [protect(text, self._placeholders) for text in texts]
        return list(texts)

    def _encode(self, texts: Sequence[str], kind: type, threads: int = 1) -> list:
        return self.model.encode(texts, out_type=kind, num_threads=threads) if texts else []

    def _guarded(self, pieces: List[str]) -> List[str]:
        if self.known.issuperset(pieces):
            return pieces
        return [UNKNOWN if p not in self.known and _SYMBOL.match(p) else p for p in pieces]

    def encode(self, text: str) -> str:
        """The pieces of one text, joined by spaces."""
        return self.lines([text]).written[0]

    def decode(self, line: str) -> str:
        """The text of pieces that are joined by spaces."""
        return restore(line.replace(" ", "").replace(SPACE, " ").strip())


def _holds_any(texts: Sequence[str], characters: Iterable[str]) -> bool:
    # One search through all of them: there are many texts, and most hold none.
    joined = "".join(texts)
    return any(character in joined for character in characters)
