"""recipes/reproduce.sh: from text to a file of the ledger; what is there isn't run again; kills lose nothing."""

import json
import os
import random
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.tiny_encoder import make_encoder_folder
from tests.support.toy import write_pairs

from .test_finetune_mt import pair

# Stands in for fairseq-train in the test of kills, whose matter is the ledger: it takes a moment, writes what the real
# one does, goes on where it was killed, and tells of every start.
TRAIN = """\
import os, sys, time
flags = dict(zip(sys.argv[1:], sys.argv[2:]))
folder, updates = flags["--save-dir"], int(flags["--max-update"])
os.makedirs(folder, exist_ok=True)
with open(os.environ["STARTS"], "a") as stream:
    stream.write(folder + "\\n")
place = os.path.join(folder, "checkpoint_last.pt")
done = len(open(place).read()) if os.path.exists(place) else 0
for update in range(done + 1, updates + 1):
    time.sleep(0.1)
    print("x | INFO | valid | epoch 001 | valid on 'valid' subset | nll_loss 7 | chrfpp %s | num_updates %d"
          % (float(flags["--lr"]) * 100, update), flush=True)
    open(place, "a").write("x")
open(os.path.join(folder, "checkpoint_best.pt"), "w").write("x")
"""
GENERATE = """\
import os, time
references = open(os.path.join(os.environ["OUT"], "20", "split", "test.zh-kk.kk"), encoding="utf-8").read().splitlines()
time.sleep(0.2)
for place, text in enumerate(references):
    print("S-%d\\tx\\nT-%d\\tx\\nH-%d\\t0\\tx\\nD-%d\\t0\\t%s" % (place, place, place, place, text))
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("of reproduce")
    (folder / "text").mkdir()
    write_pairs(folder / "text", "zh-kk", [pair(number) for number in range(60)])
    return {
        "TEXT": folder / "text",
        "ENCODER": make_encoder_folder(folder / "encoder", layers=2),
        "OUT": folder / "out",
        "LANGS": "kk",
        "KEEP_LAYERS": "",
        "UPDATES": 3,
        "VALID_PAIRS": 5,
        "TEST_PAIRS": 8,
        "MAX_LEN": 8,
        "PRECISION": "fp32",
        "ROWS": "shared",
        "SIZES": "20",
        "SEEDS": "1",
        "LRS": "1e-3",
    }


@pytest.fixture(scope="module")
def trained(settings, run, repo):
    """The folder of the ledger after one real training."""
    done = run(["bash", repo / "recipes" / "reproduce.sh"], env=settings, timeout=900)
    assert "small.kk.20.shared.3.1e-3.1: in the ledger" in done.stdout
    return settings["OUT"] / "results"


def contents(ledger):
    return {path.name: path.read_bytes() for path in ledger.glob("[!.]*.json")}


def test_a_training_becomes_a_file_with_scores_and_settings(trained, settings):
    entry = json.loads((trained / "small.kk.20.shared.3.1e-3.1.json").read_text(encoding="utf-8"))
    assert (entry["row"], entry["pairs"], entry["updates"], entry["rate"], entry["seed"]) == (
        "shared",
        "20",
        3,
        "1e-3",
        1,
    )
    assert [one["update"] for one in entry["validation"]] == [3] and entry["train"] == {"kk": 20}
    assert entry["test"]["kk"]["sentences"] == 8 and 0 <= entry["test"]["kk"]["chrfpp"] <= 100
    assert entry["machine"]["precision"] == "fp32"
    assert not list(settings["OUT"].glob("20/shared/*/checkpoint*.pt"))


def test_a_row_may_have_an_encoder_of_its_own(settings, run, repo, tmp_path):
    encoder = make_encoder_folder(tmp_path / "encoder", layers=6)
    own = {"OUT": tmp_path / "out", "ENCODER": encoder, "KEEP_LAYERS": "0,1", "ROWS": "last layers-0-2-4", "UPDATES": 1}
    run(["bash", repo / "recipes" / "reproduce.sh"], env={**settings, **own}, timeout=900)
    for row, layers, kept in (("last", 2, None), ("layers-0-2-4", 3, "0,2,4")):
        report = (tmp_path / f"out/20/{row}/1.1e-3.1/init_report.tsv").read_text(encoding="utf-8")
        assert {int(number) for number in re.findall(r"^encoder\.layers\.(\d+)\.", report, re.M)} == set(range(layers))
        entry = json.loads((tmp_path / f"out/results/small.kk.20.{row}.1.1e-3.1.json").read_text(encoding="utf-8"))
        assert entry.get("layers") == kept


def test_what_the_ledger_has_is_not_run_again_wherever_it_is(trained, settings, run, repo, tmp_path):
    shutil.copytree(trained, tmp_path / "ledger")
    elsewhere = {**settings, "OUT": tmp_path / "out", "TEXT": "/nowhere", "LEDGER": tmp_path / "ledger"}
    done = run(["bash", repo / "recipes" / "reproduce.sh"], env=elsewhere)
    assert "the ledger has all of it" in done.stdout
    assert contents(tmp_path / "ledger") == contents(trained)


def test_a_training_that_fails_is_told_and_the_others_are_made(trained, settings, run, repo, tmp_path):
    shutil.copytree(settings["OUT"], tmp_path / "out")
    some = {**settings, "OUT": tmp_path / "out", "ROWS": "shared base-a", "JOBS": "2"}
    env = {**some, "SWCM_VENV": fake_environment(tmp_path, train="import sys; sys.exit('no memory')")}
    done = run(["bash", repo / "recipes" / "reproduce.sh"], env=env, check=False)
    assert done.returncode == 1 and "small.kk.20.base-a.3.1e-3.1 failed" in done.stderr
    assert contents(tmp_path / "out" / "results") == contents(trained)


def fake_environment(folder: Path, train: str = TRAIN, generate: str = GENERATE) -> Path:
    """A folder like a virtual environment's in which the two long commands are stand-ins."""
    bin_folder = folder / "environment" / "bin"
    bin_folder.mkdir(parents=True)
    scripts = {"fairseq-train": train, "fairseq-generate": generate}
    for name, text in scripts.items():
        (bin_folder / (name + ".py")).write_text(text, encoding="utf-8")
    calls = {name: f'exec "{sys.executable}" "{bin_folder / name}.py" "$@"' for name in scripts}
    asked = 'if [ "$2" = swcm_fairseq.hardware ]; then printf "fp32\\tasked for\\n"; exit; fi'
    calls["python"] = f'{asked}\nexec "{sys.executable}" "$@"'
    calls["swcm-score"] = "exit 0"
    calls["fairseq-preprocess"] = f'exec "{Path(sys.executable).parent}/fairseq-preprocess" "$@"'
    for name, line in calls.items():
        (bin_folder / name).write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        (bin_folder / name).chmod(stat.S_IRWXU)
    return folder / "environment"


