"""recipes/finetune_mrc.sh on questions and an encoder made here, from a dataset's own form to scores."""

import json

import pytest

from tests.support.tiny_encoder import CORPUS, make_encoder_folder

WORDS = " ".join(CORPUS[5:10]).replace(".", "").replace(",", "").split()

SECOND = "екінші жауап"


def records(count, first=0):
    """Flat records; two questions on each passage."""
    found = []
    for number in range(first, first + count):
        passage = " ".join(WORDS[(number + i * 3) % len(WORDS)] for i in range(12)) + f" {number // 2}."
        answer = passage.split()[number % 7]
        record = {"context": passage, "question": f"{answer} не?", "answers": [answer], "id": str(number)}
        if number % 4 == 1:
            record["answers"].append(SECOND)
        found.append(record)
    for one, other in zip(found[::2], found[1::2]):
        other["context"] = one["context"]
        other["answers"][0] = one["context"].split()[8]
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory, run, repo):
    folder = tmp_path_factory.mktemp("mrc")
    lines = [json.dumps(record, ensure_ascii=False) for record in records(80)]
    (folder / "all of it.jsonl").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    environment = {
        "ENCODER": make_encoder_folder(folder / "encoder", layers=4),
        "OUT": folder / "the output",
        "ANSWER_LANG": "kk",
        "KEEP_LAYERS": "0,2",
        "MIN_COUNT": 1,
        "DENOISING": 2,
        "UPDATES": 3,
        "VALID_QUESTIONS": 5,
        "TEST_QUESTIONS": 8,
        "MAX_PIECES": 40,
        "MAX_LEN": 12,
        "PRECISION": "fp32",
        "WORKERS": 1,
    }
    command = ["bash", repo / "recipes/finetune_mrc.sh", folder / "all of it.jsonl"]
    return command, environment, folder / "the output", run(command, env=environment, timeout=900)


def test_from_a_dataset_to_scores(made):
    _, _, out, done = made
    systems = json.loads((out / "scores.json").read_text(encoding="utf-8"))["systems"]
    assert set(systems) == {"model", "shuffled", "first-words"}
    for found in systems.values():
        assert {"exact_match", "token_f1", "rougeL", "wrong_language", "intervals"} <= set(found["kk"])
    for file in (out / "scores.json", out / "test/question-answer.json"):
        assert "nrefs:var|" in file.read_text(encoding="utf-8"), "every right answer counts"
    answers = [(out / f"split/test.answer{end}").read_text(encoding="utf-8").split("\n") for end in ("", ".2")]
    assert len(answers[0]) == len(answers[1]) and set(answers[1]) == {"", SECOND}
    start = (out / "model/train.log").read_text(encoding="utf-8")
    assert "denoised/checkpoint_last.pt" in start and (out / "denoised/done").exists()
    counts = json.loads((out / "text/train.question-answer.question.counts.json").read_text(encoding="utf-8"))
    assert counts["longest_line"] == counts["max_pieces"] == 40 and counts["passages_cut"] > 0
    assert counts["answers"]["lost_by_the_cut"] > 0 and "answers lost by that" in done.stdout


def test_a_passage_is_on_one_side_only(made):
    _, _, out, _ = made
    parts = {}
    for part in ("train", "valid", "test"):
        lines = (out / "split" / (part + ".passage")).read_text(encoding="utf-8").splitlines()
        assert all(lines.count(line) == 2 for line in lines), "all questions on it"
        parts[part] = set(lines)
    assert [len(parts[part]) for part in ("train", "valid", "test")] == [33, 3, 4]
    assert len(set().union(*parts.values())) == 40


def test_a_second_run_makes_nothing_anew(made, run):
    command, environment, out, _ = made
    again = ["scores.json", "question-answer.json", "train.kk", "valid.kk"]
    again += [f"{part}.question-answer.answer{end}" for part in ("train", "valid", "test") for end in ("", ".2")]
    files = [path for path in out.rglob("*") if path.is_file()]
    files = [path for path in files if path.name not in again or path.parent.name == "pieces"]
    before = {path: path.stat().st_mtime_ns for path in files}
    assert run(command, env=environment).stdout.count("there already") >= 8
    assert {path: path.stat().st_mtime_ns for path in files} == before


def test_a_separator_of_text_can_be_asked_from_python(made, run, repo, tmp_path):
    """The same ids from raw text as in the data-bin, which </s> would not give."""
    from fairseq.data import Dictionary, data_utils

    from swcm_fairseq.vocabulary.pieces import Pieces

    command, environment, _, _ = made
    encoder = make_encoder_folder(tmp_path / "encoder", corpus=list(CORPUS) + ["|"] * 200)
    run(command, env=dict(environment, ENCODER=encoder, OUT=tmp_path / "out", SEPARATOR="|", DENOISING=0))
    assert not (tmp_path / "out/denoised").exists()
    lines = (tmp_path / "out/text/test.question-answer.question").read_text(encoding="utf-8").splitlines()
    assert all(line.count(" | ") == 1 and "</s>" not in line for line in lines)
    dictionary = Dictionary.load(str(tmp_path / "out/data-bin/dict.question.txt"))
    pieces = Pieces.load(str(tmp_path / "out/model/sentencepiece.bpe.model"))
    prefix = str(tmp_path / "out/data-bin/test.question-answer.question")
    data = data_utils.load_indexed_dataset(prefix, dictionary)
    for line, ids in zip(lines, data):
        asked = dictionary.encode_line(pieces.encode(line), add_if_not_exist=False)
        assert ids.tolist() == asked.tolist() and ids.tolist().count(dictionary.index("▁|")) == 1
        assert dictionary.unk() != dictionary.index("▁|")


def test_given_splits_are_kept_and_training_does_not_see_them(run, repo, tmp_path):
    for part, first, count in (("train", 0, 20), ("valid", 16, 6), ("test", 30, 4)):
        for side in ("question", "passage", "answer"):
            lines = [
                record["answers"][0] if side == "answer" else record[{"passage": "context"}.get(side, side)]
                for record in records(count, first)
            ]
            (tmp_path / f"{part}.{side}").write_text("".join(x + "\n" for x in lines), encoding="utf-8")
    script = ["python", repo / "recipes/lib/split_questions.py", "--questions", tmp_path, "--out", tmp_path / "out"]
    done = run(script + ["--max-train", "10"])
    assert "10 questions on 5 passages for train" in done.stdout
    counts = json.loads((tmp_path / "out/counts.json").read_text(encoding="utf-8"))
    assert counts == {
        "train": {"questions": 10, "passages": 5},
        "valid": {"questions": 6, "passages": 3},
        "test": {"questions": 4, "passages": 2},
        "read": 20,
    }
    held_out = (tmp_path / "valid.passage").read_text(encoding="utf-8").splitlines()
    assert not set(held_out) & set((tmp_path / "out/train.passage").read_text(encoding="utf-8").splitlines())
    (tmp_path / "test.question").unlink()
    done = run(script + ["--test", "100", "--out", tmp_path / "none"], check=False)
    assert done.returncode == 1 and "are too few to hold 100 out" in done.stderr


def test_wrong_usage(run, repo):
    done = run(["bash", repo / "recipes/finetune_mrc.sh", "a", "b"], check=False)
    assert done.returncode == 2 and "TRAIN [VALID TEST]" in done.stderr
