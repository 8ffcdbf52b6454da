"""Files from strangers: each kind that the project reads, with a program in it, is refused by name and runs nothing."""

import argparse
import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from fairseq import checkpoint_utils
from omegaconf import OmegaConf

from swcm_fairseq.decoding import packed
from swcm_fairseq.decoding.averaging import main as average
from swcm_fairseq.decoding.packing import pack
from swcm_fairseq.errors import SwcmError
from swcm_fairseq.fairseq_patches.loading import is_program
from swcm_fairseq.fairseq_patches.progress import read_progress
from swcm_fairseq.fairseq_patches.resuming import finish_interrupted_save
from swcm_fairseq.models.finetune_from import check_finetune_from
from swcm_fairseq.pretrained import read_encoder
from swcm_fairseq.pretrained.tensor_files import read_json
from swcm_fairseq.tasks.swcm_finetuning import SwcmFinetuningTask
from swcm_fairseq.torch_files import tensor_shapes
from tests.support.evil import Trap
from tests.support.tiny_encoder import make_encoder_folder
from tests.support.toy import toy_checkpoint, toy_dictionary, write_data_bin
from tests.support.trainings import run_trainings

pytestmark = pytest.mark.usefixtures("patched")

REFUSED = f"asks for {os.name}.system"


@pytest.fixture
def trap(tmp_path):
    return Trap(tmp_path)


@pytest.fixture(params=[True, False], ids=["zip", "legacy"])
def zipped(request):
    return request.param


@pytest.fixture
def checkpoint(tmp_path):
    """A toy checkpoint that decodes, and its content."""
    path = toy_checkpoint(tmp_path, lang_pairs="zh-kk")
    return path, torch.load(path)


# ---------------------------------------------------------------------- pickles


def refused(call, trap):
    with pytest.raises(SwcmError, match=REFUSED):
        call()
    assert not trap.sprung()


def test_the_trap_works(trap):
    """Else all that follows would say nothing."""
    path = trap.put_into(trap.mark.parent / "evil.pt", {})
    program = "import sys, torch; new = hasattr(torch.serialization, 'safe_globals')\n"
    program += "torch.load(sys.argv[1], **(dict(weights_only=False) if new else {}))"
    subprocess.run([sys.executable, "-c", program, path], check=True)
    assert trap.sprung()


@pytest.mark.parametrize("sharded", [False, True])
def test_an_encoders_weights(trap, route, zipped, sharded, tmp_path):
    folder = make_encoder_folder(tmp_path / "encoder")
    os.remove(os.path.join(folder, "model.safetensors"))
    name = "part-1.bin" if sharded else "pytorch_model.bin"
    trap.put_into(os.path.join(folder, name), {"embeddings.word_embeddings.weight": torch.ones(2, 2)}, zipped)
    if sharded:
        with open(os.path.join(folder, "pytorch_model.bin.index.json"), "w") as stream:
            json.dump({"weight_map": {"embeddings.word_embeddings.weight": name}}, stream)
    refused(lambda: read_encoder(folder), trap)


def test_a_fairseq_encoder(trap, route, zipped, tmp_path):
    path = trap.put_into(tmp_path / "model.pt", {"args": argparse.Namespace(), "model": {}}, zipped)
    refused(lambda: read_encoder(path), trap)


def load_as_fairseq(path):
    return checkpoint_utils.load_checkpoint_to_cpu(path)


def load_models(path):
    return checkpoint_utils.load_model_ensemble_and_task([path])


def average_it(path):
    average(["--inputs", path, "--output", path + ".mean"])


def pack_it(path):
    pack(path, path + ".packed")


@pytest.mark.parametrize("read", [load_as_fairseq, load_models, average_it, pack_it], ids=lambda read: read.__name__)
def test_a_checkpoint(trap, route, zipped, checkpoint, read):
    path, content = checkpoint
    trap.put_into(path, content, zipped)
    refused(lambda: read(path), trap)


@pytest.mark.parametrize("place", ["model", "last_optimizer_state", "extra_state"])
def test_a_program_deep_in_a_checkpoint(trap, route, checkpoint, place):
    """Where the float32 masters are, for one."""
    path, content = checkpoint
    content[place] = dict(content.get(place) or {}, deep=[{"deeper": trap.program()}])
    torch.save(content, path)
    refused(lambda: load_as_fairseq(path), trap)


