"""recipes/finetune_mt.sh from a dataset to scores, on text and an encoder made here."""

import json
from random import Random

import pytest

from swcm_fairseq.scoring.corpus import read_lines
from tests.support.tiny_encoder import CORPUS, make_encoder_folder

ZH = [char for line in CORPUS[:5] for char in line if "\u4e00" <= char <= "\u9fff"]
KK = " ".join(CORPUS[5:10]).replace(".", "").replace(",", "").split()


def pair(number):
    random = Random(number)
    return "".join(random.sample(ZH, 6)) + "。", " ".join(random.sample(KK, 4)).capitalize() + "."


def write_records(path, numbers):
    """JSON lines with the two texts inside of a field, as translation sets have them."""
    records = [{"id": number, "translation": dict(zip(("zh", "kk"), pair(number)))} for number in numbers]
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records), encoding="utf-8")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory, run, repo):
    folder = tmp_path_factory.mktemp("a translation set")
    settings = {"KEEP_LAYERS": "0,2", "UPDATES": 3, "MAX_LEN": 8, "PRECISION": "fp32", "BEAM": 2, "PAIR": "zh-kk"}
    settings.update(ENCODER=make_encoder_folder(folder / "encoder", layers=4), VALID_PAIRS=5, TEST_PAIRS=8)

    def call(*arguments, **environment):
        command = ["bash", repo / "recipes" / "finetune_mt.sh", *arguments]
        check = environment.pop("check", True)
        return run(command, env={**settings, **environment}, check=check)

    return folder, call


def test_records_become_a_translator_with_its_scores(recipe):
    folder, call = recipe
    write_records(folder / "all.jsonl", range(60))
    out = folder / "the output"
    call(folder / "all.jsonl", OUT=out, FIELDS="translation.zh translation.kk")
    scores = json.loads((out / "test" / "zh-kk.json").read_text(encoding="utf-8"))
    assert set(scores["systems"]) == {"model", "shuffled"} and "chrfpp" in scores["systems"]["model"]["kk"]
    assert len(read_lines(str(out / "split" / "test.zh-kk.kk"))) == 8
    assert (out / "packed" / "config.json").exists()
    again = call(folder / "all.jsonl", OUT=out, FIELDS="translation.zh translation.kk")
    assert "training in" in again.stdout and "there already" in again.stdout


def test_force_makes_all_of_it_again(recipe):
    folder, call = recipe
    out, settings = folder / "the output", {"FIELDS": "translation.zh translation.kk"}
    write_records(folder / "others.jsonl", range(60, 120))
    done = call(folder / "others.jsonl", OUT=out, FORCE=1, **settings)
    assert "there already" not in done.stdout
    written = read_lines(str(out / "split" / "test.zh-kk.kk"))
    assert set(written) < {pair(number)[1] for number in range(60, 120)}
    assert "D-7" in (out / "test" / "zh-kk.txt").read_text(encoding="utf-8")
    assert (out / "packed" / "dict.txt").read_bytes() == (out / "dict.txt").read_bytes()
    # A training that goes on leaves nothing of what its earlier state wrote.
    before = {name: (out / name).stat().st_mtime_ns for name in ("test/zh-kk.txt", "packed/config.json")}
    done = call(folder / "others.jsonl", OUT=out, UPDATES=4, **settings)
    assert "it goes on to 4" in done.stdout
    newer = (out / "model" / "checkpoint_best.pt").stat().st_mtime_ns
    assert all((out / name).stat().st_mtime_ns > max(newer, was) for name, was in before.items())


def test_given_test_sets_stay_as_they_are_and_out_of_training(recipe):
    folder, call = recipe
    for part, numbers in (("train", range(60)), ("valid", range(5)), ("test", range(50, 56))):
        lines = zip(*map(pair, numbers))
        for side, texts in zip(("zh", "kk"), lines):
            (folder / (part + "." + side)).write_text("".join(text + "\n" for text in texts), encoding="utf-8")
    out = folder / "second"
    call(folder / "train", folder / "valid", folder / "test", OUT=out, MAX_TRAIN=30)
    assert read_lines(str(out / "split" / "test.zh-kk.kk")) == read_lines(str(folder / "test.kk"))
    trained = read_lines(str(out / "split" / "train.zh-kk.kk"))
    assert len(trained) == 30
    assert not set(trained) & {pair(number)[1] for number in [*range(5), *range(50, 56)]}


@pytest.mark.parametrize("most, left", [(0, 4), (3, 3), (9, 4)])
def test_of_given_sets_the_first_are_taken_or_all(run, repo, tmp_path, most, left):
    for folder in ("clean", "raw"):
        (tmp_path / folder).mkdir()
    lines = {side: [f"{side} {number}" for number in range(4)] for side in ("zh", "kk")}
    for side in lines:
        (tmp_path / "clean" / f"zh-kk.{side}").write_text("\n".join(lines[side]) + "\n")
        for part in ("valid", "test"):
            (tmp_path / "raw" / f"{part}.{side}").write_text(f"{part} {side}\n")
    program = '. "$1/recipes/lib/steps.sh"; given_split zh-kk zh kk'
    run(["bash", "-euc", program, "bash", repo], env={"OUT": tmp_path, "MAX_TRAIN": most})
    for side in lines:
        assert read_lines(str(tmp_path / "split" / f"train.zh-kk.{side}")) == lines[side][:left]
        assert read_lines(str(tmp_path / "split" / f"test.zh-kk.{side}")) == [f"test {side}"]


@pytest.mark.parametrize(
    "arguments, environment, message",
    [
        (["one", "two"], {}, "TRAIN [VALID TEST]"),
        (["nothing"], {}, "nothing: neither a file nor the beginning of nothing.zh and nothing.kk"),
        (["nothing"], {"PAIR": "zhkk"}, "PAIR is two languages"),
        (["nothing"], {"FIELDS": "zh"}, "FIELDS is the source's field and the target's"),
    ],
)
def test_wrong_use_is_said(recipe, arguments, environment, message):
    folder, call = recipe
    done = call(*arguments, OUT=folder / "wrong", check=False, **environment)
    assert done.returncode in (1, 2) and message in done.stderr
