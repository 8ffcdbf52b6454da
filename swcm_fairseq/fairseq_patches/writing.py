"""Checkpoints that are whole whenever the process may be killed, and that never fail in silence.

fairseq writes the first file of a save under another name and renames it, but copies it to ``checkpoint_best.pt`` and
``checkpoint_last.pt`` in place: a kill meanwhile leaves a cut file. Where writing fails it tries again at the place in
the file where it stopped, so a disk that was full for a moment leaves a file that cannot be read.
"""

import contextlib
import logging
import os
import shutil
import time
from typing import BinaryIO, Callable, Optional

import torch
from fairseq.file_io import PathManager

from ..errors import FULL, SwcmError
from ..files import neighbour, to_disk
from .patch import instead

logger = logging.getLogger(__name__)

_ATTEMPTS, _PAUSE_S = 3, 2.5


class _Stream:
    """A file that remembers its first error and swallows what follows.

    torch's writer takes an error of the stream badly: some versions end the process.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.error: Optional[OSError] = None

    def write(self, data) -> int:
        if self.error is None:
            try:
                self.file.write(data)
            except OSError as error:
                self.error = error
        return len(data)

    def flush(self) -> None:
        pass


def save(state, path: str) -> None:
    """``torch.save`` such that ``path`` is the old file or the whole new one.

    Raises:
        SwcmError: the file could not be written; what stood at ``path`` stands there still.
    """

    def write(temporary: str) -> None:
        with open(temporary, "wb") as file:
            stream = _Stream(file)
            torch.save(state, stream)
            if stream.error is not None:
                raise stream.error
            to_disk(file)

    _replace(path, write)


def copy(source: str, path: str) -> None:
    """Copy a file such that ``path`` is the old file or the whole new one; raises as ``save`` does.

    A copy and not a link: someone may write over one of the two later, to go back to an older checkpoint.
    """

    def write(temporary: str) -> None:
        shutil.copyfile(source, temporary)
        with open(temporary, "rb+") as file:
            to_disk(file)

    _replace(path, write)


def remove_unfinished(folder: str, suffix: str = "") -> None:
    """Remove what killed runs left of checkpoints that they were writing."""
    for name in os.listdir(folder):
        if name.startswith(".checkpoint") and name.endswith(suffix + ".pt.tmp"):
            os.remove(os.path.join(folder, name))


def _replace(path: str, write: Callable[[str], None]) -> None:
    temporary = neighbour(path, "tmp")  # the same each time, so that killed runs leave one such file and not many
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            write(temporary)
            os.replace(temporary, path)
            return
        except OSError as error:
            with contextlib.suppress(OSError):
                os.remove(temporary)
            # Folders on a network fail now and then.
            if error.errno in FULL or attempt == _ATTEMPTS:
                raise SwcmError(_complaint(path, error))
            logger.warning("%s: %s; trying again", path, error)
            time.sleep(_PAUSE_S)


def _complaint(path: str, error: OSError) -> str:
    reason = error.strerror or str(error)
    if error.errno not in FULL:
        return f"{path} could not be written: {reason}; older checkpoints are untouched"
    return (
        f"{path} could not be written: {reason}. Older checkpoints are untouched: make room, or keep fewer of them "
        "with --keep-interval-updates or --no-epoch-checkpoints, and start the same command again"
    )


@instead
def torch_persistent_save(stock, obj, filename, async_write=False):
    """``save``, for what lies in the file system."""
    if async_write or not isinstance(filename, str) or PathManager.path_requires_pathmanager(filename):
        return stock(obj, filename, async_write)
    return save(obj, filename)


@instead
def copy_file(stock, src_path, dst_path, overwrite=False):
    """``copy``, for what lies in the file system."""
    if PathManager.path_requires_pathmanager(src_path) or PathManager.path_requires_pathmanager(dst_path):
        return stock(src_path, dst_path, overwrite)
    copy(src_path, dst_path)
    return True
