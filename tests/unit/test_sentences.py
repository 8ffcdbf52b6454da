import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swcm_fairseq.sentences import one_line, parts_that_fit, sentences


@pytest.mark.parametrize(
    "expected",
    [
        ["今天天气很好。", "我们去看羊！”", "好吗？"],
        ["Бүгін ауа райы жақсы.", "Біз тауға барамыз!", "А. Құнанбаев 1845 ж. туған."],
        ["Өнөөдөр 3.5 градус.", "Сайн уу?"],
        ["བོད་ཡིག་གི་ཚིག་གྲུབ་གཅིག །", "ལྷ་ས་ནི་གྲོང་ཁྱེར་ཞིག་ཡིན།", "ཀ་ཁ"],
        ["بۈگۈن ھاۋا ياخشى.", "سىز قانداق؟", "ياخشى!"],
        ["ᠬᠦᠮᠦᠨ ᠪᠦᠷ ᠲᠥᠷᠥᠵᠦ᠃", "ᠮᠡᠨᠳᠡᠯᠡᠬᠦ᠂ ᠡᠷᠬᠡ"],
    ],
)
def test_sentences_of_every_script(expected):
    joined = "".join(expected) if "。" in expected[0] else " ".join(expected)
    assert sentences(joined) == expected
    assert sentences("\n\n".join(expected) + "\r\n") == expected


def test_nothing_to_cut():
    assert sentences("") == sentences(" \n ") == []
    assert sentences("Wi-Fi 2.0, т.б. деген") == ["Wi-Fi 2.0, т.б. деген"]
    assert one_line(" a\r\n\u2028b\x0bc ") == "a b c"


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.one_of(st.sampled_from("。.!?། \n༎᠃؟”)А1а…"), st.characters()), max_size=40))
def test_only_white_space_is_lost(text):
    found = sentences(text)
    assert all(found) and all("\n" not in sentence for sentence in found)
    gone = re.compile(r"[\s\x1c-\x1f\x85\u2028\u2029]+")
    assert gone.sub("", "".join(found)) == gone.sub("", text)


def fits(text):
    return len(text) <= 12


@pytest.mark.parametrize(
    "text, parts",
    [
        ("Бір. Екі.", ["Бір. Екі."]),
        ("Бір. Екі. Үш. Төрт.", ["Бір. Екі.", "Үш. Төрт."]),
        ("今天天气好。我们去山上看羊。", ["今天天气好。", "我们去山上看羊。"]),
        ("алма алмұрт, өрік шие", ["алма алмұрт,", "өрік шие"]),
        ("алма алмұрт өрік", ["алма", "алмұрт өрік"]),
        ("བོད་ཡིག་གི་ཚིག་གྲུབ་གཅིག", ["བོད་ཡིག་གི་", "ཚིག་", "གྲུབ་གཅིག"]),
        ("a" * 20, ["a" * 10, "a" * 10]),
    ],
)
def test_a_long_line_comes_in_parts_that_fit(text, parts):
    assert parts_that_fit(text, fits) == parts


def test_no_letter_loses_its_marks():
    for limit in range(2, 9):
        found = parts_that_fit("ab\u0301" * 6, lambda text, limit=limit: len(text) <= limit)
        assert len(found) > 1 and not any(part.startswith("\u0301") for part in found)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.one_of(st.sampled_from("。.!?། ,་\u0301А1а…"), st.characters()), max_size=60))
def test_parts_fit_and_only_white_space_is_lost(text):
    found = parts_that_fit(text, fits)
    assert all(part and part == part.strip() and fits(part) for part in found)
    gone = re.compile(r"\s+")
    assert gone.sub("", "".join(found)) == gone.sub("", text)
