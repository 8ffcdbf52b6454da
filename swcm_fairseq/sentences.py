"""Cutting running text into sentences, by the punctuation of every script.

Nothing but white space is lost: the sentences of a text, joined, are the text. The rules are plain and know no
abbreviations but single letters; a sentence cut in two harms a model less than two in one.
"""

import re
import unicodedata
from typing import Callable, List, Tuple

# What ends a sentence wherever it stands: Chinese and Japanese, Mongolian, Khmer, Burmese. Behind it there may be
# more of the kind, and whatever closes quotations and brackets.
_CLOSING = "\"'”’»›」』】〉》）)\\]"
_FULL = f"[。！？｡᠃᠉។៕။]+[{_CLOSING}。！？…]*"

# What ends one where white space follows: full stops of the alphabets, Arabic's and Urdu's, Devanagari's; Tibetan's
# shads, which close clauses too, and the signs that open what comes next.
_SPACED = f"(?:[!?؟۔।॥…]+|[།༎༏༐༑༔]+)[{_CLOSING}]*(?=\\s)"

# A full stop before a space and no small letter, and not behind a single capital ("А. Құнанбаев") or a number.
_STOP = f"(?<!\\b[^\\W\\d_])(?<!\\b[0-9])(?<!\\b[0-9][0-9])\\.+[{_CLOSING}]*(?=\\s+(?![a-zа-яәғқңөұүһіё]))"

_END = re.compile(f"{_FULL}|{_SPACED}|{_STOP}")
# Where a sentence may be cut that is too long as it is: behind a clause, else behind a word or a syllable.
_WEAKER = (re.compile("[,;:，、；：،؛᠂༔།]+\\s*"), re.compile("[\\s་]+"))
_LINE_BREAKS = re.compile("[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")


def one_line(text: str) -> str:
    """The text with a space for each run of line breaks."""
    return _LINE_BREAKS.sub(" ", text).strip()


def sentences(text: str) -> List[str]:
    """The sentences of a text, none empty; a line break ends one too."""
    found = []
    for paragraph in _LINE_BREAKS.split(text):
        start = 0
        for match in _END.finditer(paragraph):
            found.append(paragraph[start : match.end()].strip())
            start = match.end()
        found.append(paragraph[start:].strip())
    return [sentence for sentence in found if sentence]


def parts_that_fit(text: str, fits: Callable[[str], bool]) -> List[str]:
    """A line in parts that all fit where it does not as a whole: as many sentences in each as fit together.

    A sentence that is too long by itself is cut at a clause, a word, or anywhere but between a letter and its marks.

    Args:
        text: one line.
        fits: whether a text is short enough.

    Returns:
        texts without white space around them, none empty. Nothing but such white space is lost.
    """
    found: List[Tuple[int, int]] = []
    if fits(text):
        found = [(0, len(text))]
    else:
        ends = [match.end() for match in _END.finditer(text)] + [len(text)]
        spans = [span for start, end in zip([0] + ends, ends) for span in _halved(text, start, end, fits)]
        for start, end in spans:
            if found and fits(text[found[-1][0] : end].strip()):
                found[-1] = (found[-1][0], end)
            else:
                found.append((start, end))
    parts = [text[start:end].strip() for start, end in found]
    return [part for part in parts if part]


def _halved(text: str, start: int, end: int, fits: Callable[[str], bool]) -> List[Tuple[int, int]]:
    if end - start < 2 or fits(text[start:end].strip()):
        return [(start, end)]
    middle = _near_the_middle(text, start, end)
    return _halved(text, start, middle, fits) + _halved(text, middle, end, fits)


def _near_the_middle(text: str, start: int, end: int) -> int:
    middle, quarter = (start + end) // 2, (end - start) // 4
    for pattern in _WEAKER:
        places = [match.end() for match in pattern.finditer(text, start + quarter, end - quarter)]
        if places:
            return min(places, key=lambda place: abs(place - middle))
    whole = middle
    while whole < end and unicodedata.category(text[whole])[0] == "M":
        whole += 1
    return whole if whole < end else middle
