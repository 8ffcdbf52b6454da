"""Writing files so that a name either holds a finished output or nothing."""

import contextlib
import os
import shutil
import tempfile
from typing import IO, Iterator

from .errors import SwcmError


@contextlib.contextmanager
def atomic_write(path: str, mode: str = "w") -> Iterator[IO]:
    """Open a temporary neighbour of ``path`` for writing; it takes the name when the block ends well.

    Text is UTF-8 with ``\\n`` line ends on every system. When the block raises, the temporary file is removed
    and a file that stood at ``path`` stays as it was.
    """
    folder = os.path.dirname(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    handle, temporary = tempfile.mkstemp(prefix="." + os.path.basename(path) + ".", suffix=".tmp", dir=folder)
    try:
        with os.fdopen(handle, mode, **text) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        _open_permissions(temporary)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
        raise


@contextlib.contextmanager
def atomic_folder(path: str, force: bool = False) -> Iterator[str]:
    """Yield a temporary neighbour folder that takes the name ``path`` when the block ends well.

    Raises:
        SwcmError: ``path`` exists, is not an empty folder, and ``force`` is not set.
    """
    path = os.path.abspath(path)
    refuse_overwrite(path, force)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = tempfile.mkdtemp(prefix="." + os.path.basename(path) + ".", suffix=".tmp", dir=os.path.dirname(path))
    try:
        yield temporary
        os.chmod(temporary, 0o777 & ~_umask())
        if os.path.isdir(path):
            shutil.rmtree(path)
        elif os.path.exists(path):
            os.remove(path)
        os.replace(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def refuse_overwrite(path: str, force: bool) -> None:
    """Raise ``SwcmError`` where a finished output stands at ``path`` and ``force`` is not set."""
    occupied = bool(os.listdir(path)) if os.path.isdir(path) else os.path.exists(path)
    if occupied and not force:
        raise SwcmError("{} exists already; give --force to replace it, or another name".format(path))


def _umask() -> int:
    # The only way to read the umask is to set it.
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _open_permissions(path: str) -> None:
    # mkstemp makes files private to the user; outputs get what open() would have given.
    os.chmod(path, 0o666 & ~_umask())
