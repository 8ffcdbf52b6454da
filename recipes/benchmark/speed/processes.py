"""The parent's side: one process for each system, asked in turn."""

import contextlib
import multiprocessing
from typing import Dict, Iterator, List, Sequence

from swcm_fairseq.errors import SwcmError

from .worker import serve
from .workload import Lengths


class Child:
    """A system in a process of its own, which ends with this object's ``close``."""

    def __init__(self, system: str, case, purpose: str):
        self.system = system
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, system, case, purpose), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, name: str, *arguments):
        """The result of the worker's method ``name``."""
        try:
            self._pipe.send((name, arguments))
            done, result = self._pipe.recv()
        except (EOFError, BrokenPipeError):
            self._process.join(10)
            raise SwcmError(
                f"the process of {self.system} ended with exit code {self._process.exitcode}; a code of -9 mostly "
                "means that memory ran out"
            )
        if not done:
            raise SwcmError(f"{self.system}: {result}")
        return result

    def close(self) -> None:
        self._pipe.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


@contextlib.contextmanager
def children(systems: Sequence[str], case, purpose: str) -> Iterator[Dict[str, Child]]:
    """A process for each of ``systems``; all are gone at the end."""
    with contextlib.ExitStack() as stack:
        found = {}
        for system in systems:
            found[system] = Child(system, case, purpose)
            stack.callback(found[system].close)
        yield found


def make_batches(started: Dict[str, Child], batches: Sequence[List[Lengths]], seed: int) -> None:
    """Have every system make all batches, named by their place, and see that they hold the same and what was asked.

    Raises:
        SwcmError: two systems hold different sentences, or other numbers of real pieces than ``batches`` says.
    """
    for place, lengths in enumerate(batches):
        wanted = tuple(sum(pair[side] for pair in lengths) for side in (0, 1))
        made = {name: child.ask("make", place, lengths, seed + place) for name, child in started.items()}
        prints = {name: found[0] for name, found in made.items()}
        counts = {name: tuple(found[1]) for name, found in made.items()}
        if len(set(prints.values())) > 1 or any(count != wanted for count in counts.values()):
            raise SwcmError(
                f"the systems do not see the same batch {place}: contents {prints}, pieces {counts} where "
                f"{wanted} are wanted"
            )


def in_turn(names: Sequence[str], turn: int) -> List[str]:
    """``names``, beginning with another one each turn, so that none always comes after the same one."""
    first = turn % len(names)
    return list(names[first:]) + list(names[:first])
