"""Lines that are too long, and pairs whose sides are of too different length."""

from typing import Callable

from swcm_preprocess.letters import han, letters
from swcm_preprocess.placeholders import without_placeholders

from swcm_fairseq.vocabulary.pieces import Pieces

# Letters of an alphabet for one Chinese character. With this weight LibreOffice's Kazakh, Mongolian and Uyghur
# are, in the median, 1.1 times as long as its Chinese, its Dzongkha 0.8 times.
HAN_WEIGHT = 3

# Short labels differ more: this many letters are not held against a pair.
SLACK = 6


def is_longer_than(characters: int) -> Callable[[str], bool]:
    """A test: more than so many characters."""
    return lambda text: len(text) > characters


def has_more_pieces_than(pieces: int, model: str) -> Callable[[str], bool]:
    """A test: more than so many pieces of a SentencePiece model (a file)."""
    cutter = Pieces.load(model)
    # A piece holds one character at least, but normalization may make several of one ("…" is three full stops, one
    # Arabic greeting eighteen letters), and a word mark opens the text.
    return lambda text: 18 * len(text) + 1 > pieces and len(cutter.ids([text])[0]) > pieces


def weight(text: str) -> int:
    """Letters, those of placeholders left out, a Chinese character being worth several."""
    text = without_placeholders(text)
    return letters(text) + (HAN_WEIGHT - 1) * han(text)


def differ_in_length(most: float) -> Callable[[str, str], bool]:
    """A test: one side is more than ``most`` times as long as the other.

    Such pairs are translations of something else: a single word beside a sentence.
    """

    def test(source: str, target: str) -> bool:
        shorter, longer = sorted((weight(source), weight(target)))
        return longer > most * shorter + SLACK

    return test
