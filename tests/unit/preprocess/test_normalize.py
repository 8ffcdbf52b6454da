import time
import unicodedata

from swcm_preprocess.normalize import RULES, Normalizer, rules_for
from swcm_preprocess.normalize.arabic import unify_arabic
from swcm_preprocess.normalize.control import strip_control
from swcm_preprocess.normalize.entities import decode_entities
from swcm_preprocess.normalize.kazakh import kazakh_to_arabic
from swcm_preprocess.normalize.lookalikes import unify_lookalikes
from swcm_preprocess.normalize.markup import strip_markup
from swcm_preprocess.normalize.shortcuts import strip_shortcuts
from swcm_preprocess.normalize.spaces import collapse_spaces
from swcm_preprocess.normalize.tibetan import unify_tibetan
from swcm_preprocess.normalize.unicode_form import compose

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.languages import language
from swcm_fairseq.vocabulary.protected_characters import PLACEHOLDERS

normalize = Normalizer(RULES)


@pytest.mark.parametrize(
    "raw, clean",
    [
        ("a\x00b", "ab"),
        ("a\tb\nc", "a b c"),
        ("a\u2028b", "a b"),
        ("\ufeffa\u200eb\u202ac\xad", "abc"),
        ("\U000e0041x\ufffe\U0001ffff", "x"),
        # Scripts that have no use for joiners.
        ("сә\u200bлем, сә\u200dлем, сә\u200cлем\u2060!", "сәлем, сәлем, сәлем!"),
        ("今天\u200b天气 \u200bfoo\u200b", "今天天气 foo"),
        ("\u200bپاختا\u200bدا", "پاختادا"),
        ("\u200d(한\u200b국)", "(한국)"),
        # Scripts that have: Persian, Urdu, Hindi, Sinhala, Malayalam, Mongolian, Tibetan, Khmer, Thai beside Latin.
        ("می\u200cخواهم ه\u200d (\u200cما)", "می\u200cخواهم ه\u200d (\u200cما)"),
        ("क्\u200dष क्\u200c ශ්\u200dරී ന്\u200d", "क्\u200dष क्\u200c ශ්\u200dරී ന്\u200d"),
        ("\u182e\u200d\u180b \u1820\u180e\u1820", "\u182e\u200d\u180b \u1820\u180e\u1820"),
        ("ཀ\u200bཁ ខ្មែរ\u200bនេះ ไทย\u200bGoogle", "ཀ\u200bཁ ខ្មែរ\u200bនេះ ไทย\u200bGoogle"),
        # Pictures that are made of several, and the flag of a region.
        ("👩\u200d🚀 ❤️\u200d🔥", "👩\u200d🚀 ❤️\u200d🔥"),
        ("🏴\U000e0067\U000e0062\U000e007f", "🏴\U000e0067\U000e0062\U000e007f"),
        # What changes how a word is written or divided stays: joiners, Mongolian signs, Tibetan tshegs.
        ("\u200c\u200d\u200b\u2060", "\u200c\u200d\u200b\u2060"),
        ("\u180b\u180e\u202f\u0f0b\u0f0c", "\u180b\u180e\u202f\u0f0b\u0f0c"),
    ],
)
def test_control(raw, clean):
    assert strip_control(raw) == clean


@pytest.mark.parametrize(
    "raw, clean",
    [
        ("a &amp; b &lt;c&gt;", "a & b <c>"),
        ("&#1178;&#x49A;", "ҚҚ"),
        ("&amp;amp;lt;", "<"),
        ("&#38;lt;", "<"),
        ("R&D, AT&T;", "R&D, AT&T;"),
        ("&copy 2020", "&copy 2020"),
        ("&unknownname;", "&unknownname;"),
        # No characters: nothing is put in their place.
        ("&#0; &#xD800; &#1114112;", "&#0; &#xD800; &#1114112;"),
        ("&#xFFFD;", "&#xFFFD;"),
    ],
)
def test_entities(raw, clean):
    assert decode_entities(raw) == clean


