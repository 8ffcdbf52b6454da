"""Is a text in the language asked for? Plain sentences here; real text in quantity is in the integration tests."""

import pytest

from swcm_fairseq import languages
from swcm_fairseq.languages import language
from swcm_fairseq.scoring import profiles, score
from swcm_fairseq.scoring.language_identification import Candidates, Recognizer, is_the_same, runs_of
from swcm_fairseq.scoring.learn_profiles import learn
from swcm_fairseq.scoring.learn_profiles import main as learn_command

# Two everyday sentences each.
TEXTS = {
    "kk_Cyrl": ["Бүгін ауа райы өте жақсы болды.", "Балалар мектепте кітап оқып отыр."],
    "kk_Arab": ["بۇگىن اۋا رايى وتە جاقسى بولدى.", "بالالار مەكتەپتە كىتاپ وقىپ وتىر."],
    "mn_Cyrl": ["Өнөөдөр цаг агаар маш сайхан байна.", "Хүүхдүүд сургууль дээр ном уншиж байна."],
    "mn_Mong": ["ᠮᠣᠩᠭᠣᠯ ᠬᠡᠯᠡ ᠪᠢᠴᠢᠭ᠌ ᠰᠤᠷᠤᠯᠴᠠᠵᠤ ᠪᠠᠢᠨ᠎ᠠ ᠃"],
    "ug": ["بۈگۈن ھاۋا ناھايىتى ياخشى بولدى.", "بالىلار مەكتەپتە كىتاب ئوقۇۋاتىدۇ."],
    "bo": ["དེ་རིང་གནམ་གཤིས་ཡག་པོ་འདུག", "ཕྲུ་གུ་ཚོས་སློབ་གྲྭར་དེབ་ཀློག་གི་འདུག"],
    "zh": ["今天的天气非常好。", "孩子们在学校里看书。"],
    "ru": ["Сегодня очень хорошая погода.", "Дети читают книги в школе."],
    "ar": ["الطقس اليوم جميل جدا.", "الأطفال يقرؤون الكتب في المدرسة."],
    "en": ["The weather is very good today.", "The children are reading books at school."],
    "eu": ["Gaur eguraldi oso ona egin du.", "Haurrak liburuak irakurtzen ari dira eskolan."],
}


@pytest.mark.parametrize("asked", sorted(TEXTS))
@pytest.mark.parametrize("given", sorted(TEXTS))
def test_every_language_is_told_from_every_other(asked, given):
    recognizer = Recognizer(language(asked))
    for text in TEXTS[given]:
        assert (recognizer.wrong(text) is None) == (asked == given), text


@pytest.mark.parametrize("code", ["kk", "mn"])
def test_a_plain_code_takes_both_scripts(code):
    for name in (code + "_Cyrl", [name for name in TEXTS if name.startswith(code + "_") and "Cyrl" not in name][0]):
        assert all(Recognizer(language(code)).wrong(text) is None for text in TEXTS[name])
    other = "mn_Cyrl" if code == "kk" else "kk_Cyrl"
    assert all(Recognizer(language(code)).wrong(text) == "language" for text in TEXTS[other])


@pytest.mark.parametrize(
    "code, text, verdict",
    [
        ("zh", "打开 OpenDocument 文件", None),  # two characters of Chinese outweigh a long name
        ("zh", "OpenDocument Text Master 文", "script"),
        ("kk", "LibreOffice Writer файлы", "script"),
        ("kk", "Writer файлы", None),
        ("bo", "", None),
        ("bo", "2024 (3)", None),
        ("ml", "ഇന്ന് നല്ല കാലാവസ്ഥയാണ്", None),  # alone in its script: no profile is needed
        ("ml", "Good weather", "script"),
    ],
)
def test_names_numbers_and_nothing(code, text, verdict):
    assert Recognizer(language(code)).wrong(text) == verdict


def test_the_metric_counts_what_the_recognizer_says():
    outputs = [TEXTS["kk_Cyrl"][0], TEXTS["mn_Cyrl"][0], TEXTS["zh"][0], ""]
    found = score(outputs, [TEXTS["kk_Cyrl"][0]] * 4, "kk", ["wrong_language"])
    assert found["wrong_language"] == 50 and found["wrong_language_script"] == 25
    assert "|lang:kk|by:script+letters-" + profiles.VERSION in found["signatures"]["wrong_language"]


def test_close_relatives_count_as_one():
    assert is_the_same("hr", "sr") and is_the_same("sr_Latn", "bs") and is_the_same("nb", "no")
    assert is_the_same("kk_Arab", "kk") and is_the_same("kk_Arab", "kk_Arab")
    assert not is_the_same("kk_Arab", "kk_Cyrl") and not is_the_same("ru", "uk")


def test_a_language_nobody_has_a_profile_of_is_never_called_wrong_by_its_letters(monkeypatch):
    monkeypatch.setattr(languages, "_LANGUAGES", dict(languages._LANGUAGES))
    buryat = languages.register_language("bxr", "Buryat", ["Cyrillic"])
    assert Recognizer(buryat).wrong(TEXTS["ru"][0]) is None


def test_runs_of_a_word_by_hand():
    assert sorted(runs_of(["Ab1"])) == sorted(["a", "b", "_a", "ab", "b_", "_ab", "ab_"])


def test_bits_by_hand():
    # One language: a as common as can be, b half of that; the other has b alone. 2^-0 + 2^-1 is 1.5 of the commonest.
    candidates = Candidates({"one": "a|b", "other": "b"}, alphabet=False)
    assert candidates.bits(["a"])[0] == pytest.approx(0.585, abs=1e-3)
    assert candidates.bits(["b"]) == pytest.approx([1.585, 0], abs=1e-3)
    unseen = 1.585 + 0.5
    assert candidates.bits(["a", "x"]) == pytest.approx([0.585 + unseen, 2 * unseen], abs=1e-3)
    assert Candidates({"one": "a|b", "other": "b"}, alphabet=True).bits(["a"])[1] == pytest.approx(
        unseen + 10, abs=1e-3
    )


def test_profiles_are_learned_from_text(tmp_path):
    (tmp_path / "text").write_text("аба аба аб\n123\n", encoding="utf-8")
    assert learn_command(["--out", str(tmp_path / "out"), "ru={}".format(tmp_path / "text"), "--runs", "5"]) is None
    # а 5; б 3 and "_а" 3, so round(log2(5/3)) = 1 bit rarer, with "_аб" and "аб" 3 each.
    assert (tmp_path / "out").read_text(encoding="utf-8") == "ru\tCyrillic\tа|_а _аб аб б\n"
    assert learn(["аба"], "ru") != learn(["абв"], "ru")


def test_the_file_has_what_the_five_languages_need():
    known = profiles.read_profiles()
    assert {"bo", "dz", "ug", "kk_Arab", "kk_Cyrl", "mn_Cyrl", "zh", "ja"} <= set(known)
    assert all(len(profile.replace("|", " ").split()) <= 1200 for _, profile in known.values())
