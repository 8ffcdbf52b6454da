"""What cleaning does with one batch of lines: normalize, test, count. No files here, and nothing that grows.

The reasons to leave a line out, in the order of the tests; the first that applies is counted:

    undecodable      bytes that are no UTF-8 (with --undecodable drop)
    too_long         more characters than --max-chars
    damaged          a replacement character: some program has lost what stood there
    empty            nothing, or markup alone
    no_letters       numbers, signs and placeholders alone
    wrong_script     too few letters in the scripts of the language
    too_many_pieces  more pieces than --max-pieces
    code             too many signs of code and markup
    repetition       the same again and again
    identical        (pairs) one side is the other
    length_ratio     (pairs) one side is much longer
    variables_differ (pairs, with --catalogue) one side lacks a variable of the other
    held_out         stands in a file of --held-out
    duplicate        was there before
    near_duplicate   nearly the same was there before (with --near-duplicates)

In a pair the name of the side is behind a reason that concerns one side: "empty:kk".
"""

import collections
from typing import Callable, Dict, FrozenSet, List, NamedTuple, Optional, Sequence, Tuple

from swcm_preprocess.filters.agreement import are_identical, differ_in_variables
from swcm_preprocess.filters.code import is_mostly_code
from swcm_preprocess.filters.damage import is_damaged
from swcm_preprocess.filters.duplicates import digest
from swcm_preprocess.filters.empty import has_no_letters, is_empty
from swcm_preprocess.filters.held_out import held_out_texts, is_held_out
from swcm_preprocess.filters.length import differ_in_length, has_more_pieces_than, is_longer_than
from swcm_preprocess.filters.near_duplicates import signatures
from swcm_preprocess.filters.repetition import is_repetitive
from swcm_preprocess.filters.script import in_wrong_script
from swcm_preprocess.normalize import Normalizer, Rule, rules_for
from swcm_preprocess.normalize.kazakh import kazakh_to_arabic

import numpy as np

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.languages import Language, language
from swcm_fairseq.vocabulary.symbols import EOS

UNDECODABLE, DUPLICATE, NEAR_DUPLICATE = "undecodable", "duplicate", "near_duplicate"
SIDE_REASONS = (
    "too_long",
    "damaged",
    "empty",
    "no_letters",
    "wrong_script",
    "too_many_pieces",
    "code",
    "repetition",
)
PAIR_REASONS = ("identical", "length_ratio", "variables_differ")
LAST_REASONS = ("held_out", DUPLICATE, NEAR_DUPLICATE)
REASONS = SIDE_REASONS + PAIR_REASONS + LAST_REASONS


# Markup may take up most of a line, but a line that is so much longer than what is wanted is not looked at.
RAW_TO_CLEAN = 20

Row = Tuple[Optional[str], ...]  # one text a side; None for what cannot be decoded


class Settings(NamedTuple):
    """What the command line asks for."""

    codes: Tuple[str, ...]
    documents: bool = False
    catalogue: bool = False
    without: FrozenSet[str] = frozenset()
    transliterate: FrozenSet[str] = frozenset()
    min_script: float = 0.3
    max_chars: int = 1000
    max_pieces: int = 0
    spm: str = ""
    max_ratio: float = 3.0
    max_code: float = 0.2
    max_repetition: float = 0.5
    held_out: Tuple[str, ...] = ()
    near_duplicates: float = 0.0  # 0: not looked for


class Cleaned(NamedTuple):
    """What became of a batch: the rows that are kept but for duplicates, with their hashes, and the counts."""

    rows: List[Tuple[str, ...]]
    digests: bytes
    signatures: Optional[np.ndarray]
    read: int
    dropped: Dict[str, int]
    changed: List[int]


