"""Writing files so that a name either holds a finished output or nothing, whenever the process may be killed.

An output is written beside its place as ``.NAME.tmp``, under a lock, ``.NAME.lock``. The system takes the lock from a
process that ends, however it ends. So a second writer is told of the first, and one that comes after a killed one
writes over what that left.
"""

import contextlib
import errno
import json
import os
import re
import shutil
import socket
import tempfile
from typing import IO, Any, Iterator, List, Sequence

from .errors import FULL, SwcmError

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment]


_BYTES = re.compile("[\udc80-\udcff]+")
_SURROGATE = re.compile("[\ud800-\udfff]")


@contextlib.contextmanager
def atomic_write(path: str, mode: str = "w") -> Iterator[IO]:
    """Open a temporary neighbour of ``path`` for writing; it takes the name when the block ends well.

    Text is UTF-8 with ``\\n`` line ends on every system. When the block raises, the temporary file is removed
    and a file that stood at ``path`` stays as it was.

    Raises:
        SwcmError: another process is writing ``path``, or the disk is full.
    """
    with _unfinished(path, mode) as stream:
        yield stream
        to_disk(stream)
        os.replace(neighbour(path, "tmp"), path)


@contextlib.contextmanager
def atomic_files(paths: Sequence[str], modes: Sequence[str] = (), force: bool = False) -> Iterator[List[IO]]:
    """Open several outputs that belong together; all take their names when the block ends well, the first one last.

    So the first one says that all are whole. Where a kill falls between the names, the next run may replace what has
    its name already: the first has none, and its temporary file still stands there.

    Args:
        paths: in any folders.
        modes: as for ``atomic_write``, one for each; all "w" by default.
        force: replace finished outputs.

    Raises:
        SwcmError: an output exists and ``force`` is not set, or as ``atomic_write``.
    """
    interrupted = os.path.exists(neighbour(paths[0], "tmp")) and not os.path.exists(paths[0])
    for path in paths:
        refuse_overwrite(path, force or interrupted)
    with contextlib.ExitStack() as stack:
        opened = zip(paths, modes or ["w"] * len(paths))
        streams = [stack.enter_context(_unfinished(path, mode)) for path, mode in opened]
        yield streams
        for stream in streams:
            to_disk(stream)
        with contextlib.suppress(FileNotFoundError):
            os.remove(paths[0])  # a mixture of old and new must not look whole
        for path in reversed(paths):
            os.replace(neighbour(path, "tmp"), path)


@contextlib.contextmanager
def atomic_folder(path: str, force: bool = False) -> Iterator[str]:
    """Yield a temporary neighbour folder that takes the name ``path`` when the block ends well.

    Raises:
        SwcmError: ``path`` exists, is not an empty folder, and ``force`` is not set; another process is writing it;
            or the disk is full.
    """
    path = os.path.abspath(path)
    temporary, old = neighbour(path, "tmp"), neighbour(path, "old")
    with only_writer(path), _full_disk_named(path):
        if os.path.exists(old) and not os.path.exists(path):
            os.replace(old, path)  # a kill fell between the two renamings below
        _remove(old)
        _remove(temporary)
        refuse_overwrite(path, force)
        os.mkdir(temporary)
        try:
            yield temporary
            if os.path.exists(path):
                os.replace(path, old)
            os.replace(temporary, path)
        finally:
            _remove(temporary)
        _remove(old)


@contextlib.contextmanager
def only_writer(path: str, what: str = "") -> Iterator[None]:
    """Be the only process that writes ``path``, which need not exist, until the block ends.

    Args:
        what: what is written, for the message, where ``path`` does not say it.

    Raises:
        SwcmError: another one is writing it, or nobody can.
    """
    name = neighbour(path, "lock")
    try:
        os.makedirs(os.path.dirname(name), exist_ok=True)
        handle = _lock(name, what or path)
    except OSError as error:
        raise SwcmError(f"{what or path} cannot be written: {error.strerror}; choose another place")
    try:
        yield
    finally:
        # Removed while it is held: nobody else can have locked this file.
        with contextlib.suppress(OSError):
            os.remove(name)
        os.close(handle)


