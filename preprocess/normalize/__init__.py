"""How a line of raw text becomes a clean one: small rules, one a file, applied in a fixed order.

A rule is a pure function from text to text, and its docstring says why it is there and what it loses.
"""

from typing import Callable, Dict, Iterable

from swcm_fairseq.errors import SwcmError

from .control import strip_control
from .entities import decode_entities
from .markup import strip_markup
from .shortcuts import strip_shortcuts
from .spaces import collapse_spaces
from .unicode_form import compose

Rule = Callable[[str], str]

# Invisible characters go first, for they hide the others' patterns; entities before markup, because crawled
# pages hold "&lt;b&gt;" too; spaces last, since every other rule may leave some.
RULES: Dict[str, Rule] = {
    "control": strip_control,
    "entities": decode_entities,
    "markup": strip_markup,
    "shortcuts": strip_shortcuts,
    "unicode": compose,
    "spaces": collapse_spaces,
}

MOST_PASSES = 8


def rules_without(left_out: Iterable[str]) -> Dict[str, Rule]:
    """The rules but for those named; raises ``SwcmError`` for a name that is no rule."""
    left_out = set(left_out)
    unknown = sorted(left_out - set(RULES))
    if unknown:
        raise SwcmError("no such rule: {}; the rules are {}".format(", ".join(unknown), ", ".join(RULES)))
    return {name: rule for name, rule in RULES.items() if name not in left_out}


def normalize(text: str, rules: Dict[str, Rule]) -> str:
    """Apply the rules in order, again and again until nothing changes.

    What one rule takes away may complete a pattern of another ("<_b>"); going on to the end makes cleaning
    clean text a no-op. Text made to defeat this stops after ``MOST_PASSES``.
    """
    for _ in range(MOST_PASSES):
        before = text
        for rule in rules.values():
            text = rule(text)
        if text == before:
            break
    return text
