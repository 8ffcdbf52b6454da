"""Lines without text."""

from swcm_preprocess.placeholders import without_placeholders

import regex

_LETTER = regex.compile(r"\p{L}")


def is_empty(text: str) -> bool:
    """Nothing is left of the line: it was blank, or markup alone."""
    return not text


def has_no_letters(text: str) -> bool:
    """Numbers, signs and placeholders alone: there is nothing to translate or to learn a language from.

    A variable in running text is no reason: models can copy it like a name, and in programs' strings one line
    in twenty has one, the long sentences above all.
    """
    if text[:1].isalpha():
        return False  # the common case; no variable begins with a letter
    return not (_LETTER.search(text) and _LETTER.search(without_placeholders(text)))
