"""What the machine at hand can do: the GPUs that torch can use, and the precision that it is quick in.

    python -m swcm_fairseq.hardware [--precision auto|bf16|fp16|fp32]     prints the precision, a tab, and the reason
    python -m swcm_fairseq.hardware --gpus        prints how many GPUs torch can use; fails where it cannot use one

A CPU without bf16 instructions multiplies bf16 in a plain loop, tens of times slower than float32. GPUs before compute
capability 8.0 emulate bf16 too; they have fp16. ``SWCM_DEVICE=cpu`` leaves the GPUs alone.
"""

import argparse
import functools
import logging
import os
import re
import subprocess
import sys
import time
from typing import List, NamedTuple, Optional

import torch

from .errors import SwcmError, run_command

logger = logging.getLogger(__name__)

PRECISIONS = ("bf16", "fp16", "fp32")
#: Rows and columns of the matrices that are multiplied to find out.
_SIZE = 384
#: bf16 also moves half the bytes, but a training has parts that stay in float32: about level is not worth rounding for.
_WORTH_IT = 1.2


class Precision(NamedTuple):
    """A precision to train or decode in: ``name`` is one of ``PRECISIONS``, ``reason`` says why, in one line."""

    name: str
    reason: str

    @property
    def dtype(self) -> torch.dtype:
        return {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[self.name]


def usable_gpus() -> int:
    """GPUs that this process may use; none with ``SWCM_DEVICE=cpu``."""
    if os.environ.get("SWCM_DEVICE") == "cpu" or not torch.cuda.is_available():
        return 0  # device_count() alone may count what the driver is too old for
    return torch.cuda.device_count()


def gpus_meant() -> int:
    """GPUs to train on; 0 where the machine shows none, they are hidden, or ``SWCM_DEVICE=cpu`` means a CPU.

    Raises:
        SwcmError: a GPU is there that torch cannot use, and a training would run on the CPU without a word.
    """
    device = os.environ.get("SWCM_DEVICE") or "auto"
    if device not in ("auto", "cpu", "cuda"):
        raise SwcmError(f"SWCM_DEVICE is auto, cpu or cuda, not {device}")
    found, visible = usable_gpus(), os.environ.get("CUDA_VISIBLE_DEVICES")
    if found or device == "cpu":
        return found
    driver = nvidia_driver()
    hidden = visible is not None and visible.strip().split(",")[0] in ("", "-1", "NoDevFiles")
    if device == "auto" and (driver is None or hidden):
        return 0
    there = "no NVIDIA GPU is to be seen, and" if driver is None else f"this machine has a GPU (driver {driver}), but"
    built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
    shown = "" if visible is None else f" with CUDA_VISIBLE_DEVICES={visible}"
    raise SwcmError(
        f"{there} torch {torch.__version__} ({built}) finds none that it can use{shown}. Install {_driver_wanted()}, "
        "or choose another torch with SWCM_TORCH, or set SWCM_DEVICE=cpu"
    )


def nvidia_driver() -> Optional[str]:
    """The version of NVIDIA's driver, "unknown" where a GPU is there that does not say, or None without a GPU."""
    try:
        asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        done = subprocess.run(asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30)
        said = done.stdout.decode().split()
    except (OSError, subprocess.TimeoutExpired):
        said = []
    if said and re.match(r"\d+\.\d", said[0]):
        return said[0]
    return "unknown" if os.path.exists("/dev/nvidia0") else None


def _driver_wanted() -> str:
    major = (torch.version.cuda or "").split(".")[0]
    least = {"11": "450", "12": "525", "13": "580"}.get(major)
    return f"a newer driver (CUDA {major} wants {least} or newer)" if least else "a driver that it knows"


@functools.lru_cache(maxsize=None)
def bf16_speed() -> float:
    """How many times as fast as float32 this CPU multiplies matrices in bf16, as a training step does: measured.

    The products are those of a layer's output and of its input's gradient. What torch says about the processor's
    instructions is not enough: whether they are used depends on its version and on oneDNN's.
    """
    seconds = [_seconds_of_products(torch.float32), _seconds_of_products(torch.bfloat16)]
    return seconds[0] / seconds[1]


def _seconds_of_products(dtype: torch.dtype) -> float:
    x = torch.full((_SIZE, _SIZE), 0.5, dtype=dtype)
    weight = torch.full((_SIZE, _SIZE), 0.25, dtype=dtype)
    best = float("inf")
    with torch.no_grad():
        for _ in range(3):
            began = time.perf_counter()
            torch.mm(torch.mm(x, weight.t()), weight)
            best = min(best, time.perf_counter() - began)
    return best


def best_precision() -> Precision:
    """The precision to train in here."""
    if usable_gpus():
        capability = min(torch.cuda.get_device_capability(number) for number in range(usable_gpus()))
        if torch.version.hip or capability >= (8, 0):
            return Precision("bf16", "the GPU has bf16")
        return Precision("fp16", "a GPU of compute capability {}.{} emulates bf16".format(*capability))
    speed = bf16_speed()
    if speed >= _WORTH_IT:
        return Precision("bf16", f"this CPU multiplies bf16 {speed:.1f} times as fast as float32")
    return Precision("fp32", f"this CPU multiplies bf16 {_comparison(speed)}")


def _comparison(speed: float) -> str:
    return "no faster than float32" if speed > 0.9 else f"{max(2, 1 / speed):.0f} times slower than float32"


def choose_precision(asked: str) -> Precision:
    """``asked``, or with "auto" the best one; the reason names what ``asked`` costs here, where it costs something.

    Raises:
        SwcmError: there is no such precision.
    """
    if asked == "auto":
        return best_precision()
    if asked not in PRECISIONS:
        raise SwcmError(f"PRECISION is auto, bf16, fp16 or fp32, not {asked}")
    warning = slow_bf16_warning() if asked == "bf16" else None
    return Precision(asked, "asked for" + (", but " + warning if warning else ""))


def slow_bf16_warning() -> Optional[str]:
    """What bf16 costs on the device that is used, or None where it pays."""
    if usable_gpus():
        best = best_precision()
        return None if best.name == "bf16" else best.reason
    speed = bf16_speed()
    return None if speed >= 0.9 else f"this CPU multiplies bf16 {_comparison(speed)}"


def warn_of_slow_bf16() -> None:
    """Log a warning where bf16 was asked for and the device has none."""
    warning = slow_bf16_warning()
    if warning:
        logger.warning("--bf16: %s; leave it out (recipes: PRECISION=auto chooses what is quick)", warning)


def main(arguments: Optional[List[str]] = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m swcm_fairseq.hardware", description=__doc__.split("\n")[0])
    parser.add_argument("--precision", default="auto", help="auto, bf16, fp16 or fp32")
    parser.add_argument("--gpus", action="store_true", help="print how many GPUs torch can use instead")
    args = parser.parse_args(arguments)
    print(gpus_meant() if args.gpus else "\t".join(choose_precision(args.precision)))


if __name__ == "__main__":
    sys.exit(run_command(main))
