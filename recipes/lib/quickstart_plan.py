"""How long the quickstart trains, and what longer would give.

updates   how many updates fit into the time that is left, from the log of a few
further   what trainings of other lengths gave, by the ledger, and how to go on
"""

import argparse
import os
import re
import statistics
import sys
from collections import defaultdict
from typing import Dict, List, Optional

from swcm_fairseq.errors import SwcmError, run_command

from . import reproduce_ledger as ledger

LEDGER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "results")
#: The row of recipes/lib/reproduce_rows.tsv with the quickstart's recipe and layers of the encoder.
ROW = "layers-0-2-4"
#: Of the time left: the share for training, and the seconds that starting and stopping it take.
SHARE, AROUND = 0.8, 45.0
_STEP = re.compile(r"\| train_inner \| .*\bnum_updates=(\d+), .*\bwall=([\d.]+)")


def seconds_an_update(log: str) -> Optional[float]:
    """By the clock, between the lines of the log, so that what comes before the first one does not count.

    None where the log has too few lines.
    """
    with open(log, encoding="utf-8", errors="replace") as stream:
        found = [match.groups() for match in map(_STEP.search, stream) if match]
    lines = [(int(number), float(wall)) for number, wall in found]
    # The clock of a run that went on begins anew.
    steps = [(n2 - n1, w2 - w1) for (n1, w1), (n2, w2) in zip(lines, lines[1:]) if n2 > n1 and w2 >= w1]
    updates, seconds = (sum(column) for column in zip(*steps)) if steps else (0, 0.0)
    return max(0.001, seconds / updates) if updates else None


def updates_that_fit(seconds: float, each: float, trainings: int) -> int:
    """A round number of updates; 100 at least, since fewer teach nothing."""
    count = (seconds * SHARE / trainings - AROUND) / each
    step = 50 if count < 5000 else 500
    return max(100, int(count / step) * step)


def further(updates: int, each: Optional[float], entries: List[Dict]) -> List[str]:
    """What to tell a user at the end; ``each`` is the seconds of an update, None where they are not known."""
    hour = 0 if each is None else updates_that_fit(3600, each, 1)
    lines = []
    seeds = defaultdict(list)  # of a length and its languages: the scores of each training
    for entry in entries:
        if entry["row"] == ROW and entry["pairs"] == "all":
            scores = {lang: one["chrfpp"] for lang, one in entry["test"].items()}
            seeds[entry["updates"], tuple(scores)].append(scores)
    if seeds:
        lines += ["What other lengths gave with the default settings (chrF++ of larger test sets, recipes/results):"]
    for (length, langs), trainings in sorted(seeds.items()):
        means = {lang: statistics.mean(scores[lang] for scores in trainings) for lang in langs}
        parts = ", ".join(f"{lang} {value:.1f}" for lang, value in means.items())
        lines.append(f"  {length:5d} updates: {parts}, mean {statistics.mean(means.values()):.1f}")
    lines += [
        f"{updates} updates are made. "
        + (f"An hour on this machine is about {hour}, which gives more:" if hour > updates else "More give more:"),
        "",
        f"  UPDATES={max(hour, 2 * updates)} bash recipes/quickstart.sh",
        "",
        "goes on from where it stands.",
    ]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.required = True
    one = commands.add_parser("updates")
    one.add_argument("--log", required=True)
    one.add_argument("--seconds", type=float, required=True, help="that are left for trainings, decoding and scores")
    one.add_argument("--trainings", type=int, default=1)
    one = commands.add_parser("further")
    one.add_argument("--log", required=True)
    one.add_argument("--updates", type=int, required=True)
    args = parser.parse_args()
    if args.command == "updates":
        each = seconds_an_update(args.log)
        if each is None:
            raise SwcmError(f"{args.log} holds no updates to measure")
        print(updates_that_fit(args.seconds, each, args.trainings))
        return
    entries = list(ledger.of_kind(ledger.read(LEDGER), "training").values())
    print("\n" + "\n".join(further(args.updates, seconds_an_update(args.log), entries)))


if __name__ == "__main__":
    sys.exit(run_command(main))
