"""Tibetan letters and signs that have two spellings."""

SIGNS = "\u0f0c\u0f77\u0f79"

# Unicode deprecates the two vocalic letters, which NFC leaves alone, in favour of their parts. The tsheg that forbids
# a line break is layout; a model would learn every word before it twice.
_SPELLINGS = str.maketrans({"\u0f0c": "\u0f0b", "\u0f77": "\u0fb2\u0f71\u0f80", "\u0f79": "\u0fb3\u0f71\u0f80"})


def unify_tibetan(text: str) -> str:
    """One tsheg (U+0F0B for U+0F0C), and parts in the place of the deprecated letters U+0F77 and U+0F79.

    Lost: where a tsheg forbade a line break. What Unicode holds for equal, such as U+0F73, is left to ``compose``.
    """
    return text.translate(_SPELLINGS)
