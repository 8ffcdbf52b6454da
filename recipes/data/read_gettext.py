"""Read two languages' compiled gettext catalogues and write the messages they share as a raw parallel pair.

A message is known by the name of its catalogue and its id (context and English text), so two translations of it
are joined without guessing. Kept out, each under its own count: messages that the other language lacks,
messages with plural forms (languages have different numbers of them), messages that one side leaves in English
or without a translation, and those of the first side that are fuzzy, obsolete or stand there twice. A line
break inside a message becomes a space; nothing else is changed, cleaning comes later.
"""

import argparse
import sys
from typing import Dict

from swcm_preprocess.readers.translations import join, read_catalogues

from swcm_fairseq.errors import run_command
from swcm_fairseq.files import atomic_files, write_json


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pivot", required=True, metavar="LANG", help="suffix of the first output, such as zh")
    parser.add_argument("--pivot-dir", required=True, help="folder with its catalogues, at any depth")
    parser.add_argument("--target", required=True, metavar="LANG", help="suffix of the second output, such as kk")
    parser.add_argument("--target-dir", required=True, help="folder with its catalogues, at any depth")
    parser.add_argument(
        "--out", required=True, metavar="PREFIX", help="writes PREFIX.LANG twice and PREFIX.counts.json"
    )
    parser.add_argument("--force", action="store_true", help="replace a finished output")
    return parser.parse_args()


def main() -> None:
    options = parse_arguments()
    paths = [f"{options.out}.{end}" for end in ("counts.json", options.pivot, options.target)]
    # The counts take their name last, so their presence says that the pair is whole.
    with atomic_files(paths, force=options.force) as (counts, *sides):
        pair = join(read_catalogues(options.pivot_dir), read_catalogues(options.target_dir))
        for texts in pair.lines:
            for side, text in zip(sides, texts):
                side.write(text + "\n")
        write_json(counts, pair.counts)
    print(f"{options.out}: {summary(pair.counts)}")


def summary(counts: Dict) -> str:
    """One line: what was read, kept and dropped for which reason."""
    return "read {read}, kept {kept}; dropped: ".format(**counts) + ", ".join(
        f"{reason} {number}" for reason, number in counts["dropped"].items()
    )


if __name__ == "__main__":
    sys.exit(run_command(main))
