"""fairseq's commands when they run a task or a model of this package: what is set right before they begin.

This is all that loading the plug-in replaces in fairseq. Commands that run somebody else's task and model go through
it unchanged.
"""

import contextlib
import functools
import importlib.util
import multiprocessing
import os
import sys
from typing import Any, Callable, Iterator

from fairseq.models import ARCH_MODEL_REGISTRY, import_models
from fairseq.tasks import TASK_REGISTRY, import_tasks
from omegaconf.errors import OmegaConfBaseException
from torch.multiprocessing import ProcessRaisedException

from .. import allocator, training_run
from ..errors import SwcmError, escape_output, report_without_traceback

_PACKAGE = __name__.split(".")[0]

# Between these stands what a process that fairseq has started tells its user.
_BEGIN, _END = "<for the user>", "</for the user>"


def call_main(patches: Callable[[], Any], stock: Callable, cfg, main: Callable, **options):
    """What is called in the place of ``call_main``, with which fairseq's commands begin.

    Args:
        patches: a context in which the rest of the table is in place.
        stock: fairseq's own, whose arguments follow.
    """
    if not is_ours(cfg):
        return stock(cfg, main, **options)
    try:
        prepare(cfg)
        return stock(cfg, functools.partial(_run, patches, main), **options)
    except (AssertionError, ValueError, KeyboardInterrupt):
        # On its way out of the process. A traceback through fairseq would bury the one line that helps.
        sys.excepthook = report_without_traceback(sys.excepthook)
        raise
    except ProcessRaisedException as error:
        _, marked, rest = str(error).partition(_BEGIN)
        if not marked:
            raise
        sys.excepthook = report_without_traceback(sys.excepthook)
        raise SwcmError(rest.partition(_END)[0])


def is_ours(cfg) -> bool:
    """Whether ``cfg``, a command's configuration, names a task or a model of this package, or one made from them."""
    for part, registry in (("task", TASK_REGISTRY), ("model", ARCH_MODEL_REGISTRY)):
        try:
            kind = registry.get(getattr(getattr(cfg, part, None), "_name", None))
        except OmegaConfBaseException:  # the part is missing, as a model is where checkpoints bring their own
            continue
        if kind is not None and any(base.__module__.split(".")[0] == _PACKAGE for base in kind.__mro__):
            return True
    return False


@contextlib.contextmanager
def running(patches: Callable[[], Any], cfg) -> Iterator[None]:
    """fairseq as this package wants it while a command runs ``cfg``."""
    with patches(), training_run.running(cfg):
        yield


def _run(patches, main, cfg, **options):
    """``main``, perhaps in a process that fairseq has started for one of several GPUs.

    torch hands the error of such a process on as the text of its traceback, so what is meant for the user is marked in
    it. What a terminal cannot show of the texts is escaped, in the place of a traceback.
    """
    escape_output()
    if multiprocessing.parent_process() is None:
        with running(patches, cfg):
            return main(cfg, **options)
    _load_all()
    try:
        with running(patches, cfg):
            return main(cfg, **options)
    except SwcmError as error:
        raise RuntimeError(_BEGIN + str(error) + _END)


def _load_all() -> None:
    """Register models and tasks: fairseq leaves that out where the package is loaded, as it is here, already."""
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    import_tasks(os.path.join(folder, "tasks"), _PACKAGE + ".tasks")
    import_models(os.path.join(folder, "models"), _PACKAGE + ".models")


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
    allocator.keep_few_kernels()
    if cfg.checkpoint.write_checkpoints_asynchronously and importlib.util.find_spec("iopath") is None:
        # fairseq would log it, train nothing and end well.
        raise SwcmError("--write-checkpoints-asynchronously needs iopath: pip install iopath")
    processes = cfg.distributed_training
    _check_sharding(processes)
    if processes.distributed_world_size > 1:
        cfg.checkpoint.load_checkpoint_on_all_dp_ranks = True
    started = int(os.environ.get("WORLD_SIZE") or 1)
    if started > 1 and processes.distributed_world_size == 1 and processes.distributed_init_method is None:
        # fairseq counts this machine's GPUs, and looks at what the launcher says where it finds more than one.
        raise SwcmError(
            f"{started} processes were started, and each would train a model of its own: give --distributed-world-size "
            f"{started}, and on CPUs all the flags that swcm_train in recipes/lib/training.sh gives"
        )


def _check_sharding(processes) -> None:
    """Raise ``SwcmError`` for what wants fairscale, which stopped at torch 2.0: fairseq would end in a traceback."""
    if processes.ddp_backend == "fully_sharded":
        flag = "--ddp-backend fully_sharded"
    elif processes.zero_sharding == "os":
        flag = "--zero-sharding os"
    else:
        return
    raise SwcmError(
        f"{flag} wants fairscale and was never tried with these models: leave it out. Memory is saved "
        "by --checkpoint-activations, by a smaller --max-tokens with more --update-freq, and by "
        "--memory-efficient-bf16 with --optimizer adam"
    )
