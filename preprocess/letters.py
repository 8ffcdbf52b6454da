"""Counting the characters of a Unicode property, quickly.

The module ``regex`` knows Unicode's scripts and categories, but asks them character by character. Here it is asked
once which characters of the basic plane have the property; then ``re``, whose character classes are bitmaps, takes
away runs of the others.
"""

import functools
import re
from typing import Callable, List

import regex

_BASIC_PLANE = "".join(map(chr, range(0x10000)))
_FURTHER = re.compile("[\U00010000-\U0010ffff]")


def ranges(members: str) -> str:
    """Sorted characters as the inside of a character class: ``abcx`` -> ``a-cx``, everything escaped."""
    spans: List[List[int]] = []
    for member in map(ord, members):
        if spans and spans[-1][1] == member - 1:
            spans[-1][1] = member
        else:
            spans.append([member, member])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in spans)


@functools.lru_cache(maxsize=None)
def counter(characters: str) -> Callable[[str], int]:
    """A function that counts in a text the characters of a class of ``regex``, such as ``\\p{L}``.

    Raises:
        regex.error: the class names a property that Unicode does not have.
    """
    exactly = regex.compile(f"(?V1)[{characters}]")
    members = ranges("".join(exactly.findall(_BASIC_PLANE)))
    others = re.compile(f"[^{members}\U00010000-\U0010ffff]+")

    def count(text: str) -> int:
        found = others.sub("", text)
        if _FURTHER.search(found):
            return sum(1 for _ in exactly.finditer(found))
        return len(found)

    return count


letters = counter(r"\p{L}")
han = counter(r"\p{Han}")
