from pathlib import Path

import pytest

from recipes.lib import quickstart_plan as plan
from recipes.lib.reproduce_plan import read_rows

ROOT = Path(__file__).resolve().parent.parent.parent.parent

LINE = "2026 | INFO | train_inner | epoch 001: 5 / 99 loss=9, num_updates={}, lr=1, train_wall=3, gb_free=1, wall={}\n"


def log(tmp_path, *steps):
    path = tmp_path / "train.log"
    path.write_text("begin\n" + "".join(LINE.format(*step) for step in steps), encoding="utf-8")
    return str(path)


def test_the_clock_runs_between_the_lines_and_not_over_a_new_start(tmp_path):
    assert plan.seconds_an_update(log(tmp_path, (5, 60), (10, 64), (20, 74))) == pytest.approx(14 / 15)
    # Stopped after the 20th and gone on from the 10th.
    assert plan.seconds_an_update(log(tmp_path, (10, 60), (20, 70), (15, 9), (25, 29))) == pytest.approx(30 / 20)


def test_a_log_without_updates_to_measure_is_named(tmp_path, run):
    path = log(tmp_path, (5, 60))
    assert plan.seconds_an_update(path) is None
    command = ["python", "-m", "recipes.lib.quickstart_plan", "updates", "--log", path, "--seconds", "100"]
    done = run(command, check=False)
    assert done.returncode == 1 and "train.log holds no updates to measure" in done.stderr


@pytest.mark.parametrize(
    "seconds, each, trainings, expected",
    [
        (1200, 0.5, 1, 1800),  # (1200 * 0.8 - 45) / 0.5 = 1830
        (1200, 0.5, 2, 850),  # (480 - 45) / 0.5 = 870
        (60, 0.5, 1, 100),
        (3600, 0.1, 1, 28000),  # 28350
    ],
)
def test_as_many_updates_as_fit_in_round_numbers(seconds, each, trainings, expected):
    assert plan.updates_that_fit(seconds, each, trainings) == expected


def test_the_end_says_what_an_hour_would_give_and_how_to_go_on():
    entry = {"row": plan.ROW, "pairs": "all", "updates": 800, "test": {"kk": {"chrfpp": 25.0}, "mn": {"chrfpp": 24.0}}}
    others = [dict(entry, pairs="2000", updates=1), dict(entry, row="random", updates=2)]
    lines = plan.further(1800, 0.5, [*others, entry])
    assert "    800 updates: kk 25.0, mn 24.0, mean 24.5" in lines and not [one for one in lines if "2 updates:" in one]
    assert "  UPDATES=5500 bash recipes/quickstart.sh" in lines  # (3600 * 0.8 - 45) / 0.5 = 5670
    assert "  UPDATES=6 bash recipes/quickstart.sh" in plan.further(3, None, [])
    assert "  UPDATES=12000 bash recipes/quickstart.sh" in plan.further(6000, 0.5, [])


def test_seeds_of_one_length_are_averaged():
    seeds = [
        {"row": plan.ROW, "pairs": "all", "updates": 800, "test": {"kk": {"chrfpp": kk}, "mn": {"chrfpp": 20.0}}}
        for kk in (24.0, 26.0)
    ]
    found = [line for line in plan.further(1800, 0.5, seeds) if "updates:" in line]
    assert found == ["    800 updates: kk 25.0, mn 20.0, mean 22.5"]


def test_the_row_is_the_quickstarts_own():
    quickstart = (ROOT / "recipes" / "quickstart.sh").read_text(encoding="utf-8")
    train = (ROOT / "recipes" / "train.sh").read_text(encoding="utf-8")
    row = read_rows()[plan.ROW]
    assert f'"${{KEEP_LAYERS={row.layers}}}"' in quickstart and '"${RECIPE:=best}"' in quickstart
    assert "recipe=({})".format(row.flags.replace(" --dropout 0", "")) in train
