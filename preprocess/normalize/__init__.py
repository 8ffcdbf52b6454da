"""How a line of raw text becomes a clean one: small rules, one a file, applied in a fixed order.

A rule is a pure function from text to text, and its docstring says why it is there and what it loses: what cannot be
undone is written there. (SentencePiece's own normalization, which comes later: vocabulary/protected_characters.py.)
"""

import re
import unicodedata
from typing import Callable, Dict, FrozenSet, Iterable, NamedTuple, Optional

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.languages import Language

from . import arabic, control, entities, lookalikes, markup, shortcuts, spaces, tibetan
from .unicode_form import compose


class Rule(NamedTuple):
    """A function, and when there is no need to call it.

    ``signs``, the inside of a character class: text without any of these characters stays as it is. (Unicode's form
    and plain spaces are not asked by signs: see ``Normalizer``.) ``scripts``: the languages that need it are written
    in one of them; none means all languages. ``catalogue``: it is for the messages of programs alone.
    """

    apply: Callable[[str], str]
    signs: str
    scripts: FrozenSet[str] = frozenset()
    catalogue: bool = False


# Invisible characters go first, for they hide the others' patterns; entities before markup, because crawled
# pages hold "&lt;b&gt;" too; Unicode's form behind the rules that decompose; spaces last, since every other rule may
# leave some.
RULES: Dict[str, Rule] = {
    "control": Rule(control.strip_control, control.SIGNS),
    "entities": Rule(entities.decode_entities, entities.SIGNS),
    "markup": Rule(markup.strip_markup, markup.SIGNS),
    "shortcuts": Rule(shortcuts.strip_shortcuts, shortcuts.SIGNS, catalogue=True),
    "tibetan": Rule(tibetan.unify_tibetan, tibetan.SIGNS, frozenset(["Tibetan"])),
    "arabic": Rule(arabic.unify_arabic, arabic.SIGNS, frozenset(["Arabic"])),
    "lookalikes": Rule(lookalikes.unify_lookalikes, lookalikes.SIGNS, frozenset(["Cyrillic"])),
    "unicode": Rule(compose, ""),
    "spaces": Rule(spaces.collapse_spaces, spaces.SIGNS),
}

# No sign says all that these change; they are quick.
_WITHOUT_SIGNS = ("unicode", "spaces")

MOST_PASSES = 8


def rules_for(
    language: Optional[Language] = None, left_out: Iterable[str] = (), catalogue: bool = False
) -> Dict[str, Rule]:
    """The rules that a language needs, in order; without a language those of all scripts.

    Args:
        language: of the text.
        left_out: names of rules that are not wanted.
        catalogue: the text is the messages of a program.

    Raises:
        SwcmError: a name in ``left_out`` that is no rule.
    """
    left_out = set(left_out)
    unknown = sorted(left_out - set(RULES))
    if unknown:
        raise SwcmError("no such rule: {}; the rules are {}".format(", ".join(unknown), ", ".join(RULES)))
    return {
        name: rule
        for name, rule in RULES.items()
        if name not in left_out
        and (catalogue or not rule.catalogue)
        and (language is None or not rule.scripts or rule.scripts & set(language.scripts))
    }


class Normalizer:
    """Applies rules in order, again and again until nothing changes.

    What one rule takes away may complete a pattern of another ("<_b>"); going on to the end makes cleaning clean text
    a no-op. Text made to defeat this stops after ``MOST_PASSES``. Most lines have no sign of any rule, which one
    search finds out.
    """

    def __init__(self, rules: Dict[str, Rule]) -> None:
        self.rules = [
            (rule.apply, None if name in _WITHOUT_SIGNS else re.compile("[" + rule.signs + "]").search)
            for name, rule in rules.items()
        ]
        signs = "".join(rule.signs for rule in rules.values())
        self._any_sign = re.compile("[" + signs + "]").search if signs else lambda text: None
        self._spaces = "spaces" in rules
        self._form = "unicode" in rules

    def __call__(self, text: str) -> str:
        """The normal form of a text."""
        if self._is_plain(text):
            return text
        for _ in range(MOST_PASSES):
            before = text
            for apply, sign in self.rules:
                if sign is None or sign(text):
                    text = apply(text)
            if text == before or self._is_plain(text):
                break
        return text

    def _is_plain(self, text: str) -> bool:
        """No rule would change the text."""
        if self._any_sign(text) or (self._spaces and ("  " in text or text[:1] == " " or text[-1:] == " ")):
            return False
        return not self._form or text.isascii() or unicodedata.is_normalized("NFC", text)
