"""Pairs whose sides show that they do not translate each other."""

import re

from swcm_preprocess.placeholders import placeholders

_NUMBERED = re.compile(r"%([0-9]{2,})")


def are_identical(source: str, target: str) -> bool:
    """Not translated: names, formulas, forgotten strings. A model would learn to copy."""
    return source == target


def differ_in_variables(source: str, target: str) -> bool:
    """A variable of one side is missing on the other: a translator's slip, or another text.

    Of the messages of a program: in other text "$5" and "%d" are prices and shares. Uyghur and Turkish write the sign
    of a share before the number, "%50", where others have "50%" or "百分之50"; "%5" beside "5%" may be a slip.
    """
    here, there = set(placeholders(source)), set(placeholders(target))
    return not all(_is_share(name, target) for name in here - there) or not all(
        _is_share(name, source) for name in there - here
    )


def _is_share(variable: str, other: str) -> bool:
    number = _NUMBERED.fullmatch(variable)
    pattern = r"(?<![0-9]){0}\s*(?:[٪％]|%(?![0-9A-Za-z]))|百分之{0}(?![0-9])"
    return bool(number and re.search(pattern.format(number.group(1)), other))
