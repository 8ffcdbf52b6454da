"""Measurements of recipes/benchmark/speed.sh in the ledger, and their table."""

from typing import Dict, List

from . import reproduce_ledger as ledger
from .reproduce_training import machine, versions

SYSTEMS = {"ours": "ours", "hf": "Hugging Face", "fairseq": "fairseq"}


def record(folder: str, section: str, case: Dict, numbers: Dict, commit: str) -> None:
    """One finished measurement: ``section`` is train, generate or memory, ``numbers`` what it gave."""
    kept = {key: value for key, value in numbers.items() if key != "batches"}
    about = [section, case["device"], str(case["vocabulary"]), case["dtype"]]
    about += [f"beam{numbers['beam']}", f"batch{numbers['size']}"] if section == "generate" else []
    entry = {"kind": "speed", "section": section, "case": case, "numbers": kept, "commit": commit}
    entry.update(machine=dict(machine(), threads=case["threads"]), versions=versions())
    ledger.write(folder, ".".join(["speed", *about]), entry)


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