def test_a_glance_into_a_checkpoint_runs_nothing(trap, tmp_path):
    """Progress, and shapes for a handover, are read by unpicklers that know no names at all."""
    path = trap.put_into(tmp_path / "checkpoint_1_5.pt", {"model": {"a": torch.ones(2, 3)}})
    assert read_progress(path) is None
    assert tensor_shapes(path) == {"a": (2, 3)}
    with pytest.raises(SwcmError, match="does not fit"):
        check_finetune_from(path, toy_dictionary().symbols, {})
    finish_interrupted_save(str(tmp_path))
    assert not trap.sprung()


def training(folder, data, *more):
    text = """{} --user-dir swcm_fairseq --task swcm_finetuning --lang-pairs zh-kk --arch xlm_swcm_tiny --criterion
        swcm_cross_entropy --optimizer adamw --lr 1e-3 --max-tokens 100 --max-update 1 --cpu --save-dir {}"""
    return text.format(data, folder).split() + [str(one) for one in more]


def test_training_from_a_strangers_files(trap, repo, tmp_path, monkeypatch):
    """--restore-file, --finetune-from-model, checkpoint_last.pt in the folder, and --pretrained-encoder."""
    monkeypatch.chdir(repo)
    lines = ["a b", "c d", "e f"]
    sides = {f"{split}.zh-kk.{side}": lines for split in ("train", "valid") for side in ("zh", "kk")}
    data = write_data_bin(tmp_path / "data", toy_dictionary(), sides)
    outline = {"extra_state": {"train_iterator": {"epoch": 1}}, "optimizer_history": [{"num_updates": 3}], "model": {}}
    evil = trap.put_into(tmp_path / "evil.pt", outline)
    (tmp_path / "last").mkdir()
    shutil.copy(evil, str(tmp_path / "last" / "checkpoint_last.pt"))
    encoder = make_encoder_folder(tmp_path / "encoder")
    os.remove(os.path.join(encoder, "model.safetensors"))
    shutil.copy(evil, os.path.join(encoder, "pytorch_model.bin"))
    cases = {
        "restore": ["--restore-file", evil],
        "finetune": ["--finetune-from-model", evil],
        "last": [],
        "encoder": ["--pretrained-encoder", encoder],
    }
    jobs = [
        {
            "args": training(tmp_path / name, data, *flags),
            "probe": str(tmp_path / (name + ".probe")),
            "log": str(tmp_path / (name + ".log")),
        }
        for name, flags in cases.items()
    ]
    # The preset's sizes would be compared with the encoder's first.
    jobs[-1]["args"][jobs[-1]["args"].index("xlm_swcm_tiny")] = "xlm_swcm"
    codes = run_trainings(tmp_path, jobs)
    assert codes == [1] * 4
    for name in cases:
        log = (tmp_path / (name + ".log")).read_text(encoding="utf-8")
        assert "Traceback" not in log, log[-2000:]
        if name == "finetune":  # what does not fit is refused before it is loaded
            assert "does not fit" in log
        else:
            assert REFUSED in log.splitlines()[-1]
    assert not trap.sprung()


def test_decoding_with_a_strangers_checkpoint(run, repo, trap, checkpoint, tmp_path):
    """Through the command itself, where --user-dir has to be there in time."""
    path, content = checkpoint
    trap.put_into(path, content)
    flags = ["--user-dir", repo / "swcm_fairseq", "--task", "swcm_finetuning", "--target-lang", "kk", "--cpu"]
    done = run(["fairseq-interactive", tmp_path, *flags, "--path", path], check=False, input="x\n")
    assert done.returncode == 1 and REFUSED in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr and not trap.sprung()


# ---------------------------------------------------------------------- settings that fairseq evaluates


@pytest.mark.parametrize("kind", ["args", "cfg"])
def test_a_program_in_the_settings(trap, tmp_path, kind):
    """fairseq's convolutional model evaluates the text that says its layers."""
    model = {"_name": "fconv", "arch": "fconv", "encoder_layers": trap.expression(), "decoder_layers": "[(8, 3)]"}
    settings = argparse.Namespace(task="translation", data=str(tmp_path), **model)
    state = {"args": settings} if kind == "args" else {"cfg": {"model": model, "task": {"_name": "translation"}}}
    path = str(tmp_path / "checkpoint.pt")
    torch.save(dict(state, model={}), path)
    with pytest.raises(SwcmError, match=r"would run these settings.*\n.*encoder_layers: __import__"):
        load_models(path)
    assert not trap.sprung()


