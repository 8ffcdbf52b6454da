"""How fast text is cleaned: megabytes (of UTF-8) a second and core, and the memory it takes.

Makes text of --megabytes for each language (see sample_text.py), or takes --text FILE of language --lang, and cleans
it with preprocess/clean.py as a user would, with --workers processes. A core's speed is the text divided by the
processor time of all processes together, so other programs disturb it little. Memory is the largest that the first
process took, and by how much that is more than for a hundredth of the text: it holds a hash of each kept line, twice
while the hashes are sorted together. Prints a line a language, or JSON with --json.

    python -m recipes.benchmark.clean                                         # 20 MB a language, a minute
    python -m recipes.benchmark.clean --megabytes 1000 --langs kk             # 1 GB, 6 minutes, 3 GB of disk
    python -m recipes.benchmark.clean --options "--near-duplicates 0.8"       # what looking for them costs
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from typing import Dict, List, Tuple

from swcm_preprocess.text_lines import write_lines

from recipes.benchmark import sample_text
from swcm_fairseq.errors import SwcmError, run_command

# Run in a process of its own, which says at its end how much memory it took.
_RUN = """
import resource, sys
from swcm_preprocess.clean import main
from swcm_fairseq.errors import run_command
code = run_command(main)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.exit(code)
"""


def timed(path: str, code: str, out: str, arguments: List[str]) -> Tuple[float, float, int]:
    """Clean a file; returns processor seconds, seconds of the clock, and the memory in KiB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    clock = time.perf_counter()
    command = [sys.executable, "-c", _RUN, "--text", path, "--lang", code, "--out", out, "--force", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8")
    clock = time.perf_counter() - clock
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SwcmError("cleaning failed; see above")
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return processor, clock, int(done.stdout.split()[-1])


def measure(path: str, code: str, folder: str, arguments: List[str]) -> Dict[str, float]:
    """Clean a file, and its first hundredth."""
    size = os.path.getsize(path)
    little = os.path.join(folder, "little")
    with open(path, "rb") as source, open(little, "wb") as target:
        target.write(source.read(size // 100))
        target.write(source.readline())
    out = os.path.join(folder, "out")
    first, _, base = timed(little, code, out, arguments)
    processor, clock, memory = timed(path, code, out, arguments)
    with open(out + ".counts.json", encoding="utf-8") as stream:
        counts = json.load(stream)
    assert counts["read"] == counts["kept"] + sum(counts["dropped"].values())
    return {
        "megabytes": round(size / 1e6, 1),
        "lines": counts["read"],
        "kept": counts["kept"],
        # Starting Python and its libraries is not cleaning.
        "mb_per_core_second": round((size - size / 100) / 1e6 / (processor - first), 2),
        "mb_per_second": round(size / 1e6 / clock, 2),
        "memory_mib": round(memory / 1024, 1),
        "more_memory_mib": round((memory - base) / 1024, 1),
        "hashes_mib": round(counts["kept"] * 8 / 1024 / 1024, 1),
    }


def main(argv=None) -> int:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--langs", default=",".join(sample_text.languages()), metavar="kk,bo")
    parser.add_argument("--megabytes", type=float, default=20.0, metavar="N", help="for each language")
    parser.add_argument("--text", metavar="FILE", help="text of your own, with --lang")
    parser.add_argument("--lang", metavar="CODE")
    parser.add_argument("--workers", type=int, default=1, metavar="N")
    parser.add_argument("--options", default="", metavar="WORDS", help="more options for clean.py")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args(argv)
    if bool(args.text) != bool(args.lang):
        parser.error("--text and --lang go together")
    arguments = ["--workers", str(args.workers), *args.options.split()]
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for code in [args.lang] if args.lang else args.langs.split(","):
            path = args.text or os.path.join(folder, "text")
            if not args.text:
                write_lines(path, sample_text.lines(code, int(args.megabytes * 1e6)))
            results[code] = measure(path, code, folder, arguments)
            if not args.json:
                print(
                    "{}: {megabytes} MB, {lines:,} lines, {kept:,} kept: {mb_per_core_second} MB a second and core, "
                    "{mb_per_second} MB/s by the clock; {memory_mib} MiB of memory, {more_memory_mib} more than for a "
                    "hundredth of the text, hashes {hashes_mib} of it".format(code, **results[code]),
                    flush=True,
                )
    if args.json:
        setting = {"workers": args.workers, "python": platform.python_version(), "machine": platform.machine()}
        print(json.dumps({"setting": setting, "languages": results}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
