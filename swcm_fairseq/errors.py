"""The one kind of error that a user can mend, and how commands report it."""

import errno
import io
import logging
import os
import re
import sys
import time
import traceback
from typing import Callable, Iterable, List, Optional, Sequence

#: What the system says where a disk, or a share of it, is full.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_FIRST_SPEAKS_S = 10.0
_FLAG = re.compile(r"(?:^|\s)--[a-z]")


class SwcmError(ValueError):
    """Something the user handed over is wrong; the message says what, where and what to do.

    Args:
        message: one line, or a heading when ``problems`` are given.
        problems: every problem found, one line each, so that one run shows them all.
    """

    def __init__(self, message: str, problems: Optional[Iterable[str]] = None) -> None:
        self.problems: List[str] = list(problems or [])
        lines = [message] + ["  - " + problem for problem in self.problems]
        super().__init__("\n".join(lines))


def some(symbols: Sequence[str], shown: int = 8) -> str:
    """The first few of ``symbols``, quoted, and how many more there are."""
    more = len(symbols) - shown
    return " ".join(map(repr, symbols[:shown])) + (f" and {more} more" if more > 0 else "")


def escape_output() -> None:
    """Let standard output and error write what their encoding lacks as an escape, ``\\u0416``.

    Terminals in GBK or Latin-1 lack most scripts, and a file's name need not be text in any encoding. A traceback
    for that would come when the work is done.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def printable(text: str) -> str:
    """``text`` as every UTF-8 file can hold it: the bytes of a file's name that are no text are escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def report_without_traceback(previous: Callable) -> Callable:
    """An ``excepthook`` that prints a ``SwcmError`` or Ctrl-C in one line and leaves other errors to ``previous``.

    fairseq's commands let errors of a plug-in escape, and a traceback through fairseq would bury the one
    line that helps.
    """

    def hook(kind, error, trace):
        # fairseq's own complaints name the flag to mend them.
        of_flag = issubclass(kind, (AssertionError, ValueError)) and _FLAG.search(str(error))
        if issubclass(kind, KeyboardInterrupt):
            print("interrupted", file=sys.stderr)
        elif isinstance(error, SwcmError) or of_flag:
            _let_the_first_speak()
            print(f"error: {error}", file=sys.stderr)
        else:
            previous(kind, error, trace)

    return hook


def _let_the_first_speak() -> None:
    """Of several processes of one training, all with the same complaint, all but the first wait before they make it.

    torchrun ends them as soon as the first has ended.
    """
    if int(os.environ.get("RANK") or 0) > 0:
        time.sleep(_FIRST_SPEAKS_S)


def run_command(main: Callable[[], Optional[int]]) -> int:
    """Run a command's ``main`` and return its exit code: 0 done, 1 the work failed (argparse exits with 2).

    A ``SwcmError`` or an error of the file system is one line on standard error, and so is Ctrl-C; anything else is a
    bug and keeps its traceback. What cannot be printed is escaped.
    """
    escape_output()
    # What fairseq says of itself as it is imported: that a task which nobody asked for wants another package.
    logging.getLogger("fairseq.tasks.text_to_speech").setLevel(logging.WARNING)
    try:
        return main() or 0
    except (SwcmError, OSError) as error:
        # A full disk names no file.
        advice = "; make room and start again" if getattr(error, "errno", None) in FULL else ""
        print(f"error: {error}{advice}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    except Exception:
        traceback.print_exc()
    return 1
