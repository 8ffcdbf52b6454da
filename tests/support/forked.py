"""Work in a child process that has all the modules of this one, so that nothing is loaded again."""

import os
import sys
from typing import Callable, Optional


def forked(work: Callable[[], Optional[int]], log, typed: str = os.devnull, session: bool = False) -> int:
    """Do ``work``, which may return an exit code, in a child process; returns its id at once.

    Args:
        log: the file that the child's output is added to.
        typed: the file that is its standard input.
        session: the child has a session of its own, to be killed with all that it starts.
    """
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        if session:
            os.setsid()
        os.dup2(os.open(str(typed), os.O_RDONLY), 0)
        output = os.open(str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(output, 1)
        os.dup2(output, 2)
        code = work() or 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def exit_code(child: int) -> int:
    """How a child ended, once it has; the number of the signal that killed it, negative."""
    status = os.waitpid(child, 0)[1]
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
