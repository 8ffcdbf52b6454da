"""Where SentencePiece's normalization puts letters and accents together, for engines that do not do it as it does.

The table of XLM-R's kind of models (nmt_nfkc) composes a letter and the accents behind it where they stand in
Unicode's canonical order, one by one after the letter; it never reorders them, and adds none to a letter that is
composed already. Unicode's form NFC does all of that. So a separator goes where NFC would do what the table does not.
"""

import unicodedata
from collections import defaultdict
from typing import DefaultDict, Dict, FrozenSet, Iterable, List, Set, Tuple

_HANGUL = range(0xAC00, 0xD7A4)  # syllables, composed by rule
_FINALS = 28  # of which every 28th has no final consonant
_LAST = 0x30000  # no letter beyond is composed


def expanded() -> str:
    """A regular expression for the empty places before accents, in raw text, where the table never composes.

    What the table makes several characters or none of stands before them, or is the accent itself. In the syntax that
    tokenizers in Rust and in JavaScript share. None is at the start of a text, where Rust's cannot put anything.
    """
    marks, _ = _marks_and_composed()
    several = [c for c in map(chr, range(0xA0, _LAST)) if len(unicodedata.normalize("NFKC", c)) > 1]
    controls = "\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f"
    after = f"(?<=[{controls}{_class(several)[1:]})(?={_class(marks)})"
    return f"{after}|(?<=[\\s\\S])(?={_class(marks.intersection(several))})"


def uncomposed() -> str:
    """Likewise those in text that has been through the table, where NFC would go on to compose or reorder."""
    marks, composed = _marks_and_composed()
    together = "|".join(
        "(?<={}{})(?={})".format(_class(firsts), before, "|".join(sorted(afters)))
        for (before, firsts), afters in _kept_together(composed).items()
    )
    return "|".join(
        [
            "(?<={0})(?={0})(?!{1})".format(_class(marks), together),
            f"(?<={_class(composed)})(?={_class(marks)})",
            f"(?<={_class(map(chr, _HANGUL[::_FINALS]))})(?=[\u11a8-\u11c2])",
        ]
    )


def _marks_and_composed() -> Tuple[Set[str], Set[str]]:
    """Accents, and letters that are one and some accents."""
    marks, composed = set(), set()
    for character in map(chr, range(0xC0, _LAST)):
        if unicodedata.combining(character):
            marks.add(character)
        elif ord(character) not in _HANGUL and unicodedata.combining(unicodedata.normalize("NFD", character)[-1]):
            composed.add(character)
    return marks, composed


def _kept_together(composed: Iterable[str]) -> Dict[Tuple[str, FrozenSet[str]], Set[str]]:
    """(accents before, first letters) -> what may follow them, where letters have two accents or more."""
    firsts: DefaultDict[Tuple[str, str], Set[str]] = defaultdict(set)
    for character in composed:
        parts = unicodedata.normalize("NFD", character)
        if unicodedata.normalize("NFC", parts) != character:
            continue
        for place in range(2, len(parts)):
            firsts[parts[1:place], parts[place:]].add(parts[0])
    grouped: DefaultDict[Tuple[str, FrozenSet[str]], Set[str]] = defaultdict(set)
    for (before, after), letters in firsts.items():
        grouped[before, frozenset(letters)].add(after)
    return grouped


def _class(characters: Iterable[str]) -> str:
    """``[...]`` of characters that have no meaning in one."""
    ranges: List[List[int]] = []
    codes = sorted(map(ord, characters))
    for code in codes:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "[{}]".format("".join(chr(a) if a == b else f"{chr(a)}-{chr(b)}" for a, b in ranges))
