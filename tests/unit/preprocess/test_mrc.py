"""Question and passage in one line: never too long, cut at the passage's end alone, and everything counted."""

import json
import random

import pytest

from swcm_fairseq.vocabulary.pieces import Pieces
from tests.support.in_process import assert_fails, import_script, run_script
from tests.support.tiny_encoder import CORPUS, train_sentencepiece

QUESTIONS = ["Бұл кітап не туралы?", "天气 怎么样？", "不 <unk> ཀཁ Q?"]
PASSAGES = [" ".join(CORPUS[5:10]), "".join(CORPUS[:5]), "ཀཁག " + CORPUS[6] + " a</s>b"]


@pytest.fixture
def spm(tmp_path):
    path = tmp_path / "spm.model"
    path.write_bytes(train_sentencepiece(list(CORPUS) + ["a | b / ; & l t g s"] * 3))
    return path


@pytest.fixture
def join(capsys, spm, tmp_path):
    def command(questions, passages, answers=None, limit=30, options=(), check=True):
        arguments = ["--spm", spm, "--max-pieces", limit, "--out", tmp_path / "out", "--force", *options]
        for name, lines in (("question", questions), ("passage", passages), ("answer", answers)):
            if lines is not None:
                (tmp_path / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
                arguments += ["--" + name, tmp_path / name]
        done = run_script("mrc", arguments, capsys, check)
        if done.returncode:
            return done
        counts = json.loads((tmp_path / "out.counts.json").read_text(encoding="utf-8"))
        return (tmp_path / "out").read_text(encoding="utf-8").split("\n")[:-1], counts

    return command


@pytest.fixture
def encode(capsys, spm, tmp_path):
    """The pieces of the output's lines, as preprocess/encode.py writes them."""

    def command(documents=True):
        options = ["--documents"] if documents else []
        out = tmp_path / "pieces"
        arguments = ["--spm", spm, "--out", out, "--force", "--workers", "1", *options, tmp_path / "out"]
        run_script("encode", arguments, capsys)
        lines = (out / "out").read_text(encoding="utf-8").split("\n")[:-1]
        return [line.split(" ") for line in lines]

    return command


def test_question_mark_and_passage(join, encode, spm):
    lines, counts = join(QUESTIONS, PASSAGES, limit=500)
    assert lines[:2] == ["{} </s> {}".format(*pair) for pair in list(zip(QUESTIONS, PASSAGES))[:2]]
    model = Pieces.load(str(spm))
    expected = [model.cut([q])[0] + ["</s>"] + model.cut([p])[0] for q, p in zip(QUESTIONS[:2], PASSAGES)]
    found = encode()
    assert found[:2] == expected
    # Text that reads like the mark is text, and so there is one mark a line.
    assert [line.count("</s>") for line in found] == [1, 1, 1]
    assert "a&lt;/s&gt;b" in lines[2]
    assert counts == {
        "max_pieces": 500,
        "separator": "</s>",
        "lines": 3,
        "pieces": sum(map(len, found)),
        "longest_line": max(map(len, found)),
        "passages_cut": 0,
        "pieces_cut": {"all": 0},
    }


@pytest.mark.parametrize("separator", ["</s>", "|"])
@pytest.mark.parametrize("limit", range(20, 90, 7))
def test_whole_pieces_are_cut_from_the_passages_end(join, encode, spm, limit, separator):
    lines, counts = join(QUESTIONS, PASSAGES, limit=limit, options=["--separator", separator])
    model = Pieces.load(str(spm))
    found = encode(documents=separator == "</s>")
    assert len(found) == 3 and counts["longest_line"] == max(map(len, found)) <= limit
    removed = []
    for line, pieces, question, passage in zip(lines, found, QUESTIONS, PASSAGES):
        asked, mark, kept = line.partition(f" {separator} ")
        assert asked == question and mark
        if separator == "</s>":
            passage = passage.replace("</s>", "&lt;/s&gt;")
        before, after = model.cut([passage])[0], model.cut([kept])[0]
        assert before[: len(after)] == after, "whole pieces, from the end"
        removed.append(len(before) - len(after))
        assert len(pieces) == limit or not removed[-1] or limit - len(pieces) == 1  # no more than need be
    cuts = sorted(number for number in removed if number)
    assert counts["passages_cut"] == len(cuts) and counts["pieces_cut"]["all"] == sum(cuts)
    if cuts:
        assert counts["pieces_cut"] == {"all": sum(cuts), "median": cuts[len(cuts) // 2], "most": cuts[-1]}


def test_no_line_is_too_long_whatever_it_holds(join, encode):
    generator = random.Random(3)
    parts = list("".join(CORPUS)) + [" ", "ཀ", "ﷺ", "½", "…", "\u200b", "\u202f", "</s>", "<", "<unk>", "e\u0301", "가"]
    passages = ["天" + "".join(generator.choice(parts) for _ in range(120)) for _ in range(300)]
    join(["天气？"] * 300, passages, limit=40)
    found = encode()
    assert len(found) == 300
    assert max(map(len, found)) <= 40 and all(line.count("</s>") == 1 for line in found)


class Contrary:
    """Cuts letters, and a text that does not end in a full stop into two pieces more."""

    known = set("ab. |")

    def cut(self, texts):
        return [list(text) + ["x"] * (0 if text.endswith((".", "?", "|")) else 2) for text in texts]

    def decode(self, line):
        return line.replace(" ", "").replace("x", "")


@pytest.mark.parametrize("limit", range(5, 12))
def test_what_the_cut_makes_longer_is_cut_again(limit):
    (joined,) = import_script("mrc").Joiner(Contrary(), limit)([("a?", "abababab.", "bab.")])
    # Two for the question, one for the mark, two that the new end costs.
    kept = "abababab."[: limit - 5]
    assert joined == (("a? </s> " + kept, limit, 9 - len(kept), "cut") if kept else None)


def test_answers_that_the_cut_loses_are_counted(join):
    passage = PASSAGES[0]
    answers = [passage.split()[0], passage.split()[-1], "Бұл  кітап".replace("  ", "\u3000"), "жоқ сөз"]
    _, counts = join([QUESTIONS[0]] * 4, [passage] * 4, answers, limit=40)
    # The first word stays, the last one and the third from the end go; the fourth never was in it.
    assert counts["answers"] == {"in_the_passage": 1, "lost_by_the_cut": 2, "in_other_words": 1}
    _, counts = join([QUESTIONS[0]] * 4, [passage] * 4, answers, limit=500)
    assert counts["answers"] == {"in_the_passage": 3, "lost_by_the_cut": 0, "in_other_words": 1}


def test_all_questions_that_cannot_be_asked_are_named_at_once(join, tmp_path):
    done = join(["天？", "", CORPUS[5] * 2, "天？"], ["天气", "天气", "天气", " "], limit=20, check=False)
    assert_fails(done)
    for name, line, words in (("question", 2, "empty"), ("passage", 4, "empty"), ("question", 3, "no room for a")):
        assert f"{tmp_path / name}, line {line}: " in done.stderr and words in done.stderr
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.counts.json").exists()


def test_bad_arguments(join, tmp_path):
    assert "does not know it" in join(["天？"], ["天"], options=["--separator", "@@"], check=False).stderr
    assert "question has 1, " in join(["天？"], ["天", "气"], check=False).stderr
    assert join(["天？"], ["天"], limit=2, check=False).returncode == 2
    done = join(["天？"], ["天"], options=["--out", tmp_path / "passage"], check=False)
    assert done.returncode == 1 and "is an input" in done.stderr
    done = join(["天？"], ["天"], options=["--answer", tmp_path / "none"], check=False)
    assert done.returncode == 1 and "{}: there is no such file".format(tmp_path / "none") in done.stderr
