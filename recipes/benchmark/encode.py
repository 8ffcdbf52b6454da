"""How fast text is cut into pieces, beside SentencePiece's own batch encoding with as many threads.

Takes --spm and text files of any language, or without files makes --megabytes of text in each of --langs (see
sample_text.py). Encodes them with preprocess/encode.py's functions, from file to file, and with one call of
SentencePiece, from a list of lines in memory to lists of pieces; each --repeats times, in turns, the quickest counts.
The ratio is ours to theirs, 1 being as fast; ours reads, checks and writes as well. Prints a line, or JSON with --json.

    python recipes/benchmark/encode.py --spm runs/quickstart/encoder-full/sentencepiece.bpe.model

Hardware: --workers processors. Time: a minute.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections import OrderedDict
from typing import List

# Run by path, from anywhere: the packages stand two folders up.
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from preprocess.encode import Settings, default_workers, encode_files, positive_number
from recipes.benchmark import sample_text
from swcm_fairseq.data.pieces import load_model
from swcm_fairseq.errors import run_command


def ours(spm: str, paths: List[str], out: str, workers: int) -> float:
    """Seconds from files of text to files of pieces."""
    start = time.perf_counter()
    targets = [open("{}.{}".format(out, number), "w", encoding="utf-8") for number in range(len(paths))]
    encode_files(Settings(spm, False), paths, targets, workers)
    for target in targets:
        target.close()
    return time.perf_counter() - start


def theirs(spm: str, lines: List[str], workers: int) -> float:
    """Seconds to load the model and cut the lines."""
    start = time.perf_counter()
    load_model(spm).encode(lines, out_type=str, num_threads=workers)
    return time.perf_counter() - start


def main(argv=None) -> int:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spm", required=True, metavar="FILE", help="SentencePiece model")
    parser.add_argument("--langs", default="zh,kk,mn,ug", metavar="kk,bo")
    parser.add_argument("--megabytes", type=float, default=5.0, metavar="N", help="for each language")
    parser.add_argument("--workers", type=positive_number, default=default_workers(), metavar="N")
    parser.add_argument("--repeats", type=positive_number, default=3, metavar="N")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("files", nargs="*", metavar="FILE", help="text")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        paths = list(args.files)
        for code in [] if args.files else args.langs.split(","):
            paths.append(os.path.join(folder, "text." + code))
            with open(paths[-1], "w", encoding="utf-8", newline="\n") as stream:
                for line in sample_text.lines(code, int(args.megabytes * 1e6)):
                    stream.write(line + "\n")
        size = sum(map(os.path.getsize, paths))
        lines: List[str] = []
        for path in paths:
            with open(path, encoding="utf-8", newline="\n") as stream:
                lines += stream.read().split("\n")[:-1]
        mine, other = [], []
        for _ in range(args.repeats):
            mine.append(ours(args.spm, paths, os.path.join(folder, "out"), args.workers))
            other.append(theirs(args.spm, lines, args.workers))
    result = OrderedDict(
        megabytes=round(size / 1e6, 1),
        workers=args.workers,
        mb_per_second=round(size / 1e6 / min(mine), 2),
        sentencepiece_mb_per_second=round(size / 1e6 / min(other), 2),
        ratio=round(min(other) / min(mine), 2),
        python=platform.python_version(),
    )
    if args.json:
        print(json.dumps(result, indent=2))
    else:
        print(
            "{megabytes} MB with {workers}: {mb_per_second} MB a second, SentencePiece alone "
            "{sentencepiece_mb_per_second}; ratio {ratio}".format(**result)
        )
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
