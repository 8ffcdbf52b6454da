"""recipes/quickstart.sh on text and an encoder made here: as many updates as fit, and further ones later."""

import json
import shutil

import pytest

from tests.support.tiny_encoder import make_encoder_folder
from tests.support.toy import write_pairs

from .test_data_recipes import needs_unpacker, programs
from .test_finetune_mt import pair


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory, run, repo):
    folder = tmp_path_factory.mktemp("a quickstart")
    (folder / "text").mkdir()
    write_pairs(folder / "text", "zh-kk", [pair(number) for number in range(60)])
    settings = {
        "TEXT": folder / "text",
        "ENCODER": make_encoder_folder(folder / "encoder", layers=4),
        "OUT": folder / "out",
        "LANGS": "kk",
        "KEEP_LAYERS": "0,2",
        "MAX_PIECES": 30,  # this encoder reads no more than 64
        "VALID_PAIRS": 4,
        "TEST_PAIRS": 5,
        "MAX_LEN": 8,
        "PRECISION": "fp32",
        "BEAM": 1,
        "VALIDATION_SENTENCES": 2,
    }

    def call(check=True, **environment):
        return run(
            ["bash", repo / "recipes" / "quickstart.sh"], env={**settings, **environment}, check=check, timeout=900
        )

    return folder / "out", call


def test_it_makes_the_updates_that_fit_and_goes_on_from_there(quickstart):
    out, call = quickstart
    out.mkdir()
    (out / "updates").write_text("1 minutes, COMPARE=0\t12\n")  # what a run that was stopped has measured
    first = call(MINUTES=1)
    assert "12 updates fit 1 minutes" in first.stdout and "measuring" not in first.stdout
    assert (out / "shared" / "done").read_text().strip() == "12"
    scores = json.loads((out / "scores.json").read_text(encoding="utf-8"))["systems"]
    assert sorted(scores) == ["copy", "shared", "shuffled"] and not (out / "random").exists()
    command = (out / "shared" / "command.txt").read_text()
    assert "--insert-normal-every 0" in command and "--lr 1e-3" in command and "--dropout 0 " in command
    assert "goes on from where it stands" in first.stdout and "12 updates are made" in first.stdout

    before = (out / "packed" / "model.safetensors").read_bytes()
    further = call(UPDATES=40)
    assert "12 updates are made, it goes on to 40" in further.stdout
    assert "checkpoint_last.pt (epoch" in further.stdout and (out / "shared" / "done").read_text().strip() == "40"
    assert "num_updates 40" in (out / "shared" / "train.log").read_text().split("Loaded checkpoint")[1]
    assert (out / "packed" / "model.safetensors").read_bytes() != before

    before = (out / "packed" / "model.safetensors").read_bytes()
    again = call(UPDATES=20)
    assert "training into" not in again.stdout and (out / "packed" / "model.safetensors").read_bytes() == before


@needs_unpacker
def test_other_programs_messages_are_kept_apart_and_models_compared(quickstart, run, repo, tmp_path):
    out, call = quickstart
    call(UPDATES=3)  # or as many as there are
    trained = pair(0)

    def texts(name):
        place = 100 + 10 * len(name)
        found = {str(number): dict(zip(("zh", "kk"), pair(number))) for number in range(place, place + 4)}
        return {**found, "known": dict(zip(("zh", "kk"), trained))}

    env = {
        "LANGS": "kk",
        "OUT": tmp_path / "out",
        "SWCM_GNOME_DIR": programs(tmp_path / "packages", texts),
        "TEST_PAIRS": 6,
        "MAX_PIECES": 30,
        "MAX_LEN": 8,
        "BEAM": 1,
    }
    models = [out / "packed", shutil.copytree(str(out / "packed"), str(tmp_path / "other model"))]
    command = ["bash", repo / "recipes" / "benchmark" / "other_software.sh", out]
    done = run([*command, *models], env=env)
    counts = json.loads((tmp_path / "out" / "clean" / "zh-kk.counts.json").read_text())
    assert counts["dropped"]["held_out"] == 7 and counts["kept"] >= 6
    tests = (tmp_path / "out" / "split" / "test.zh-kk.zh").read_text(encoding="utf-8").splitlines()
    assert len(tests) == 6 and trained[0] not in tests
    rows = [line.split() for line in done.stdout.splitlines() if "±" in line]
    assert len(rows) == 3 and rows[-1][0] == "shuffled" and rows[0][-2] == rows[1][-2]
    again = run([*command, *models], env=env)
    assert again.stdout.count("there already") == 5 and done.stdout.splitlines()[-9:] == again.stdout.splitlines()[-9:]
    refused = run(["bash", command[1], tmp_path], check=False)
    assert refused.returncode == 1 and "is no finished quickstart" in refused.stderr


@pytest.mark.parametrize("wrong", [{"RECIPE": "quickest"}, {"MINUTES": "0"}, {"UPDATES": "some"}], ids=str)
def test_settings_that_mean_nothing_are_refused(quickstart, wrong):
    _, call = quickstart
    done = call(check=False, **{"UPDATES": 3, **wrong})
    assert done.returncode in (1, 2) and next(iter(wrong)) in done.stderr
