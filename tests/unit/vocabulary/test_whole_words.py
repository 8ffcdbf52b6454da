"""Units of text: words, syllables, pieces, and pieces across their edges."""

import numpy as np
import pytest

from swcm_fairseq.vocabulary.whole_words import WholeWords

SPECIALS = ["<s>", "<pad>", "</s>", "<unk>"]


def units_of(line, code):
    """The units of a line of pieces, each joined to one string; symbols that are no text stand alone in <>."""
    pieces = line.split()
    symbols = SPECIALS + sorted(set(pieces) - set(SPECIALS) - {"<mask>", "[bo]"}) + ["<mask>", "[bo]"]
    units = WholeWords(symbols, code)
    ids = np.array([symbols.index(piece) for piece in pieces])
    found = []
    for piece, start, protected in zip(pieces, units.starts(ids), units.protected[ids]):
        if start or protected:
            found.append(piece)
        else:
            found[-1] += piece
    return found


def test_words_begin_at_white_space():
    assert units_of("▁сайн ▁бай на ▁уу ?", "mn") == ["▁сайн", "▁байна", "▁уу?"]


def test_the_first_piece_begins_a_word_without_white_space():
    assert units_of("сайн ▁уу </s> бай на", "mn") == ["сайн", "▁уу", "</s>", "байна"]


def test_white_space_alone_belongs_to_the_word_behind_it():
    assert units_of("▁сайн ▁ байна", "mn") == ["▁сайн", "▁байна"]


def test_words_that_a_piece_runs_across_are_one_unit():
    # The edge between the two words lies inside "т▁б", so no edge between pieces will do until "▁в".
    assert units_of("▁а т▁б ▁в", "kk") == ["▁ат▁б", "▁в"]


def test_syllables_end_with_a_tsheg():
    assert units_of("▁བོད་ སྐད ་ ཡིན ། ▁ང་ ཚོ", "bo") == ["▁བོད་", "སྐད་", "ཡིན།", "▁ང་", "ཚོ"]


def test_a_tsheg_before_a_shad_makes_no_unit_of_the_shad():
    assert units_of("▁ཡིན་ །། ང་", "bo") == ["▁ཡིན་།།", "ང་"]


def test_syllables_that_a_piece_runs_across_are_one_unit():
    # "་སྐད" closes one syllable and opens the next.
    assert units_of("▁བོད ་སྐད ་ ཡིན", "bo") == ["▁བོད་སྐད་", "ཡིན"]


def test_chinese_units_are_pieces():
    assert units_of("▁ 你好 ， 世 界", "zh") == ["▁", "你好", "，", "世", "界"]


@pytest.mark.parametrize("code", ["mn", "bo", "zh"])
@pytest.mark.parametrize("symbol", SPECIALS + ["<mask>", "[bo]"])
def test_what_is_no_text_belongs_to_no_unit(code, symbol):
    assert units_of(f"▁а {symbol} б", code) == ["▁а", symbol, "б"]


def test_nothing_has_no_units():
    assert WholeWords(SPECIALS + ["<mask>"], "bo").starts(np.zeros(0, dtype=np.int64)).size == 0
