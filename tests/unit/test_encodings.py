"""Encodings that are no UTF-8 are told by their bytes."""

import pytest

from swcm_fairseq.encodings import guess_encoding, refuse_wide_characters
from swcm_fairseq.errors import SwcmError

RUSSIAN = "Сегодня хорошая погода, мы идём в горы. Дети учатся в школе и читают книги."
KAZAKH = "Бүгін ауа райы жақсы, біз тауға барамыз. Балалар мектепте оқиды."
CHINESE = "今天天气很好，我们去山上看羊。孩子们在学校里学习。"


@pytest.mark.parametrize("text", [RUSSIAN, KAZAKH, CHINESE + "\n", "plain text of ASCII\n"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_characters_are_told_by_mark_or_zeros(text, encoding):
    if CHINESE in text and encoding.endswith("e"):
        return  # without a mark only the line feed shows it
    with pytest.raises(SwcmError, match="iconv -f UTF-(16|32)"):
        refuse_wide_characters("a", (text * 4).encode(encoding))


@pytest.mark.parametrize("text", [RUSSIAN, KAZAKH, CHINESE, "a\0b\n", "ab\0\0\0\0\n" * 3, ""])
def test_utf8_is_not_taken_for_wide_characters(text):
    refuse_wide_characters("a", text.encode())


@pytest.mark.parametrize(
    "text, encoding, name",
    [
        (CHINESE, "gb18030", "GB18030"),
        (CHINESE, "gbk", "GB18030"),
        ("今天天氣很好，我們去山上看羊。孩子們在學校裡學習。", "big5", "BIG5"),
        (RUSSIAN, "cp1251", "WINDOWS-1251"),
        (RUSSIAN, "koi8-r", "KOI8-R"),
        (RUSSIAN, "cp866", "CP866"),
        (KAZAKH, "kz1048", "RK1048"),
    ],
)
@pytest.mark.parametrize("cut", [0, 1])
def test_encodings_are_told_by_their_look(text, encoding, name, cut):
    data = text.encode(encoding)
    assert guess_encoding(data[: len(data) - cut]) == name


@pytest.mark.parametrize("data", [b"", b"ascii", bytes(range(128, 256)), b"\xc3\xa9t\xe9 \x81\x8d"])
def test_what_is_no_text_in_any_of_them_is_not_guessed(data):
    assert guess_encoding(data) == ""
