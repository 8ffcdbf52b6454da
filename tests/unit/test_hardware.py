"""Which precision a machine is quick in: chosen by measurement on a CPU, by capability on a GPU."""

import logging
import os

import pytest
import torch

from swcm_fairseq import hardware
from swcm_fairseq.errors import SwcmError


@pytest.fixture
def machine(monkeypatch):
    """A made-up machine: ``machine(speed=...)`` for a CPU, ``machine(gpus=[(7, 5)])`` with GPUs."""

    def make(speed=1.0, gpus=()):
        monkeypatch.delenv("SWCM_DEVICE", raising=False)
        monkeypatch.setattr(hardware, "bf16_speed", lambda: speed)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(gpus))
        monkeypatch.setattr(torch.cuda, "is_available", lambda: len(gpus) > 0)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda number: gpus[number])

    return make


@pytest.mark.parametrize("speed, name", [(3.0, "bf16"), (1.2, "bf16"), (1.0, "fp32"), (0.05, "fp32")])
def test_a_cpu_trains_in_what_it_multiplies_faster(machine, speed, name):
    machine(speed)
    assert hardware.choose_precision("auto").name == name


def test_the_reason_names_the_factor(machine):
    machine(0.05)
    assert "20 times slower" in hardware.choose_precision("auto").reason
    assert "20 times slower" in hardware.choose_precision("bf16").reason
    machine(3.0)
    assert "3.0 times as fast" in hardware.choose_precision("auto").reason
    assert hardware.choose_precision("bf16").reason == "asked for"


@pytest.mark.parametrize(
    "gpus, name", [([(8, 0)], "bf16"), ([(9, 0), (8, 6)], "bf16"), ([(7, 5)], "fp16"), ([(9, 0), (7, 0)], "fp16")]
)
def test_gpus_have_bf16_from_capability_8_on_all_of_them(machine, gpus, name):
    machine(speed=0.05, gpus=gpus)
    assert hardware.choose_precision("auto").name == name
    assert (hardware.slow_bf16_warning() is None) == (name == "bf16")


def test_gpus_are_left_alone_where_a_cpu_is_meant(machine, monkeypatch):
    machine(speed=0.05, gpus=[(8, 0)])
    monkeypatch.setenv("SWCM_DEVICE", "cpu")
    assert hardware.choose_precision("auto").name == "fp32"


def test_what_is_asked_for_is_taken_or_refused(machine):
    machine(0.05)
    assert [hardware.choose_precision(name).name for name in hardware.PRECISIONS] == ["bf16", "fp16", "fp32"]
    assert hardware.choose_precision("bf16").dtype == torch.bfloat16
    with pytest.raises(SwcmError, match="not bf17"):
        hardware.choose_precision("bf17")


def test_slow_bf16_is_warned_of_once_it_is_asked_for(machine, caplog):
    with caplog.at_level(logging.WARNING):
        machine(3.0)
        hardware.warn_of_slow_bf16()
        assert not caplog.records
        machine(0.02)
        hardware.warn_of_slow_bf16()
    assert "50 times slower" in caplog.text and "PRECISION=auto" in caplog.text


def test_a_cpu_without_bf16_instructions_is_found_out(run):
    """This CPU with its newer instructions hidden from torch: what is measured, not what it is called, decides."""
    if os.uname().machine != "x86_64":
        pytest.skip("instructions can be hidden on x86-64 alone")
    hidden = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "SWCM_DEVICE": "cpu"}
    name, reason = run(["python", "-m", "swcm_fairseq.hardware"], env=hidden).stdout.strip().split("\t")
    assert name == "fp32" and "slower than float32" in reason


def driver(monkeypatch, version):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("SWCM_DEVICE", raising=False)
    monkeypatch.setattr(hardware, "nvidia_driver", lambda: version)


def test_gpus_that_torch_can_use_are_counted(machine, monkeypatch, capsys):
    machine(gpus=[(8, 0), (8, 0)])
    driver(monkeypatch, "580.1")
    hardware.main(["--gpus"])
    assert capsys.readouterr().out == "2\n"


def test_devices_that_cuda_cannot_start_do_not_count(machine, monkeypatch):
    # With a driver that is too old torch may count them all the same.
    machine(gpus=[(8, 0)])
    driver(monkeypatch, "470.1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SwcmError):
        hardware.gpus_meant()


@pytest.mark.parametrize("built, says", [("13.0", "CUDA 13 wants 580 or newer"), ("99.1", "a driver that it knows")])
def test_a_gpu_that_torch_cannot_use_is_named_with_the_ways_out(machine, monkeypatch, built, says):
    machine()
    driver(monkeypatch, "535.104")
    monkeypatch.setattr(torch.version, "cuda", built)
    with pytest.raises(SwcmError) as caught:
        hardware.gpus_meant()
    said = str(caught.value)
    assert all(part in said for part in ("driver 535.104", torch.__version__, "CUDA " + built, says))
    assert "SWCM_TORCH" in said and "SWCM_DEVICE=cpu" in said and "\n" not in said


def test_a_torch_without_cuda_is_named(machine, monkeypatch):
    machine()
    driver(monkeypatch, "unknown")
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(SwcmError, match="built without CUDA"):
        hardware.gpus_meant()


@pytest.mark.parametrize("visible", ["0,0", "7", "GPU-1"])
def test_a_list_of_devices_that_leaves_none_is_named(machine, monkeypatch, visible):
    machine()
    driver(monkeypatch, "580.1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with pytest.raises(SwcmError, match="with CUDA_VISIBLE_DEVICES=" + visible):
        hardware.gpus_meant()


@pytest.mark.parametrize("hidden", ["", "-1", "-1,0"])
def test_gpus_that_are_hidden_are_not_asked_for(machine, monkeypatch, hidden):
    machine()
    driver(monkeypatch, "580.1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert hardware.gpus_meant() == 0


def test_the_device_can_be_said(machine, monkeypatch):
    machine(gpus=[(8, 0)])
    driver(monkeypatch, "580.1")
    monkeypatch.setenv("SWCM_DEVICE", "cpu")
    assert hardware.gpus_meant() == 0
    monkeypatch.setenv("SWCM_DEVICE", "tpu")
    with pytest.raises(SwcmError, match="SWCM_DEVICE is auto, cpu or cuda, not tpu"):
        hardware.gpus_meant()
    machine()
    driver(monkeypatch, None)
    assert hardware.gpus_meant() == 0
    monkeypatch.setenv("SWCM_DEVICE", "cuda")
    with pytest.raises(SwcmError, match="no NVIDIA GPU is to be seen"):
        hardware.gpus_meant()


def test_the_driver_is_what_nvidia_smi_says(monkeypatch, tmp_path):
    smi = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", "{}{}{}".format(tmp_path, os.pathsep, os.environ["PATH"]))
    monkeypatch.setattr(os.path, "exists", lambda path: False)
    assert hardware.nvidia_driver() is None
    for said, version in [("535.104.05\\n535.104.05", "535.104.05"), ("NVIDIA-SMI has failed", None)]:
        smi.write_text(f"#!/bin/sh\nprintf '{said}'\n")
        smi.chmod(0o755)
        assert hardware.nvidia_driver() == version
