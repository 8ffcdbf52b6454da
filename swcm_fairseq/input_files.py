"""Opening the files that a user hands over: whatever holds bytes is read, a pipe too, and what cannot be is named.

What is packed is told by its first bytes, not by its name: gzip, bzip2, xz and zstd are read through. Archives, tables
of office programs, pointers of Git LFS and the like are refused by name, with what to do about them.
"""

import collections
import contextlib
import io
import json
import os
import shutil
import stat
import tempfile
from typing import Any, BinaryIO, Dict, Iterator, List, Sequence, Tuple

from .encodings import HEAD, decode
from .errors import SwcmError
from .packed_streams import DamagedInput, Unpacked, packing_of

_BUFFER = 1 << 18
_COPIES: Dict[str, str] = {}  # pipe -> the file that holds its bytes

_UNPACK = "unpack it first: "
#: First bytes -> what the file is, and what to do; PATH stands for its name.
_REFUSED: Tuple[Tuple[bytes, str, str], ...] = (
    (b"version https://git-lfs.github.com/spec/", "only a Git LFS pointer", "fetch the file itself: git lfs pull"),
    (b"PK\x03\x04", "a ZIP archive", _UNPACK + "unzip PATH"),
    (b"PK\x05\x06", "an empty ZIP archive", "fetch it again"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK + "7z x PATH"),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK + "unrar x PATH"),
    (b"\x1f\x9d", "packed by compress", _UNPACK + "gzip -d < PATH > NEW"),
    (b"\x04\x22\x4d\x18", "packed by lz4", _UNPACK + "lz4 -d PATH"),
    (b"LZIP\x01", "packed by lzip", _UNPACK + "lzip -d PATH"),
    (b"PAR1\x15", "a Parquet table", "convert it first: pandas.read_parquet(PATH).to_csv(NEW)"),
    (b"ARROW1\0", "an Arrow table", "convert it first, with datasets or pyarrow, to JSON lines"),
    (b"SQLite format 3\0", "an SQLite database", "export it first: sqlite3 -csv -header PATH 'select ...' > NEW.csv"),
    (b"%PDF-", "a PDF document", "convert it first: pdftotext PATH"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a file of an older office program", "save it as text or CSV (UTF-8) there"),
    (b"{\\rtf1", "rich text", "save it as plain text (UTF-8)"),
    (b"<?xml", "an XML file", "take its text out first; of TMX, XLIFF and TS files translate-toolkit makes others"),
)  # fmt: skip
_OFFICE = (".xlsx", ".docx", ".ods", ".odt")


def check_inputs(paths: Sequence[str]) -> None:
    """Raise one ``SwcmError`` that names every path which is no file (pipes and devices are such)."""
    problems = input_problems(paths)
    if len(problems) == 1:
        raise SwcmError(problems[0])
    if problems:
        raise SwcmError("files that cannot be read", problems)


def input_problems(paths: Sequence[str]) -> List[str]:
    """What is wrong with those of ``paths`` that are no files, a line each."""
    problems = []
    for path in paths:
        try:
            if stat.S_ISDIR(os.stat(path).st_mode):
                problems.append(f"{path}: this is a folder")
        except FileNotFoundError:
            problems.append(f"{path}: there is no such file")
        except (OSError, ValueError) as error:
            problems.append(f"{path}: {getattr(error, 'strerror', None) or error}")
    return problems


def check_fetched(path: str) -> None:
    """Raise ``SwcmError`` where a file of a model is what a download leaves that brought something else.

    Nothing, a pointer of Git LFS, or a page that says why.
    """
    check_inputs([path])
    with open(path, "rb") as stream:
        head = stream.read(HEAD)
    if not head:
        raise SwcmError(f"{path} is empty; fetch it again")
    if head.startswith(_REFUSED[0][0]):
        refuse_other_formats(path, head)
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise SwcmError(f"{path} is a web page, perhaps one that asks for a login; fetch the file itself")


