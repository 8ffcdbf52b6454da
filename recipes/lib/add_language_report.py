"""What growing a vocabulary gave: how the encoder spelled the new language before and after, scores, samples.

Baselines on the same test set: ``shuffled``, the references in another order, which is what a model scores that
ignores its source; ``copy``, the source as it is; ``old letters``, the references without the characters that the
old vocabulary lacks, which is the most that a model with the old vocabulary can write.
"""

import argparse
import json
import os
import sys

from swcm_fairseq.errors import run_command
from swcm_fairseq.files import atomic_write, write_json
from swcm_fairseq.scoring import score
from swcm_fairseq.scoring.corpus import read_lines

from .quickstart_report import METRICS, outputs

SAMPLES = 4


def spelling(report) -> str:
    """A line a file: unknown characters and pieces a unit, before and after."""
    lines = []
    for path, counts in report["files"].items():
        old, new = counts["before"], counts["after"]
        lines.append(
            "{}, {}: unknown characters {:.2%} -> {:.2%}, unknown pieces {:.2%} -> {:.2%}, pieces a {} {:.2f} -> "
            "{:.2f}".format(
                counts["language"],
                os.path.basename(path),
                old["unknown_characters"],
                new["unknown_characters"],
                old["unknown_pieces"],
                new["unknown_pieces"],
                counts["unit"],
                old["pieces_per_unit"],
                new["pieces_per_unit"],
            )
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True, help="the recipe's folder")
    parser.add_argument("--pivot", required=True)
    parser.add_argument("--lang", required=True)
    parser.add_argument("--systems", nargs="+", required=True)
    args = parser.parse_args()

    sources, references, found = outputs(args.out, args.systems, args.lang, args.pivot)
    added = set(read_lines(os.path.join(args.out, "grown", "new_pieces.txt")))
    found["old letters"] = ["".join(sign for sign in text if sign not in added).strip() for text in references]
    results = {system: {args.lang: score(outputs, references, args.lang)} for system, outputs in found.items()}
    with open(os.path.join(args.out, "grown", "extend.json"), encoding="utf-8") as stream:
        report = json.load(stream)
    with atomic_write(os.path.join(args.out, "scores.json")) as stream:
        write_json(stream, {"systems": results, "vocabulary": report})

    print(spelling(report))
    print("\n{:12s}{}".format("", "".join(f"{title:>8s}" for _, title in METRICS)))
    for system, scores in results.items():
        print("{:12s}{}".format(system, "".join(f"{scores[args.lang][key]:8.1f}" for key, _ in METRICS)))
    for key, title in METRICS:
        print("{}: {}".format(title, results["shuffled"][args.lang]["signatures"][key]))
    # Spread over the test set, whose order says nothing of how hard a sentence is.
    for i in range(0, len(sources), max(1, len(sources) // SAMPLES))[:SAMPLES]:
        print(f"\n{args.pivot:10s} {sources[i]}\nreference  {references[i]}")
        for system in args.systems:
            print(f"{system:10s} {found[system][i]}")


if __name__ == "__main__":
    sys.exit(run_command(main))
