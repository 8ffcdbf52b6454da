"""Signs that SentencePiece's normalization would lose, and what carries them through it.

The normalization of XLM-R's kind of models (nmt_nfkc) makes a plain space of

- U+202F, which joins a suffix to its word in traditional Mongolian,
- U+200C, which parts the letters of a word without a gap (Persian, and older Uyghur text),

and a space in pieces says nothing of what it was. So each is written as a sign of a private-use plane, 0xF0000 further
on, before text is cut, and read back after pieces are joined. The other signs of Mongolian spelling (U+180E, U+200D and
the variation selectors) go through unharmed. It is done where the model has a piece with the placeholder, which it has
after learning pieces from text that went through ``protect``; an encoder without knows the space, and gets it.

What that normalization loses besides, and nothing brings back: it is Unicode's form NFKC (full-width punctuation, "…",
ligatures and other forms for reading become plain ones), U+200B, U+200E, U+200F, U+FEFF and U+FFFD are spaces, runs of
spaces are one, and there are none at the ends.
"""

import re
from typing import Dict, Iterable

#: What is protected -> its placeholder.
PLACEHOLDERS: Dict[str, str] = {sign: chr(0xF0000 + ord(sign)) for sign in "\u202f\u200c"}
#: The same as ``protect`` takes it.
ALL: Dict[int, str] = {ord(sign): placeholder for sign, placeholder in PLACEHOLDERS.items()}

_ANY_SIGN = re.compile("[{}]".format("".join(PLACEHOLDERS)))
_ANY_PLACEHOLDER = re.compile("[{}]".format("".join(PLACEHOLDERS.values())))
_ORIGINALS = {ord(placeholder): sign for sign, placeholder in PLACEHOLDERS.items()}


def known_to(pieces: Iterable[str]) -> Dict[int, str]:
    """The part of the table, for ``protect``, whose placeholders occur in a model's pieces."""
    text = "".join(pieces)
    return {sign: placeholder for sign, placeholder in ALL.items() if placeholder in text}


def protect(text: str, table: Dict[int, str] = ALL) -> str:
    """Put placeholders for the signs in ``table``."""
    return text.translate(table) if _ANY_SIGN.search(text) else text


def restore(text: str) -> str:
    """Undo ``protect``."""
    return text.translate(_ORIGINALS) if _ANY_PLACEHOLDER.search(text) else text
