"""Processes wait for the one that saves outside of any collective.

One process writes the checkpoint, and copies it to checkpoint_best.pt and checkpoint_last.pt, each file down to the
disk: 17 bytes a parameter, three times. The others would go on to the next update and wait for it in a sum of
gradients, which NCCL gives up after ten minutes; a billion parameters on a slow disk take longer.
"""

import datetime
import itertools

from torch import distributed

from .patch import instead

#: Longer than any disk takes; a process that has died is noticed by whoever started them.
PATIENCE = datetime.timedelta(days=1)

_number = itertools.count()


def wait_for_all() -> None:
    """Return when every process has come here; with one process, at once."""
    if not (distributed.is_available() and distributed.is_initialized()) or distributed.get_world_size() == 1:
        return
    store = distributed.distributed_c10d._get_default_store()
    key = f"swcm_waiting_{next(_number)}"
    if store.add(key, 1) == distributed.get_world_size():
        store.set(key + "_all", "here")
    store.wait([key + "_all"], PATIENCE)


@instead
def save_checkpoint(stock, cfg, trainer, epoch_itr, val_loss):
    """fairseq's, which each process leaves when the checkpoint is there."""
    saved = stock(cfg, trainer, epoch_itr, val_loss)
    wait_for_all()
    return saved
