"""The machine's processors, asked without torch: how many there are to use, whose they are, what they can do."""

import functools
import os
import platform
from typing import Dict


def usable_processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def made_by_amd() -> bool:
    """Whether they are AMD's, where libraries built on Intel's MKL are slow, or take another one."""
    return _cpuinfo().get("vendor_id") == "AuthenticAMD"


def products_of_8_bits_overflow() -> bool:
    """Whether signed times unsigned 8-bit numbers may overflow: on x86 without VNNI, or where that is not known."""
    if platform.machine().lower() not in ("x86_64", "amd64", "i686"):
        return False
    return not {"avx512_vnni", "avx_vnni"} & set(_cpuinfo().get("flags", "").split())


@functools.lru_cache(maxsize=None)
def _cpuinfo() -> Dict[str, str]:
    """What Linux says of the first processor; nothing elsewhere."""
    found: Dict[str, str] = {}
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as stream:
            for line in stream:
                name, _, value = line.partition(":")
                found.setdefault(name.strip(), value.strip())
    except OSError:
        pass
    return found
