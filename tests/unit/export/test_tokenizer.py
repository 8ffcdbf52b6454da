import random
import unicodedata

import pytest
from transformers import AutoTokenizer

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.export.tokenizer import tokenizer_files, write_tokenizer
from swcm_fairseq.vocabulary.pieces import Pieces
from tests.support.tiny_encoder import CORPUS, sentencepiece_pieces, train_sentencepiece

TAGS = ["<mask>", "[zh]", "[kk]"]
# Letters that some rule of the normalization speaks of, so that they have pieces whose absence shows.
LETTERS = CORPUS + (
    "a e o u n s â ê ô ä ã ạ ẹ á é ấ ế ộ ǖ ṅ ş å ` ¨ ´ ガ ギ パ カ ハ 가 각 ᄀ ᅡ ᆨ",
    "¤ < > / s> </ <s 1 2 fi 10 . , क़ য় ά ᾳ ἄ",
    "́ ̀ ̂ ̈ ̣ ̧ ゙ ゚ ً ٔ ़",
)


class Both:
    """A SentencePiece model with our pieces, and Hugging Face's tokenizer of it."""

    def __init__(self, folder, corpus, vocab=400):
        model = train_sentencepiece(corpus, vocab=vocab)
        path = folder / "sentencepiece.bpe.model"
        path.write_bytes(model)
        self.symbols = ["<s>", "<pad>", "</s>", "<unk>", *sentencepiece_pieces(model), *TAGS]
        self.ids = {symbol: place for place, symbol in enumerate(self.symbols)}
        self.pieces = Pieces.load(str(path))
        write_tokenizer(str(folder), tokenizer_files(str(path), self.symbols, 512))
        self.tokenizer = AutoTokenizer.from_pretrained(str(folder))

    def ours(self, text):
        return [0, *(self.ids.get(piece, 3) for piece in self.pieces.cut([text])[0]), 2]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    return Both(tmp_path_factory.mktemp("tokenizer"), LETTERS)


def test_ids_are_the_dictionarys(both):
    assert len(both.tokenizer) == len(both.symbols)
    assert both.tokenizer.convert_tokens_to_ids(both.symbols) == list(range(len(both.symbols)))
    assert set(both.tokenizer.all_special_tokens) == {"<s>", "<pad>", "</s>", "<unk>", *TAGS}


def test_text_has_our_ids_and_comes_back(both):
    for text, ids in zip(CORPUS, both.tokenizer(list(CORPUS))["input_ids"]):
        assert ids == both.ours(text)
        line = " ".join(both.symbols[index] for index in ids[1:-1])
        assert both.tokenizer.decode(ids, skip_special_tokens=True) == both.pieces.decode(line)


POOLS = {
    "assigned": [chr(c) for c in range(1, 0x30000) if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co")],
    "everything": [chr(c) for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000],
    "Latin letters and accents": [chr(c) for c in [*range(1, 0x250), *range(0x300, 0x370), *range(0x1E00, 0x1F00)]],
    "few letters, many accents": list("aeouâêôäãạẹọốệǖᾳ\u0301\u0302\u0300\u0304\u0323\u0345"),
    "Greek": [chr(c) for c in [*range(0x370, 0x400), *range(0x1F00, 0x2000)]] + list("\u0301\u0300\u0313\u0342\u0345"),
    "half and full width": [chr(c) for c in range(0xFF00, 0xFFF0)] + list("ab\u0301\u3099\u309a"),
    "Hangul": [chr(c) for c in [*range(0x1100, 0x1200), *range(0xAC00, 0xAD00)]],
    "spaces": list(" \t\n\r\u00a0\u2009\u202f\u200b\u200c\u200d\u200e\ufeff\u3000ab\u0301\u2581"),
    "specials": ["<s>", "</s>", "<pad>", "<unk>", "<mask>", "[kk]", " ", "a", "<", "/", "s>", "\u2581", "<s", "/s>"],
    "low-resource scripts": [
        chr(c)
        for first, last in ((0x400, 0x530), (0x600, 0x700), (0xF00, 0x1000), (0x1800, 0x18B0), (0x900, 0x980))
        for c in range(first, last)
    ],
}


@pytest.mark.parametrize("name", POOLS)
def test_hostile_text_has_our_ids(both, name):
    drawn = random.Random(name)
    texts = ["".join(drawn.choice(POOLS[name]) for _ in range(drawn.randint(0, 12))) for _ in range(400)]
    different = [
        (ascii(text), ids, both.ours(text))
        for text, ids in zip(texts, both.tokenizer(texts)["input_ids"])
        if ids != both.ours(text)
    ]
    assert not different


def test_letters_and_accents_come_together_where_sentencepiece_puts_them_together(both):
    """What is one character too many, or was two, is not composed; what stands apart in canonical order is."""
    apart = ["\u0149\u0307", "s\x12\u0327", "A\u0344", "a\u00a0\u0301", "o\u0302\u0323", "\u00e2\u0301", "\uac00\u11a8"]
    together = ["e\u0302\u0301", "o\u0323\u0302", "a\u0301", "\u1100\u1161\u11a8", "\u30ab\u3099", "\uff76\uff9e"]
    for text in apart + together:
        assert both.tokenizer([text])["input_ids"] == [both.ours(text)], ascii(text)


def test_signs_that_normalization_loses_go_through(tmp_path):
    both = Both(tmp_path, [line.replace(" ", "\U000f202f") for line in CORPUS] * 2, vocab=250)
    text = "Файлды\u202fашып"
    (ids,) = both.tokenizer([text])["input_ids"]
    assert ids == both.ours(text) and both.tokenizer.decode(ids, skip_special_tokens=True) == text


def test_what_cannot_be_done_is_refused(tmp_path):
    path = tmp_path / "bpe.model"
    path.write_bytes(train_sentencepiece(kind="bpe", vocab=220))
    with pytest.raises(SwcmError, match="it is no unigram model"):
        tokenizer_files(str(path), ["<s>"], 10)
