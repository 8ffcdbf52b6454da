"""recipes/finetune_summarization.sh and recipes/transfer.sh on text and an encoder made here, from data to scores."""

import json
from random import Random

import pytest

from swcm_fairseq.scoring.corpus import read_lines
from tests.support.tiny_encoder import CORPUS, make_encoder_folder

WORDS = {
    "kk": " ".join(CORPUS[5:10]).replace(".", "").replace(",", "").split(),
    "mn": " ".join(CORPUS[10:15]).replace(".", "").replace(",", "").split(),
}
SMALL = {
    "KEEP_LAYERS": "0,2",
    "MIN_COUNT": 1,
    "UPDATES": 3,
    "DENOISING": 2,
    "MAX_SOURCE": 30,
    "MAX_LEN": 12,
    "PRECISION": "fp32",
    "WORKERS": 1,
    "BEAM": 2,
}


def article(code, number):
    """(text, summary): three sentences, and three words of the first."""
    random = Random(f"{code}{number}")
    sentences = [" ".join(random.sample(WORDS[code], 9)).capitalize() + "." for _ in range(3)]
    return " ".join(sentences), " ".join(sentences[0].split()[:3])


@pytest.fixture(scope="module")
def made(tmp_path_factory, run, repo):
    folder = tmp_path_factory.mktemp("summarization")
    for part, count, first in (("all", 60, 0), ("valid", 6, 100), ("test", 8, 200)):
        records = [article("kk", number) for number in range(first, first + count)]
        lines = [json.dumps({"content": text, "title": title}, ensure_ascii=False) for text, title in records]
        (folder / (part + ".jsonl")).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    environment = dict(
        SMALL,
        ENCODER=make_encoder_folder(folder / "encoder", layers=4),
        OUT=folder / "the output",
        SUMMARY_LANG="kk",
        DATASET="cmhg",
        VALID_PAIRS=5,
        TEST_PAIRS=8,
    )
    command = ["bash", repo / "recipes/finetune_summarization.sh", folder / "all.jsonl"]
    return command, environment, folder, run(command, env=environment)


def test_from_a_dataset_to_scores(made):
    _, _, folder, _ = made
    out = folder / "the output"
    systems = json.loads((out / "scores.json").read_text(encoding="utf-8"))["systems"]
    assert set(systems) == {"model", "shuffled", "first-sentence"}
    for found in systems.values():
        assert {"rouge1", "rouge2", "rougeL", "wrong_language", "length_ratio", "intervals"} <= set(found["kk"])
    # Three words of nine in the same order: P = 3/9, R = 1, F = 1/2.
    assert systems["first-sentence"]["kk"]["rougeL"] == pytest.approx(50.0)
    sizes = [len(read_lines(str(out / "split" / (part + ".text-summary.text")))) for part in ("train", "valid", "test")]
    assert sizes[1:] == [5, 8] and 40 <= sizes[0] <= 47
    assert "--target-tag kk" in (out / "model/command.txt").read_text(encoding="utf-8")


def test_a_second_run_makes_nothing_anew(made, run):
    command, environment, folder, _ = made
    files = [path for path in (folder / "the output").rglob("*") if path.is_file() and path.suffix != ".json"]
    before = {path: path.stat().st_mtime_ns for path in files if path.name not in ("languages.json", "test.log")}
    assert run(command, env=environment).stdout.count("there already") >= 7
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_given_parts_are_kept_whole_and_out_of_training(made, run, repo):
    _, environment, folder, _ = made
    out, lines = folder / "given", (folder / "all.jsonl").read_text(encoding="utf-8").splitlines()
    more = (folder / "test.jsonl").read_text(encoding="utf-8").splitlines()[:4]
    # Two files in the place of records, and training text that holds some of the test.
    for side, field in (("text", "content"), ("summary", "title")):
        text = "".join(json.loads(line)[field] + "\n" for line in lines + more)
        (folder / ("both." + side)).write_text(text, encoding="utf-8")
    parts = [folder / "both", folder / "valid.jsonl", folder / "test.jsonl"]
    run(["bash", repo / "recipes/finetune_summarization.sh", *parts], env=dict(environment, OUT=out))
    expected = [article("kk", number)[0] for number in range(200, 208)]
    assert read_lines(str(out / "split/test.text-summary.text")) == expected
    train = read_lines(str(out / "split/train.text-summary.text"))
    assert len(train) > 40 and not set(train) & set(expected)
    counts = json.loads((out / "clean/text-summary.counts.json").read_text(encoding="utf-8"))
    assert counts["dropped"]["held_out"] >= 4


