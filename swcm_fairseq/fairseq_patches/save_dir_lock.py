"""One training a folder: two that save into the same one would mix their checkpoints."""

import atexit
import contextlib
import os
from typing import Set

from ..errors import SwcmError
from ..files import only_writer
from .patch import instead

_held = contextlib.ExitStack()
_folders: Set[str] = set()


def hold(folder: str) -> None:
    """Keep other trainings out of ``folder`` until this process ends, however it ends.

    Raises:
        SwcmError: another training saves into it.
    """
    folder = os.path.realpath(folder)
    if folder not in _folders:
        _held.enter_context(only_writer(os.path.join(folder, "training"), "the checkpoint folder " + folder))
        _folders.add(folder)


@instead
def verify_checkpoint_directory(stock, save_dir):
    """The master process takes hold of its folder where fairseq makes sure that it can write there."""
    try:
        stock(save_dir)
    except OSError as error:
        raise SwcmError(f"checkpoints cannot be written into {save_dir}: {error.strerror}")
    hold(save_dir)


atexit.register(_held.close)
