"""Reading text line by line, without losing or guessing anything.

A line ends at a line feed and nowhere else (Python's ``splitlines`` also ends lines at signs that occur inside
them); a carriage return before it and a byte order mark at the start of the file are no part of the text.
"""

import itertools
from typing import Iterator, List, Optional, Tuple

from swcm_fairseq.errors import SwcmError

# So many bad lines are named; the rest are counted.
MOST_NAMED = 10

_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class Problems:
    """Lines that cannot be read: the first ones in words, the others as a number."""

    def __init__(self) -> None:
        self.named: List[str] = []
        self.number = 0

    def add(self, text: str) -> None:
        self.number += 1
        if len(self.named) < MOST_NAMED:
            self.named.append(text)

    def raise_if_any(self, message: str) -> None:
        if self.number > len(self.named):
            self.named.append("and {} more".format(self.number - len(self.named)))
        if self.number:
            raise SwcmError(message, self.named)


def read_lines(path: str, problems: Problems) -> Iterator[Optional[str]]:
    """Yield the lines of a UTF-8 file; a line that is not UTF-8 is ``None`` and is noted in ``problems``."""
    with open(path, "rb") as stream:
        for number, raw in enumerate(stream, start=1):
            if number == 1:
                if raw.startswith(_UTF16_MARKS):
                    raise SwcmError("{}: this is UTF-16; convert it first: iconv -f UTF-16 -t UTF-8".format(path))
                raw = raw[len(_UTF8_MARK) :] if raw.startswith(_UTF8_MARK) else raw
            raw = raw[:-1] if raw.endswith(b"\n") else raw
            raw = raw[:-1] if raw.endswith(b"\r") else raw
            try:
                yield raw.decode("utf-8")
            except UnicodeDecodeError as error:
                problems.add(
                    "{}, line {}: byte {} (0x{:02x}) is not UTF-8".format(path, number, error.start + 1, raw[error.start])
                )
                yield None


def read_aligned(paths: List[str]) -> Iterator[Tuple[str, ...]]:
    """Yield what stands on line 1, 2, ... of all files.

    Raises:
        SwcmError: at the end, naming every line that is not UTF-8 in any of the files, or their numbers of
            lines where those differ. What was yielded until then must not be used.
    """
    problems = Problems()
    lengths = [0] * len(paths)
    absent = object()
    files = [read_lines(path, problems) for path in paths]
    for row in itertools.zip_longest(*files, fillvalue=absent):
        for i, line in enumerate(row):
            lengths[i] += line is not absent
        if len(set(lengths)) == 1 and not problems.number:
            yield row
    problems.raise_if_any("lines that are not UTF-8 text; mend or remove them")
    if len(set(lengths)) > 1:
        raise SwcmError(
            "line-aligned files must have as many lines: "
            + ", ".join("{} has {}".format(path, length) for path, length in zip(paths, lengths))
        )
