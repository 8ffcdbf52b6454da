import pytest

from swcm_fairseq.serving.detection import Detector


@pytest.mark.parametrize(
    "text, code",
    [
        ("今天天气很好", "zh"),
        ("打开 LibreOffice 文件", "zh"),
        ("Бүгін ауа райы жақсы", "kk"),
        ("Өнөөдөр тэнгэр сайхан байна", "mn"),
        ("بۈگۈن ھاۋا ياخشى", "ug"),
        ("ᠬᠦᠮᠦᠨ", "mn"),
        ("བོད་ཡིག", "bo"),
    ],
)
def test_the_language_of_a_text(text, code):
    found = Detector(["zh", "kk", "mn", "ug", "bo"]).detect(text)
    assert found[0].language == code and found[0].confidence > 60
    assert sum(one.confidence for one in found) <= 100.5


def test_languages_of_several_scripts_have_their_shares():
    found = dict(Detector(["zh", "kk", "mn"]).detect("打开 Сұрыптау" * 100))
    assert found["zh"] > found["kk"] > 20 > found["mn"]


@pytest.mark.parametrize("text", ["", "123 !?", "hello world"])
def test_none_of_them(text):
    assert Detector(["zh", "kk"]).detect(text) == [("zh", 0.0), ("kk", 0.0)]
