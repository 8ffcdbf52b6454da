import random

from swcm_preprocess.filters.agreement import are_identical, differ_in_variables
from swcm_preprocess.filters.code import is_mostly_code
from swcm_preprocess.filters.damage import is_damaged
from swcm_preprocess.filters.duplicates import Seen, digest
from swcm_preprocess.filters.empty import has_no_letters, is_empty
from swcm_preprocess.filters.held_out import held_out_texts, is_held_out
from swcm_preprocess.filters.length import differ_in_length, is_longer_than, weight
from swcm_preprocess.filters.repetition import is_repetitive
from swcm_preprocess.filters.script import in_wrong_script
from swcm_preprocess.letters import counter, letters
from swcm_preprocess.placeholders import placeholders

import pytest
import regex

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.languages import Language, language


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
    assert placeholders(text) == found


def test_empty():
    assert is_empty("") and not is_empty("x")


@pytest.mark.parametrize(
    "text, expected", [("12 %", True), ("%1 × $(ARG2)", True), ("…", True), ("%1 б", False), ("中", False)]
)
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


@pytest.mark.parametrize(
    "one, other, differ",
    [
        ("价格上涨了50%。", "باھاسى %50 ئۆرلىدى.", False),
        ("价格上涨了百分之50。", "Fiyat %50 arttı.", False),
        ("50 ٪", "%50", False),
        ("150%", "%50", True),
        ("50 %1", "%50 %1", True),
        ("%1 文件", "Файл 1", True),
        ("在 %1 处", "1% -д", True),
        ("%50 %1", "50% $name", True),
    ],
)
def test_a_share_is_no_variable(one, other, differ):
    assert differ_in_variables(one, other) is differ and differ_in_variables(other, one) is differ


def test_damage():
    assert is_damaged("a\ufffdb") and not is_damaged("ab?")


@pytest.mark.parametrize(
    "text, repetitive",
    [
        ("ha ha ha ha ha ha ha ha ha ha ha ha", True),
        ("ཨ་" * 30, True),
        ("........................................ 5", True),
        ("每天每天每天每天每天每天每天每天每天每天", False),  # too short to tell
        ("每天" * 20, True),
        ("Бұл кітап даладағы кішкентай тай туралы, ал ол кітап қаладағы үлкен адам туралы.", False),
        ("The same words, the same words, and then the others come in another order each time.", False),
    ],
)
def test_repetition(text, repetitive):
    assert is_repetitive(0.5)(text) is repetitive


def test_running_text_is_not_repetitive_at_any_length():
    # Zipf's law over a thousand words: more repetition than a real text has.
    rng = random.Random(1)
    words = ["".join(rng.choice("абвгдежзийклмно") for _ in range(rng.randint(2, 9))) for _ in range(1000)]
    text = " ".join(rng.choices(words, weights=[1 / (rank + 1) for rank in range(1000)], k=20000))
    assert not is_repetitive(0.5)(text)


@pytest.mark.parametrize(
    "text, code",
    [
        ("function f(x) { return x[0] | x[1]; } // {{{ }}} [[]] == <= >= ;;;", True),
        ("{| class=wikitable |- | [[A]] || [[B]] || [[C]] || [[D]] |}", True),
        ("[=A1]", False),
        ("A plain sentence, (with brackets); and an address: someone@example.org, #1.", False),
    ],
)
def test_code(text, code):
    assert is_mostly_code(0.2)(text) is code


@pytest.mark.parametrize("characters", [r"\p{L}", r"\p{Han}", r"[\p{Script=Tibetan}]&&\p{L}", r"\p{Script=Cyrillic}"])
def test_counting_equals_asking_every_character(characters):
    rng = random.Random(2)
    one = regex.compile(f"(?V1)[{characters}]")
    planes = [(0, 0x250), (0x400, 0x530), (0xF00, 0xFFF), (0x4E00, 0x9FFF), (0x20000, 0x20100), (0x1F600, 0x1F610)]
    for _ in range(50):
        text = "".join(chr(rng.randint(*rng.choice(planes))) for _ in range(60))
        assert counter(characters)(text) == len(one.findall(text))
    assert letters("a1б\U0001d400 \U00020000-中") == 5


def test_duplicates_are_pairs_and_the_border_between_sides_counts():
    assert digest(["a", "b"]) != digest(["a b"]) != digest(["ab"]) and digest(["a", "b"]) != digest(["b", "a"])


def test_first_times_equal_a_set():
    rng = random.Random(3)
    seen, plain = Seen(), set()
    for size in [1, 5, 300, 2, 1, 1, 40, 700, 3] * 8:
        lines = [str(rng.randint(0, 4000)) for _ in range(size)]
        digests = b"".join(digest([line]) for line in lines)
        new = seen.first_times(digests)
        expected = [line not in plain and line not in lines[:place] for place, line in enumerate(lines)]
        assert new.tolist() == expected
        kept = [is_new and rng.random() < 0.8 for is_new in expected]  # another test may leave it out
        seen.remember(digests, kept)
        plain.update(line for line, is_kept in zip(lines, kept) if is_kept)
    assert sum(map(len, seen.runs)) == len(plain)
    assert len(seen.runs) < 14, "few runs to search, however many batches"


def test_held_out(tmp_path):
    path = tmp_path / "test.kk"
    path.write_text("Файлды ашу, 5 рет!\n\nБелгі\n", encoding="utf-8")
    test = is_held_out(held_out_texts([str(path)]))
    assert test("файлды ашу 17 рет") and test("басқа", "белгі.")
    assert not test("Файлды жабу, 5 рет!") and not test("")
