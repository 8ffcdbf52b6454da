"""Measurements of recipes/benchmark/speed.sh in the ledger, and their table."""

import os
from typing import Dict, List, Optional

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
        what, amount, share = "memory of a step", f"{ours.get('above', 0) / 1e6:.0f} MB", ""
        if section == "train":
            what, amount = "training", f"{ours['step_seconds']:.3f} s a step"
            share = f"{ours['matrix_share']:.0%}"
        elif section == "generate":
            what = f"beam {numbers['beam']}, batches of {numbers['size']}"
            amount, share = (
                f"{ours['target_pieces_per_second']:.1f} pieces/s",
                f"{ours['memory_share']:.0%} of memory's",
            )
        ratios = [numbers["systems"].get(name, {}).get("times_ours") for name in ("hf", "fairseq")]
        cells = [what, str(case["vocabulary"]), case["dtype"], amount]
        cells += ["" if ratio is None else f"{ratio:.2f}" for ratio in ratios]
        lines.append("| " + " | ".join([*cells, share, entry["machine"]["cpu"]]) + " |")
    return lines
