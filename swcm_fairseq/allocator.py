"""Memory that a training on a CPU has freed goes back to the system.

A batch of its own size makes temporaries of their own sizes. glibc keeps what they leave behind, and gaps that nothing
fits become ever more: a training of 28M parameters grows from 1.3 GB to 6 GB in 2,000 updates. Asked now and then, it
gives the pages within the gaps back. (Mapping large blocks one by one, which its settings can do, holds memory down
too, and costs a tenth of the time: every page is cleared anew in every update.)

Half-precision products on a CPU have a second store: oneDNN, and torch around it, make a kernel for each shape of a
product and keep 1,024 of them. Batches bring new shapes every time, so next to none is used again after its update:
28M parameters in bf16 took 2.2 GB after 40 updates, 1.2 GB with 32 kernels kept, and no more time.
"""

import ctypes
import functools
import os
import platform
from typing import Callable, Optional

#: Updates from one time to the next.
EVERY = 20
#: Kernels that are kept: about those of an update.
KERNELS = 32


def keep_few_kernels() -> None:
    """Bound what oneDNN keeps in this process, unless the user has; to be called before anything is multiplied."""
    for name in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
        os.environ.setdefault(name, str(KERNELS))


def return_freed_memory() -> bool:
    """Give back what is free; whether anything was.

    Other C libraries are left alone, and all with ``SWCM_RETURN_MEMORY=0``.
    """
    trim = None if os.environ.get("SWCM_RETURN_MEMORY") == "0" else _malloc_trim()
    return trim is not None and bool(trim(0))


@functools.lru_cache(maxsize=None)
def _malloc_trim() -> Optional[Callable[[int], int]]:
    if platform.libc_ver()[0] != "glibc":
        return None
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