def kill_session(leader: int) -> None:
    """kill -9 to every process of the session."""
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = Path("/proc", number, "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader:
                os.kill(int(number), signal.SIGKILL)
        except (OSError, IndexError):
            continue


def stand_in_settings(settings, repo, folder, **further) -> dict:
    """The environment of reproduce.sh with stand-ins for the long commands, to go on from a copy of ``settings``'s OUT.

    ``folder``/starts tells of every training's start.
    """
    shutil.copytree(settings["OUT"], folder / "out")
    (folder / "starts").write_text("")
    own = {"OUT": folder / "out", "STARTS": folder / "starts", "SWCM_VENV": fake_environment(folder)}
    own.update(JOBS=2, SWCM_SKIP_SETUP=1, PYTHONPATH=f"{repo}{os.pathsep}{repo / 'preprocess'}")
    return {**os.environ, **{name: str(value) for name, value in {**settings, **own, **further}.items()}}


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="processes are found in /proc")
def test_a_worker_that_was_suspended_for_a_while_goes_on(trained, settings, repo, tmp_path):
    env = stand_in_settings(settings, repo, tmp_path, ROWS="shared base-a random", LRS="1e-3 5e-4")
    log = tmp_path / "log"
    with open(log, "wb") as said:
        command = ["bash", str(repo / "recipes" / "reproduce.sh")]
        process = subprocess.Popen(command, env=env, stdout=said, stderr=said, start_new_session=True)
        try:
            while process.poll() is None and not (tmp_path / "starts").read_text():
                time.sleep(0.05)
            worker = next(group for group in groups_of(process.pid) if group != process.pid)
            os.killpg(worker, signal.SIGSTOP)
            time.sleep(1)
            os.killpg(worker, signal.SIGCONT)
            assert process.wait(120) == 0, log.read_text(errors="replace")[-3000:]
        finally:
            kill_session(process.pid)
    assert len(contents(tmp_path / "out" / "results")) == 6


def groups_of(leader: int):
    """Process groups of the session, in order."""
    found = set()
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            _, _, group, session = Path("/proc", number, "stat").read_text().rpartition(")")[2].split()[:4]
            found |= {int(group)} if int(session) == leader else set()
        except (OSError, ValueError):
            continue
    return sorted(found)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="processes are found in /proc")
def test_twenty_kills_lose_no_finished_training_and_spoil_no_file(trained, settings, run, repo, tmp_path):
    env = stand_in_settings(settings, repo, tmp_path, ROWS="shared base-a random", LRS="1e-3 5e-4", SEEDS="1 2")
    ledger, starts = tmp_path / "out" / "results", tmp_path / "starts"
    command = ["bash", str(repo / "recipes" / "reproduce.sh")]
    chance, before, kills = random.Random(7), contents(ledger), 0
    assert len(before) == 1
    while kills < 20:
        already = len(starts.read_text().splitlines())
        with open(tmp_path / "log", "ab") as log:
            process = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)
        try:
            process.wait(chance.uniform(0.1, 9))
            break  # all of it was done in between
        except subprocess.TimeoutExpired:
            kills += 1
        kill_session(process.pid)
        process.wait()
        time.sleep(0.1)
        after = contents(ledger)
        assert all(after[name] == content for name, content in before.items())
        for content in after.values():
            assert json.loads(content)["test"]["kk"]["sentences"] == 8
        begun = {training_of(line) for line in starts.read_text().splitlines()[already:]}
        assert not begun & {name[: -len(".json")] for name in before}
        before = after
    done = run(command, env=env, check=False, timeout=300)
    assert done.returncode == 0, (tmp_path / "log").read_text(errors="replace")[-3000:] + done.stdout + done.stderr
    # Three rows with two rates and the first seed, and with the second seed the better rate, which is the higher one.
    wanted = {
        f"small.kk.20.{row}.3.{rate}.1.json" for row in ("shared", "base-a", "random") for rate in ("1e-3", "5e-4")
    }
    wanted |= {f"small.kk.20.{row}.3.1e-3.2.json" for row in ("shared", "base-a", "random")}
    found = contents(ledger)
    assert set(found) == wanted and all(found[name] == content for name, content in before.items())
    assert kills >= 5


def training_of(folder: str) -> str:
    """The ledger's name of the training that was begun in a folder OUT/20/ROW/UPDATES.RATE.SEED."""
    pairs, row, rest = Path(folder).parts[-3:]
    return f"small.kk.{pairs}.{row}.{rest}"