def is_pipe(path: str) -> bool:
    """Whether ``path`` can be read only once, such as ``<(command)`` and ``/dev/stdin`` behind ``|``."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


@contextlib.contextmanager
def pipes_kept(paths: Sequence[str]) -> Iterator[None]:
    """Let those of ``paths`` that are pipes be opened more than once until the block ends: they are copied first."""
    with tempfile.TemporaryDirectory() as folder:
        copied = [path for path in dict.fromkeys(paths) if is_pipe(path)]
        try:
            for number, path in enumerate(copied):
                copy = os.path.join(folder, str(number))
                with open(path, "rb") as stream, open(copy, "wb") as target:
                    shutil.copyfileobj(stream, target)
                _COPIES[path] = copy
            yield
        finally:
            for path in copied:
                _COPIES.pop(path, None)


def open_input(path: str) -> BinaryIO:
    """Open a file or a pipe for reading bytes, unpacked where it is packed.

    Raises:
        SwcmError: no such file, or one that is not read, with what to do; while it is read, ``DamagedInput``.
    """
    check_inputs([path])
    stream, head = _with_head(open(_COPIES.get(path, path), "rb"))
    try:
        packing = packing_of(head)
        if packing:
            stream = io.BufferedReader(Unpacked(path, packing, stream), _BUFFER)
            head = b""
            with contextlib.suppress(DamagedInput):  # which reading it says, behind what could be read
                head = stream.peek(HEAD)
        refuse_other_formats(path, head)
    except BaseException:
        stream.close()
        raise
    return stream


def with_line_feeds(stream: BinaryIO, size: int, longest: int) -> Iterator[bytes]:
    """The bytes of a stream, about ``size`` at a time; carriage returns become line feeds where there are no others.

    Old Macintosh programs end lines so. What has none among more than ``longest`` bytes, which is more than a line may
    have, is taken for such a file.
    """
    begun: List[bytes] = []
    data = stream.read1(size)  # type: ignore[attr-defined]
    length = len(data)
    while data and b"\n" not in data and length <= longest + 1:
        begun.append(data)
        data = stream.read1(size)  # type: ignore[attr-defined]
        length += len(data)
    old = b"\n" not in data
    while begun:
        start = begun.pop(0)
        yield start.replace(b"\r", b"\n") if old else start
    while data:
        yield data.replace(b"\r", b"\n") if old else data
        data = stream.read1(size)  # type: ignore[attr-defined]


def refuse_other_formats(path: str, head: bytes) -> None:
    """Raise ``SwcmError`` where the first bytes of a file are those of a format that is not read."""
    for mark, what, do in _REFUSED:
        if head.startswith(mark):
            if mark[:2] == b"PK" and path.lower().endswith(_OFFICE):
                what, do = "a document of an office program", "save it as text or CSV (UTF-8) there"
            raise SwcmError("{}: this is {}; {}".format(path, what, do.replace("PATH", path)))
    if head[257:262] == b"ustar":
        raise SwcmError(f"{path}: this is a tar archive; {_UNPACK}tar -xf {path}")
    packing = packing_of(head)
    if packing:
        raise SwcmError(f"{path}: this is packed twice; unpack it first: {packing.command} < {path} > NEW")


def read_text(path: str) -> str:
    """All of a UTF-8 file as text, without the byte order mark; line ends stay as they are.

    Raises:
        SwcmError: as ``open_input``, and for what is not UTF-8, with the line and, by its look, the encoding.
    """
    with open_input(path) as stream:
        data = stream.read()
    return decode(path, data)


def read_json(path: str) -> Any:
    """The value in a JSON file of settings.

    Raises:
        SwcmError: as ``read_text``, and for what is no JSON, or has a name twice, of which one value would be lost.
    """
    check_fetched(path)
    text = read_text(path)
    try:
        return json.loads(text, object_pairs_hook=_named_once)
    except (ValueError, RecursionError) as error:
        raise SwcmError(f"{path} is not JSON: {error}")


def _named_once(members: List[Tuple[str, Any]]) -> Dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        ((twice, _),) = collections.Counter(name for name, _ in members).most_common(1)
        raise ValueError(f"it has {twice!r} twice")
    return found


class _Rejoined(io.RawIOBase):
    """A stream of which the start was read already."""

    def __init__(self, start: bytes, rest: BinaryIO) -> None:
        self._start, self._rest = start, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        data = self._start[: len(buffer)] or self._rest.read1(len(buffer))  # type: ignore[attr-defined]
        self._start = self._start[len(data) :]
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._rest.close()
        super().close()


def _with_head(stream: BinaryIO) -> Tuple[BinaryIO, bytes]:
    """A stream at its start, and its first bytes; fewer than ``HEAD`` only where it is shorter."""
    head = stream.read(HEAD)
    if stream.seekable():
        stream.seek(0)
        return stream, head
    return io.BufferedReader(_Rejoined(head, stream), _BUFFER), head
