"""What is typed or piped into ``fairseq-interactive``: a line that is not UTF-8 is named."""

import io
import sys
from typing import IO, BinaryIO, Iterator, List

from ..errors import SwcmError
from ..input_files import is_pipe, open_input


def buffered_read(input: str, buffer_size: int) -> Iterator[List[str]]:
    """So many lines at a time of the file ``input``, or of standard input for ``-``, without white space around them.

    Raises:
        SwcmError: a line is not UTF-8.
    """
    with _opened(input) as stream:
        buffer: List[str] = []
        for number, line in enumerate(stream, 1):
            if any("\udc80" <= character <= "\udcff" for character in line):
                name = "the input" if input == "-" else input
                raise SwcmError(f"line {number} of {name} is not UTF-8; convert the text first, as with iconv -t UTF-8")
            buffer.append(line.strip())
            if len(buffer) >= buffer_size:
                yield buffer
                buffer = []
        if buffer:
            yield buffer


def _opened(name: str) -> IO[str]:
    if name == "-":
        file: BinaryIO = open(sys.stdin.fileno(), "rb", closefd=False)
    elif is_pipe(name):
        file = open(name, "rb")  # its lines are wanted as they come
    else:
        file = open_input(name)
    # Whatever the locale is.
    return io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape")


def replacement(stock):
    """``buffered_read`` in the place of fairseq's."""
    return buffered_read
