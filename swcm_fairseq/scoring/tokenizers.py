"""Text into the units that a score counts, for every script.

Scripts decide, not languages: a Chinese answer to a Kazakh question is still counted character by character.

- Scripts written without separators (Han, kana, Khmer, Lao, Myanmar, Thai, Yi): one token a letter with the marks
  that follow it, so that a vowel sign stays with its consonant.
- Tibetan: syllables. Tsheg and shad are punctuation, so a run of letters and signs is a syllable.
- All others: words, which are runs of letters, marks and digits; what joins letters invisibly (Mongolian vowel
  separator, zero-width joiners) is inside the word.

On ASCII this is how rouge-score splits.
"""

from functools import lru_cache
from typing import Callable, FrozenSet, List

import regex

from ..languages import CHARACTERS, Language, in_scripts

#: Scripts that do not separate words.
UNSPACED = frozenset(["Han", "Hiragana", "Katakana", "Khmer", "Lao", "Myanmar", "Thai", "Yi"])
_IN_WORDS = r"\p{L}\p{M}\p{N}"
_JOINERS = r"\u180E\u200C\u200D"


def tokenizer_for(target: Language, punctuation: bool = False) -> Callable[[str], List[str]]:
    """The tokenizer for text in a language.

    Args:
        target: only a language that is written without separators in further scripts makes a difference.
        punctuation: give each mark of punctuation and each symbol as a token (BLEU), or leave them out (ROUGE);
            the tsheg only separates syllables and is left out in either case.

    Returns:
        a function from a string to its tokens; letter case is kept.
    """
    unspaced = UNSPACED | frozenset(target.scripts) if target.units == CHARACTERS else UNSPACED
    return _pattern(unspaced, punctuation).findall


@lru_cache(maxsize=None)
def _pattern(unspaced: FrozenSet[str], punctuation: bool) -> "regex.Pattern":
    scripts = in_scripts(sorted(unspaced))
    # Not the grapheme clusters of the regex module: they change with its version of Unicode.
    character = rf"(?=[{scripts}])(?:[\p{{L}}\p{{N}}]\p{{M}}*|\p{{M}}+)"
    tibetan = rf"[\p{{Tibetan}}&&[{_IN_WORDS}]]+"
    start = rf"[{_IN_WORDS}--[{scripts}\p{{Tibetan}}]]"
    word = rf"{start}(?:{start}|[{_JOINERS}])*"
    kinds = [character, tibetan, word]
    if punctuation:
        kinds.append(r"[[^\s\p{C}]--[\u0F0B\u0F0C]]")
    return regex.compile("|".join(kinds), flags=regex.VERSION1)