@pytest.mark.parametrize(
    "raw, clean",
    [
        ("<b>жуан</b>", "жуан"),
        ("бір.<BR>Екі", "бір. Екі"),
        ("<p>a</p><p>b</p>", " a  b "),
        ('<ahelp hid="svx/ui/x"/>གིས་', "གིས་"),
        ("<a href='x>y' b=1>c</a>", "c"),
        ("a<!-- x\ny -->b", "ab"),
        # Not tags.
        ("<Бүх файлууд>", "<Бүх файлууд>"),
        ("-1 < x > 1, a<b", "-1 < x > 1, a<b"),
        ("<date/time>", "<date/time>"),
        ("<All Files>", "<All Files>"),
        ("<wizard_name>", "<wizard_name>"),
        ("<<", "<<"),
        # Words: keys, arguments, addresses. Also those that HTML has, unless something shows that they are tags.
        ("<Enter> пернесі, <Ctrl>+<F1>", "<Enter> пернесі, <Ctrl>+<F1>"),
        ("cp <source> <target>, --title=<title>", "cp <source> <target>, --title=<title>"),
        ("<PATH> <url> <serik@example.org>", "<PATH> <url> <serik@example.org>"),
        ("<title>Бас бет</title><source src=a.mp4>", " Бас бет "),
        ("</section>а</font>", "а"),
        # Not HTML's, and tags all the same.
        ("<emph>Ашу</emph> <Emph>Ашу</EMPH>", "Ашу Ашу"),
        ("<o:p></o:p>а<foo/>", "а"),
    ],
)
def test_markup(raw, clean):
    assert strip_markup(raw) == clean


@pytest.mark.parametrize(
    "raw, clean",
    [
        ("选择(~S)", "选择"),
        ("打开包(_O)...", "打开包..."),
        ("边角变圆 (_R)", "边角变圆"),
        ("文件（&F）", "文件"),
        ("十六进制(_#):", "十六进制:"),
        ("0 厘米(~0)", "0 厘米"),
        ("~Таңдау", "Таңдау"),
        ("Тек~серу", "Тексеру"),
        ("Ешқаша_н", "Ешқашан"),
        ("_ Сэтгүүл", " Сэтгүүл"),
        ("Үндсэн _ тохиргоо:", "Үндсэн  тохиргоо:"),
        ("3~D", "3D"),
        ("HT_ML 源文件", "HTML 源文件"),
        ("Full HD (1_920 × 1080)", "Full HD (1920 × 1080)"),
        ("~$1 жою", "$1 жою"),
        ("%FILE_NAME (_N)", "%FILE_NAME"),
        ("_Жою: %FILE_NAME", "Жою: %FILE_NAME"),
        # Not marks.
        ("1~30 个条件", "1~30 个条件"),
        ("下划线 (_) 开头", "下划线 (_) 开头"),
        ("波形号 (~)。", "波形号 (~)。"),
        ("VAR_POP", "VAR_POP"),
        ("%OBJECT_NAME% $(WIDTH_PX)", "%OBJECT_NAME% $(WIDTH_PX)"),
        ("自动 _下划线_", "自动 _下划线_"),
        ("a~b~c", "a~b~c"),
        ("https://example.org/a_b", "https://example.org/a_b"),
        ("serik_s@example.org", "serik_s@example.org"),
        ("R & D", "R & D"),
        ("_", "_"),
        ("a_", "a_"),
    ],
)
def test_shortcuts(raw, clean):
    assert strip_shortcuts(raw) == clean


@pytest.mark.parametrize(
    "raw, clean",
    [
        ("  a \t\u3000 b\xa0c  ", "a b c"),
        ("10\u202f000", "10 000"),
        # The suffix connector of traditional Mongolian is spelling, not a space.
        (
            "\u182e\u1823\u1829\u182d\u1823\u182f\u202f\u1824\u1828",
            "\u182e\u1823\u1829\u182d\u1823\u182f\u202f\u1824\u1828",
        ),
        ("می\u200c\u200cخواهم", "می\u200c\u200cخواهم"),
        ("كۆرسەت\u200c ", "كۆرسەت"),
        # The vowel of older Uyghur text; a consonant without its vowel.
        ("ئه\u200c ئه\u200c", "ئه\u200c ئه\u200c"),
        ("क्\u200c क", "क्\u200c क"),
        ("a\u200c \u200cb", "a b"),
        ("\u0f0b \u0f0c", "\u0f0b \u0f0c"),
    ],
)
def test_spaces(raw, clean):
    assert collapse_spaces(raw) == clean


