"""``swcm-score --report``: the page in a real browser."""

import json
import re

import pytest

from swcm_fairseq.decoding import packed
from swcm_fairseq.scoring.command import main
from tests.support.browser import find_browser, look_at

LANGS = {
    "kk": [
        "Бүгін ауа райы өте жақсы.",
        "Балалар мектепте кітап оқып отыр.",
        "Мен таза су ішемін.",
        "Ертең қар жауады.",
    ],
    "ug": ["بۈگۈن ھاۋا ياخشى.", "بالىلار مەكتەپتە كىتاب ئوقۇۋاتىدۇ.", "مەن سۇ ئىچىمەن.", "ئەتە قار ياغىدۇ."],
    "bo": ["དེ་རིང་གནམ་གཤིས་ཡག་པོ་འདུག", "ཕྲུ་གུ་ཚོས་དེབ་ཀློག་གི་འདུག", "ང་ཆུ་འཐུང་གི་ཡིན།", "སང་ཉིན་གངས་འབབ།"],
}
SOURCES = [
    "今天天气很好。",
    "孩子们在学校里看书。",
    "我喝水。",
    "<script>alert(1)</script> & <img src=http://example.org/x.png>",
]
LOG = """\
2026-01-01 00:00:00 | INFO | train_inner | epoch 001:     10 / 99 loss=9.5, nll_loss=9.1, ppl=549, num_updates={}, lr=1
2026-01-01 00:00:00 | INFO | valid | epoch 001 | valid on 'valid' subset | loss 8 | nll_loss 7.{} | num_updates {}
"""


@pytest.fixture(scope="module")
def packed_folder(tmp_path_factory):
    """A packed model with random weights, whose pieces are a real SentencePiece model's."""
    from swcm_fairseq.pretrained import read_encoder
    from tests.support.tiny_encoder import make_encoder_folder
    from tests.support.toy import start_from, toy_dictionary

    folder = tmp_path_factory.mktemp("model")
    encoder = make_encoder_folder(folder / "encoder", layers=2, width=16, heads=2, ffn=16)
    dictionary = toy_dictionary(read_encoder(encoder).pieces)
    with open(read_encoder(encoder).sentencepiece_model, "rb") as stream:
        pieces = stream.read()
    packed.write(str(folder / "packed"), start_from(encoder), dictionary, pieces, ["kk"], force=False)
    return str(folder / "packed")


