import pytest

from preprocess.filters.agreement import are_identical, differ_in_variables
from preprocess.filters.duplicates import is_repeated
from preprocess.filters.empty import has_no_letters, is_empty
from preprocess.filters.length import differ_in_length, is_longer_than, weight
from preprocess.filters.script import in_wrong_script
from preprocess.variables import variables
from swcm_fairseq.data.languages import Language, language
from swcm_fairseq.errors import SwcmError


@pytest.mark.parametrize(
    "text, found",
    [
        ("$(ARG1) және %1", ["$(ARG1)", "%1"]),
        ("%PRODUCTNAME格式", ["%PRODUCTNAME"]),
        ("%OBJECT_NAME% $file$ $MODELNAME", ["%OBJECT_NAME%", "$file$", "$MODELNAME"]),
        ("%{key}-${name}", ["%{key}", "${name}"]),
        ("%s файлы, %1$s, #PAGECOUNT#", ["%s", "%1$s", "#PAGECOUNT#"]),
        ("$1-аас $2:", ["$1", "$2"]),
        ("100% 不透明, 50 % des, $100, #11 信封, 5%的", []),
    ],
)
def test_variables(text, found):
    assert variables(text) == found


def test_empty():
    assert is_empty("") and not is_empty("x")


@pytest.mark.parametrize("text, expected", [("12 %", True), ("%1 × $(ARG2)", True), ("…", True), ("%1 б", False), ("中", False)])
def test_no_letters(text, expected):
    assert has_no_letters(text) is expected


@pytest.mark.parametrize(
    "code, text, wrong",
    [
        ("zh", "HTML 文件", True),  # 2 of 6 letters, under 0.4
        ("zh", "XML 文件", False),  # 2 of 5, exactly 0.4
        ("zh", "%PRODUCTNAME 文件", False),  # a variable has no script
        ("kk_Cyrl", "Файл", False),
        ("kk_Arab", "Файл", True),
        ("kk", "ۇيغۇر", False),  # a plain code accepts all its scripts
        ("ug", "Файл", True),
        ("bo", "བོད་ཡིག", False),
        ("mn_Mong", "\u182e\u1823\u1829", False),
        ("mn_Mong", "Монгол", True),
        ("ja", "カタカナ漢字ひらがな", False),
        ("zh", "カタカナ", True),
    ],
)
def test_wrong_script(code, text, wrong):
    assert in_wrong_script(language(code), 0.4)(text) is wrong


def test_a_script_that_unicode_does_not_know_is_named():
    with pytest.raises(SwcmError, match="Elvish"):
        in_wrong_script(Language("qya", "Quenya", ("Elvish",), "words"), 0.3)


def test_length():
    assert is_longer_than(3)("abcd") and not is_longer_than(3)("abc")


def test_length_ratio_counts_letters_with_chinese_characters_as_three():
    assert weight("文件 a, %PRODUCTNAME") == 7
    test = differ_in_length(2.0)
    # 2 * 7 + 6 = 20 letters are the most beside 7.
    assert not test("文件a", "б" * 20)
    assert test("文件a", "б" * 21)
    assert test("б" * 21, "文件a")


def test_agreement():
    assert are_identical("a", "a") and not are_identical("a", "b")
    assert differ_in_variables("%1 a", "% 1 b")
    assert not differ_in_variables("%1 %2 a", "%2 %1 %1 b")


def test_duplicates_are_pairs_and_the_border_between_sides_counts():
    test = is_repeated()
    assert not test("a", "b")
    assert test("a", "b")
    assert not test("a", "c")
    assert not test("ab")
    assert not test("a b")
