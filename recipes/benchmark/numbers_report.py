"""Compares trainings that differ in their precision alone; see numbers.sh."""

import argparse
import os
import re
import sys
from typing import Dict, List

import torch

from swcm_fairseq.errors import SwcmError, run_command
from swcm_fairseq.files import atomic_write, write_json
from swcm_fairseq.scoring.corpus import read_lines
from swcm_fairseq.scoring.report.training_log import read_curves
from swcm_fairseq.torch_files import safe_load

# What fairseq says of an update that it leaves out, and of one that it cannot make.
_OVERFLOW = re.compile(r"overflow detected|FloatingPointError|Minimum loss scale")
_NOT_FINITE = re.compile(r"\b(loss|nll_loss|gnorm|[\w.-]+_nll)[= ](nan|-?inf)\b")


def measure(folder: str, updates: int) -> Dict:
    """What one training came to.

    Returns:
        ``train``, the mean nll over the last tenth of the updates, and ``valid``, the last one, both in bits a piece;
        ``overflows``, lines of the log that tell of one; ``not_finite``, lines of the log with a number that is none,
        and tensors of the last checkpoint with one.
    """
    curves = read_curves(folder)
    train = dict(curves.pop("train", []))
    missing = updates - len(train)
    if missing > 0 or not curves:
        raise SwcmError(f"{folder} logs {len(train)} of {updates} updates, and {len(curves)} validations")
    last = [train[update] for update in sorted(train)[-max(1, updates // 10) :]]
    (valid,) = curves.values()
    lines = read_lines(os.path.join(folder, "train.log"))
    state = safe_load(os.path.join(folder, "checkpoint_last.pt"))["model"]
    return {
        "train": sum(last) / len(last),
        "valid": valid[-1][1],
        "overflows": sum(bool(_OVERFLOW.search(line)) for line in lines),
        "not_finite": sum(bool(_NOT_FINITE.search(line)) for line in lines)
        + sum(not bool(torch.isfinite(tensor).all()) for tensor in state.values()),
    }


def compare(results: Dict[str, Dict], tolerance: float) -> List[str]:
    """Print a row for each precision, the first being what the others are compared with; what is wrong with them."""
    problems = []
    first = next(iter(results))
    print(
        "{:10s}{:>12s}{:>12s}{:>14s}{:>12s}{:>12s}".format(
            "precision", "train nll", "valid nll", "off " + first + " by", "overflows", "not finite"
        )
    )
    for name, row in results.items():
        off = max(abs(row[key] / results[first][key] - 1) for key in ("train", "valid"))
        row["off"] = off
        print(
            "{:10s}{:12.4f}{:12.4f}{:14.2%}{:12d}{:12d}".format(
                name, row["train"], row["valid"], off, row["overflows"], row["not_finite"]
            )
        )
        # NAME.SEED is there to show how far another seed is off. What is no number is no less.
        if "." not in name and not off <= tolerance:
            problems.append(f"{name}: its loss is {off:.2%} off {first}'s")
        # In float16 the scale of the loss is found by letting it overflow, which leaves an update out.
        if row["not_finite"] or (row["overflows"] and name.split(".")[0] != "fp16"):
            problems.append("{}: {overflows} overflows, {not_finite} numbers not finite".format(name, **row))
    return problems


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True, help="folder that has a folder for each precision")
    parser.add_argument("--updates", type=int, required=True)
    parser.add_argument("--tolerance", type=float, default=0.02)
    parser.add_argument("precisions", nargs="+", help="the first is what the others are compared with")
    args = parser.parse_args(arguments)
    results = {name: measure(os.path.join(args.out, name), args.updates) for name in args.precisions}
    problems = compare(results, args.tolerance)
    with atomic_write(os.path.join(args.out, "numbers.json")) as stream:
        write_json(stream, {"updates": args.updates, "precisions": results})
    if problems:
        raise SwcmError("half precision does not hold", problems)
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
