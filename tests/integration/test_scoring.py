"""``swcm-score`` on real text: LibreOffice's and MediaWiki's translations, which Debian packages."""

import hashlib
import itertools
import json
import random
import re

import pytest

from swcm_fairseq.languages import language
from swcm_fairseq.scoring import score
from swcm_fairseq.scoring.baselines import shuffled
from swcm_fairseq.scoring.command import main
from swcm_fairseq.scoring.corpus import read_lines
from swcm_fairseq.scoring.language_identification import Recognizer
from swcm_fairseq.scoring.normalization import normalize
from swcm_fairseq.scoring.tokenizers import tokenizer_for

pytestmark = pytest.mark.network

OFFICE = ("kk", "mn", "ug", "dz", "km")
SENTENCES = 400

# No package has more than a few lines in traditional script: Cyrillic text in its letters, one by one. What is
# tested with it, its script and how sentences differ from each other, does not hang on the spelling.
CYRILLIC = "абвгдеёжзийклмнопрстуфхцчшщыьъэюяөү"
TRADITIONAL = "ᠠ ᠪ ᠸ ᠭ ᠳ ᠶᠡ ᠶᠣ ᠵ ᠽ ᠢ ᠢ ᠺ ᠯ ᠮ ᠨ ᠣ ᠫ ᠷ ᠰ ᠲ ᠤ ᠹ ᠬ ᠼ ᠴ ᠱ ᠱ ᠢ ᠢ ᠢ ᠡ ᠶᠤ ᠶᠠ ᠥ ᠦ".split()


def in_traditional_script(text):
    return text.lower().translate(dict(zip(map(ord, CYRILLIC), TRADITIONAL)))


def plain(message):
    """A message of MediaWiki without its markup."""
    message = re.sub(r"\{\{[^{}]*\}\}|\$\d|<[^>]*>|''+|[\[\]{}|]|&[#\w]+;|https?:\S+", " ", message)
    return " ".join(message.split())


@pytest.fixture(scope="module")
def texts(run, repo, tmp_path_factory):
    """Language with its script -> sentences without repetition, in a random order."""
    folder = tmp_path_factory.mktemp("real text")
    run(["bash", repo / "recipes/data/libreoffice.sh", folder / "office"], env={"LANGS": " ".join(OFFICE)})
    found = {code: read_lines(str(folder / "office" / f"zh-{code}.{code}")) for code in OFFICE}
    found["zh"] = read_lines(str(folder / "office" / "zh-ug.zh"))
    found["kk_Cyrl"], found["mn_Cyrl"] = found.pop("kk"), found.pop("mn")
    found["mn_Mong"] = [in_traditional_script(line) for line in found["mn_Cyrl"] if not re.search("[A-Za-z]", line)]
    run(["apt-get", "download", "-qq", "mediawiki"], cwd=str(folder))
    package = next(folder.glob("mediawiki_*.deb"))
    run(["dpkg", "-x", package, folder / "mediawiki"])
    for code, name in (("bo", "bo"), ("kk_Arab", "kk-arab")):
        path = folder / "mediawiki/usr/share/mediawiki/languages/i18n" / (name + ".json")
        messages = json.loads(path.read_text(encoding="utf-8"))
        # The quarter that the profiles of languages were not learned from.
        kept = [key for key in messages if int(hashlib.md5(key.encode()).hexdigest(), 16) % 4 == 0]
        found[code] = [plain(messages[key]) for key in sorted(kept) if isinstance(messages[key], str)]
    for code, lines in found.items():
        found[code] = sorted(set(normalize([line for line in lines if line.strip()], "nmt_nfkc")))
        random.Random(1).shuffle(found[code])
    return found


def long_enough(lines, code):
    split = tokenizer_for(language(code))
    return [line for line in lines if len(split(line)) >= 5]


FIVE = ("bo", "ug", "kk_Arab", "kk_Cyrl", "mn_Cyrl", "mn_Mong", "zh")


@pytest.mark.parametrize("given", FIVE)
def test_real_text_in_another_language_is_recognized(texts, given):
    """At least 98 of 100 sentences, whichever of the others was asked for, with its script named or not."""
    sentences = long_enough(texts[given], given)[:SENTENCES]
    assert len(sentences) >= 60  # as many as there are in Tibetan; of most others 400
    asked = [code for code in FIVE + ("kk", "mn") if code != given and code != given.partition("_")[0]]
    for code in asked:
        recognizer = Recognizer(language(code))
        missed = [sentence for sentence in sentences if recognizer.wrong(sentence) is None]
        assert len(missed) <= 0.02 * len(sentences), (code, missed)


