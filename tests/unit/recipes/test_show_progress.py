"""The line a person follows a training by."""

import io
import sys

import pytest

from recipes.lib import show_progress

TRAIN = (
    "2026-01-01 10:00:00 | INFO | train_inner | epoch 001:     {0} / 183 loss=8.635, nll_loss=7.9, ppl=244.2, "
    "mt.zh-kk_ppl=1, num_updates={0}, lr=0.0005, gnorm=1.8, wall=92\n"
)


@pytest.fixture
def show(monkeypatch, capsys):
    def run(text, updates, seconds=(), scores=""):
        clock = iter(seconds)
        monkeypatch.setattr(show_progress.time, "time", lambda: next(clock))
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        monkeypatch.setattr(sys, "argv", ["show_progress", "--updates", str(updates), "--scores", scores])
        show_progress.main()
        return capsys.readouterr().out

    return run


def test_time_left_is_that_of_the_updates_to_come(show):
    # 100 updates in 120 seconds since the first line; 200 more are to come.
    out = show(TRAIN.format(100) + TRAIN.format(200), 400, [0.0, 1000.0, 1120.0])
    first, second = out.splitlines()
    assert "update   100" in first and "left" not in first
    assert "50%" in second and "ppl    244.2" in second and second.endswith("about 4 min left")


def test_what_goes_wrong_goes_through_and_chatter_does_not(show):
    out = show("error: no such file\n  - one\n{'cfg': 1}\n... | INFO | x | start: 3 tensors\n", 10, [0.0])
    assert out.splitlines() == ["error: no such file", "  - one", "start: 3 tensors"]


def test_validation_is_shown(show):
    line = "t | INFO | valid | epoch 001 | valid on 'valid' subset | loss 8.635 | nll_loss 7.9 | ppl 244.2 | wps 3\n"
    assert show(line, 10, [0.0]) == "validation     loss  8.635  ppl    244.2\n"


def test_scores_that_were_asked_for_stand_beside_the_loss(show):
    line = "x | INFO | valid | epoch 001 | valid on 'v' subset | loss 7.1 | ppl 90 | chrfpp 12.5 | mt.zh-kk_chrfpp 11\n"
    assert show(line, 400, [0.0]).strip() == "validation     loss    7.1  ppl       90"
    assert show(line, 400, [0.0], scores="chrfpp, rougeL").strip().endswith("ppl       90  chrfpp 12.5")


JSON_TRAIN = '2026-01-01 | INFO | train_inner | {{"epoch": 1, "loss": "8.635", "ppl": "244.2", "num_updates": "{}"}}\n'


def test_logs_in_json_are_read(show):
    valid = '2026-01-01 | INFO | valid | {"epoch": 1, "valid_loss": "7.1", "valid_ppl": "90", "valid_chrfpp": "12.5"}\n'
    out = show(JSON_TRAIN.format(100) + valid + JSON_TRAIN.format(200), 400, [0.0, 1000.0, 1120.0], scores="chrfpp")
    first, validation, second = out.splitlines()
    assert "update   100  loss  8.635" in first and second.endswith("about 4 min left")
    assert validation == "validation     loss    7.1  ppl       90  chrfpp 12.5"


@pytest.mark.parametrize(
    "line",
    [
        "t | INFO | train_inner | epoch 001:  10 / 183 loss=8.6\n",
        't | INFO | train_inner | {"epoch": 1, "loss":\n',
        "t | INFO | train_inner | num_updates=1.5, loss=x\n",
        "t | INFO | valid | nothing of the kind\n",
        "epoch 001:  12%|# | 3/25 [00:01<00:09, loss=8.6, num_updates=3]\r\n",
        "\udcff | train_inner | num_updates=7, loss=\udcff, ppl=\udcff\n",
    ],
)
def test_what_cannot_be_read_is_passed_over(show, line):
    out = show(line + TRAIN.format(100), 400, [0.0, 0.0, 0.0])
    assert " 100  loss  8.635" in out.splitlines()[-1]


def test_the_pace_goes_through(show):
    line = "2026-01-01 | INFO | swcm_fairseq.training.pace | pace: 2 s an update, about 26 min for the 794 to come\n"
    assert show(line, 800, [0.0]) == "pace: 2 s an update, about 26 min for the 794 to come\n"


def test_a_log_is_read_to_its_end_when_nobody_looks(show, monkeypatch):
    import builtins

    def broken(*args, **options):
        raise BrokenPipeError

    monkeypatch.setattr(builtins, "print", broken)
    rest = io.StringIO(TRAIN.format(100) * 3)
    show_text = rest.getvalue()
    assert show(show_text, 400, [0.0] * 9) == ""
