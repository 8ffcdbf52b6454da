"""White space."""

import re

_MONGOLIAN = "\u1800-\u180d\u180f-\u18af"
# The narrow no-break space U+202F joins a suffix to its word in traditional Mongolian: there it is part of the
# spelling. Elsewhere it is a space like the others.
_NARROW = re.compile(f"(?<![{_MONGOLIAN}])\u202f(?![{_MONGOLIAN}])")
# A non-joiner beside a space, or at an end, joins nothing. But behind U+0647 it makes the vowel of Kurdish and of older
# Uyghur text, and behind Indic letters it keeps the sign of the lost vowel.
# (The look behind keeps the search linear in long runs of non-joiners.)
_LAST = "(?<![\u0647\u0900-\u0dff\u200c])\u200c+"
# Every other space of Unicode.
_SPACES = re.compile("(?:" + _LAST + ")?[ \t-\r\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u205f\u3000]+\u200c*")
_AT_END = re.compile(_LAST + r"\Z")

# A plain space may have to go too, but there are some in every text: see ``normalize``.
SIGNS = "\t-\r\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u200c\u2028\u2029\u202f\u205f\u3000"


def collapse_spaces(text: str) -> str:
    """One plain space for every run of spaces, none at the ends.

    Lost: kinds and numbers of spaces, no-break spaces among them.
    """
    text = _SPACES.sub(" ", _NARROW.sub(" ", text))
    return _AT_END.sub("", text.rstrip(" ")).lstrip(" \u200c").rstrip(" ")
