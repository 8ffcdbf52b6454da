"""Reading text line by line, without losing or guessing anything, and writing it.

A line ends at a line feed and nowhere else (Python's ``splitlines`` also ends lines at signs that occur inside
them); a carriage return before it and a byte order mark at the start of the file are no part of the text. In a file
without any line feed, as old Macintosh programs write them, each carriage return ends a line. Packed files and pipes
are read as ``swcm_fairseq.input_files`` says.
"""

import itertools
import os
from typing import Any, AnyStr, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from swcm_fairseq.encodings import HEAD, encoding_hint, refuse_wide_characters
from swcm_fairseq.errors import SwcmError
from swcm_fairseq.input_files import input_problems, is_pipe, open_input, with_line_feeds
from swcm_fairseq.packed_streams import DamagedInput

# So many bad lines are named; the rest are counted.
MOST_NAMED = 10

# No line of text is longer (bytes); what is would take the memory away.
LONGEST = 64 << 20
# Formats that have to be read as a whole are limited too.
LONGEST_FILE = 256 << 20

_TELLING = 16  # bytes beyond ASCII that show an encoding

_UTF8_MARK = b"\xef\xbb\xbf"


class Problems:
    """Lines that cannot be read: the first ones in words, the others as a number."""

    def __init__(self) -> None:
        self.named: List[str] = []
        self.number = 0
        self.causes: List[str] = []

    def add(self, text: str) -> None:
        self.number += 1
        if len(self.named) < MOST_NAMED:
            self.named.append(text)

    def explain(self, cause: str) -> None:
        """Say what many problems have in common, where that is known."""
        if cause:
            self.causes.append(cause)

    def in_words(self) -> List[str]:
        """What they have in common, those that were named, and how many more there are."""
        more = self.number - len(self.named)
        return self.causes + self.named + ([f"and {more} more"] if more else [])

    def raise_if_any(self, message: str) -> None:
        if self.number:
            raise SwcmError(message, self.in_words())


def read_blocks(path: str, size: int = 1 << 18) -> Iterator[bytes]:
    """Yield the bytes of a file, without the byte order mark: whole lines, about ``size`` bytes at a time.

    Only the last line may lack its end.

    Raises:
        SwcmError: no text, a line that is too long to be one, or packed data that is cut short or damaged.
    """
    begun: List[bytes] = []  # a line whose end has not been read
    length = lines = 0
    with open_input(path) as stream:
        chunks = with_line_feeds(stream, size, LONGEST)
        while True:
            try:
                data = next(chunks, b"")
            except DamagedInput as error:
                raise SwcmError(f"{path}, behind line {lines}: {error.reason}")
            first = data.find(b"\n") + 1
            length += first or len(data)
            if length > LONGEST + 1:
                raise SwcmError(
                    f"{path}, line {lines + 1}: longer than {LONGEST >> 20} MiB; is this text, and are its lines ended?"
                )
            if data and not first:
                begun.append(data)
                continue
            end = data.rfind(b"\n") + 1
            block = b"".join(begun) + data[:end]
            begun, length = [data[end:]], len(data) - end
            if block:
                yield without_mark(block, path) if lines == 0 else block
            if not data:
                return
            lines += block.count(b"\n")


def without_mark(start: bytes, path: str) -> bytes:
    """The start of a text without the byte order mark; raises ``SwcmError`` for UTF-16 and UTF-32."""
    refuse_wide_characters(path, start[:HEAD])
    return start[len(_UTF8_MARK) :] if start.startswith(_UTF8_MARK) else start


def split_lines(block: AnyStr, end: Any = b"\n", carriage: Any = b"\r") -> List[AnyStr]:
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
    with open_input(path) as stream:
        data = stream.read(LONGEST_FILE + 1)
    if len(data) > LONGEST_FILE:
        raise SwcmError(f"{path}: over {LONGEST_FILE >> 20} MiB, and this format is read as a whole")
    return data


class Undecodable:
    """Decodes the lines of a file, and looks whether it is in another encoding as a whole."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._sample = b""
        self._good = self._foreign = self._bytes = 0
        self.error: Optional[UnicodeDecodeError] = None  # of the last line

    def decode(self, raw: bytes) -> str:
        """The text of a line, in which surrogates stand for bytes that are no UTF-8."""
        self.error = None
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            self.error = error
            text = raw.decode("utf-8", "surrogateescape")
            signs = [sign for sign in text if sign > "\x7f"]
            if 2 * sum("\udc80" <= sign <= "\udcff" for sign in signs) > len(signs):
                self._foreign += 1
                self._bytes += len(signs)
                self._sample += raw[:HEAD] + b"\n" if len(self._sample) < HEAD else b""
                return text
        # A line in ASCII says nothing.
        self._good += not text.isascii()
        return text

    def hint(self) -> str:
        """What the file may be and the command that converts it, or "" where most of it is UTF-8."""
        if self._foreign <= self._good or self._bytes < _TELLING:
            return ""
        what = encoding_hint(self._path, self._sample) or "convert it first, with iconv -f ENCODING -t UTF-8"
        return f"{self._path}: most of it is not UTF-8; {what}"


def read_lines(path: str, problems: Problems) -> Iterator[Optional[str]]:
    """Yield the lines of a UTF-8 file; a line that is not UTF-8 is ``None`` and is noted in ``problems``."""
    seen = Undecodable(path)
    for number, raw in enumerate(read_raw_lines(path), start=1):
        line = seen.decode(raw)
        if seen.error:
            byte = seen.error.start
            problems.add(f"{path}, line {number}: byte {byte + 1} (0x{raw[byte]:02x}) is not UTF-8")
        yield None if seen.error else line
    problems.explain(seen.hint())


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
    absent: Any = object()
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
            + ", ".join(f"{path} has {length}" for path, length in zip(paths, lengths)),
            noted.in_words(),
        )


def write_lines(path: str, lines: Iterable[str]) -> None:
    """Write a new file of these lines, which have no ends."""
    with open(path, "w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(line + "\n" for line in lines)


def refuse_input(output: str, inputs: Iterable[str]) -> None:
    """Raise ``SwcmError`` where an output would be written over one of the inputs, which are there."""
    if os.path.exists(output) and any(os.path.samefile(output, path) for path in inputs):
        raise SwcmError(f"{output} is an input; choose another --out")


def in_order(shards: Sequence[Sequence[str]]) -> List[Sequence[str]]:
    """Groups of files that belong together, sorted by the name of their first one; pipes, as given, behind them.

    So the result does not depend on the order in which the parts of a corpus are given.

    Raises:
        SwcmError: some files are not there, or are given twice.
    """
    paths = [path for shard in shards for path in shard]
    problems = input_problems(paths)
    known: Dict[str, str] = {}
    for path in paths:
        real = os.path.realpath(path)
        if real in known:
            problems.append("{}: given twice{}".format(path, "" if known[real] == path else ", also as " + known[real]))
        known[real] = path
    if problems:
        raise SwcmError("files that cannot be read", problems)
    files = [shard for shard in shards if not is_pipe(shard[0])]
    files.sort(key=lambda shard: [(os.path.basename(path), path) for path in shard])
    # The shell numbers pipes from the last to the first.
    return files + [shard for shard in shards if is_pipe(shard[0])]
