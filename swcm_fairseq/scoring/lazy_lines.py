"""Sequences of text that stay in their files: what is read of a test set is a sentence at a time, whatever its size."""

import tempfile
from typing import IO, Any, BinaryIO, Callable, Iterator, Sequence

import numpy as np

from ..encodings import HEAD, encoding_hint, refuse_wide_characters
from ..errors import SwcmError
from ..input_files import open_input, with_line_feeds

_BLOCK = 1 << 20  # bytes
_RUN = 4096  # lines read at once where they stand behind one another
_LONGEST = 64 << 20  # bytes without a line feed, where lines may end in carriage returns
_UTF8_MARK = b"\xef\xbb\xbf"


class Lazy(Sequence):
    """A sequence whose items are made when they are asked for; equal to a list of the same."""

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        return self._item(range(len(self))[place])

    def _item(self, place: int) -> Any:
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str) or len(other) != len(self):
            return False
        return all(mine == theirs for mine, theirs in zip(self, other))

    __hash__ = None  # type: ignore[assignment]


class Mapped(Lazy):
    """``change`` of every item of a sequence."""

    def __init__(self, items: Sequence, change: Callable[[Any], Any]) -> None:
        self._items, self._change = items, change

    def __len__(self) -> int:
        return len(self._items)

    def _item(self, place: int) -> Any:
        return self._change(self._items[place])

    def __iter__(self) -> Iterator:
        return map(self._change, self._items)


class TextLines(Lazy):
    """Lines of an open UTF-8 file, each as text without its end.

    Args:
        stream: of bytes; it can be searched.
        starts, ends: [N], where the lines stand, with or without their ends.
    """

    def __init__(self, stream: IO[bytes], starts: np.ndarray, ends: np.ndarray) -> None:
        self._stream, self._starts, self._ends = stream, starts, ends

    def __len__(self) -> int:
        return len(self._starts)

    def _item(self, place: int) -> str:
        start = int(self._starts[place])
        self._stream.seek(start)
        return _text(self._stream.read(int(self._ends[place]) - start))

    def __iter__(self) -> Iterator[str]:
        for first in range(0, len(self), _RUN):
            starts = self._starts[first : first + _RUN].tolist()
            ends = self._ends[first : first + _RUN].tolist()
            if ends[-1] - starts[0] > 2 * sum(end - start for start, end in zip(starts, ends)) + _BLOCK:
                yield from map(self._item, range(first, first + len(starts)))
                continue
            low = min(starts)
            self._stream.seek(low)
            data = self._stream.read(max(ends) - low)
            for start, end in zip(starts, ends):
                yield _text(data[start - low : end - low])


class OpenedText:
    """A UTF-8 file, looked through once: ``bounds`` [N + 1] are where its N lines begin, and where the last one ends.

    A pipe is copied into a temporary file first, and what is packed is unpacked into one. Only the line feed ends a
    line: other separators of Unicode may stand inside a sentence; but where there is none, carriage returns do.

    Raises:
        SwcmError: no such file, an empty one, or one that is not UTF-8 (with the line).
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.stream = open_input(path)
        if not self.stream.seekable():
            self.stream = _copy(self.stream)
        self.bounds = self._look_through()
        self.stream.seek(int(self.bounds[0]))
        if len(self.bounds) == 2 and b"\r" in self.stream.readline().rstrip(b"\r\n"):
            self.stream.seek(0)
            self.stream = _copy(self.stream)
            self.bounds = self._look_through()
        self.ends_with_newline = True
        if self.bounds[-1]:
            self.stream.seek(int(self.bounds[-1]) - 1)
            self.ends_with_newline = self.stream.read(1) == b"\n"

    def lines(self) -> TextLines:
        """All lines, as text."""
        return TextLines(self.stream, self.bounds[:-1], self.bounds[1:])

    def raw_lines(self) -> Iterator[bytes]:
        """All lines as bytes, with their ends."""
        self.stream.seek(int(self.bounds[0]))
        yield from self.stream

    def _look_through(self) -> np.ndarray:
        place = start = lines = 0
        found, rest, filled = [], b"", False
        self.stream.seek(0)
        while True:
            data = self.stream.read(_BLOCK)
            if place == 0:
                refuse_wide_characters(self.path, data[:HEAD])
                start = len(_UTF8_MARK) if data.startswith(_UTF8_MARK) else 0
            at = np.frombuffer(data, dtype=np.uint8) == 10
            found.append(np.flatnonzero(at) + (place + 1))
            place += len(data)
            cut = data.rfind(b"\n") + 1 if data else 0
            whole, rest = (rest + data[:cut], data[cut:]) if cut or not data else (b"", rest + data)
            try:
                text = whole.decode("utf-8")
            except UnicodeDecodeError as error:
                number = lines + whole.count(b"\n", 0, error.start) + 1
                line = whole[whole.rfind(b"\n", 0, error.start) + 1 :]
                hint = encoding_hint(self.path, line) or "convert the file"
                raise SwcmError(f"{self.path}, line {number}: not UTF-8; {hint}")
            lines += whole.count(b"\n")
            filled = filled or bool(text.strip("\ufeff \t\r\n") and text.strip("\ufeff").strip())
            if not data:
                break
        if not filled:
            raise SwcmError(f"{self.path} is empty")
        ends = np.concatenate(found)
        last = [place] if place > (ends[-1] if len(ends) else start) else []
        return np.concatenate([np.array([start]), ends, np.array(last, dtype=np.int64)]).astype(np.int64)


def _text(line: bytes) -> str:
    if line.endswith(b"\n"):
        line = line[:-1]
    return (line[:-1] if line.endswith(b"\r") else line).decode("utf-8")


def _copy(stream: BinaryIO) -> BinaryIO:
    copy = tempfile.TemporaryFile()
    with stream:
        for data in with_line_feeds(stream, _BLOCK, _LONGEST):
            copy.write(data)
    copy.seek(0)
    return copy
