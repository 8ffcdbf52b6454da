"""Measurements of recipes/benchmark/speed.sh in the ledger, and their table."""

import collections
import os
from typing import Dict, List, Optional, Tuple

from . import reproduce_ledger as ledger
from .reproduce_training import machine, versions


def name_of(section: str, case: Dict, beam: Optional[int] = None, size: Optional[int] = None) -> str:
    """The ledger's name of a measurement; ``section`` is train, generate (with ``beam`` and ``size``) or memory.

    A speed is that of a kind of CPU, by the instructions it has for products.
    """
    device = machine()["cpu"].split()[-1] if case["device"] == "cpu" else case["device"]
    about = [section, device, str(case["vocabulary"]), case["dtype"], f"threads{case['threads']}"]
    return ".".join(["speed", *about] + ([f"beam{beam}", f"batch{size}"] if section == "generate" else []))


def record(folder: str, section: str, case: Dict, numbers: Dict, commit: str) -> None:
    """One finished measurement: ``numbers`` are what it gave."""
    kept = {key: value for key, value in numbers.items() if key != "batches"}
    entry = {"kind": "speed", "section": section, "case": case, "numbers": kept, "commit": commit}
    waiting = os.environ.get("OMP_WAIT_POLICY", "default")
    entry.update(machine=dict(machine(), threads=case["threads"], omp_wait_policy=waiting), versions=versions())
    ledger.write(folder, name_of(section, case, numbers.get("beam"), numbers.get("size")), entry)


def table(entries: Dict[str, Dict]) -> List[str]:
    """The lines of the table in Markdown: a measurement a line, theirs to ours above 1 where ours is better."""
    if not entries:
        return []
    head = [
        "measurement",
        "pieces",
        "precision",
        "ours",
        "Hugging Face / ours",
        "fairseq / ours",
        "of the ceiling",
        "CPU",
    ]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for entry in entries.values():
        section, case, numbers = entry["section"], entry["case"], entry["numbers"]
        ours = numbers["systems"].get("ours", {})
        amount, share = f"{ours.get('above', 0) / 1e6:.0f} MB", ""
        if section == "train":
            amount = f"{ours['step_seconds']:.3f} s a step"
            share = f"{ours['matrix_share']:.0%}"
        elif section == "generate":
            amount, share = (
                f"{ours['target_pieces_per_second']:.1f} pieces/s",
                f"{ours['memory_share']:.0%} of memory's",
            )
        cells = [_measurement(entry), str(case["vocabulary"]), case["dtype"], amount, *_ratios(entry), share]
        lines.append("| " + " | ".join([*cells, entry["machine"]["cpu"]]) + " |")
    return lines


def short_table(entries: Dict[str, Dict]) -> List[str]:
    """The same, both ratios in a cell, for the CPU with the most measurements: a column for each precision and size."""
    cpus = collections.Counter(entry["machine"]["cpu"] for entry in entries.values())
    if not cpus:
        return []
    cpu = cpus.most_common(1)[0][0]
    cells: Dict[str, Dict[Tuple[str, int], str]] = {}
    for entry in entries.values():
        if entry["machine"]["cpu"] == cpu:
            column = entry["case"]["dtype"], entry["case"]["vocabulary"]
            cells.setdefault(_measurement(entry), {})[column] = ", ".join(filter(None, _ratios(entry)))
    columns = sorted({column for row in cells.values() for column in row}, key=lambda one: (one[0] != "float32", one))
    lines = ["| | " + " | ".join(f"{dtype}, {vocabulary} pieces" for dtype, vocabulary in columns) + " |"]
    lines.append("|" + "---|" * (1 + len(columns)))
    for measurement in sorted(cells, reverse=True):
        row = [cells[measurement].get(column, "") for column in columns]
        lines.append(f"| {measurement} | " + " | ".join(row) + " |")
    return lines + ["", f"The first number is Hugging Face's, the second fairseq's. CPU: {cpu}."]


def _measurement(entry: Dict) -> str:
    numbers = entry["numbers"]
    if entry["section"] == "generate":
        return f"beam {numbers['beam']}, batches of {numbers['size']}"
    return {"train": "training", "memory": "memory of a step"}[entry["section"]]


def _ratios(entry: Dict) -> List[str]:
    """Theirs to ours, of Hugging Face and of fairseq; "" where it was not measured."""
    ratios = [entry["numbers"]["systems"].get(name, {}).get("times_ours") for name in ("hf", "fairseq")]
    return ["" if ratio is None else f"{ratio:.2f}" for ratio in ratios]
