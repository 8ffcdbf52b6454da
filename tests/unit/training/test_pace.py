import logging

import pytest

from swcm_fairseq.training import pace
from swcm_fairseq.training.pace import Pace


@pytest.fixture
def said(monkeypatch, caplog):
    """What is logged by a training whose updates take so many seconds, each seen twice as with --update-freq 2."""

    def run(seconds, updates, first=0):
        now = [0.0]
        monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
        caplog.clear()
        told = Pace(updates)
        with caplog.at_level(logging.INFO):
            for update, taken in enumerate(seconds, first):
                told.note(update)
                told.note(update)
                now[0] += taken
        return caplog.messages

    return run


def test_the_time_left_is_told_once_after_five_updates_and_without_the_first(said):
    # A first update of a minute, then 2 seconds each; 800 - 6 are to come when the sixth has been done.
    assert said([60] + [2] * 30, 800) == ["pace: 2 s an update, about 26 min for the 794 to come"]
    assert said([60] + [2] * 5, 800) == []
    # A run that goes on counts what is left.
    assert said([60] + [2] * 9, 800, first=700) == ["pace: 2 s an update, about 3 min for the 94 to come"]


def test_an_hour_and_more_comes_with_what_to_set(said):
    line, advice = said([60] + [14] * 9, 800)
    assert "about 3.1 hours" in line
    assert "UPDATES=250 for an hour" in advice and "--max-update" in advice


def test_where_epochs_end_the_training_only_the_pace_is_told(said):
    assert said([1] + [20] * 9, 0) == ["pace: 20 s an update"]
