"""How fast text is cut into pieces, beside SentencePiece's own batch encoding with as many threads.

Takes --spm and text files of any language, or without files makes --megabytes of text in each of --langs (see
sample_text.py). The same job is done in two ways, --repeats times in turns, model loading included:

    ours    preprocess/encode.py's functions, with --workers processes
    theirs  SentencePiece alone: read all lines, one call of ``encode(lines, out_type=str, num_threads=WORKERS)``,
            join the pieces by spaces, write them

Both read files and write files that hold the same bytes (where nothing is guarded, see vocabulary/pieces.py).
Ratios are theirs to ours, 1 being as fast, above 1 faster: by the clock, by processor time (of all processes, which
other programs disturb less), and of all our work to their call alone, which neither reads nor writes. The median of
the repeats counts. Prints a line, or JSON with --json.

    python -m recipes.benchmark.encode --spm runs/quickstart/encoder-full/sentencepiece.bpe.model

Hardware: --workers processors. Time: a minute.
"""

import argparse
import json
import os
import platform
import resource
import sys
import tempfile
import time
from statistics import median
from typing import List, NamedTuple, Tuple

from swcm_preprocess.encode import Settings, encode_files
from swcm_preprocess.parallel import positive_number
from swcm_preprocess.text_lines import write_lines

import sentencepiece

from recipes.benchmark import sample_text
from swcm_fairseq.errors import run_command
from swcm_fairseq.processors import usable_processors
from swcm_fairseq.vocabulary.pieces import load_model


class Taken(NamedTuple):
    """Seconds of the clock, and of processors in all processes."""

    clock: float
    processor: float


def now() -> Taken:
    """What has passed so far; processes that have ended are in it."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Taken(time.perf_counter(), time.process_time() + ended.ru_utime + ended.ru_stime)


def since(start: Taken) -> Taken:
    """What has passed since ``start``."""
    return Taken(*(after - before for after, before in zip(now(), start)))


def ours(spm: str, paths: List[str], out: str, workers: int) -> Taken:
    """From files of text to files of pieces with encode.py."""
    start = now()
    targets = [open(f"{out}.{number}", "wb") for number in range(len(paths))]
    encode_files(Settings(spm, False), paths, targets, workers)
    for target in targets:
        target.close()
    return since(start)


def theirs(spm: str, paths: List[str], out: str, workers: int) -> Tuple[Taken, Taken]:
    """The same with SentencePiece alone; and what of it was loading the model and its one call."""
    start = now()
    lines: List[str] = []
    for path in paths:
        with open(path, encoding="utf-8", newline="\n") as stream:
            lines += stream.read().split("\n")[:-1]
    before = now()
    found = load_model(spm).encode(lines, out_type=str, num_threads=workers)
    call = since(before)
    with open(out, "w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(" ".join(pieces) + "\n" for pieces in found)
    return since(start), call


def ratio(mine: List[Taken], other: List[Taken], what: str) -> float:
    """The median over the repeats of theirs to ours."""
    pairs = zip(mine, other)
    return round(median(getattr(theirs, what) / getattr(ours, what) for ours, theirs in pairs), 2)


def main(argv=None) -> int:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spm", required=True, metavar="FILE", help="SentencePiece model")
    parser.add_argument("--langs", default="zh,kk,mn,ug", metavar="kk,bo")
    parser.add_argument("--megabytes", type=float, default=5.0, metavar="N", help="for each language")
    parser.add_argument("--workers", type=positive_number, default=usable_processors(), metavar="N")
    parser.add_argument("--repeats", type=positive_number, default=5, metavar="N")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("files", nargs="*", metavar="FILE", help="text")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        paths = list(args.files)
        for code in [] if args.files else args.langs.split(","):
            paths.append(os.path.join(folder, "text." + code))
            write_lines(paths[-1], sample_text.lines(code, int(args.megabytes * 1e6)))
        size = sum(map(os.path.getsize, paths))
        mine, whole, call = [], [], []
        for _ in range(args.repeats):
            mine.append(ours(args.spm, paths, os.path.join(folder, "ours"), args.workers))
            both = theirs(args.spm, paths, os.path.join(folder, "theirs"), args.workers)
            whole.append(both[0])
            call.append(both[1])
    result = {
        "megabytes": round(size / 1e6, 1),
        "workers": args.workers,
        "mb_per_second": round(size / 1e6 / median(taken.clock for taken in mine), 2),
        "sentencepiece_mb_per_second": round(size / 1e6 / median(taken.clock for taken in whole), 2),
        "ratio": ratio(mine, whole, "clock"),
        "processor_ratio": ratio(mine, whole, "processor"),
        "ratio_to_call": ratio(mine, call, "clock"),
        "processor_ratio_to_call": ratio(mine, call, "processor"),
        "python": platform.python_version(),
        "sentencepiece": sentencepiece.__version__,
    }
    if args.json:
        print(json.dumps(result, indent=2))
    else:
        print(
            "{megabytes} MB with {workers}: {mb_per_second} MB a second, SentencePiece alone "
            "{sentencepiece_mb_per_second}; ratio {ratio} by the clock, {processor_ratio} by processor time; "
            "to its call alone {ratio_to_call} and {processor_ratio_to_call}".format(**result)
        )
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