@pytest.mark.parametrize(
    "raw, clean",
    [
        ("\u0438\u0306", "\u0439"),
        # NFKC would change these for good.
        ("\u0677\u0f0c\u202f\ufefb①", "\u0677\u0f0c\u202f\ufefb①"),
    ],
)
def test_unicode_form(raw, clean):
    assert compose(raw) == clean


def test_rules_work_together():
    # Each needs what another rule leaves: a hidden sign in an entity, an entity in a tag, a mark in a tag.
    assert normalize("&l\u200et;b&gt;Файл (_F)&nbsp;&lt;/b>") == "Файл"
    assert normalize("<_b>x") == "x"


# Whatever the rules look for, in any order and nesting, beside arbitrary signs.
MARKUP = "&amp; &#38; lt; & ; < > </b> <br> <!-- --> ~ _ (_F) (~ ) % $ %A_B $(X)".split(" ")
SIGNS = "\u202f \u1820 \u200c \xad \x00 \u0306 и א ང་ 中".split(" ") + [" ", "\n", "\u3000"]
FRAGMENTS = st.sampled_from(MARKUP + SIGNS)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(FRAGMENTS, st.text(max_size=3)), max_size=14).map("".join))
def test_cleaning_clean_text_changes_nothing(raw):
    clean = normalize(raw)
    assert normalize(clean) == clean
    assert clean == unicodedata.normalize("NFC", clean)
    assert clean == clean.strip(" ")
    assert "\n" not in clean and "\x00" not in clean and "  " not in clean


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="абвгдежқңөүұһіҺ中文字ཀཁང་།ئۇيغۇر\u1820\u1821\u202f\u180e\u180b123,.!?", min_size=1))
def test_plain_text_of_all_scripts_is_left_alone(text):
    # U+202F is a space unless it stands beside a Mongolian letter.
    if "\u202f" not in text:
        assert normalize(text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    "line",
    [
        " " * 300000 + "(",
        "\u200c" * 300000 + "x",
        "<!--" * 80000,
        "<a " + "x=1 " * 80000,
        "(" * 300000,
        "_" * 300000,
        "x" * 300000 + "_",
        "%A_" * 100000,
        "&" * 300000,
        "&" + "amp;" * 80000,
        "<" * 300000,
    ],
    ids=lambda line: repr(line[:4]),
)
def test_hostile_lines_take_linear_time(line):
    started = time.process_time()
    normalize(line)
    # A tenth of a second here; a quadratic search takes minutes.
    assert time.process_time() - started < 10


def test_rules_for_catalogues_are_for_them_alone():
    text = "Салмағы ~50 кг, user_name өрісі"
    assert Normalizer(rules_for(language("kk")))(text) == text
    assert "shortcuts" in rules_for(language("kk"), catalogue=True)


def test_rules_can_be_left_out():
    rules = rules_for(None, ["markup", "shortcuts"])
    assert Normalizer(rules)("<b>~a</b>  ") == "<b>~a</b>"
    assert Normalizer({})("<b> \x00") == "<b> \x00"
    with pytest.raises(SwcmError, match="shortcut;.*shortcuts"):
        rules_for(None, ["shortcut"])


@pytest.mark.parametrize(
    "raw, clean",
    [
        ("བོད\u0f0cཡིག", "བོད\u0f0bཡིག"),
        ("\u0f62\u0f77\u0f40\u0f79", "\u0f62\u0fb2\u0f71\u0f80\u0f40\u0fb3\u0f71\u0f80"),
        ("ལྷ་ས། ༡༢", "ལྷ་ས། ༡༢"),
    ],
)
def test_tibetan(raw, clean):
    assert unify_tibetan(raw) == clean


