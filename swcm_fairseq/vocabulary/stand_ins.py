"""Signs that SentencePiece's normalization would lose, and what carries them through it.

The normalization of XLM-R's kind of models (nmt_nfkc) makes a plain space of

- U+202F, which joins a suffix to its word in traditional Mongolian,
- U+200C, which parts the letters of a word without a gap (Persian, and older Uyghur text),

and a space in pieces says nothing of what it was. So each is written as a sign of a private-use plane, 0xF0000 further
on, before text is cut, and read back after pieces are joined. The other signs of Mongolian spelling (U+180E, U+200D and
the variation selectors) go through unharmed. It is done where the model has a piece with the stand-in, which it has
after learning pieces from text that went through ``protect``; an encoder without knows the space, and gets it.

What that normalization loses besides, and nothing brings back: it is Unicode's form NFKC (full-width punctuation, "…",
ligatures and other forms for reading become plain ones), U+200B, U+200E, U+200F, U+FEFF and U+FFFD are spaces, runs of
spaces are one, and there are none at the ends.
"""

import re
from typing import Dict, Iterable

#: What is protected -> its stand-in.
STAND_INS: Dict[str, str] = {sign: chr(0xF0000 + ord(sign)) for sign in "\u202f\u200c"}
#: The same as ``protect`` takes it.
ALL: Dict[int, str] = {ord(sign): stand_in for sign, stand_in in STAND_INS.items()}

_ANY_SIGN = re.compile("[{}]".format("".join(STAND_INS)))
_ANY_STAND_IN = re.compile("[{}]".format("".join(STAND_INS.values())))
_ORIGINALS = {ord(stand_in): sign for sign, stand_in in STAND_INS.items()}


def known_to(pieces: Iterable[str]) -> Dict[int, str]:
    """The part of the table, for ``protect``, whose stand-ins occur in a model's pieces."""
    text = "".join(pieces)
    return {sign: stand_in for sign, stand_in in ALL.items() if stand_in in text}


def protect(text: str, table: Dict[int, str] = ALL) -> str:
    """Put stand-ins for the signs in ``table``."""
    return text.translate(table) if _ANY_SIGN.search(text) else text


def restore(text: str) -> str:
    """Undo ``protect``."""
    return text.translate(_ORIGINALS) if _ANY_STAND_IN.search(text) else text