def test_wrong_calls_are_named(run, repo, tmp_path):
    def call(recipe, *arguments, **env):
        done = run(
            ["bash", repo / "recipes" / recipe, *arguments],
            check=False,
            env=dict(env, OUT=tmp_path / "out"),
        )
        assert "Traceback" not in done.stderr
        return done

    assert call("finetune_summarization.sh", "a", "b").returncode == 2
    done = call("finetune_summarization.sh", "a", DATASET="xsum")
    assert done.returncode == 2 and "lcsts, cmhg or mc2" in done.stderr
    done = call("finetune_summarization.sh", tmp_path / "none", ENCODER=tmp_path)
    assert done.returncode == 1 and "none.text" in done.stderr
    assert call("transfer.sh", "a").returncode == 2
    done = call("transfer.sh", FEW_SHOT="some")
    assert done.returncode == 2 and "FEW_SHOT" in done.stderr
    done = call("transfer.sh", FROM="ru", TO="uk", ENCODER=tmp_path)
    assert done.returncode == 2 and "TEXT" in done.stderr


@pytest.fixture(scope="module")
def transferred(tmp_path_factory, run, repo):
    folder = tmp_path_factory.mktemp("transfer")
    for code in ("kk", "mn"):
        place = folder / "the text" / code
        place.mkdir(parents=True)
        for part, count, first in (("train", 40, 0), ("valid", 5, 100), ("test", 6, 200)):
            # One language lacks some of the other's records.
            numbers = [number for number in range(first, first + count) if code == "kk" or number % 4]
            records = [article(code, number) for number in numbers]
            for name, lines in (
                ("packages", [f"package{number}" for number in numbers]),
                ("text-summary.text", [text for text, _ in records]),
                ("text-summary.summary", [summary for _, summary in records]),
            ):
                text = "".join(line + "\n" for line in lines)
                (place / f"{part}.{name}").write_text(text, encoding="utf-8")
    environment = dict(
        SMALL,
        TEXT=folder / "the text",
        ENCODER=make_encoder_folder(folder / "encoder", layers=4),
        OUT=folder / "the output",
        FROM="kk",
        TO="mn",
        FEW_SHOT=2,
        REHEARSE=10,
        PRETRAINING_UPDATES=3,
    )
    done = run(["bash", repo / "recipes/transfer.sh"], env=environment, timeout=600)
    return environment, folder / "the output", done


def test_transfer_from_text_to_scores(transferred):
    _, out, done = transferred
    scores = json.loads((out / "scores.json").read_text(encoding="utf-8"))
    assert set(scores) == {"kk", "mn"}
    for found in scores.values():
        assert set(found) == {"references", "shuffled", "first-sentence", "forced", "free", "passes"}
        assert found["references"]["rougeL"] == pytest.approx(100.0)
        assert found["first-sentence"]["rougeL"] == pytest.approx(50.0)
        assert isinstance(found["passes"], bool)
    assert scores["kk"]["forced"] == scores["kk"]["free"], "the same tag"
    assert "mn" in done.stdout and "passes" in done.stdout


def test_no_summary_of_a_test_language_stands_beside_its_text(transferred):
    _, out, _ = transferred
    text = out / "text"
    few = read_lines(str(text / "train.text_mn-mn.mn"))
    assert len(set(few)) == 2 and len(few) == 500, "but for those that FEW_SHOT asks for"
    pairs = list(zip(read_lines(str(text / "train.kk-mn.kk")), read_lines(str(text / "train.kk-mn.mn"))))
    expected = [(article("kk", n)[1], article("mn", n)[1]) for n in range(40) if n % 4]
    assert pairs == expected
    documents = read_lines(str(text / "train.mn"))
    summaries = [article("mn", n)[1] for n in range(40) if n % 4]
    firsts = [article("mn", n)[0].split(".")[0] + "." for n in range(40) if n % 4]
    assert documents == summaries + firsts


def test_hidden_summaries_stand_in_other_texts(transferred):
    _, out, _ = transferred
    sources = read_lines(str(out / "text/train.hidden_mn-mn.hidden_mn"))
    targets = read_lines(str(out / "text/train.hidden_mn-mn.mn"))
    assert len(sources) == len(targets) == len(set(targets)) == 10
    texts = {article("mn", n)[1]: article("mn", n)[0] for n in range(40) if n % 4}
    for source, target in zip(sources, targets):
        assert target.lower() in source.lower()
        rest = source.lower().replace(target.lower() + " ", "", 1)
        (other,) = [summary for summary, text in texts.items() if text.lower().startswith(rest)]
        assert other != target, "its own text would be an example of what is tested"


def test_forcing_is_the_only_difference(transferred):
    _, out, _ = transferred
    flags = (out / "model/command.txt").read_text(encoding="utf-8")
    assert "text_kk-kk,text_mn-mn,hidden_kk-kk,hidden_mn-mn" in flags.replace("\\", "")
    sources = [
        [
            line
            for line in (out / folder / "text_mn-mn.txt").read_text(encoding="utf-8").splitlines()
            if line[:2] == "S-"
        ]
        for folder in ("forced", "free")
    ]
    assert sources[0] == sources[1] and len(sources[0]) == 4