class Cleaner:
    """Cleans batches of rows; a function of its settings, without memory, so that any process gives the same."""

    def __init__(self, settings: Settings) -> None:
        entries = [language(code) for code in settings.codes]
        rules = settings.without - frozenset(REASONS)
        self.settings = settings
        self._normalize = [
            _normalizer(rules_for(entry, rules, settings.catalogue), entry, settings) for entry in entries
        ]
        self._longest_raw = RAW_TO_CLEAN * settings.max_chars
        sides = [_tests_of_a_side(entry, settings) for entry in entries]
        # A reason of any side comes before a later reason of the other.
        self._tests = [
            (self._of_side(name, side), side, test) for tests in zip(*sides) for side, (name, test) in enumerate(tests)
        ]
        pair: Dict[str, Callable[[str, str], bool]] = {
            "identical": are_identical,
            "length_ratio": differ_in_length(settings.max_ratio),
        }
        if settings.catalogue:
            pair["variables_differ"] = differ_in_variables
        self._pair = [item for item in pair.items() if item[0] not in settings.without] if len(entries) == 2 else []
        self._held_out = None
        if settings.held_out and "held_out" not in settings.without:
            self._held_out = is_held_out(held_out_texts(settings.held_out, self._normalize, self._sentences))

    def __call__(self, batch: Sequence[Row]) -> Cleaned:
        """Clean the rows of a batch, in order."""
        rows, digests = [], []
        dropped: Dict[str, int] = collections.Counter()
        changed = [0] * len(self.settings.codes)
        for row in batch:
            texts, reason = self._clean(row, changed)
            if reason:
                dropped[reason] += 1
            else:
                rows.append(texts)
                digests.append(digest(texts))
        assert len(batch) == len(rows) + sum(dropped.values())
        near = signatures_of(rows) if self.settings.near_duplicates else None
        return Cleaned(rows, b"".join(digests), near, len(batch), dict(dropped), changed)

    def _clean(self, row: Row, changed: List[int]) -> Tuple[Tuple[str, ...], Optional[str]]:
        """The texts of a row, and why it is left out, or None."""
        if None in row:
            return (), UNDECODABLE
        for side, text in enumerate(row):
            if text is not None and len(text) > self._longest_raw and "too_long" not in self.settings.without:
                return (), self._of_side("too_long", side)
        texts = tuple([normalize(text) for normalize, text in zip(self._normalize, row) if text is not None])
        if texts != row:
            for side, text in enumerate(texts):
                changed[side] += text != row[side]
        return texts, self._reason(texts)

    def _reason(self, texts: Tuple[str, ...]) -> Optional[str]:
        if self.settings.documents:
            plain = tuple([text.replace(EOS, " ") for text in texts])
        else:
            plain = texts
        for reason, side, test in self._tests:
            if test(plain[side]):
                return reason
        for name, test in self._pair:
            if test(*plain):
                return name
        if self._held_out:
            if self._held_out(*(part for text in texts for part in self._sentences(text))):
                return "held_out"
        return None

    def _sentences(self, text: str) -> List[str]:
        return [part.strip() for part in text.split(EOS)] if self.settings.documents else [text]

    def _of_side(self, name: str, side: int) -> str:
        return name if len(self.settings.codes) == 1 else f"{name}:{self.settings.codes[side]}"


def signatures_of(rows: Sequence[Tuple[str, ...]]) -> np.ndarray:
    """uint32 [N, 64]: what near-duplicates are told by, the texts of all sides together."""
    return signatures(["\n".join(texts) for texts in rows])


def _tests_of_a_side(entry: Language, settings: Settings) -> List[Tuple[str, Callable[[str], bool]]]:
    tests: Dict[str, Callable[[str], bool]] = {
        "too_long": is_longer_than(settings.max_chars),
        "damaged": is_damaged,
        "empty": is_empty,
        "no_letters": has_no_letters,
        "wrong_script": in_wrong_script(entry, settings.min_script),
        "code": is_mostly_code(settings.max_code),
        "repetition": is_repetitive(settings.max_repetition),
    }
    if settings.max_pieces and "too_many_pieces" not in settings.without:
        tests["too_many_pieces"] = has_more_pieces_than(settings.max_pieces, settings.spm)
    return [(name, tests[name]) for name in SIDE_REASONS if name in tests and name not in settings.without]


def _normalizer(rules: Dict[str, Rule], entry: Language, settings: Settings) -> Callable[[str], str]:
    normalize: Callable[[str], str] = Normalizer(rules)
    if entry.code in settings.transliterate:
        if "Arabic" not in entry.scripts or not entry.code.startswith("kk"):
            raise SwcmError("only Kazakh (kk_Arab, kk) can be transliterated to Arabic script, not " + entry.code)
        normalize = _then(normalize, kazakh_to_arabic)
    if settings.documents:
        return _by_sentence(normalize)
    return _on_one_line(normalize)


def _then(first: Callable[[str], str], second: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: second(first(text))


def _on_one_line(normalize: Callable[[str], str]) -> Callable[[str], str]:
    # An entity may stand for a line end, and the rule that takes it away may be left out. A carriage return at the end
    # would be taken for a part of the line end when the file is read.
    return lambda text: normalize(text).replace("\n", " ").replace("\r", " ")


def _by_sentence(normalize: Callable[[str], str]) -> Callable[[str], str]:
    def clean_document(text: str) -> str:
        sentences = (normalize(sentence) for sentence in text.split(EOS))
        # Decoding entities must not make a new end of a sentence.
        sentences = (sentence.replace(EOS, " ").replace("\n", " ").replace("\r", " ").strip() for sentence in sentences)
        return f" {EOS} ".join(sentence for sentence in sentences if sentence)

    return clean_document
