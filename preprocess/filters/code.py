"""Text that is code or markup for the most part: scripts, style sheets, tables of a wiki, formulas."""

import re
from typing import Callable

# Punctuation that programs and markup live on and prose hardly uses.
_SIGN = re.compile(r"[<>{}\[\]|\\=^~_*#;@`]")

# A label may be a formula, "[=A1]", and be right.
SHORTEST = 40


def is_mostly_code(most: float) -> Callable[[str], bool]:
    """A test: more than ``most`` of the characters are signs of code or of markup that could not be taken away."""

    def test(text: str) -> bool:
        return len(text) >= SHORTEST and len(_SIGN.findall(text)) > most * len(text)

    return test