@pytest.fixture(scope="module")
def report(tmp_path_factory, packed_folder):
    """A report of two systems in three languages with everything in it."""
    folder = tmp_path_factory.mktemp("a report")
    for lang, texts in LANGS.items():
        lines = texts * 3
        cut = [text[: len(text) // 2 + place % 5] for place, text in enumerate(lines)]
        for name, content in (("ref", lines), ("good", lines[:11] + cut[11:]), ("bad", cut), ("src", SOURCES * 3)):
            (folder / (name + "." + lang)).write_text("".join(line + "\n" for line in content), encoding="utf-8")
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / "train.log").write_text("".join(LOG.format(n * 10, n, n * 10) for n in range(1, 9)))
    files = [str(folder / (name + ".{lang}")) for name in ("good", "bad", "ref", "src")]
    command = ["--lang", *LANGS, "--hyp", *files[:2], "--ref", files[2], "--src", files[3], "--names", "good", "bad"]
    command += ["--metrics", "chrfpp,rougeL,wrong_language,empty", "--shuffled", "--report", str(folder / "out")]
    command += ["--train-log", str(folder / "one"), str(folder / "two"), "--model", packed_folder, "--json"]
    assert main(command) == 0
    return folder / "out"


@pytest.fixture(scope="module")
def seen(report, tmp_path_factory):
    return look_at((report / "index.html").read_bytes(), tmp_path_factory.mktemp("profile"))


FIGURES = ["by-language-chrfpp", "by-language-rougeL", "by-language-wrong_language", "by-language-empty"]
FIGURES += ["by-length-kk", "by-length-ug", "by-length-bo", "losses", "attention"]


def test_every_plot_has_drawn(seen):
    figures = {figure["id"]: figure for figure in seen.page["figures"]}
    assert sorted(figures) == sorted(FIGURES)
    for name, figure in figures.items():
        assert figure["width"] > 200 and figure["height"] > 100, name
        assert len(figure["marks"]) == figure["promised"] > 0, name
        # A bar without width is an interval of one value.
        drawn = [mark for mark in figure["marks"] if mark["size"] > 0 and mark["colour"] not in ("none", "")]
        assert len(drawn) >= figure["promised"] / 2 and all(mark["within"] for mark in figure["marks"]), name
        assert all(mark["shown"] == "visible" for mark in figure["marks"]), name
        assert figure["hit"], name
        assert not [text["words"] for text in figure["words"] if text["cut"]], name
        assert len(figure["words"]) > 4, name


def test_what_the_plots_should_hold_is_there(seen):
    figures = {figure["id"]: figure for figure in seen.page["figures"]}

    def count(name, tag):
        return sum(mark["tag"] == tag for mark in figures[name]["marks"])

    # Three languages, three systems; a bar and a dot each.
    assert count("by-language-chrfpp", "circle") == count("by-language-chrfpp", "line") == 9
    assert count("losses", "path") == 4
    words = {text["words"] for text in figures["losses"]["words"]}
    assert {"one train", "one valid", "two train", "two valid"} <= words
    assert {"good", "bad", "shuffled", "kk", "ug", "bo"} <= {t["words"] for t in figures["by-language-rougeL"]["words"]}
    labels = [text["words"] for text in figures["attention"]["words"]]
    assert "<s>" in labels and "</s>" in labels
    assert count("attention", "rect") % labels.count("</s>") == 0


def test_nothing_is_fetched_and_no_script_is_there(seen):
    assert seen.page["scripts"] == 0
    assert seen.page["fetched"] == []
    asked = {path[path.index("/", 7) :] if path.startswith("http://127.0.0.1") else path for path in seen.requests}
    # Others are the browser's own errands, which this server refuses; ours would be among what the page fetched.
    assert {"/", "/page.html"} <= asked and not [path for path in asked if "example.org" in path]


def test_sentences_stand_as_they_are_whatever_they_hold(seen):
    for words in (SOURCES[3], LANGS["kk"][1], LANGS["ug"][1], LANGS["bo"][1], "best", "worst", "Paired tests"):
        assert words in seen.page["text"]


def test_the_page_is_one_file_and_the_scores_lie_beside_it(report):
    assert sorted(path.name for path in report.iterdir()) == ["index.html", "scores.json"]
    html = (report / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<(script|img|iframe|object|embed|video|audio)\b", html)
    assert set(re.findall(r"\b(?:src|href)=\"([^\"]*)\"", html)) == {"data:,"}
    assert "@import" not in html and "url(" not in html
    scores = json.loads((report / "scores.json").read_text(encoding="utf-8"))
    assert sorted(scores["systems"]["good"]) == ["bo", "kk", "ug"]
    assert "p" in scores["compared"]["systems"]["bad"]["kk"]["chrfpp"]


def test_the_test_sees_what_is_fetched_and_what_is_not_drawn(tmp_path):
    """The same eyes on a page that does what ours must not."""
    html = b"""<!DOCTYPE html><body><img src="http://example.org/x.png"><script>1</script>
    <figure id="f" data-marks="2"><svg width="300" height="200"><circle class="mark" cx="900" cy="5" r="4"/></svg>
    </figure>"""
    found = look_at(html, tmp_path)
    assert found.page["scripts"] == 1
    assert any("example.org" in name for name in found.page["fetched"])
    assert any("example.org" in path for path in found.requests)
    figure = found.page["figures"][0]
    assert len(figure["marks"]) != figure["promised"] and not figure["marks"][0]["within"]


def test_without_a_browser_ci_fails_and_others_skip(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no browser on PATH"):
        find_browser()
    monkeypatch.setenv("CI", "")
    with pytest.raises(pytest.skip.Exception):
        find_browser()


def test_a_report_that_is_there_is_not_replaced_unless_forced(report, tmp_path, capsys):
    from swcm_fairseq.errors import SwcmError

    (tmp_path / "a").write_text("бір сөз\n", encoding="utf-8")
    command = [
        "--lang",
        "kk",
        "--hyp",
        str(tmp_path / "a"),
        "--ref",
        str(tmp_path / "a"),
        "--report",
        str(tmp_path / "r"),
    ]
    assert main(command) == 0
    with pytest.raises(SwcmError, match="exists already; give --force"):
        main(command)
    assert main(command + ["--force"]) == 0


@pytest.mark.parametrize(
    "more, words",
    [
        (["--train-log", "{folder}/none"], "no such file"),
        (["--model", "{folder}"], "no folder of swcm-pack|sources"),
    ],
)
def test_a_log_or_a_model_that_is_none_is_one_error_and_no_report(tmp_path, run, more, words):
    (tmp_path / "a").write_text("бір сөз\n", encoding="utf-8")
    command = ["python", "-m", "swcm_fairseq.scoring.command", "--lang", "kk", "--hyp", tmp_path / "a"]
    command += ["--ref", tmp_path / "a", "--src", tmp_path / "a", "--report", tmp_path / "r"]
    done = run(command + [word.format(folder=tmp_path) for word in more], check=False)
    assert done.returncode == 1 and re.search(words, done.stderr) and "Traceback" not in done.stderr
    assert not (tmp_path / "r").exists()
