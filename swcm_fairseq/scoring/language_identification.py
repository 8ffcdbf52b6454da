"""Is a text in the language that was asked for?

First its script: most of its words (in scripts without spaces, characters) must be in one of the language's.
Then, where several languages share a script, its letters: runs of one to three letters are held against how common
they are in each of the languages that ``profiles`` knows. The language asked for has the benefit of the doubt.
"""

import math
from functools import lru_cache
from typing import Dict, Iterable, Iterator, List, Optional, Tuple

import numpy as np
import regex

from ..languages import Language, in_scripts
from . import profiles
from .tokenizers import UNSPACED, tokenizer_for

LONGEST = 3  # letters in a run
EDGE = "_"  # beginning or end of a word
UNSEEN = 0.5  # bits by which a run that a profile lacks is taken to be rarer than the rarest in it
STRANGE = 10.0  # and this many more for a single letter
# How many bits in favour of another language it takes, in all; runs are not independent, so this is no probability.
DOUBT = 16.0

_LETTER = regex.compile(r"\p{L}")
_MARKED = r"(?V1)[[{}]&&[\p{{L}}\p{{M}}]]"


class Recognizer:
    """Tells text in ``target`` from text in other languages.

    Args:
        target: the language asked for. A code without a script stands for all scripts that it is written in.
    """

    def __init__(self, target: Language) -> None:
        self.target = target
        self._split = tokenizer_for(target)
        self._own = regex.compile(_MARKED.format(in_scripts(target.scripts)))
        #: What was done, for a metric's signature.
        self.signature = f"script+letters-{profiles.VERSION}"

    def wrong(self, text: str) -> Optional[str]:
        """``"script"`` or ``"language"`` where ``text`` is not in the target, else None (also without any letter)."""
        words = [word for word in self._split(text) if _LETTER.search(word)]
        own = [word for word in words if self._own.search(word)]
        if 2 * len(own) < len(words):
            return "script"
        return "language" if self._another(own) else None

    def _another(self, words: List[str]) -> bool:
        """Whether some other language explains ``words``, all in the target's scripts, far better."""
        candidates = candidates_in(self.target.scripts)
        own = np.array([is_the_same(name, self.target.code) for name in candidates.names], dtype=bool)
        # Without a profile of the target nothing can be said, nor without another candidate.
        if not own.any() or own.all():
            return False
        bits = candidates.bits(runs_of(words))
        return bits[own].min() - bits[~own].min() > DOUBT


def is_the_same(name: str, code: str) -> bool:
    """Whether the profile ``name`` (``kk_Arab``) is one of the language ``code`` (``kk``, or ``kk_Arab`` itself)."""
    kin = profiles.KIN.get(name.partition("_")[0], name.partition("_")[0])
    return name == code or ("_" not in code and kin == profiles.KIN.get(code, code))


def runs_of(words: List[str]) -> Iterator[str]:
    """Runs of 1 to 3 letters; a word's edges count as letters in runs of more than one."""
    for word in words:
        letters = "".join(letter for letter in word.lower() if not letter.isdigit())
        yield from letters
        edged = EDGE + letters + EDGE
        for length in range(2, LONGEST + 1):
            for start in range(len(edged) - length + 1):
                yield edged[start : start + length]


class Candidates:
    """How rare runs of letters are in each of several languages: their profiles, read.

    A profile holds runs in groups separated by ``|``, those of group g being about g bits rarer than the
    commonest, and in a group by spaces. What the runs in a profile make up of all runs of the language is not
    known; all languages are taken to be alike in it. In an ``alphabet`` a letter that a profile lacks is stranger than
    a run that it lacks.
    """

    def __init__(self, texts: Dict[str, str], alphabet: bool) -> None:
        self.names = list(texts)
        read = [[group.split() for group in text.split("|")] for text in texts.values()]
        common = [math.log2(sum(len(group) * 2.0**-place for place, group in enumerate(groups))) for groups in read]
        # One for all: how far down a profile reaches is an accident of how much text it was learned from.
        unseen = max((len(groups) - 1 + bits for groups, bits in zip(read, common)), default=0.0) + UNSEEN
        runs = {run for groups in read for group in groups for run in group}
        self._place = {run: place for place, run in enumerate(sorted(runs))}
        # [runs + 1, languages]; the last row is for a run that no profile has.
        self._bits = np.full((len(self._place) + 1, len(read)), unseen)
        if alphabet:
            self._bits[[place for run, place in self._place.items() if len(run) == 1]] += STRANGE
        for language_place, (groups, all_of_it) in enumerate(zip(read, common)):
            for place, group in enumerate(groups):
                self._bits[[self._place[run] for run in group], language_place] = place + all_of_it

    def bits(self, runs: Iterable[str]) -> np.ndarray:
        """Bits that ``runs`` take in each language, in the order of ``names``: fewest where they are at home."""
        last = len(self._place)
        return self._bits[[self._place.get(run, last) for run in runs]].sum(axis=0)


@lru_cache(maxsize=None)
def candidates_in(scripts: Tuple[str, ...]) -> Candidates:
    """The profiles of all languages that are written in one of ``scripts``."""
    texts = {name: text for name, (script, text) in profiles.read_profiles().items() if script in scripts}
    return Candidates(texts, alphabet=not UNSPACED.intersection(scripts))
