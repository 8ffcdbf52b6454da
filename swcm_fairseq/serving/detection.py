"""Which of a few languages a text is in, by its script and its letters."""

from typing import Dict, List, NamedTuple, Sequence

import regex

from ..languages import in_scripts, language
from ..scoring.language_identification import DOUBT, candidates_in, is_the_same, runs_of
from ..scoring.tokenizers import UNSPACED

_MOST = 2000  # characters that are looked at
_WORD = regex.compile(r"(?V1)[{0}]|[[\p{{L}}\p{{M}}]--[{0}]]+".format(in_scripts(sorted(UNSPACED))))


class Detected(NamedTuple):
    """A language's code, and from 0 to 100 how sure it is."""

    language: str
    confidence: float


class Detector:
    """Tells the languages ``codes`` from each other."""

    def __init__(self, codes: Sequence[str]) -> None:
        self._own = {code: regex.compile(f"[{in_scripts(language(code).scripts)}]") for code in codes}

    def detect(self, text: str) -> List[Detected]:
        """The languages that ``text`` may be in, most probable first; all of them with 0 where it may be in none.

        The confidence is the share of its words (in scripts without spaces, letters) that are in the language's script,
        divided among the languages of that script as the letters fit them.
        """
        words = _WORD.findall(text[:_MOST])
        own = {code: [word for word in words if pattern.search(word)] for code, pattern in self._own.items()}
        if not any(own.values()):
            return [Detected(code, 0.0) for code in own]
        found = []
        # Languages of different scripts may each have their share of a text.
        for some in {tuple(some) for some in own.values() if some}:
            rivals = [code for code in own if tuple(own[code]) == some]
            fits = _fit(some, rivals)
            share = 100 * len(some) / len(words) / sum(fits.values())
            found += [Detected(code, round(share * fits[code], 1)) for code in rivals]
        return sorted(found, key=lambda one: (-one.confidence, one.language))


def _fit(words: Sequence[str], codes: Sequence[str]) -> Dict[str, float]:
    """How well the letters of ``words`` fit each language: 1 for the best, half of it for every few bits more."""
    rivals = candidates_in(tuple(sorted({script for code in codes for script in language(code).scripts})))
    bits = rivals.bits(runs_of(list(words))).tolist()
    own = {code: [b for name, b in zip(rivals.names, bits) if is_the_same(name, code)] for code in codes}
    # A language without a profile is taken to fit as well as the best of the others.
    best = min((min(some) for some in own.values() if some), default=0.0)
    return {code: 0.5 ** ((min(some, default=best) - best) * 4 / DOUBT) for code, some in own.items()}
