import socket
from types import SimpleNamespace

import pytest
import torch
from fairseq.dataclass.configs import FairseqConfig
from omegaconf import OmegaConf

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.fairseq_patches.commands import prepare
from tests.support import spawned


def settings(world_size=1, init_method=None):
    """fairseq's configuration, as ``--bf16`` leaves it."""
    cfg = OmegaConf.structured(FairseqConfig)
    cfg.common.tpu = cfg.distributed_training.tpu = True
    cfg.distributed_training.distributed_world_size = world_size
    cfg.distributed_training.distributed_init_method = init_method
    return cfg


def test_bf16_is_no_tpu():
    cfg = settings()
    prepare(cfg)
    assert not cfg.common.tpu and not cfg.distributed_training.tpu


@pytest.mark.parametrize("world_size", [1, 2])
def test_each_of_several_processes_reads_the_checkpoint(world_size):
    cfg = settings(world_size)
    prepare(cfg)
    assert cfg.checkpoint.load_checkpoint_on_all_dp_ranks == (world_size > 1)


def test_processes_that_would_train_apart_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SwcmError, match="2 processes were started.*--distributed-world-size 2"):
        prepare(settings())


@pytest.mark.parametrize(
    "started, cfg",
    [
        ("2", settings(world_size=2)),
        ("2", settings(init_method="env://")),
        ("1", settings()),
        ("", settings()),
    ],
)
def test_processes_that_train_together_are_let_through(monkeypatch, started, cfg):
    monkeypatch.setenv("WORLD_SIZE", started)
    prepare(cfg)


def test_fairseq_commands_prepare(monkeypatch):
    from fairseq.distributed import utils

    from swcm_fairseq import plugin  # noqa: F401  (replaces it)
    from swcm_fairseq.tasks import swcm_finetuning  # noqa: F401  (registered)

    called, cfg = [], settings()
    cfg.task = {"_name": "swcm_finetuning"}
    utils.call_main(cfg, lambda got: called.append(got.common.tpu))
    assert called == [False]


@pytest.mark.parametrize("main, said", [(spawned.complain, SwcmError), (spawned.fail, RuntimeError)])
def test_what_a_process_of_several_says_to_the_user(monkeypatch, main, said):
    from fairseq.distributed import utils

    from swcm_fairseq import plugin  # noqa: F401  (replaces it)
    from swcm_fairseq.tasks import swcm_finetuning  # noqa: F401  (registered)

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)  # so many does fairseq start
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"tcp://localhost:{free.getsockname()[1]}"
    processes = SimpleNamespace(
        distributed_init_method=address, distributed_world_size=1, distributed_rank=0, tpu=False
    )
    processes.distributed_no_spawn, processes.distributed_backend = False, "gloo"
    processes.ddp_backend, processes.zero_sharding = "legacy_ddp", "none"
    common = SimpleNamespace(tpu=False, cpu=True, model_parallel_size=1)
    cfg = SimpleNamespace(common=common, distributed_training=processes, checkpoint=SimpleNamespace())
    cfg.checkpoint.write_checkpoints_asynchronously = False
    cfg.task = SimpleNamespace(_name="swcm_finetuning")
    with pytest.raises(Exception) as caught:
        utils.call_main(cfg, main)
    if said is SwcmError:
        assert type(caught.value) is SwcmError and str(caught.value) == spawned.COMPLAINT
    else:
        assert "in fail" in str(caught.value) and spawned.COMPLAINT in str(caught.value), "a bug keeps its traceback"


def test_what_a_terminal_lacks_is_escaped(monkeypatch):
    import contextlib
    import io
    import sys

    from swcm_fairseq.fairseq_patches import commands

    monkeypatch.setattr(commands, "running", lambda patches, cfg: contextlib.nullcontext())
    stream = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr(sys, "stdout", stream)
    commands._run(None, lambda cfg: print("D-0\tқала"), None)
    stream.flush()
    assert stream.buffer.getvalue() == b"D-0\t\\u049b\\u0430\\u043b\\u0430\n"


@pytest.mark.parametrize(
    "flags, words",
    [
        ({"ddp_backend": "fully_sharded"}, "--ddp-backend fully_sharded wants fairscale"),
        ({"zero_sharding": "os"}, "--zero-sharding os wants fairscale"),
    ],
)
def test_what_wants_fairscale_is_refused_in_one_line(flags, words):
    cfg = settings()
    cfg.distributed_training.update(flags)
    with pytest.raises(SwcmError, match=words) as caught:
        prepare(cfg)
    assert "\n" not in str(caught.value)
