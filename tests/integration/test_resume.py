"""A training that is killed and started again is the training that was not killed, bit for bit."""

import random
import re
import signal
import zipfile
from pathlib import Path

import pytest

from tests.support.trainings import make_data, read_probe, run_trainings

ROOT = Path(__file__).resolve().parent.parent.parent
UPDATES = 12


def flags(data, save_dir, *more):
    """A training with dropout, accumulated batches and a rate that moves; about 5 updates an epoch."""
    text = (
        "{} --user-dir {}/swcm_fairseq --save-dir {} --arch xlm_swcm "
        "--encoder-layers 2 --encoder-embed-dim 16 --encoder-ffn-embed-dim 24 --encoder-attention-heads 2 "
        "--insert-normal-every 2 --max-positions 40 --dropout 0.2 --criterion swcm_cross_entropy "
        "--label-smoothing 0.1 --optimizer adamw --lr 3e-3 --lr-scheduler inverse_sqrt --warmup-updates 4 "
        "--clip-norm 1.0 --max-tokens 60 --update-freq 2 --max-update {} --save-interval-updates 3 "
        "--no-epoch-checkpoints --log-format json --log-interval 1 --cpu --seed 7"
    )
    return text.format(data, ROOT, save_dir, UPDATES).split() + list(more)


class Trainings:
    """Collects jobs, runs them all, and finds their results by name."""

    def __init__(self, folder) -> None:
        self.folder, self.names, self.jobs = Path(folder), [], []
        self.data = make_data(self.folder / "data", lines=90)

    def add(self, name: str, *more: str, kill=None, save_dir: str = "") -> None:
        folder = self.folder / (save_dir or name)
        self.names.append(name)
        self.jobs.append(
            {
                "args": flags(self.data, folder, *more),
                "probe": str(self.folder / (name + ".probe")),
                "log": str(self.folder / (name + ".log")),
                "kill": kill,
            }
        )

    def run(self) -> None:
        self.codes = dict(zip(self.names, run_trainings(self.folder, self.jobs)))

    def probe(self, name: str):
        assert self.codes[name] in (0, -signal.SIGKILL), self.log(name)[-3000:]
        return read_probe(self.folder / (name + ".probe"))

    def log(self, name: str) -> str:
        return (self.folder / (name + ".log")).read_text()


FINETUNING = ["--task", "swcm_finetuning", "--lang-pairs", "zh-kk,zh-mn"]
# Alpha 1 takes every example once an epoch, and fairseq may keep an epoch's batches for the next. Pretraining draws
# noise by epoch, and inputs for the decoder by update.
SETTINGS = {
    "float32": FINETUNING + ["--sampling-alpha", "0.3"],
    "bf16": FINETUNING + ["--sampling-alpha", "1", "--bf16"],
    "pretraining": (
        "--task swcm_pretraining --dae-langs zh,kk --mt-pairs zh-kk --mt-share 0.4 --sampling-alpha 0.3 "
        "--scheduled-sampling linear --sampling-half-life 6 --bf16"
    ).split(),
}
# Killed in the middle of the second epoch, then in the writing of a checkpoint; each time gone on with as many workers.
STAGES = {
    "first": {"workers": 1, "kill": {"update": 8, "in": "step"}, "starts": 1},
    "second": {"workers": 2, "kill": {"update": 9, "in": "checkpoint_last.pt"}, "starts": 7},
    "third": {"workers": 0, "kill": None, "starts": 10},
}


@pytest.fixture(scope="module")
def trainings(tmp_path_factory):
    """For each setting a whole training without workers, and one in three stages."""
    runs = Trainings(tmp_path_factory.mktemp("resume"))
    for setting, more in SETTINGS.items():
        runs.add(setting, *more, "--save-interval-updates", "0")
        for stage, how in STAGES.items():
            workers = ["--num-workers", str(how["workers"])]
            runs.add(f"{setting}.{stage}", *more, *workers, kill=how["kill"], save_dir=setting + ".staged")
    runs.run()
    return runs


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("setting", SETTINGS)
def test_killed_and_resumed_run_equals_the_whole_run(trainings, setting, stage):
    name, kill = f"{setting}.{stage}", STAGES[stage]["kill"]
    whole, part = trainings.probe(setting), trainings.probe(name)
    assert trainings.codes[name] == (-signal.SIGKILL if kill else 0)
    assert list(whole) == list(range(1, UPDATES + 1))
    last = kill["update"] - (kill["in"] == "step") if kill else UPDATES
    assert list(part) == list(range(STAGES[stage]["starts"], last + 1))
    assert part == {number: whole[number] for number in part}


def test_kills_fall_into_a_later_epoch(trainings):
    # Else the tests above say nothing of what an epoch draws and how its batches are made.
    assert "(epoch 2 @ 6 updates)" in trainings.log("float32.second")
    assert "(epoch 2 @ 9 updates)" in trainings.log("float32.third")


def test_masters_hold_more_than_the_weights(trainings):
    # Else the equality in bf16 would not show that masters were restored.
    whole = trainings.probe("bf16")
    assert len({update.masters for update in whole.values()}) == UPDATES
    assert "restored the float32 masters" in trainings.log("bf16.second")


def test_kill_in_the_writing_leaves_the_newest_whole_file_to_go_on_from(trainings):
    log = trainings.log("float32.third")
    assert re.search(r"checkpoint_last.pt is older: going on from .*checkpoint_\S+ \(epoch 2, 9 updates\)", log)


def test_checkpoints_are_whole_and_no_unfinished_ones_are_left(trainings):
    for setting in SETTINGS:
        folder = trainings.folder / (setting + ".staged")
        assert not list(folder.glob("*.tmp"))
        assert {path.name for path in folder.glob("*.pt")} >= {"checkpoint_best.pt", "checkpoint_last.pt"}
        for path in folder.glob("*.pt"):
            with zipfile.ZipFile(str(path)) as archive:
                assert archive.testzip() is None


@pytest.mark.slow
def test_killed_at_any_time_again_and_again(tmp_path):
    chance, kills, updates = random.Random(1), 10, 200
    runs = Trainings(tmp_path)
    # A save after each update, so that half of the kills fall into the writing.
    more = FINETUNING + ["--bf16", "--disable-validation", "--num-workers", "0", "--max-update", str(updates)]
    saving = ["--save-interval-updates", "1", "--keep-interval-updates", "3"]
    runs.add("whole", *more, "--save-interval-updates", "0")
    for number in range(kills):
        kill = {"in": "time", "after": chance.uniform(0, 0.8)}
        runs.add(f"part{number}", *more, *saving, kill=kill, save_dir="parts")
    runs.add(f"part{kills}", *more, *saving, save_dir="parts")
    runs.run()
    whole, seen = runs.probe("whole"), {0}
    for number in range(kills + 1):
        part = runs.probe(f"part{number}")
        assert runs.codes[f"part{number}"] == (0 if number == kills else -signal.SIGKILL)
        assert part == {update: whole[update] for update in part}
        # Two at most are done again: the one whose save was cut off, and the one that was being computed.
        assert not part or max(seen) - 1 <= min(part) <= max(seen) + 1
        seen.update(part)
    assert seen == set(range(updates + 1))
