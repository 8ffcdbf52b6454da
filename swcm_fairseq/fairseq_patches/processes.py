"""Several processes that train one model: what fairseq gets wrong before the first of them has begun."""

import functools
import importlib.util
import multiprocessing
import os

from fairseq.distributed import utils as distributed_utils
from fairseq.models import distributed_fairseq_model, import_models
from fairseq.tasks import import_tasks
from torch.multiprocessing import ProcessRaisedException

from ..errors import SwcmError

# Between these stands what a process that fairseq has started tells its user.
_BEGIN, _END = "<for the user>", "</for the user>"


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


def _in_a_process(main, cfg, **options):
    """``main`` as a process runs it that fairseq has started for one of several GPUs.

    torch hands the error of such a process on as the text of its traceback, so what is meant for the user is marked in
    it.
    """
    if multiprocessing.parent_process() is None:
        return main(cfg, **options)
    _load_all()
    try:
        return main(cfg, **options)
    except SwcmError as error:
        raise RuntimeError(_BEGIN + str(error) + _END)


def _load_all() -> None:
    """Register models and tasks: fairseq leaves that out where the package is loaded, as it is here, already."""
    package, folder = __name__.split(".")[0], os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    import_tasks(os.path.join(folder, "tasks"), package + ".tasks")
    import_models(os.path.join(folder, "models"), package + ".models")


def _on_any_device(wrapper):
    """torch's ``DistributedDataParallel``, to which fairseq names a CUDA device whatever the model is on."""

    @functools.wraps(wrapper)
    def wrap(module, device_ids=None, output_device=None, **options):
        if all(parameter.device.type == "cpu" for parameter in module.parameters()):
            device_ids = output_device = None
        return wrapper(module, device_ids=device_ids, output_device=output_device, **options)

    return wrap


def install() -> None:
    """Have fairseq's commands prepare before they start processes or join the others."""
    stock = distributed_utils.call_main

    @functools.wraps(stock)
    def call_main(cfg, main, **options):
        prepare(cfg)
        try:
            return stock(cfg, functools.partial(_in_a_process, main), **options)
        except ProcessRaisedException as error:
            _, marked, rest = str(error).partition(_BEGIN)
            if not marked:
                raise
            raise SwcmError(rest.partition(_END)[0])

    distributed_utils.call_main = call_main
    distributed_fairseq_model.DistributedDataParallel = _on_any_device(
        distributed_fairseq_model.DistributedDataParallel
    )
