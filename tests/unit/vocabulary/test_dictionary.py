import dataclasses

import pytest
from fairseq.data import Dictionary

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.vocabulary.dictionary import (
    check_dictionary,
    check_sentencepiece_model,
    differing_symbols,
    symbols_that_are_no_text,
    tags_in,
)
from swcm_fairseq.vocabulary.sentencepiece_model import BYTE, SentencePieceModel
from tests.support.tiny_encoder import sentencepiece_pieces, train_sentencepiece
from tests.support.toy import toy_dictionary

PIECES = ["▁a", "b", "▁[c]", "d"]
SYMBOLS = ["<s>", "<pad>", "</s>", "<unk>"] + PIECES + ["<mask>", "[zh]", "[kk_Arab]"]
ROWS = 9


def problems(symbols, rows=ROWS, pieces=PIECES):
    with pytest.raises(SwcmError) as caught:
        check_dictionary(symbols, rows, pieces, "ENCODER")
    assert "ENCODER" in str(caught.value) and "build_dict.py" in str(caught.value)
    return caught.value.problems


def without(*symbols):
    return [symbol for symbol in SYMBOLS if symbol not in symbols]


@pytest.mark.parametrize("pieces", [PIECES, None])
@pytest.mark.parametrize("symbols", [SYMBOLS, SYMBOLS[:-2]])
def test_a_dictionary_that_fits(symbols, pieces):
    check_dictionary(symbols, ROWS, pieces, "ENCODER")


def test_symbols_that_are_missing_are_named():
    found = problems(without("b", "d"))
    assert "missing from the dictionary: 'b' 'd'" in found
    assert "the dictionary has 7 symbols before its tags, the encoder has 9 rows" in found


def test_symbols_too_many_are_named():
    found = problems(SYMBOLS[:8] + ["madeupword0000", "e"] + SYMBOLS[8:])
    assert "not in the encoder: 'madeupword0000' 'e'" in found
    assert "the dictionary has 11 symbols before its tags, the encoder has 9 rows" in found


def test_missing_and_extra_are_reported_together():
    found = problems([{"b": "x"}.get(symbol, symbol) for symbol in SYMBOLS])
    assert found == ["missing from the dictionary: 'b'", "not in the encoder: 'x'"]


def test_many_are_counted():
    pieces = [f"p{i}" for i in range(20)]
    found = problems(SYMBOLS[:4] + SYMBOLS[8:], 25, pieces)
    assert "missing from the dictionary: 'p0' 'p1' 'p2' 'p3' 'p4' 'p5' 'p6' 'p7' and 12 more" in found


def test_another_order_is_named_by_its_first_difference():
    swapped = SYMBOLS[:5] + ["d", "▁[c]", "b"] + SYMBOLS[8:]
    assert problems(swapped) == ["the order differs from id 5 on: the dictionary has 'd', the encoder 'b'"]


def test_a_symbol_that_stands_twice():
    twice = SYMBOLS[:8] + ["d"] + SYMBOLS[8:]
    assert any("some of them twice" in problem for problem in problems(twice))


def test_mask_must_be_there_and_only_tags_after_it():
    assert any("has no <mask>" in problem for problem in problems(without("<mask>", "[zh]", "[kk_Arab]")))
    found = problems(SYMBOLS + ["e", "[ug]"])
    assert found == ["after <mask> only tags such as [kk] may stand, not 'e'"]


def test_without_pieces_the_number_of_rows_is_still_checked():
    assert problems(without("b"), pieces=None) == [
        "the dictionary has 8 symbols before its tags, the encoder has 9 rows"
    ]


def test_a_piece_that_looks_like_a_tag_is_none():
    assert tags_in(SYMBOLS[:6] + ["[c]"] + SYMBOLS[8:]) == ["[zh]", "[kk_Arab]"]
    assert tags_in(without("<mask>")) == []


def test_no_text_are_tags_mask_and_bos_as_far_as_they_are_there():
    assert symbols_that_are_no_text(toy_dictionary("ab", ["kk"])) == ("<s>", "<mask>", "[kk]")
    assert symbols_that_are_no_text(Dictionary()) == ("<s>",)


def test_a_sentencepiece_model_has_the_dictionarys_pieces(tmp_path):
    path = tmp_path / "sentencepiece.bpe.model"
    path.write_bytes(train_sentencepiece())
    pieces = sentencepiece_pieces(train_sentencepiece())
    check_sentencepiece_model(toy_dictionary(pieces).symbols, str(path))
    other = toy_dictionary(pieces[:-1] + ["elsewhere"])
    with pytest.raises(SwcmError) as caught:
        check_sentencepiece_model(other.symbols, str(path))
    assert str(path) in str(caught.value)
    assert caught.value.problems == [
        "in the dictionary but not in the model: 'elsewhere'",
        f"in the model but not in the dictionary: {pieces[-1]!r}",
    ]


BODY = ["<s>", "<pad>", "</s>", "<unk>", "a", "b", "<mask>", "[kk]"]


@pytest.mark.parametrize(
    "own, further_tags, words",
    [
        (BODY, False, []),
        (BODY, True, []),
        (BODY + ["[mn]"], True, []),
        (BODY + ["[mn]"], False, ["in the data's dictionary, not in the checkpoint's: '[mn]'"]),
        (BODY[:4] + ["b", "a"] + BODY[6:], False, ["the order differs from id 4 on: 'b' in the data's dictionary"]),
        (BODY[:6] + ["c"] + BODY[6:], True, ["not in the checkpoint's: 'c'"]),
        (BODY[:4] + ["b", "c"] + BODY[6:], False, ["missing from the data's dictionary: 'a'", "'c'"]),
    ],
)
def test_differences_of_the_datas_symbols_and_a_checkpoints(own, further_tags, words):
    found = differing_symbols(own, BODY, further_tags)
    assert len(found) == len(words) and all(word in line for word, line in zip(words, found))


def test_a_model_with_byte_fallback_is_refused_where_training_and_packing_look_at_it(tmp_path):
    model = SentencePieceModel.from_bytes(train_sentencepiece())
    symbols = toy_dictionary([piece.text for piece in model.pieces[3:]]).symbols
    path = tmp_path / "bytes.model"
    path.write_bytes(model.to_bytes())
    check_sentencepiece_model(symbols, str(path))
    model.pieces[9] = dataclasses.replace(model.pieces[9], kind=BYTE)
    path.write_bytes(model.to_bytes())
    with pytest.raises(SwcmError, match="bytes.model has pieces for single bytes"):
        check_sentencepiece_model(symbols, str(path))
