from types import SimpleNamespace

import pytest

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.validation.settings import ValidationConfig, check_best_metric, score_names

SCORES = ["chrfpp", "wrong_language", "length_ratio", "mt.zh-kk_chrfpp", "mt.zh-kk_wrong_language"]
LOSSES = ["loss", "mt.zh-kk_nll"]


@pytest.mark.parametrize(
    "text, names",
    [(None, []), ("", []), ("chrfpp", ["chrfpp"]), (" rougeL, chrfpp,rougeL,", ["rougeL", "chrfpp"])],
)
def test_scores_by_name_none_of_them_twice(text, names):
    assert score_names(ValidationConfig(validation_scores=text)) == names


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(SwcmError) as caught:
        # "repeated" compares outputs with each other, which batches cannot.
        score_names(
            ValidationConfig(
                validation_scores="chrF,bleu,repeated",
                validation_beam=0,
                validation_max_len_a=-0.5,
                validation_max_len_b=0,
                validation_sentences=-1,
            )
        )
    problems = caught.value.problems
    assert ["no score 'chrF'" in problems[0], "no score 'repeated'" in problems[1]] == [True, True]
    assert "chrf, chrfpp" in problems[0] and len(problems) == 6
    flags = ("--validation-beam is 0", "--validation-max-len-a is -0.5", "--validation-max-len-b", "--validation-sent")
    assert all(problem.startswith(flag) for problem, flag in zip(problems[2:], flags))


def check(name, maximize=False, others=LOSSES):
    flags = SimpleNamespace(best_checkpoint_metric=name, maximize_best_checkpoint_metric=maximize)
    check_best_metric(flags, SCORES, others)


@pytest.mark.parametrize(
    "flags",
    [
        ("loss",),
        ("mt.zh-kk_nll",),
        ("chrfpp", True),
        ("mt.zh-kk_chrfpp", True),
        ("mt.zh-kk_wrong_language", False),
        # What an unknown criterion logs is its own affair.
        ("wer", False, None),
    ],
)
def test_what_will_be_logged_may_choose(flags):
    check(*flags)


@pytest.mark.parametrize(
    "flags, words",
    [
        (("rougeL", True), "rougeL: a score that --validation-scores does not ask for"),
        (("mt.zh-mn_chrfpp", True), "mt.zh-mn_chrfpp: a score that --validation-scores does not ask for"),
        (("bleu", True, None), "does not ask for"),
        (("chrF++", True), "nothing of that name is logged; there is loss, mt.zh-kk_nll, chrfpp"),
        (("chrfpp", False), "add --maximize-best-checkpoint-metric"),
        (("wrong_language", True), "leave out --maximize-best-checkpoint-metric"),
        (("length_ratio", True), "neither more of it is better nor less"),
    ],
)
def test_what_cannot_choose_is_refused_in_one_line(flags, words):
    with pytest.raises(SwcmError) as caught:
        check(*flags)
    assert words in str(caught.value) and "\n" not in str(caught.value)
