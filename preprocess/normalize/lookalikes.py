"""Latin letters in Cyrillic words: keyboards and scanners put them there, and no reader sees it."""

import re

_PAIRS = dict(zip("ABCEHIKMOPTXYaceikopxyhj\u018f\u0259\u019f\u0275", "АВСЕНІКМОРТХҮасеікорхуһјӘәӨө"))
_TO_CYRILLIC = str.maketrans(_PAIRS)
# Cyrillic words with Latin letters need both; Latin alone is in many lines that need nothing.
SIGNS = "A-Za-z\u018f\u0259\u019f\u0275"

_LATIN = "A-Za-z\u00c0-\u024f\u0259\u0275"
_CYRILLIC = "\u0400-\u052f"
# A word of both scripts: a run of one and then the other. (The look behind keeps the search linear in long words.)
_MIXED = re.compile(
    f"(?<![{_LATIN}{_CYRILLIC}])(?:[{_LATIN}]+[{_CYRILLIC}]|[{_CYRILLIC}]+[{_LATIN}])[{_LATIN}{_CYRILLIC}]*"
)
_LATIN_LETTER = re.compile(f"[{_LATIN}]")
_NAME = re.compile("[A-Z]{2}")


def unify_lookalikes(text: str) -> str:
    """In a word of mixed script: Latin letters to the Cyrillic ones that look the same.

    Only where every Latin letter has such a twin and the Cyrillic ones are as many, and not where two Latin capitals
    stand together: "PDFке", "ATMға" and "Wi-Fiге" are right.
    Lost: a single Latin letter with a long ending of Cyrillic letters, as in "Aның" for "of A".
    """
    return _MIXED.sub(_unify, text)


def _unify(match: "re.Match") -> str:
    word = match.group()
    latin = _LATIN_LETTER.findall(word)
    if 2 * len(latin) > len(word) or not all(letter in _PAIRS for letter in latin) or _NAME.search(word):
        return word
    return word.translate(_TO_CYRILLIC)
