"""The report of a model's start: every tensor, once, and where it came from."""

from typing import Dict, List

from torch import Tensor

from ..files import atomic_write
from .initialization import Origin

REPORT_NAME = "init_report.tsv"


def report_lines(state: Dict[str, Tensor], origins: Dict[str, Origin]) -> List[str]:
    """The whole report: one line a tensor of ``state``: name, shape, kind of origin, origin."""
    lines = ["tensor\tshape\torigin\tsource"]
    for name, tensor in state.items():
        shape = "x".join(str(size) for size in tensor.shape)
        lines.append("\t".join([name, shape, origins[name].kind, origins[name].source]))
    return lines


def summary_lines(state: Dict[str, Tensor], origins: Dict[str, Origin]) -> List[str]:
    """The short report: tensors and numbers by kind of origin, the encoder's and the decoder's apart."""
    lines = []
    for side in ("encoder", "decoder"):
        for kind in ("copied", "random", "tied"):
            names = [name for name in state if name.startswith(side + ".") and origins[name].kind == kind]
            if names:
                numbers = sum(state[name].numel() for name in names)
                lines.append(f"start: {side}: {len(names):4d} tensors {kind:6s} ({numbers:,} numbers)")
    return lines


def write_report(path: str, lines: List[str]) -> None:
    """Write ``report_lines`` to ``path``."""
    with atomic_write(path) as stream:
        stream.write("\n".join(lines) + "\n")
