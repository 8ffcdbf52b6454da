"""The commands that take a model out and translate with it, from a checkpoint to lines of text."""

import json
import resource

import pytest

from tests.support.toy import toy_checkpoint

LINES = "打开文件\n\n今天天气很好，我们去山上看羊。\n学校\n"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A checkpoint in a folder of a run as the quickstart leaves it."""
    run = tmp_path_factory.mktemp("run")
    (run / "shared").mkdir()
    path = toy_checkpoint(run / "shared", lang_pairs="zh-kk,zh-mn")
    values = {"bleu": 7.26, "chrf": 20.44, "chrfpp": 18.75, "signatures": {"bleu": "tok:13a|version:2.6.0"}}
    (run / "scores.json").write_text(json.dumps({"systems": {"random": {}, "shared": {"kk": values}}}))
    (run / "shared" / "command.txt").write_text(f"fairseq-train {run}/data-bin --user-dir /home/me/swcm")
    (run / "split").mkdir()
    counts = {"pairs": {"zh-kk": {"train": 5000, "valid": 100, "test": 150}}}
    (run / "split" / "split.counts.json").write_text(json.dumps(counts))
    (run / "encoder").mkdir()
    (run / "encoder" / "README.md").write_text("---\nlanguage: zh\nlicense: mit\n---\n")
    return path


@pytest.fixture(scope="module", params=["ct2", "onnx"])
def folder(request, run, checkpoint, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param) / "model"
    done = run(["swcm-export", checkpoint, folder, "--to", request.param])
    assert f"MB for {request.param}" in done.stderr
    return folder


def test_pipes_and_files_give_the_same(run, folder, tmp_path):
    command = ["swcm-translate", "--model", folder, "--to", "kk", "--max-len", "8", "--threads", "1"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run(command, input=LINES)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Processor time, which a busy machine does not change much; starting torch and fairseq alone takes more.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2
    assert [bool(line) for line in done.stdout.split("\n")] == [True, False, True, True, False]
    assert "4 lines, " in done.stderr
    (tmp_path / "in.txt").write_text(LINES, encoding="utf-8")
    command[0:1] = ["swcm-translate-file", tmp_path / "in.txt", tmp_path / "out.txt"]
    run(command)
    assert (tmp_path / "out.txt").read_text(encoding="utf-8") == done.stdout
    again = run(command, check=False)
    assert again.returncode == 1 and "exists already; give --force" in again.stderr


def test_the_card_tells_what_the_run_tells(folder):
    card = (folder / "README.md").read_text(encoding="utf-8")
    for part in (
        "# Chinese to Kazakh and Mongolian",
        "license: mit",
        "| zh-kk | 5,000 | 100 | 150 |",
        "| kk | 7.3 | 20.4 | 18.8 |",
        "- BLEU: `tok:13a|version:2.6.0`",
        "fairseq-train data-bin --user-dir swcm\n",
    ):
        assert part in card, part


def test_wrong_usage_and_what_is_there_already(run, checkpoint, folder, tmp_path):
    done = run(["swcm-export", checkpoint, tmp_path / "x", "--to", "hf", "--quantization", "int8"], check=False)
    assert done.returncode == 2 and "--quantization int8 is none of hf's: none" in done.stderr
    done = run(["swcm-export", checkpoint, folder, "--to", "hf"], check=False)
    assert done.returncode == 1 and "exists already; give --force" in done.stderr
    done = run(["swcm-translate", "--model", folder, "--to", "kz"], check=False, input="")
    assert done.returncode == 1 and "unknown language 'kz'" in done.stderr and "Traceback" not in done.stderr
