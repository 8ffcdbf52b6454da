"""One function over the parts of a large test set, in several processes, with the results in order."""

import collections
import itertools
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Callable, Iterable, Iterator, TypeVar

from ..errors import SwcmError

Part = TypeVar("Part")
Result = TypeVar("Result")

_AHEAD = 4  # parts for each process that are read and not yet done


def ordered(compute: Callable[[Part], Result], parts: Iterable[Part], workers: int) -> Iterator[Result]:
    """Yield ``compute(part)`` for each part; other processes must be able to import ``compute``.

    Raises:
        SwcmError: a process was killed, which the system does where memory runs out.
    """
    parts = iter(parts)
    waiting: collections.deque = collections.deque()
    with ProcessPoolExecutor(workers) as pool:
        try:
            waiting.extend(pool.submit(compute, part) for part in itertools.islice(parts, _AHEAD * workers))
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(compute, part) for part in itertools.islice(parts, 1))
        except BrokenProcessPool:
            raise SwcmError("a process was killed; was there memory enough? Fewer --workers need less")
        finally:
            for future in waiting:
                future.cancel()
