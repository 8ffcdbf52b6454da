"""How much memory a piece of work takes at its highest."""

import ctypes
import gc
import resource
import sys
from typing import Callable

import torch


def peak_above(work: Callable[[], object], device: str) -> int:
    """Bytes that ``work`` takes at its highest above what is in use before.

    On a CPU that is the process's resident memory as the system sees it, so what allocators and libraries keep counts
    too. The system's mark of the highest size is set back first where it can be (Linux); elsewhere it is that of the
    process's whole life, which a fresh process has to make small.
    """
    gc.collect()
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    _give_back_freed_memory()
    _set_mark_back()
    before = _resident()
    work()
    return _highest() - before


def _give_back_freed_memory() -> None:
    """Freed memory that the C library keeps would hide as much of what comes next."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        pass


def _set_mark_back() -> None:
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as stream:
            stream.write("5")
    except OSError:
        pass


def _highest() -> int:
    found = _status("VmHWM")
    if found is None:
        unit = 1 if sys.platform == "darwin" else 1024
        found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return found


def _resident() -> int:
    found = _status("VmRSS")
    return _highest() if found is None else found


def _status(name: str):
    try:
        with open("/proc/self/status", encoding="ascii") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name + ":"))
    except (OSError, StopIteration):
        return None


def bytes_of(tensors) -> int:
    """Of the memory behind ``tensors``, what several share counted once; ``None`` is skipped."""
    sizes = {}
    for tensor in tensors:
        if tensor is not None and torch.is_tensor(tensor):
            start = tensor.data_ptr()
            sizes[start] = max(sizes.get(start, 0), tensor.numel() * tensor.element_size())
    sizes.pop(0, None)
    return sum(sizes.values())
