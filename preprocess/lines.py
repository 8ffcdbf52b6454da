"""Reading text line by line, without losing or guessing anything.

A line ends at a line feed and nowhere else (Python's ``splitlines`` also ends lines at signs that occur inside
them); a carriage return before it and a byte order mark at the start of the file are no part of the text. A file
that starts as gzip does is read through it, whatever its name.
"""

import gzip
import io
import itertools
import os
import zlib
from typing import AnyStr, Iterator, List, Optional, Sequence, Tuple

from swcm_fairseq.errors import SwcmError

# So many bad lines are named; the rest are counted.
MOST_NAMED = 10

# No line of text is longer (bytes); what is would take the memory away.
LONGEST = 64 << 20
# Formats that have to be read as a whole are limited too.
LONGEST_FILE = 256 << 20

_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_GZIP_MARK = b"\x1f\x8b"


class Problems:
    """Lines that cannot be read: the first ones in words, the others as a number."""

    def __init__(self) -> None:
        self.named: List[str] = []
        self.number = 0

    def add(self, text: str) -> None:
        self.number += 1
        if len(self.named) < MOST_NAMED:
            self.named.append(text)

    def in_words(self) -> List[str]:
        """Those that were named, and how many more there are."""
        more = self.number - len(self.named)
        return self.named + (["and {} more".format(more)] if more else [])

    def raise_if_any(self, message: str) -> None:
        if self.number:
            raise SwcmError(message, self.in_words())


def open_bytes(path: str) -> io.BufferedIOBase:
    """Open a file for reading bytes, unpacked where it is gzip."""
    stream = open(path, "rb")
    return gzip.GzipFile(fileobj=stream, mode="rb") if stream.peek(2).startswith(_GZIP_MARK) else stream


def read_blocks(path: str, size: int = 1 << 18) -> Iterator[bytes]:
    """Yield the bytes of a file, without the byte order mark: whole lines, about ``size`` bytes at a time.

    Only the last line may lack its end.

    Raises:
        SwcmError: UTF-16, a line that is too long to be one, or gzip that is cut short or damaged.
    """
    begun: List[bytes] = []  # a line whose end has not been read
    length = lines = 0
    with open_bytes(path) as stream:
        while True:
            try:
                data = stream.read1(size)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise SwcmError(
                    "{}, behind line {}: the gzip data is cut short or damaged ({}); fetch the file again".format(
                        path, lines, error
                    )
                )
            first = data.find(b"\n") + 1
            length += first or len(data)
            if length > LONGEST + 1:
                raise SwcmError(
                    "{}, line {}: longer than {} MiB; is this text, and are its lines ended?".format(
                        path, lines + 1, LONGEST >> 20
                    )
                )
            if data and not first:
                begun.append(data)
                continue
            end = data.rfind(b"\n") + 1
            block = b"".join(begun) + data[:end]
            begun, length = [data[end:]], len(data) - end
            if block:
                yield _without_mark(block, path) if lines == 0 else block
            if not data:
                return
            lines += block.count(b"\n")


def _without_mark(start: bytes, path: str) -> bytes:
    if start.startswith(_UTF16_MARKS):
        raise SwcmError("{}: this is UTF-16; convert it first: iconv -f UTF-16 -t UTF-8".format(path))
    return start[len(_UTF8_MARK) :] if start.startswith(_UTF8_MARK) else start


def split_lines(block: AnyStr, end: AnyStr = b"\n", carriage: AnyStr = b"\r") -> List[AnyStr]:
    """The lines of a block, without their ends; of text where the ends are given as text."""
    lines = block.split(end)
    if not lines[-1]:
        lines.pop()
    return [line[:-1] if line.endswith(carriage) else line for line in lines] if carriage in block else lines


def read_raw_lines(path: str) -> Iterator[bytes]:
    """Yield the lines of a file as bytes, without their ends and the byte order mark; raises as ``read_blocks``."""
    return itertools.chain.from_iterable(map(split_lines, read_blocks(path)))


def open_whole(path: str) -> bytes:
    """All of a file, for formats that are not lines; raises ``SwcmError`` where it is too large or damaged."""
    with open_bytes(path) as stream:
        try:
            data = stream.read(LONGEST_FILE + 1)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise SwcmError("{}: the gzip data is cut short or damaged ({}); fetch the file again".format(path, error))
    if len(data) > LONGEST_FILE:
        raise SwcmError("{}: over {} MiB, and this format is read as a whole".format(path, LONGEST_FILE >> 20))
    return data[len(_UTF8_MARK) :] if data.startswith(_UTF8_MARK) else data


def first_byte(path: str) -> bytes:
    """The first byte of a file that is not white space, or nothing."""
    for raw in read_raw_lines(path):
        if raw.strip():
            return raw.strip()[:1]
    return b""


def read_lines(path: str, problems: Problems) -> Iterator[Optional[str]]:
    """Yield the lines of a UTF-8 file; a line that is not UTF-8 is ``None`` and is noted in ``problems``."""
    for number, raw in enumerate(read_raw_lines(path), start=1):
        try:
            yield raw.decode("utf-8")
        except UnicodeDecodeError as error:
            problems.add(
                "{}, line {}: byte {} (0x{:02x}) is not UTF-8".format(path, number, error.start + 1, raw[error.start])
            )
            yield None


def read_aligned(
    paths: Sequence[str], problems: Optional[Problems] = None, go_on: bool = False
) -> Iterator[Tuple[Optional[str], ...]]:
    """Yield what stands on line 1, 2, ... of all files.

    Args:
        problems: where lines that are not UTF-8 are noted. Without it they are an error at the end.
        go_on: yield such lines too, as ``None``, and what follows them; else nothing follows the first of them.

    Raises:
        SwcmError: at the end, naming every line that is not UTF-8 in any of the files, or their numbers of
            lines where those differ. What was yielded until then must not be used.
    """
    noted = Problems() if problems is None else problems
    lengths = [0] * len(paths)
    absent = object()
    files = [read_lines(path, noted) for path in paths]
    for row in itertools.zip_longest(*files, fillvalue=absent):
        for i, line in enumerate(row):
            lengths[i] += line is not absent
        if len(set(lengths)) == 1 and (go_on or not noted.number):
            yield row
    if problems is None:
        noted.raise_if_any("lines that are not UTF-8 text; mend or remove them")
    if len(set(lengths)) > 1:
        raise SwcmError(
            "line-aligned files must have as many lines: "
            + ", ".join("{} has {}".format(path, length) for path, length in zip(paths, lengths)),
            noted.in_words(),
        )


def in_order(shards: Sequence[Sequence[str]]) -> List[Sequence[str]]:
    """Groups of files that belong together, sorted by the name of their first one.

    So the result does not depend on the order in which the parts of a corpus are given.

    Raises:
        SwcmError: some files are not there, or are given twice.
    """
    paths = [path for shard in shards for path in shard]
    problems = ["{}: there is no such file".format(path) for path in paths if not os.path.isfile(path)]
    known = {}
    for path in paths:
        real = os.path.realpath(path)
        if real in known:
            problems.append("{}: given twice{}".format(path, "" if known[real] == path else ", also as " + known[real]))
        known[real] = path
    if problems:
        raise SwcmError("files that cannot be read", problems)
    return sorted(shards, key=lambda shard: [(os.path.basename(path), path) for path in shard])