@pytest.mark.parametrize(
    "text, expected",
    [
        ("__import__('os').system('ls')", True),
        ("[(512, 3)] + [exec('x')]", True),
        ("(lambda: 1)()", True),
        ("breakpoint()", True),
        ("a.b['c'].d(1)", True),
        ("[x.run() for x in y]", True),
        ("  open('x', 'w') ", True),
        ("[(512, 3)] * 14 + [(1024, 1)]", False),
        ("(0.9, 0.98)", False),
        ("True", False),
        ("zh-kk,zh-mn", False),
        ("/a/folder (copy)/with spaces", False),
        ("folder (copy)", False),
        ("checkpoint_best.pt", False),
        ("", False),
        ("(" * 10000, False),
    ],
)
def test_what_is_a_program(text, expected):
    assert is_program(text) is expected


# ---------------------------------------------------------------------- paths that a file names


@pytest.mark.parametrize("kind", ["args", "cfg"])
def test_a_checkpoint_cannot_name_a_folder_to_write_into(checkpoint, tmp_path, kind):
    """A checkpoint's settings look like those of a training that is going on, which writes a report to save_dir."""
    path, content = checkpoint
    elsewhere = tmp_path / "elsewhere"
    cfg = content.pop("cfg")
    if kind == "cfg":
        cfg.update(checkpoint={"save_dir": str(elsewhere)}, optimization={}, distributed_training={}, dataset={})
        cfg["checkpoint"].update(finetune_from_model=None, restore_file="checkpoint_last.pt")
        cfg["distributed_training"]["distributed_rank"] = 0
        cfg["dataset"].update(train_subset="train", disable_validation=True)
        content["cfg"] = cfg
    else:
        flat = dict(cfg["model"], **cfg["task"], arch="xlm_swcm", task="swcm_finetuning", save_dir=str(elsewhere))
        flat = {name: value for name, value in flat.items() if name != "_name"}
        content["args"] = argparse.Namespace(data=str(tmp_path), **flat)
    torch.save(content, path)
    task = SwcmFinetuningTask.setup_task(OmegaConf.create({"data": str(tmp_path), "lang_pairs": "zh-kk", **NO_TASK}))
    models, _, _ = checkpoint_utils.load_model_ensemble_and_task([path], task=task)
    assert len(models) == 1
    assert not elsewhere.exists()


NO_TASK = {"source_lang": None, "target_lang": None, "target_tag": None, "max_source_positions": 40}


def test_an_index_cannot_name_files_elsewhere(tmp_path):
    folder = make_encoder_folder(tmp_path / "encoder")
    os.rename(os.path.join(folder, "model.safetensors"), str(tmp_path / "outside.safetensors"))
    for name in ("../outside.safetensors", str(tmp_path / "outside.safetensors")):
        with open(os.path.join(folder, "model.safetensors.index.json"), "w") as stream:
            json.dump({"weight_map": {"x": name}}, stream)
        with pytest.raises(SwcmError, match="names paths where file names are wanted"):
            read_encoder(folder)


# ---------------------------------------------------------------------- JSON


@pytest.mark.parametrize(
    "text", ["[" * 100000, '{"a":' * 100000, '{"a": ' + "9" * 5000 + "}", "{", "[]", "\x00", '{"a": NaN} x']
)
def test_strange_json_is_an_error_of_one_line(tmp_path, text):
    path = tmp_path / "config.json"
    path.write_text(text)
    try:
        read_json(str(path))
    except SwcmError as error:
        assert "\n" not in str(error) and str(path) in str(error)
    else:
        assert text.endswith("}")  # a long number is a number where Python takes it


def test_strange_json_in_a_packed_folder(checkpoint, tmp_path):
    pack(checkpoint[0], str(tmp_path / "packed"))
    for text in ("[" * 100000, "[]", '{"model": 1, "targets": 1, "format": 1}', '{"model": {}, "format": 1}'):
        (tmp_path / "packed" / "config.json").write_text(text)
        with pytest.raises(SwcmError, match="config.json"):
            packed.read(str(tmp_path / "packed"))
