"""What becomes of memory on a CPU that was freed: a training gives it back to the system, a search uses it again.

A batch of its own size makes temporaries of their own sizes. glibc keeps what they leave behind, and gaps that nothing
fits become ever more: a training of 28M parameters grows from 1.3 GB to 6 GB in 2,000 updates. Asked now and then, it
gives the pages within the gaps back. (Mapping large blocks one by one, which its settings can do, holds memory down
too, and costs a tenth of the time: every page is cleared anew in every update.)

Beam search is the other way round: at every step it frees matrices as large as those of the step before, of hypotheses
times pieces. glibc maps blocks above 32 MiB one by one, and trims its store, so every page of them is cleared anew at
every step: two fifths of the time with 250,000 pieces and beam 5.

Half-precision products on a CPU have a second store: oneDNN, and torch around it, make a kernel for each shape of a
product and keep 1,024 of them. Batches bring new shapes every time, so next to none is used again after its update:
28M parameters in bf16 took 2.2 GB after 40 updates, 1.2 GB with 32 kernels kept, and no more time.
"""

import contextlib
import ctypes
import functools
import os
import platform
import threading
from typing import Iterator, Optional

#: Updates, or searches, from one time to the next.
EVERY = 20
#: Kernels that are kept: about those of an update.
KERNELS = 32
#: Bytes of a block from which on a search keeps it.
LARGE = 2**22


def keep_few_kernels() -> None:
    """Bound what oneDNN keeps in this process, unless the user has; to be called before anything is multiplied."""
    for name in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
        os.environ.setdefault(name, str(KERNELS))


def return_freed_memory() -> bool:
    """Give back what is free; whether anything was.

    Other C libraries are left alone, and all with ``SWCM_RETURN_MEMORY=0``.
    """
    glibc = None if os.environ.get("SWCM_RETURN_MEMORY") == "0" else _glibc()
    return glibc is not None and bool(glibc.malloc_trim(0))


@contextlib.contextmanager
def keep_freed_memory(size: int) -> Iterator[None]:
    """Within, what is freed stays in the process and is used again.

    Nothing happens where it doesn't pay, in other C libraries, and where the user has set glibc's own settings.

    Args:
        size: bytes of the largest blocks that come again and again.
    """
    glibc = _glibc() if size >= LARGE and not _set_by_user() else None
    if glibc is None:
        yield
        return
    _searches.begin(glibc)
    try:
        yield
    finally:
        _searches.end(glibc)


# mallopt's parameters (malloc.h), and what they are within a search and after it. Whoever sets one, ends their growth
# with the blocks that are freed; so what follows is what they grow to at most.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_KEEP = {_MMAP_MAX: 0, _TRIM_THRESHOLD: -1}
_GIVE_BACK = {_MMAP_MAX: 2**16, _MMAP_THRESHOLD: 2**25, _TRIM_THRESHOLD: 2**26}


class _Searches:
    """Those that go on at the same time, in threads; the last one to end sets all back."""

    def __init__(self):
        self.lock = threading.Lock()
        self.running = self.done = 0

    def begin(self, glibc) -> None:
        with self.lock:
            self.running += 1
            if self.running == 1:
                _set(glibc, _KEEP)

    def end(self, glibc) -> None:
        with self.lock:
            self.running -= 1
            self.done += 1
            if self.running == 0:
                _set(glibc, _GIVE_BACK)
            if self.done % EVERY == 0:
                return_freed_memory()


_searches = _Searches()


def _set(glibc, values) -> None:
    for parameter, value in values.items():
        glibc.mallopt(parameter, value)


def _set_by_user() -> bool:
    return "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "") or any(
        f"MALLOC_{name}_" in os.environ for name in ("MMAP_MAX", "MMAP_THRESHOLD", "TRIM_THRESHOLD", "TOP_PAD")
    )


@functools.lru_cache(maxsize=None)
def _glibc() -> Optional[ctypes.CDLL]:
    if platform.libc_ver()[0] != "glibc":
        return None
    try:
        library = ctypes.CDLL(None)
        return library if library.malloc_trim and library.mallopt else None
    except (OSError, AttributeError):
        return None
