import sentencepiece

from swcm_fairseq.vocabulary.pieces import Pieces
from swcm_fairseq.vocabulary.protected_characters import PLACEHOLDERS, known_to, protect, restore
from tests.support.tiny_encoder import train_sentencepiece

MONGOLIAN = "ᠮᠣᠩᠭᠣᠯ\u202fᠤᠨ ᠪᠢᠴᠢᠭ\u180b ᠨᠡᠷ\u180eᠡ\u200d"


def model(corpus):
    return Pieces(sentencepiece.SentencePieceProcessor(model_proto=train_sentencepiece(corpus, 60)))


def test_protecting_is_undone():
    assert restore(protect(MONGOLIAN)) == MONGOLIAN
    assert not set(PLACEHOLDERS) & set(protect(MONGOLIAN))
    assert protect("plain") == "plain" and restore("plain") == "plain"


def test_only_what_a_model_has_a_piece_for_is_protected():
    table = known_to(["▁a", "ᠮ\U000f202fᠤ"])
    assert table == {0x202F: "\U000f202f"}
    assert protect("\u202f\u200c", table) == "\U000f202f\u200c"


def test_a_model_that_learned_placeholders_brings_the_signs_back():
    pieces = model([protect(MONGOLIAN)])
    assert pieces.decode(pieces.encode(MONGOLIAN)) == MONGOLIAN


def test_another_model_gets_the_space_that_it_knows():
    pieces = model([MONGOLIAN])
    assert pieces.decode(pieces.encode(MONGOLIAN)) == MONGOLIAN.replace("\u202f", " ")
