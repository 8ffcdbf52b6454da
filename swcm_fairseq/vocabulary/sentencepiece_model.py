"""Cutting and building SentencePiece models, field by field.

A model file is one protocol-buffer message whose field 1, repeated, is a piece; everything else in it
(trainer and normalizer settings) is carried along byte for byte, so nothing that this package does not know
is lost. The classes that the sentencepiece wheel ships for this want one exact range of protobuf versions,
which other packages in the same environment often rule out; three fields do not pay for that.
"""

import struct
from dataclasses import dataclass
from typing import Any, Iterator, List, NamedTuple, Tuple

from ..errors import SwcmError
from ..input_files import check_fetched

# SentencePiece.Type in sentencepiece_model.proto.
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6

#: Why a model with pieces of that kind is refused.
BYTE_FALLBACK = (
    "has pieces for single bytes (it was trained with byte fallback), and a model would write parts of characters; "
    "take one without, and let preprocess/extend_vocab.py add the characters that it lacks"
)

# Field numbers of ModelProto and of its SentencePiece.
_PIECES, _TRAINER_SPEC, _NORMALIZER_SPEC = 1, 2, 3
_PIECE_TEXT, _PIECE_SCORE, _PIECE_TYPE = 1, 2, 3
_TRAINER_MODEL_TYPE, _TRAINER_VOCAB_SIZE = 3, 4
_CHARACTER_MAP, _DUMMY_PREFIX, _EXTRA_SPACES = 2, 3, 4  # of NormalizerSpec

UNIGRAM = 1  # TrainerSpec.ModelType, and its default

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

# An int or bytes, as the wire type says.
FieldValue = Any


@dataclass(frozen=True)
class Piece:
    """One vocabulary entry: its text, its log probability (unigram) or rank (BPE), and its kind."""

    text: str
    score: float
    kind: int = NORMAL


class Normalization(NamedTuple):
    """What is done to text before it is cut.

    Attributes:
        character_map: what becomes of characters and some groups of them, as SentencePiece compiles it; may be empty.
        add_dummy_prefix: a space goes before the text.
        remove_extra_whitespaces: none stay at its ends, and of several in a row one does.
    """

    character_map: bytes
    add_dummy_prefix: bool
    remove_extra_whitespaces: bool


@dataclass
class SentencePieceModel:
    """A SentencePiece model: pieces in id order, and every other field as ``(number, wire type, value)``."""

    pieces: List[Piece]
    rest: List[Tuple[int, int, FieldValue]]

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "the SentencePiece model") -> "SentencePieceModel":
        """Parse a model file's bytes; ``name`` stands for it in errors.

        Raises:
            SwcmError: the bytes are no whole SentencePiece model.
        """
        pieces, rest = [], []
        try:
            for number, wire, value in _fields(data):
                if number == _PIECES and wire == _BYTES:
                    pieces.append(_parse_piece(value))
                else:
                    rest.append((number, wire, value))
        except (IndexError, ValueError, struct.error) as error:
            raise SwcmError(f"{name} is no SentencePiece model, or was cut short ({error})")
        if not pieces:
            raise SwcmError(f"{name} is no SentencePiece model: it holds no pieces")
        return cls(pieces, rest)

    @classmethod
    def read(cls, path: str) -> "SentencePieceModel":
        """Parse the model file at ``path``."""
        check_fetched(path)
        with open(path, "rb") as stream:
            return cls.from_bytes(stream.read(), path)

    def normalizer_spec(self) -> bytes:
        """The normalizer's settings, serialized (they hold the character map)."""
        return b"".join(value for number, _, value in self.rest if number == _NORMALIZER_SPEC)

    def normalization(self) -> Normalization:
        """The same, read."""
        found = {number: value for number, _, value in _fields(self.normalizer_spec())}
        return Normalization(
            bytes(found.get(_CHARACTER_MAP, b"")),
            bool(found.get(_DUMMY_PREFIX, True)),
            bool(found.get(_EXTRA_SPACES, True)),
        )

    def is_unigram(self) -> bool:
        """Whether text is cut by the pieces' probabilities alone (BPE needs the pieces that others grow from)."""
        kinds = [
            value
            for number, _, spec in self.rest
            if number == _TRAINER_SPEC
            for field, _, value in _fields(spec)
            if field == _TRAINER_MODEL_TYPE
        ]
        return not kinds or kinds[-1] == UNIGRAM

    def to_bytes(self) -> bytes:
        """The model file, with the trainer's ``vocab_size`` in step with the pieces."""
        out = bytearray()
        for piece in self.pieces:
            out += _field(_PIECES, _BYTES, _piece_bytes(piece))
        for number, wire, value in self.rest:
            if number == _TRAINER_SPEC:
                value = _with_vocab_size(value, len(self.pieces))
            out += _field(number, wire, value)
        return bytes(out)


def unigram_model(pieces: List[Piece], normalizer_spec: bytes) -> SentencePieceModel:
    """A unigram model of ``pieces``; every trainer setting has its default (unk 0, bos 1, eos 2, no pad)."""
    return SentencePieceModel(pieces, [(_TRAINER_SPEC, _BYTES, b""), (_NORMALIZER_SPEC, _BYTES, normalizer_spec)])


def _parse_piece(data: bytes) -> Piece:
    text, score, kind = "", 0.0, NORMAL
    for number, wire, value in _fields(data):
        if number == _PIECE_TEXT and wire == _BYTES:
            text = value.decode("utf-8")
        elif number == _PIECE_SCORE and wire == _FIXED32:
            score = struct.unpack("<f", value)[0]
        elif number == _PIECE_TYPE and wire == _VARINT:
            kind = value
    return Piece(text, score, kind)


def _piece_bytes(piece: Piece) -> bytes:
    data = _field(_PIECE_TEXT, _BYTES, piece.text.encode("utf-8"))
    data += _field(_PIECE_SCORE, _FIXED32, struct.pack("<f", piece.score))
    return data if piece.kind == NORMAL else data + _field(_PIECE_TYPE, _VARINT, piece.kind)


def _with_vocab_size(trainer_spec: bytes, size: int) -> bytes:
    kept = b"".join(_field(*f) for f in _fields(trainer_spec) if f[0] != _TRAINER_VOCAB_SIZE)
    return kept + _field(_TRAINER_VOCAB_SIZE, _VARINT, size)


def _fields(data: bytes) -> Iterator[Tuple[int, int, FieldValue]]:
    """Walk over a serialized message; fixed-width values stay bytes."""
    at, end = 0, len(data)
    while at < end:
        key, at = _read_varint(data, at)
        number, wire = key >> 3, key & 7
        value: FieldValue
        if wire == _VARINT:
            value, at = _read_varint(data, at)
        elif wire in (_FIXED64, _FIXED32, _BYTES):
            size, at = _read_varint(data, at) if wire == _BYTES else ({_FIXED64: 8, _FIXED32: 4}[wire], at)
            if at + size > end:
                raise ValueError(f"field {number} goes past the end")
            value, at = data[at : at + size], at + size
        else:
            raise ValueError(f"wire type {wire} at byte {at}")
        yield number, wire, value


def _field(number: int, wire: int, value: FieldValue) -> bytes:
    key = _varint(number << 3 | wire)
    if wire == _VARINT:
        return key + _varint(value)
    return key + (_varint(len(value)) if wire == _BYTES else b"") + value


def _read_varint(data: bytes, at: int) -> Tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, at
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
