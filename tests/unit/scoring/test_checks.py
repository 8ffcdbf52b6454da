"""Lengths, loops and repetition by hand."""

import pytest

from swcm_fairseq.scoring import score


def check(name, hypotheses, references=None, lang="kk"):
    references = references or [f"сөз {place}" for place in range(len(hypotheses))]
    return score(hypotheses, references, lang, [name])[name]


def test_length_ratio_is_of_all_tokens_and_the_nearest_reference():
    assert check("length_ratio", ["бір екі", "үш"], ["а ә б в", "а ә"]) == pytest.approx(3 / 6)
    assert check("length_ratio", ["бір екі"], [["а ә б в г", "а"]]) == pytest.approx(2)
    assert check("length_ratio", ["中文"], ["中文字 ok"], "zh") == pytest.approx(2 / 4)


def test_empty_outputs():
    assert check("empty", ["", " ", "сөз", "."]) == 50


@pytest.mark.parametrize(
    "text, loops",
    [
        ("иә иә иә", True),
        ("иә иә", False),
        ("бір екі бір екі бір екі", True),
        ("бір екі бір екі бір", False),
        ("бастау: бір екі үш бір екі үш бір екі үш соңы", True),
        ("1 2 3 4 5 6 7 8 9 10 11 " * 3, False),  # a phrase of eleven
        ("", False),
    ],
)
def test_loops(text, loops):
    assert check("looping", [text, "сөз"]) == 50 * loops


def test_loops_are_seen_in_tibetan_and_chinese():
    assert check("looping", ["བོད་ཡིག་བོད་ཡིག་བོད་ཡིག"], ["ཀ"], "bo") == 100
    assert check("looping", ["我看看", "我看看看"], ["甲", "乙"], "zh") == 50


def test_one_output_for_several_sentences_is_repeated_unless_their_references_agree():
    assert check("repeated", ["а", "а", "б", "в"]) == 50
    assert check("repeated", ["а", "а", "б", "в"], ["х", "х", "у", "ф"]) == 0
    assert check("repeated", ["", "", "б", "в"]) == 0  # those are counted as empty
