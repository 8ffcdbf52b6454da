"""The README's commands, the quickstart among them, run as they are printed, at the tiniest size."""

import json
import os
import re
import shlex
import shutil

import pytest

from tests.support.readme import LANGS, TINY, blocks

pytestmark = [pytest.mark.network, pytest.mark.slow]


@pytest.fixture(scope="module")
def checkout(repo, tracked, preloaded, tmp_path_factory):
    """A copy of what git tracks, with this environment as its .venv."""
    copy = tmp_path_factory.mktemp("clone of it")  # a path with spaces, as users have them
    for name in tracked:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(str(repo / name), str(copy / name))
    (copy / ".venv").symlink_to(preloaded())
    return copy


@pytest.fixture(scope="module")
def outputs(checkout, run):
    """What each block of README.md and recipes/README.md printed, in one copy."""
    environment = dict(TINY, SWCM_VENV=None, PYTHONPATH=str(checkout))
    found = []
    texts = [(checkout / name).read_text(encoding="utf-8") for name in ("README.md", "recipes/README.md")]
    for block in [block for text in texts for block in blocks(text)]:
        done = run(["bash", "-euo", "pipefail", "-c", block], cwd=checkout, env=environment, timeout=1500)
        found.append(done.stdout)
    return found


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
    lines = {
        name: shlex.split((quickstart / name / "command.txt").read_text(), comments=True)
        for name in ("shared", "random")
    }
    renamed = [word.replace("quickstart/random", "quickstart/shared") for word in lines["random"]]
    assert renamed == lines["shared"] + ["--decoder-init", "random"]


def test_the_encoders_tensors_are_where_the_report_says(outputs, checkout):
    report = (checkout / "runs/quickstart/shared/init_report.tsv").read_text(encoding="utf-8").splitlines()[1:]
    kinds = {line.split("\t")[0]: line.split("\t")[2] for line in report}
    assert kinds["encoder.layers.1.ffn.fc1.weight"] == "copied"
    assert kinds["decoder.layers.1.ffn2.fc1.weight"] == "copied"
    random = (checkout / "runs/quickstart/random/init_report.tsv").read_text(encoding="utf-8")
    assert re.search(r"^decoder\.layers\.1\.ffn2\.fc1\.weight\t\S+\trandom\t", random, re.MULTILINE)


def printed_command(output, heading):
    """The one paragraph behind a heading, and nothing of what follows: that is prose, and a training of an hour."""
    paragraph = output.split(f"\n{heading}\n\n")[1].split("\n\n")[0]
    assert all(line.startswith("  ") for line in paragraph.splitlines())
    return paragraph.strip()


def test_the_printed_commands_work(outputs, checkout, run):
    environment = {"PYTHONPATH": str(checkout)}
    interactive = printed_command(outputs[0], "Type sentences at it:")
    done = run(["bash", "-c", f"echo 打开文件 | {interactive}"], env=environment)
    assert re.search(r"^D-0\t", done.stdout, re.MULTILINE)
    done = run(["bash", "-c", printed_command(outputs[0], "From Python:")], env=environment)
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
