"""One function over many batches, in several processes, with the results in the order of the batches."""

import argparse
import collections
import itertools
import os
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Callable, Iterable, Iterator, List, TypeVar

from swcm_fairseq.errors import SwcmError

Batch = TypeVar("Batch")
Result = TypeVar("Result")

BATCHES_AHEAD = 3  # for each worker; what is read and not yet written is so many batches

_function: Any = None  # of a worker process


def positive_number(text: str) -> int:
    """Parse a number that is at least one, such as that of --workers."""
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return count


def in_batches(items: Iterable[Any], size: int, weigh: Callable[[Any], int], heaviest: int) -> Iterator[List[Any]]:
    """Cut a stream into lists of at most ``size`` items, and of little more than ``heaviest`` in all."""
    batch: List[Any] = []
    weight = 0
    for item in items:
        batch.append(item)
        weight += weigh(item)
        if len(batch) == size or weight >= heaviest:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def ordered_map(
    make: Callable[[Any], Callable[[Batch], Result]], settings: Any, batches: Iterable[Batch], workers: int
) -> Iterator[Result]:
    """Yield ``make(settings)(batch)`` for each batch.

    Args:
        make: a function or class that other processes can import; called once in each process.
        workers: processes; with one, all is done in this one.

    Raises:
        SwcmError: a worker was killed, which the system does where memory runs out.
    """
    global _function
    function = make(settings)  # its errors come before any process is started
    batches = iter(batches)
    first = list(itertools.islice(batches, 2))
    batches = itertools.chain(first, batches)
    if workers == 1 or len(first) < 2:
        for batch in batches:
            yield function(batch)
        return
    _function = function  # processes that are copies of this one have it then
    waiting: collections.deque = collections.deque()
    with ProcessPoolExecutor(workers, initializer=_start, initargs=(make, settings, os.getpid())) as pool:
        try:
            for batch in batches:
                waiting.append(pool.submit(_call, batch))
                if len(waiting) >= BATCHES_AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise SwcmError("a worker process was killed; was there memory enough? Fewer --workers need less")
        finally:
            _function = None
            for future in waiting:
                future.cancel()


def _start(make: Callable, settings: Any, parent: int) -> None:
    global _function
    if _function is None:
        _function = make(settings)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    # A worker whose parent was killed would wait for work for ever.
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _call(batch: Any) -> Any:
    return _function(batch)
