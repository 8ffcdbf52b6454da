"""Write SWCM_LANGUAGES's file for data whose two sides are in one language: the suffixes text and summary as languages.

preprocess/clean.py and preprocess/split.py name their files by the sides' codes, and look up scripts and units by them.
What an SWCM_LANGUAGES of the user's names stays known.
"""

import argparse
import os
import sys

from swcm_fairseq.errors import run_command
from swcm_fairseq.files import atomic_write, write_json
from swcm_fairseq.input_files import read_json
from swcm_fairseq.languages import ENVIRONMENT_VARIABLE, language


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lang", required=True, metavar="CODE", help="the language of both sides")
    parser.add_argument("--sides", nargs="+", required=True, metavar="SUFFIX", help="the suffixes")
    parser.add_argument("--out", required=True, metavar="FILE", help="JSON file to write")
    options = parser.parse_args()
    entry = language(options.lang)
    known = {}
    if os.environ.get(ENVIRONMENT_VARIABLE):
        known = read_json(os.environ[ENVIRONMENT_VARIABLE])
    for side in options.sides:
        known[side] = {
            "name": f"{entry.name} ({side})",
            "scripts": list(entry.scripts),
            "units": entry.units,
        }
    with atomic_write(options.out) as stream:
        write_json(stream, known)


if __name__ == "__main__":
    sys.exit(run_command(main))
