"""What a dictionary must hold: the encoder's rows in order, then language tags."""

import re
from typing import List, Optional, Tuple

from ..errors import SwcmError, some
from .sentencepiece_model import BYTE, BYTE_FALLBACK, SentencePieceModel
from .symbols import MASK, SPECIALS

_TAG = re.compile(r"\[\w+\]\Z")


def tags_in(symbols: List[str]) -> List[str]:
    """The language tags of a dictionary: the symbols after ``<mask>`` that look like ``[kk]``."""
    return [symbol for symbol in _after_mask(symbols) if _TAG.match(symbol)]


def symbols_that_are_no_text(dictionary) -> Tuple[str, ...]:
    """What a generator must never write: tags, ``<mask>`` and ``<s>``."""
    symbols = [dictionary.symbols[dictionary.bos()], MASK] + tags_in(dictionary.symbols)
    return tuple(symbol for symbol in symbols if symbol in dictionary)


def check_dictionary(symbols: List[str], vocab_size: int, pieces: Optional[List[str]], encoder_path: str) -> None:
    """Check that dictionary ids are the encoder's rows: specials, pieces in order, ``<mask>``, then only tags.

    Args:
        symbols: of the dictionary, in order, the four specials included.
        vocab_size: rows of the encoder's token table.
        pieces: the encoder's pieces in the order of its rows, or None when they are not known.
        encoder_path: for the message.

    Raises:
        SwcmError: all differences at once, symbols named.
    """
    problems = []
    tags = _after_mask(symbols)
    body = symbols[: len(symbols) - len(tags)]
    strange = [symbol for symbol in tags if not _TAG.match(symbol)]
    if MASK not in symbols:
        problems.append(f"the dictionary has no {MASK}, which stands after the pieces")
    if strange:
        problems.append(f"after {MASK} only tags such as [kk] may stand, not {some(strange)}")
    if len(body) != vocab_size:
        problems.append(f"the dictionary has {len(body)} symbols before its tags, the encoder has {vocab_size} rows")
    if pieces is not None:
        own = [symbol for symbol in body[len(SPECIALS) :] if symbol != MASK]
        missing = _not_in(pieces, own)
        extra = _not_in(own, pieces)
        if missing:
            problems.append(f"missing from the dictionary: {some(missing)}")
        if extra:
            problems.append(f"not in the encoder: {some(extra)}")
        if not missing and not extra and own != pieces:
            place = _first_difference(own, pieces)
            if place is None:
                problems.append(
                    f"the dictionary has {len(own)} pieces, some of them twice; the encoder has {len(pieces)}"
                )
            else:
                problems.append(
                    f"the order differs from id {place + len(SPECIALS)} on: the dictionary has {own[place]!r}, the "
                    f"encoder {pieces[place]!r}"
                )
    if problems:
        raise SwcmError(
            f"the dictionary does not match the encoder {encoder_path}; make it with preprocess/build_dict.py",
            problems,
        )


def differing_symbols(own: List[str], theirs: List[str], further_tags: bool = False) -> List[str]:
    """What keeps the data's symbols from being a checkpoint's, one line each; none where they are the same.

    Args:
        own: of the data's dictionary, in order.
        theirs: of the checkpoint's.
        further_tags: the data's may have tags on top, at its end.
    """
    missing = _not_in(theirs, own)
    extra = _not_in(own, theirs + tags_in(own) if further_tags else theirs)
    problems = []
    if missing:
        problems.append(f"missing from the data's dictionary: {some(missing)}")
    if extra:
        problems.append(f"in the data's dictionary, not in the checkpoint's: {some(extra)}")
    place = _first_difference(own, theirs)
    if not problems and place is not None:
        advice = "; further tags go to the end" if further_tags else ""
        problems.append(
            f"the order differs from id {place} on: {own[place]!r} in the data's dictionary, {theirs[place]!r} in the "
            f"checkpoint's{advice}"
        )
    return problems


def check_sentencepiece_model(symbols: List[str], path: str) -> None:
    """Check that the SentencePiece model at ``path`` cuts text into the dictionary's pieces.

    Args:
        symbols: of the dictionary, in order, the four specials included.
        path: of the model.

    Raises:
        SwcmError: symbols that only one of the two has, named; or it is of a kind that is not written with.
    """
    # Three specials come first in a model, in another order.
    read = SentencePieceModel.read(path).pieces[3:]
    if any(piece.kind == BYTE for piece in read):
        raise SwcmError(f"{path} {BYTE_FALLBACK}")
    pieces = [piece.text for piece in read]
    body = symbols[len(SPECIALS) : symbols.index(MASK)] if MASK in symbols else symbols[len(SPECIALS) :]
    sides = {
        "in the dictionary but not in the model": _not_in(body, pieces),
        "in the model but not in the dictionary": _not_in(pieces, body),
    }
    problems = [f"{side}: {some(found)}" for side, found in sides.items() if found]
    if problems:
        raise SwcmError(
            f"the SentencePiece model {path} does not match the dictionary; put the one there that cut the text",
            problems,
        )


def _after_mask(symbols: List[str]) -> List[str]:
    return symbols[symbols.index(MASK) + 1 :] if MASK in symbols else []


def _first_difference(first: List[str], second: List[str]) -> Optional[int]:
    """The first place where both have something and not the same."""
    return next((place for place, (one, other) in enumerate(zip(first, second)) if one != other), None)


def _not_in(first: List[str], second: List[str]) -> List[str]:
    known = set(second)
    return [symbol for symbol in first if symbol not in known]
