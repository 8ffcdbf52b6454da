"""Arabic script as Uyghur and Kazakh, and the others that share it, should be stored."""

import re
import unicodedata

SIGNS = "\u0640\u0654\u0675-\u0678\ufb50-\ufdf1\ufe70-\ufefc"

# Letters in the shapes that they take in a word: old fonts and programs store shapes. The ligatures of whole phrases
# from U+FDF2 on are signs of their own.
_SHAPES = re.compile("[\ufb50-\ufd3d\ufd50-\ufdf1\ufe70-\ufefc]")

_STRETCH = re.compile("\u0640+")

# Uyghur's carrier of vowels, U+0626, written as a letter and a hamza on it. Unicode joins it for U+064A alone.
_CARRIER = re.compile("[\u0649\u064a\u06cc]\u0654")

_WORD = re.compile("[\u0620-\u063f\u0641-\u0652\u0656-\u065f\u066e-\u06d3\u06d5-\u06dc\u06fa-\u06ff\u0750-\u077f]+")
_SOFT_LETTERS = {"\u0675": "\u0627", "\u0676": "\u0648", "\u0677": "\u06c7", "\u0678": "\u0649"}
_TO_PLAIN = str.maketrans(_SOFT_LETTERS)
_SOFT_ANYWAY = re.compile("[\u0643\u06af\u06d5\u0674]")
_HIGH_HAMZA = "\u0674"


def unify_arabic(text: str) -> str:
    """Letters for shapes, no tatweel (U+0640), one spelling of U+0626, and Kazakh's soft vowels as words have them.

    In Kazakh the high hamza U+0674 stands before a word and makes all its vowels soft; kaf, gaf and ae do that by
    themselves, so a word that has one of them goes without. U+0675..U+0678 are a vowel with the hamza in it, for
    tables of the alphabet. NFKC, which SentencePiece applies, would put the hamza behind the vowel, a spelling that
    nobody uses.
    Lost: shapes, stretched letters, and in which letter of a word a hamza stood.
    """
    text = _SHAPES.sub(_letter, text)
    text = _STRETCH.sub("", text)
    text = _CARRIER.sub("\u0626", text)
    if any(letter in text for letter in _SOFT_LETTERS):
        text = _WORD.sub(_soften, text)
    return text


def _letter(match: "re.Match") -> str:
    # Shapes of the vowel marks decompose into a space and the mark.
    return unicodedata.normalize("NFKC", match.group()).replace(" ", "")


def _soften(match: "re.Match") -> str:
    word = match.group()
    plain = word.translate(_TO_PLAIN)
    return plain if plain == word or _SOFT_ANYWAY.search(plain) else _HIGH_HAMZA + plain
