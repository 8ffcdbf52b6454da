"""The flags that recipes make of VALIDATION_SCORES and BEST_METRIC."""

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
        "--best-checkpoint-metric {} {}".format(name, MAXIMIZE) for name in highest
    ]
    assert [flags(BEST_METRIC=name) for name in lowest] == ["--best-checkpoint-metric " + name for name in lowest]
