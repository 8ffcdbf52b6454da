import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocess.sentences import one_line, sentences


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
