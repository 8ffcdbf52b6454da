"""Text for timing: made from a seed, as long and as dirty as what crawls bring, in the script of a language."""

import itertools
import random
from typing import Iterator

# Letters that make words, what joins or ends them, and how long a word is.
_ALPHABETS = {
    "bo": ("ཀཁགངཅཆཇཉཏཐདནཔཕབམཙཚཛཝཞཟའཡརལཤསཧཨ", "ིེོུ", "\u0f0b", "། ", 3),
    "ug": ("ابپتجچخدرزژسشغفقكگڭلمنھۋي", "ىەوۇۆۈې", " ", ". ", 7),
    "kk": ("бвгғджзйкқлмнңпрстфхш", "аәеиоөуұүыі", " ", ". ", 7),
    "kk_Arab": ("بپتجچدرزسشعفقكگڭلمنھۆي", "ىەوۇا", " ", ". ", 7),
    "mn": ("бвгджзйклмнпрстфхцчш", "аэиоөуүыя", " ", ". ", 6),
    "mn_Mong": ("ᠨᠩᠪᠫᠬᠭᠮᠯᠰᠱᠲᠳᠴᠵᠶᠷᠸ", "ᠠᠡᠢᠣᠤᠥᠦ", " ", "᠃ ", 6),
    "zh": ("的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能", "", "", "。", 2),
}  # fmt: skip

WORDS = 20_000
DIRT = ("&nbsp;", "&amp;", "<b>", "</b>", "  ", " <br/> ", "\u00a0", "\u200b", "https://example.org/a_b ", "2023 ")
DIRTY = 0.1  # of the lines


def languages() -> Iterator[str]:
    """The codes that there is text for."""
    return iter(_ALPHABETS)


def lines(code: str, size: int, seed: int = 1) -> Iterator[str]:
    """Lines of 3 to 60 words by Zipf's law, about ``size`` bytes of UTF-8 in all; one in twenty was there before."""
    rng = random.Random(f"{seed}/{code}")
    consonants, vowels, between, end, length = _ALPHABETS[code]
    words = [_word(rng, consonants, vowels, length) for _ in range(WORDS)]
    weights = list(itertools.accumulate(1 / (rank + 10) for rank in range(WORDS)))
    made, earlier = 0, []
    while made < size:
        text = between.join(rng.choices(words, cum_weights=weights, k=rng.randint(3, 60))) + end
        if rng.random() < DIRTY:
            place = rng.randrange(len(text))
            text = text[:place] + rng.choice(DIRT) + text[place:]
        if earlier and rng.random() < 0.05:
            text = rng.choice(earlier)
        elif len(earlier) < 1000:
            earlier.append(text)
        made += len(text.encode("utf-8")) + 1
        yield text


def _word(rng: random.Random, consonants: str, vowels: str, length: int) -> str:
    letters = [rng.choice(vowels if vowels and i % 2 else consonants) for i in range(rng.randint(1, 2 * length - 1))]
    return "".join(letters)
