"""Cutting running text into sentences, by the punctuation of every script.

Nothing but white space is lost: the sentences of a text, joined, are the text. The rules are plain and know no
abbreviations but single letters; a sentence cut in two harms a model less than two in one.
"""

import re
from typing import List

# What ends a sentence wherever it stands: Chinese and Japanese, Mongolian, Khmer, Burmese. Behind it there may be
# more of the kind, and whatever closes quotations and brackets.
_CLOSING = "\"'”’»›」』】〉》）)\\]"
_FULL = "[。！？｡᠃᠉។៕။]+[{}。！？…]*".format(_CLOSING)

# What ends one where white space follows: full stops of the alphabets, Arabic's and Urdu's, Devanagari's; Tibetan's
# shads, which close clauses too, and the signs that open what comes next.
_SPACED = "(?:[!?؟۔।॥…]+|[།༎༏༐༑༔]+)[{}]*(?=\\s)".format(_CLOSING)

# A full stop before a space and no small letter, and not behind a single capital ("А. Құнанбаев") or a number.
_STOP = "(?<!\\b[^\\W\\d_])(?<!\\b[0-9])(?<!\\b[0-9][0-9])\\.+[{}]*(?=\\s+(?![a-zа-яәғқңөұүһіё]))".format(_CLOSING)

_END = re.compile("{}|{}|{}".format(_FULL, _SPACED, _STOP))
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
