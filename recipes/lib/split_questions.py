"""Split questions into train, valid and test so that a passage, with all questions on it, is on one side only.

Reads IN/train.{question,passage,answer}, line by line aligned, and IN/valid.* and IN/test.* where there are any;
further answers are in answer.2 to answer.9, empty lines where there are none. Lines without a question, a passage or an
answer are left out and counted. What is not there is held out of the
training questions, passage by passage; training passages that stand in what is there are left out. Writes the same
names into OUT, and OUT/counts.json.
"""

import argparse
import collections
import os
import random
import sys
from typing import Dict, List, Sequence, Set, Tuple

from swcm_preprocess.overlap import fingerprint
from swcm_preprocess.text_lines import read_aligned, write_lines

from swcm_fairseq.errors import SwcmError, run_command
from swcm_fairseq.files import atomic_folder, write_json
from swcm_fairseq.vocabulary.pieces import is_blank

SIDES = ("question", "passage", "answer")
FURTHER = tuple(f"answer.{number}" for number in range(2, 10))
HELD_OUT = ("valid", "test")

Row = Tuple[str, ...]


def split(
    rows: Sequence[Row], given: Dict[str, List[Row]], wanted: Dict[str, int], max_train: int, seed: int
) -> Dict[str, List[Row]]:
    """The parts by name.

    Args:
        rows: (question, passage, answer, further answers...) to train on or hold out of.
        given: parts that were held out already.
        wanted: questions of the others, at least so many.
        max_train: questions at most; 0: all.
    """
    by_passage: Dict[str, List[Row]] = collections.defaultdict(list)
    for row in rows:
        by_passage[fingerprint(row[1])].append(row)
    taken: Set[str] = {fingerprint(row[1]) for part in given.values() for row in part}
    passages = [passage for passage in sorted(by_passage) if passage not in taken]
    random.Random(seed).shuffle(passages)
    parts: Dict[str, List[Row]] = {}
    for name in HELD_OUT:
        parts[name] = list(given.get(name, []))
        while name not in given and passages and len(parts[name]) < wanted[name]:
            parts[name] += by_passage[passages.pop()]
    kept = [row for passage in passages for row in by_passage[passage]]
    parts["train"] = kept[: max_train or None]
    if not all(parts.values()):
        raise SwcmError(
            "{} questions on {} passages are too few to hold {} out".format(
                len(rows), len(by_passage), " and ".join(str(wanted[name]) for name in HELD_OUT if name not in given)
            )
        )
    return parts


def read(folder: str, part: str) -> Tuple[List[Row], int]:
    """The rows of one part, and how many lack a question, passage or answer; further answers may be empty."""
    paths = [os.path.join(folder, f"{part}.{side}") for side in SIDES + FURTHER]
    there = paths[: len(SIDES)] + [path for path in paths[len(SIDES) :] if os.path.exists(path)]
    rows = [row + ("",) * (len(paths) - len(there)) for row in read_aligned(there)]
    whole = [row for row in rows if not any(map(is_blank, row[: len(SIDES)]))]
    return whole, len(rows) - len(whole)


def main() -> int:
    """Split what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", required=True, metavar="IN", help="folder to read")
    parser.add_argument("--out", required=True, metavar="OUT", help="folder to write")
    parser.add_argument("--valid", type=int, default=100, metavar="N", help="questions to hold out (%(default)s)")
    parser.add_argument("--test", type=int, default=200, metavar="N", help="questions to hold out (%(default)s)")
    parser.add_argument(
        "--max-train", type=int, default=100_000, metavar="N", help="questions at most; 0: all (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of what is held out (%(default)s)")
    options = parser.parse_args()
    there = [name for name in HELD_OUT if os.path.exists(os.path.join(options.questions, name + ".question"))]
    given, blank = {}, {}
    for name in there:
        given[name], blank[name] = read(options.questions, name)
    rows, blank["train"] = read(options.questions, "train")
    left_out = {"blank": blank} if any(blank.values()) else {}
    wanted = {"valid": options.valid, "test": options.test}
    with atomic_folder(options.out) as folder:
        parts = split(rows, given, wanted, options.max_train, options.seed)
        for name, part in parts.items():
            for number, side in enumerate(SIDES + FURTHER):
                if side in FURTHER and not any(row[number] for row in part):
                    continue
                write_lines(os.path.join(folder, f"{name}.{side}"), (row[number] for row in part))
        counts = {
            name: {"questions": len(part), "passages": len({row[1] for row in part})} for name, part in parts.items()
        }
        with open(os.path.join(folder, "counts.json"), "w", encoding="utf-8", newline="\n") as stream:
            write_json(stream, dict(counts, read=len(rows) + blank["train"], **left_out))
    print(
        ", ".join("{questions} questions on {passages} passages for ".format(**counts[name]) + name for name in counts)
    )
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
