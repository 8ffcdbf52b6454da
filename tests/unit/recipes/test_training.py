"""The flags that recipes make of VALIDATION_SCORES and BEST_METRIC, and of PRECISION."""

import pytest

from swcm_fairseq.scoring import METRICS

SCRIPT = (
    '. "$1/recipes/lib/common.sh"; . "$1/recipes/lib/training.sh"; validation_flags; printf "%s\\n" "${validation[*]}"'
)
MAXIMIZE = "--maximize-best-checkpoint-metric"


@pytest.fixture
def flags(run, repo):
    return lambda **environment: run(
        ["bash", "-euo", "pipefail", "-c", SCRIPT, "bash", repo],
        env={"VALIDATION_SCORES": None, "BEST_METRIC": None, **environment},
    ).stdout.strip()


def test_nothing_is_asked_for_without_them(flags):
    assert flags() == ""


def test_scores_are_asked_for_with_their_settings(flags):
    assert flags(VALIDATION_SCORES="chrfpp,rougeL", VALIDATION_BEAM=3, VALIDATION_SENTENCES=0) == (
        "--validation-scores chrfpp,rougeL --validation-sentences 0 --validation-beam 3 --validation-max-len-b 100 "
        "--validation-print-samples"
    )


def test_the_best_is_the_highest_of_a_score_and_the_lowest_of_a_loss(flags):
    highest = [name for name, metric in METRICS.items() if metric.better == 1] + ["accuracy", "mt.zh-kk_chrfpp"]
    lowest = [name for name, metric in METRICS.items() if metric.better == -1 and name != "repeated"]
    lowest += ["loss", "nll_loss", "ppl", "mt.zh-kk_nll", "mt.zh-kk_ppl", "mt.zh-kk_wrong_language"]
    assert [flags(BEST_METRIC=name) for name in highest] == [
        f"--best-checkpoint-metric {name} {MAXIMIZE}" for name in highest
    ]
    assert [flags(BEST_METRIC=name) for name in lowest] == ["--best-checkpoint-metric " + name for name in lowest]


PRECISION = (
    '. "$1/recipes/lib/common.sh"; . "$1/recipes/lib/training.sh"; precision_flags "$2"; '
    'echo "${precision[*]}|$precision_line"'
)


@pytest.fixture
def precision(run, repo, tmp_path):
    """``precision(PRECISION=...)``: the flag and the line of the log for a training in ``tmp_path``."""
    return lambda **environment: run(
        ["bash", "-euo", "pipefail", "-c", PRECISION, "bash", repo, tmp_path], env=environment, check=False
    )


def test_the_precision_asked_for_is_fairseqs_flag(precision):
    assert precision(PRECISION="fp16").stdout.startswith("--fp16|precision: fp16 (asked for")
    assert precision(PRECISION="fp32").stdout.strip() == "|precision: fp32 (asked for)"


def test_auto_is_what_the_machine_is_quick_in(precision, run):
    name, reason = run(["python", "-m", "swcm_fairseq.hardware"]).stdout.strip().split("\t")
    flag, line = precision(PRECISION="auto").stdout.strip().split("|")
    assert flag == ("" if name == "fp32" else "--" + name)
    assert line.startswith(f"precision: {name} (")


def test_a_training_goes_on_in_the_precision_it_began_with(precision, tmp_path):
    (tmp_path / "command.txt").write_text("# precision: fp16 (asked for)\nfairseq-train data --fp16")
    (tmp_path / "checkpoint_last.pt").touch()
    assert precision(PRECISION="auto").stdout.startswith("--fp16|precision: fp16 (what this training began with")
    assert precision(PRECISION="fp32").stdout.startswith("|precision: fp32 (asked for)")


def test_another_precision_is_wrong_usage(precision):
    done = precision(PRECISION="int8")
    assert done.returncode == 2 and "PRECISION is auto, bf16, fp16 or fp32, not int8" in done.stderr


STARTED = """
. "$1/recipes/lib/common.sh"; . "$1/recipes/lib/training.sh"
NODE_RANK=0 VALIDATION_SCORES= SWCM_PY=shown precision_line="precision: $3"
swcm_train() {
    [ "$1" = cannot ] || { sleep 0.05; touch "$2/dict.txt"; }
    return 1
}
shown() { cat >/dev/null; }
train_shown "$2" 10 "$3" "$2"
"""


@pytest.mark.parametrize("how", ["cannot", "begins"])
def test_the_command_beside_checkpoints_is_the_one_that_made_them(run, repo, tmp_path, how):
    (tmp_path / "dict.txt").write_text("a 1\n")
    (tmp_path / "command.txt").write_text("the first")
    done = run(["bash", "-euo", "pipefail", "-c", STARTED, "bash", repo, tmp_path, how], check=False)
    assert done.returncode == 1 and "training failed" in done.stderr
    command = (tmp_path / "command.txt").read_text()
    assert command == "the first" if how == "cannot" else "fairseq-train begins" in command