@pytest.mark.parametrize("given", FIVE)
def test_real_text_in_the_language_asked_for_is_left_alone(texts, given):
    """What is flagged all the same are names: "KOffice", "UTF-8"."""
    sentences = long_enough(texts[given], given)[:SENTENCES]
    for code in {given, given.partition("_")[0]}:
        recognizer = Recognizer(language(code))
        flagged = [sentence for sentence in sentences if recognizer.wrong(sentence)]
        assert len(flagged) <= 0.05 * len(sentences), (code, flagged)


@pytest.mark.parametrize("code", FIVE + ("dz", "km"))
def test_shuffled_references_score_little_and_identical_ones_100(texts, code):
    split = tokenizer_for(language(code))
    # Punctuation alone has no tokens, and rouge-score gives such a sentence 0.
    lines = [line for line in texts[code] if split(line)][:300]
    assert len(lines) >= 150
    identical = score(lines, lines, code, ["bleu", "chrf", "chrfpp", "rougeL"])
    mixed = score(shuffled(lines), lines, code, ["chrf", "rougeL"])
    assert all(identical[name] == pytest.approx(100) for name in ("bleu", "chrf", "chrfpp", "rougeL"))
    assert mixed["chrf"] < 15 and mixed["rougeL"] < 15


def test_every_way_in_gives_the_same_numbers(texts, tmp_path, capsys):
    """Text, fairseq-generate's output in pieces and out of order, and Python."""
    references = texts["ug"][:80]
    hypotheses = [line[: len(line) * 2 // 3].strip() or line for line in references]

    def pieces(text):
        return " ".join("▁" + word for word in text.split(" "))

    order = random.Random(2).sample(range(80), 80)
    rows = [("T", ""), ("H", "-1.5\t"), ("D", "-1.5\t")]
    printed = [
        "{}-{}\t{}{}".format(kind, number, before, pieces((references if kind == "T" else hypotheses)[number]))
        for number in order
        for kind, before in rows
    ]
    for name, lines in (("hyp", hypotheses), ("ref", references), ("gen", printed)):
        (tmp_path / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    options = ["--lang", "ug", "--json", "--metrics", "bleu,chrf,chrfpp,rougeL,wrong_language,length_ratio"]
    found = []
    for files in (["--hyp", "hyp", "--ref", "ref"], ["--generate-output", "gen"]):
        main(options + [word if word.startswith("--") else str(tmp_path / word) for word in files])
        found.append(json.loads(capsys.readouterr().out))
    assert found[0] == found[1] == score(hypotheses, references, "ug", options[-1].split(","), resamples=1000)


def test_sentences_are_told_apart_pair_by_pair_in_one_table(texts, tmp_path, capsys):
    """Several languages and systems at once: what one command for each would say."""
    for code, lines in (("kk", texts["kk_Cyrl"][:40]), ("ug", texts["ug"][:40])):
        for name, content in (("ref", lines), ("a", lines[:30] + ["x"] * 10), ("b", ["x"] * 20 + lines[20:])):
            (tmp_path / (name + "." + code)).write_text("".join(line + "\n" for line in content), encoding="utf-8")
    paths = [str(tmp_path / (name + ".{lang}")) for name in "ab"]
    options = ["--metrics", "chrf", "--json", "--ref", str(tmp_path / "ref.{lang}")]
    main(["--lang", "kk", "ug", "--hyp", *paths, "--names", "a", "b", *options])
    together = json.loads(capsys.readouterr().out)
    for code, (place, name) in itertools.product(("kk", "ug"), enumerate("ab")):
        main(["--lang", code, "--hyp", paths[place], *options])
        assert json.loads(capsys.readouterr().out) == together["systems"][name][code]
    difference = together["compared"]["systems"]["b"]["kk"]["chrf"]
    assert difference["difference"] == pytest.approx(
        together["systems"]["b"]["kk"]["chrf"] - together["systems"]["a"]["kk"]["chrf"]
    )
