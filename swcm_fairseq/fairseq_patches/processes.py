"""Several processes that train one model: what fairseq gets wrong before the first of them has begun."""

import functools
import importlib.util
import os

from fairseq.distributed import utils as distributed_utils

from ..errors import SwcmError


def allow_bf16_off_tpus(cfg) -> None:
    """Undo that fairseq's ``--bf16`` means a TPU, where there is none: CPUs and GPUs have bf16 too."""
    if importlib.util.find_spec("torch_xla") is None:
        cfg.common.tpu = False
        cfg.distributed_training.tpu = False


def prepare(cfg) -> None:
    """Set the configuration of a starting process right.

    fairseq takes ``--bf16`` for the sign of a TPU. With several processes it then looks for torch_xla, and on GPUs
    leaves all of them on the first.

    To go on from a checkpoint, its first process sends what it has read to the others, settings and all, in a form
    that torch's safe loading refuses. Here each reads the file, which also keeps the optimizer's state off the GPUs.

    Raises:
        SwcmError: a launcher such as torchrun has started several processes that fairseq would train apart, each
            writing the others' checkpoints over.
    """
    allow_bf16_off_tpus(cfg)
    processes = cfg.distributed_training
    if processes.distributed_world_size > 1:
        cfg.checkpoint.load_checkpoint_on_all_dp_ranks = True
    started = int(os.environ.get("WORLD_SIZE") or 1)
    if started > 1 and processes.distributed_world_size == 1 and processes.distributed_init_method is None:
        # fairseq counts this machine's GPUs, and looks at what the launcher says where it finds more than one.
        raise SwcmError(
            "{} processes were started, and each would train a model of its own: give --distributed-world-size {}, and "
            "on CPUs all the flags that swcm_train in recipes/lib/training.sh gives".format(started, started)
        )


def install() -> None:
    """Have fairseq's commands prepare before they start processes or join the others."""
    stock = distributed_utils.call_main

    @functools.wraps(stock)
    def call_main(cfg, main, **options):
        prepare(cfg)
        return stock(cfg, main, **options)

    distributed_utils.call_main = call_main