@pytest.mark.parametrize(
    "raw, clean",
    [
        # Shapes of letters and their ligatures; vowel marks by themselves; a phrase stays.
        ("\ufee3\ufea4\ufee4\ufeaa", "محمد"),
        ("\ufefb\ufe76\ufdfa", "لا\u064e\ufdfa"),
        ("كـــتاب", "كتاب"),
        # The carrier of Uyghur's vowels.
        ("\u0649\u0654\u0627\u06cc\u0654\u0649\u0654", "\u0626\u0627\u0626\u0626"),
        # "тіл", "үй": the hamza goes before the word; "күн" has a kaf and goes without.
        ("ت\u0678ل", "\u0674تىل"),
        ("\u0677ي، \u0677ي", "\u0674ۇي، \u0674ۇي"),
        ("ك\u0677ن", "كۇن"),
        ("\u0674ب\u0678ر", "\u0674بىر"),
        # What is in order.
        ("\u0674بىر بالا كەلدى، ئۇيغۇر ی", "\u0674بىر بالا كەلدى، ئۇيغۇر ی"),
    ],
)
def test_arabic(raw, clean):
    assert unify_arabic(raw) == clean


@pytest.mark.parametrize(
    "raw, clean",
    [
        ("Бaлa Aбай", "Бала Абай"),
        ("кiтап hәм", "кітап һәм"),
        ("\u0259ке \u0275м\u0456р", "әке өмір"),
        # Right as they are: abbreviations and names with endings, letters without a twin, other words.
        ("PDFке ATMға HPда DVDнің Uсы", "PDFке ATMға HPда DVDнің Uсы"),
        ("Wi-Fi, Escape пернесі, A бағаны", "Wi-Fi, Escape пернесі, A бағаны"),
        ("café Coca-Cola", "café Coca-Cola"),
    ],
)
def test_lookalikes(raw, clean):
    assert unify_lookalikes(raw) == clean


@pytest.mark.parametrize(
    "cyrillic, arabic",
    [
        # The country's name as it stands on maps and papers.
        ("Қазақстан Республикасы", "قازاقستان رەسپۋبليكاسى"),
        ("бір үй", "\u0674بىر \u0674ۇي"),
        ("өмір тіл тиіс", "\u0674ومىر \u0674تىل \u0674تيىس"),
        # Soft by another letter: no hamza.
        ("күн мен көл және дүниеге", "كۇن مەن كول جانە دۇنيەگە"),
        ("Барлық адамдар тең болып", "بارلىق ادامدار تەڭ بولىپ"),
        ("Щука, цирк; яхта?", "ششۋكا، تسيرك؛ ياحتا؟"),
        ("бағасы 3,5 не?", "باعاسى 3,5 نە؟"),
        ("قازاق, English?", "قازاق, English?"),
    ],
)
def test_kazakh_in_arabic_script(cyrillic, arabic):
    assert kazakh_to_arabic(cyrillic) == arabic


def test_a_language_gets_the_rules_of_its_scripts():
    def own(code):
        return set(rules_for(language(code))) & {"tibetan", "arabic", "lookalikes"}

    assert own("bo") == own("dz") == {"tibetan"}
    assert own("ug") == own("kk_Arab") == {"arabic"}
    assert own("kk_Cyrl") == own("mn") == {"lookalikes"}
    assert own("kk") == {"arabic", "lookalikes"}
    assert own("zh") == own("mn_Mong") == set()


def test_signs_that_encoding_reserves_are_taken_away():
    assert strip_control("a{}b".format("".join(PLACEHOLDERS.values()))) == "ab"


SCRIPTS = "\u0f0c\u0f77 \u0640 \ufefb \u0649\u0654 ت\u0678ل Бaлa кi \u1820\u202f\u1824 e\u0301 \u0f71\u0f72 \U0001f600"


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(FRAGMENTS, st.sampled_from(SCRIPTS.split(" ")), st.text(max_size=4)), max_size=12))
def test_what_is_skipped_for_speed_would_have_changed_nothing(parts):
    """The plain way: all rules, always, until nothing changes."""
    raw = expected = "".join(parts)
    for _ in range(8):
        for rule in RULES.values():
            expected = rule.apply(expected)
    assert normalize(raw) == expected
    assert normalize(expected) == expected