def write_json(stream: IO[str], value: Any) -> None:
    """Write a value as JSON for people to read, and a line end.

    Names of files hold surrogates for bytes that are no text in the locale's encoding, as ``os.fsdecode`` makes them.
    Where the bytes are UTF-8 they are written as that, so that the locale makes no difference; others stand there
    escaped, and what reads the JSON has the name again.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False)
    text = _BYTES.sub(
        lambda found: found.group().encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape"), text
    )
    stream.write(_SURROGATE.sub(lambda found: f"\\u{ord(found.group()):04x}", text) + "\n")


def dump_json(path: str, value: Any, **options: Any) -> None:
    """Write the file ``path`` of JSON, and a line end; ``options`` are those of ``json.dump``."""
    with open(path, "w", encoding="utf-8", newline="\n") as stream:
        json.dump(value, stream, **options)
        stream.write("\n")


def refuse_overwrite(path: str, force: bool) -> None:
    """Raise ``SwcmError`` where a finished output stands at ``path`` and ``force`` is not set."""
    occupied = bool(os.listdir(path)) if os.path.isdir(path) else os.path.exists(path)
    if occupied and not force:
        raise SwcmError(f"{path} exists already; give --force to replace it, or another name")


def to_disk(stream: IO) -> None:
    """Wait until everything that was written is on the disk."""
    stream.flush()
    os.fsync(stream.fileno())


@contextlib.contextmanager
def utf8_name(path: str) -> Iterator[str]:
    """A name of ``path`` for libraries that know no names but in UTF-8: its own, or one through a link.

    Links are good until the block ends; a file that is open by then stays so.
    """
    if _is_utf8(path):
        yield path
        return
    folder, name = os.path.split(os.path.abspath(path))
    with tempfile.TemporaryDirectory() as place:
        # The folder's, for a library that writes makes a temporary file beside the path that it is given.
        linked = os.path.join(place, "folder") if _is_utf8(name) else os.path.join(place, "file")
        os.symlink(folder if _is_utf8(name) else os.path.join(folder, name), linked)
        yield os.path.join(linked, name) if _is_utf8(name) else linked


def _is_utf8(name: str) -> bool:
    try:
        os.fsencode(name).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def neighbour(path: str, kind: str) -> str:
    """The hidden file or folder beside ``path`` that is its ``kind``: ``.NAME.tmp``, ``.NAME.lock``, ``.NAME.old``."""
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.join(folder, f".{name}.{kind}")


def _lock(name: str, what: str) -> int:
    """Open and lock the file ``name``; returns its handle."""
    while True:
        handle = os.open(name, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if fcntl is not None:
                # Of the two kinds of lock the one that belongs to the process: a forked child does not prolong it.
                fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                owner = os.read(handle, 200).decode("utf-8", "replace") or "another process"
                os.close(handle)
                raise SwcmError(f"{what} is being written by {owner}; wait for its end, or stop it")
            # Some network folders know no locks.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), os.stat(name)):
                os.ftruncate(handle, 0)
                os.write(handle, f"process {os.getpid()} on {socket.gethostname()}".encode("utf-8"))
                return handle
        os.close(handle)  # its last owner removed it in between


@contextlib.contextmanager
def _unfinished(path: str, mode: str) -> Iterator[IO]:
    """The open temporary file of ``path``, under lock; removed at the end, where it has not taken its name."""
    encoding, newline = (None, None) if "b" in mode else ("utf-8", "\n")
    temporary = neighbour(path, "tmp")
    with only_writer(path), _full_disk_named(path):
        try:
            with open(temporary, mode, encoding=encoding, newline=newline) as stream:
                yield stream
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.remove(temporary)


@contextlib.contextmanager
def _full_disk_named(path: str) -> Iterator[None]:
    """The error of a full disk names no file, so it becomes one that does."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise SwcmError(
            f"{path} could not be written: {os.strerror(error.errno)}; make room and start again. What stood "
            "there before stands there still"
        )


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)
