"""Kazakh from Cyrillic to Arabic script, as it is written in China."""

import re

_LETTERS = {
    "а": "ا", "ә": "ا", "б": "ب", "в": "ۆ", "г": "گ", "ғ": "ع", "д": "د", "е": "ە", "ё": "يو", "ж": "ج", "з": "ز",
    "и": "ي", "й": "ي", "к": "ك", "қ": "ق", "л": "ل", "м": "م", "н": "ن", "ң": "ڭ", "о": "و", "ө": "و", "п": "پ",
    "р": "ر", "с": "س", "т": "ت", "у": "ۋ", "ұ": "ۇ", "ү": "ۇ", "ф": "ف", "х": "ح", "һ": "ھ", "ц": "تس", "ч": "چ",
    "ш": "ش", "щ": "شش", "ъ": "", "ы": "ى", "і": "ى", "ь": "", "э": "ە", "ю": "يۋ", "я": "يا",
}  # fmt: skip
_TO_ARABIC = str.maketrans(dict(_LETTERS, **{letter.upper(): arabic for letter, arabic in _LETTERS.items()}))
_WORD = re.compile("[\u0400-\u052f]+")
_SOFT = re.compile("[әөүі]", re.IGNORECASE)
_SOFT_ANYWAY = re.compile("[гекэ]", re.IGNORECASE)
_HIGH_HAMZA = "\u0674"

# Punctuation faces the other way, but for signs in numbers ("3,5").
_PUNCTUATION = re.compile(r"(?<![0-9])[,;?]|[,;?](?![0-9])")
_MIRRORED = {",": "\u060c", ";": "\u061b", "?": "\u061f"}


def kazakh_to_arabic(text: str) -> str:
    """Write Cyrillic words in Arabic script; text without Cyrillic letters stays as it is.

    A word with a soft vowel (ә, ө, ү, і) gets the high hamza U+0674 before it, unless г, е or к show its softness.
    Lost: capitals; ъ and ь; which of the vowels of a soft word were soft; the letters that are written with two or
    with another's (ё, ц, щ, э, ю, я, и). It cannot be undone, and names of Russian spelling may differ from usage.
    """
    if not _WORD.search(text):
        return text
    text = _WORD.sub(_write, text)
    return _PUNCTUATION.sub(lambda match: _MIRRORED[match.group()], text)


def _write(match: "re.Match") -> str:
    word = match.group()
    arabic = word.translate(_TO_ARABIC)
    return _HIGH_HAMZA + arabic if _SOFT.search(word) and not _SOFT_ANYWAY.search(word) else arabic
