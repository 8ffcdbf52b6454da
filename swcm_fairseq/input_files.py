"""Opening the files that a user hands over: whatever holds bytes is read, a pipe too, and what cannot be is named.

What is packed is told by its first bytes, not by its name: gzip, bzip2, xz and zstd are read through. Archives, tables
of office programs, pointers of Git LFS and the like are refused by name, with what to do about them.
"""

import bz2
import collections
import contextlib
import gzip
import io
import json
import lzma
import os
import shutil
import stat
import tempfile
import zlib
from typing import Any, BinaryIO, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from .errors import SwcmError

HEAD = 4096  # bytes at the start of a file, which tell what it is
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

#: What the unpacking of damaged data raises; of OSError those without a number, which the system's have.
_DAMAGED = (EOFError, zlib.error, lzma.LZMAError, OSError)


class DamagedInput(SwcmError):
    """Packed data that is cut short or damaged; ``reason`` says how, without the file's name."""

    def __init__(self, path: str, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{path}: {reason}")


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
        packing = _packing_of(head)
        if packing:
            stream = io.BufferedReader(_Unpacked(path, packing, stream), _BUFFER)
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
    packing = _packing_of(head)
    if packing:
        raise SwcmError(f"{path}: this is packed twice; unpack it first: {packing.command} < {path} > NEW")


def refuse_wide_characters(path: str, head: bytes) -> None:
    """Raise ``SwcmError`` where the first bytes of a text are UTF-16 or UTF-32, with the mark of its order or not."""
    name = _wide_encoding(head)
    if name:
        raise SwcmError(f"{path}: this is {name}; convert it first: iconv -f {name} -t UTF-8 {path} > NEW")


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


def decode(path: str, data: bytes) -> str:
    """The bytes of a whole file as ``read_text`` gives them; raises as that does."""
    refuse_wide_characters(path, data[:HEAD])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        start = data.rfind(b"\n", 0, error.start) + 1
        hint = encoding_hint(path, data[start:]) or "mend it, or convert the file with iconv"
        raise SwcmError(f"{path}, line {line}: not UTF-8 (byte 0x{data[error.start]:02x}); {hint}")


def encoding_hint(path: str, sample: bytes) -> str:
    """The command that converts a text of which ``sample`` is no UTF-8, or "" where its encoding cannot be told."""
    name = guess_encoding(sample)
    return f"it looks like {name}: iconv -f {name} -t UTF-8 {path} > NEW" if name else ""


def guess_encoding(sample: bytes) -> str:
    """The encoding that text most likely has which is no UTF-8, by iconv's name, or "" where none fits.

    Nearly all of its signs beyond ASCII are common ones of the script then. Bytes that are read in a wrong encoding
    give rare characters, or words of capital letters.
    """
    fits = [_fit(sample[:HEAD], codec, weight) for _, codec, weight in _ENCODINGS]
    best = max(fits)
    return _ENCODINGS[fits.index(best)][0] if best >= 0.8 else ""


def _fit(sample: bytes, codec: str, weight: Callable[[str], float]) -> float:
    """The mean weight (0 to 1) of the signs beyond ASCII, or 0 where the sample cannot be read."""
    for cut in range(4):  # the sample may end within a character
        with contextlib.suppress(UnicodeDecodeError):
            signs = [sign for sign in sample[: len(sample) - cut].decode(codec) if sign > "\x7f"]
            return sum(map(weight, signs)) / len(signs) if signs else 0.0
    return 0.0


def _simplified(sign: str) -> float:
    # GB 2312 has its commonest 3,755 characters in rows 0xB0 to 0xD7, and punctuation in 0xA1 and 0xA3.
    code = sign.encode("gb18030")
    return len(code) == 2 and (0xB0 <= code[0] <= 0xD7 or code[0] in (0xA1, 0xA3)) and code[1] >= 0xA1


def _traditional(sign: str) -> float:
    # Big5 has punctuation and its commonest 5,401 characters in these rows.
    return 0xA1 <= sign.encode("big5")[0] <= 0xC6


def _cyrillic(letters: str) -> Callable[[str], float]:
    letters += "абвгдежзийклмнопрстуфхцчшщъыьэюя«»—–№“”…"
    return lambda sign: 1.0 if sign in letters else 0.6 if sign.lower() in letters else 0.0


#: Of two that fit as well the first counts.
_ENCODINGS: Tuple[Tuple[str, str, Callable[[str], float]], ...] = (
    ("GB18030", "gb18030", _simplified),
    ("BIG5", "big5", _traditional),
    ("WINDOWS-1251", "cp1251", _cyrillic("ё")),
    ("RK1048", "kz1048", _cyrillic("ёәіңғүұқөһ")),
    ("KOI8-R", "koi8-r", _cyrillic("ё")),
    ("CP866", "cp866", _cyrillic("ё")),
)


def _wide_encoding(head: bytes) -> str:
    if head.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "UTF-32"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    # Without a mark: a line feed, a space, a letter or a sign of ASCII has its zeros always on the same side.
    even, odd = head[: HEAD & ~1 : 2], head[1:HEAD:2]
    if len(head) < 8 or min(even.count(0), odd.count(0)) > len(odd) // 50:
        return ""
    for zeros, name in ((odd, "UTF-16LE"), (even, "UTF-16BE")):
        if zeros.count(0) > len(zeros) // 10:
            return name
    return ""


class _Packing(NamedTuple):
    """A way of packing: its first bytes, its name, the command that unpacks, and the stream that does so here."""

    mark: bytes
    name: str
    command: str
    open: Callable[[BinaryIO, str], Any]


class _Unpacked(io.RawIOBase):
    """The bytes of a packed stream; closing it closes that too."""

    def __init__(self, path: str, packing: _Packing, packed: BinaryIO) -> None:
        self._path, self._name, self._packed = path, packing.name, packed
        self._stream = packing.open(packed, path)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        try:
            data = self._stream.read1(len(buffer))
        except _DAMAGED as error:
            if isinstance(error, OSError) and error.errno:
                raise
            reason = f"the {self._name} data is cut short or damaged ({error}); fetch the file again"
            raise DamagedInput(self._path, reason)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
            self._packed.close()
        super().close()


class _Zstd:
    """zstd frames, one after another; the library's own reader ends in silence where a frame is cut short."""

    def __init__(self, packed: BinaryIO, path: str) -> None:
        try:
            import zstandard
        except ImportError:
            raise SwcmError(
                f"{path}: this is packed by zstd; unpack it first: zstd -d {path}, or install what reads it: "
                "pip install zstandard"
            )
        self._library = zstandard
        self._packed = packed
        self._frame: Optional[zstandard.ZstdDecompressionObj] = None
        self._rest = b""

    def read1(self, size: int) -> bytes:
        """At most ``size`` bytes; the end where there are none."""
        while not self._rest:
            data = self._packed.read1(1 << 14)  # type: ignore[attr-defined]
            if not data:
                if self._frame is not None:
                    raise EOFError("a frame has no end")
                return b""
            self._rest = self._decompress(data)
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def _decompress(self, data: bytes) -> bytes:
        unpacked: List[bytes] = []
        while data:
            if self._frame is None:
                self._frame = self._library.ZstdDecompressor().decompressobj()
            try:
                unpacked.append(self._frame.decompress(data))
            except self._library.ZstdError as error:
                raise EOFError(str(error))
            if not self._frame.eof:
                break
            data, self._frame = self._frame.unused_data, None
        return b"".join(unpacked)

    def close(self) -> None:
        """Nothing is held."""


_PACKINGS = (
    _Packing(b"\x1f\x8b", "gzip", "gzip -d", lambda packed, _: gzip.GzipFile(fileobj=packed, mode="rb")),
    _Packing(b"BZh", "bzip2", "bzip2 -d", lambda packed, _: bz2.BZ2File(packed, "rb")),
    _Packing(b"\xfd7zXZ\0", "xz", "xz -d", lambda packed, _: lzma.LZMAFile(packed, "rb")),
    _Packing(b"\x5d\0\0", "lzma", "xz -d --format=lzma", lambda packed, _: lzma.LZMAFile(packed, "rb")),
    _Packing(b"\x28\xb5\x2f\xfd", "zstd", "zstd -d", _Zstd),
)


def _packing_of(head: bytes) -> Optional[_Packing]:
    # bzip2's mark is three letters, a digit, and the start of a block or the end.
    text = head.startswith(b"BZh") and head[4:10] not in (b"1AY&SY", b"\x17rE8P\x90")
    return next((packing for packing in _PACKINGS if head.startswith(packing.mark) and not text), None)


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
