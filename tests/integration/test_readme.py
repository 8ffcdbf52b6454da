"""The README's commands, the quickstart among them, run as they are printed, at the tiniest size."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest
import sentencepiece
import torch

from tests.toy import start_from

TINY = {
    "UPDATES": "3",
    "LOG_EVERY": "1",
    "TRAIN_PAIRS": "40",
    "VALID_PAIRS": "4",
    "TEST_PAIRS": "6",
    "KEEP_LAYERS": "0,3",
    "BEAM": "2",
    "MAX_LEN": "8",
}
LANGS = ("kk", "mn", "ug")


def blocks(text):
    """The shell blocks of the README, in order."""
    return re.findall(r"^```bash\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def checkout(repo, tmp_path_factory):
    """A copy of what git tracks, with this environment as its .venv, in which every README block has run."""
    copy = tmp_path_factory.mktemp("clone of it")  # a path with spaces, as users have them
    names = subprocess.check_output(["git", "ls-files", "-z"], cwd=str(repo)).decode().split("\0")
    for name in filter(None, names):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(str(repo / name), str(copy / name))
    (copy / ".venv").symlink_to(sys.prefix)
    return copy


@pytest.fixture(scope="module")
def outputs(checkout, run):
    """What each block printed."""
    environment = dict(TINY, SWCM_VENV=None, PYTHONPATH=str(checkout))
    found = []
    for block in blocks((checkout / "README.md").read_text(encoding="utf-8")):
        done = run(["bash", "-euo", "pipefail", "-c", block], cwd=str(checkout), env=environment, timeout=1500)
        found.append(done.stdout)
    return found


pytestmark = [pytest.mark.network, pytest.mark.slow]


def test_every_block_runs(outputs):
    assert len(outputs) >= 3 and all(outputs)


def test_the_test_command_is_the_only_one_left_out(repo):
    text = (repo / "README.md").read_text(encoding="utf-8")
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    commands = [body for kind, body in fenced if kind != "bash" and re.match(r"(bash|python|fairseq|swcm|pip)", body)]
    assert [body.strip() for body in commands] == ["bash recipes/test.sh"]


def test_quickstart_writes_scores_of_all_systems(outputs, checkout):
    scores = json.loads((checkout / "runs/quickstart/scores.json").read_text(encoding="utf-8"))["systems"]
    assert sorted(scores) == ["copy", "random", "shared", "shuffled"]
    for system in scores.values():
        assert sorted(system) == sorted(LANGS)
        for values in system.values():
            assert all(0 <= values[name] <= 100 for name in ("bleu", "chrf", "chrfpp"))
            assert sorted(values["signatures"]) == ["bleu", "chrf", "chrfpp"]


def test_the_two_trainings_differ_by_one_flag(outputs, checkout):
    quickstart = checkout / "runs" / "quickstart"
    lines = {name: shlex.split((quickstart / name / "command.txt").read_text()) for name in ("shared", "random")}
    renamed = [word.replace("quickstart/random", "quickstart/shared") for word in lines["random"]]
    assert renamed == lines["shared"] + ["--decoder-init", "random"]


def test_the_encoders_tensors_are_where_the_report_says(outputs, checkout):
    report = (checkout / "runs/quickstart/shared/start_report.tsv").read_text(encoding="utf-8").splitlines()[1:]
    kinds = {line.split("\t")[0]: line.split("\t")[2] for line in report}
    assert kinds["encoder.layers.1.ffn.fc1.weight"] == "copied"
    assert kinds["decoder.layers.1.ffn2.fc1.weight"] == "copied"
    random = (checkout / "runs/quickstart/random/start_report.tsv").read_text(encoding="utf-8")
    assert re.search(r"^decoder\.layers\.1\.ffn2\.fc1\.weight\t\S+\trandom\t", random, re.MULTILINE)


def test_the_printed_commands_work(outputs, checkout, run):
    printed = outputs[0].split("Type sentences at it:")[1]
    interactive, python = printed.split("From Python:")
    done = run(["bash", "-c", "echo 打开文件 | " + interactive.strip()], env={"PYTHONPATH": str(checkout)})
    assert re.search(r"^D-0\t", done.stdout, re.MULTILINE)
    done = run(["bash", "-c", python.strip()], env={"PYTHONPATH": str(checkout)})
    assert re.match(r"\['.*'\]$", done.stdout.strip())


def test_a_second_run_skips_what_is_done(outputs, checkout, run):
    before = os.stat(str(checkout / "runs/quickstart/shared/checkpoint_best.pt")).st_mtime_ns
    done = run(
        ["bash", "recipes/quickstart.sh"],
        cwd=str(checkout),
        timeout=300,
        env=dict(TINY, SWCM_VENV=None, PYTHONPATH=str(checkout)),
    )
    assert os.stat(str(checkout / "runs/quickstart/shared/checkpoint_best.pt")).st_mtime_ns == before
    assert "training into" not in done.stdout


@torch.no_grad()
def test_the_real_encoder_computes_what_hugging_faces_does(outputs, checkout):
    from transformers import XLMRobertaModel

    folder = str(checkout / "runs" / "quickstart" / "encoder-full")
    ours = start_from(folder).encoder.eval()
    theirs = XLMRobertaModel.from_pretrained(folder, add_pooling_layer=False).eval()
    pieces = sentencepiece.SentencePieceProcessor(model_file=os.path.join(folder, "sentencepiece.bpe.model"))
    texts = ["打开文件", "Файлды ашу үшін осы жерді басыңыз", "ھۆججەت ئاچ", "Hello, world!"]
    rows = [[0] + [piece + 1 for piece in pieces.encode(text)] + [2] for text in texts]
    tokens = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=1)
    real = tokens.ne(1)
    found = ours(tokens)["encoder_out"][0].transpose(0, 1)
    expected = theirs(tokens, attention_mask=real.long()).last_hidden_state
    torch.testing.assert_close(found[real], expected[real], atol=1e-5, rtol=0)
