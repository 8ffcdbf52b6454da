"""Marks of keyboard shortcuts in the labels of a program: ``~File``, ``Шы_ғу``, ``文件(~F)``.

For catalogues of messages alone: elsewhere ``~50 kg`` is about 50, and ``user_name`` a name.
"""

import re

from swcm_preprocess.placeholders import PLACEHOLDER

SIGNS = "~_&"

# Behind a label in a script that has no key of its own. The mark may stand before any sign: "(_#)".
# (The look behind keeps the search linear in long runs of spaces.)
_BRACKETED = re.compile(r"(?<!\s)\s*[(（]\s*(?:[~_]\s*|&)[^\s()（）~_&]\s*[)）]")

# Where the marks mean something else: placeholders, constants such as VAR_POP, addresses.
_MEANT = re.compile(rf"(?:{PLACEHOLDER.pattern})|(?<![A-Z])[A-Z]{{3,}}_[A-Z]{{3,}}|(?<!\S)\S*?(?:://|@)\S*", re.VERBOSE)


def strip_shortcuts(text: str) -> str:
    """Take the marks of shortcuts away.

    A label has one mark at most, so ``~`` or ``_`` goes only where it is the only one in the text, outside of
    placeholders, and stands before a sign; ``1~30`` is a range. A mark with a space behind it goes at the start of
    the text, and an underscore between two words too: some translators put one there.
    Lost: the underscore of a word such as ``user_name`` when the text has no other one.
    """
    if "(" in text or "（" in text:
        text = _BRACKETED.sub("", text)
    for mark in "~_":
        if mark in text:
            text = _strip_mark(text, mark)
    return text


def _strip_mark(text: str, mark: str) -> str:
    outside = _MEANT.sub(lambda match: "x" * len(match.group()), text)
    if outside.count(mark) != 1:
        return text
    place = outside.index(mark)
    before, after = text[:place], text[place + 1 :]
    if not before.strip():
        return after if after.strip() else text
    if mark == "_" and before[-1].isspace() and after[1:2].isalpha():
        return before + after
    if not after or after[0].isspace() or after[0] in ")）":
        return text
    if mark == "~" and before[-1].isdigit() and after[0].isdigit():
        return text
    return before + after
