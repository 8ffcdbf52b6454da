"""Sentences a second and memory of a packed folder and its exports, a process for each; see ../export_check.sh."""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from typing import Dict, List, NamedTuple

BEAM = 5
WARM_UP = 4  # sentences


class System(NamedTuple):
    """A folder, and how it is opened."""

    name: str
    folder: str
    options: Dict[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packed", required=True)
    parser.add_argument("--exports", required=True, help="folder that holds ct2, ct2-int8, onnx, onnx-int8")
    parser.add_argument("--tests", nargs="+", required=True, metavar="LANG=SOURCE")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--sentences", type=int, nargs="+", default=[20, 150], help="a language, for each of --batches")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1, help="the quickest of so many counts")
    parser.add_argument("--bf16", action="store_true", help="ours in bf16 too")
    parser.add_argument("--alone", help=argparse.SUPPRESS)  # settings of one measurement, for the process that makes it
    args = parser.parse_args()
    if args.alone:
        print(json.dumps(_measure(args, **json.loads(args.alone))))
        return
    systems = [System("ours, float32", args.packed, {})]
    if args.bf16:
        systems.append(System("ours, bf16", args.packed, {"dtype": "bfloat16"}))
    names = {"ct2": "ct2, float32", "ct2-int8": "ct2, int8", "onnx": "onnx, float32", "onnx-int8": "onnx, int8"}
    systems += [System(name, os.path.join(args.exports, folder), {}) for folder, name in names.items()]
    heads = "".join(f" sentences a second, batch {batch} | to ours | by processor time |" for batch in args.batches)
    print(f"{_processor()}, {args.threads} threads, beam {BEAM}\n\n| |{heads} memory, MiB |")
    print("|---" * (2 + 3 * len(args.batches)) + "|")
    first: List[Dict[str, float]] = []
    for system in systems:
        rows = []
        for batch, sentences in zip(args.batches, args.sentences):
            settings = {"folder": system.folder, "options": system.options, "batch": batch, "sentences": sentences}
            found = [_apart(settings, args.threads) for _ in range(args.rounds)]
            rows.append({name: max(one[name] for one in found) for name in found[0]})
        first = first or rows
        # On a busy machine the second ratio is the one to believe.
        cells = [
            "{:.1f} | {:.2f} | {:.2f}".format(row["speed"], *(row[kind] / base[kind] for kind in ("speed", "work")))
            for row, base in zip(rows, first)
        ]
        memory = max(row["memory"] for row in rows)
        print(f"| {system.name} | {' | '.join(cells)} | {memory:.0f} |", flush=True)


def _apart(settings: Dict, threads: int) -> Dict[str, float]:
    command = [sys.executable, __file__, *sys.argv[1:], "--alone", json.dumps(settings)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    return json.loads(subprocess.check_output(command, env=environment).decode().splitlines()[-1])


def _measure(args, folder: str, options: Dict[str, str], batch: int, sentences: int) -> Dict[str, float]:
    import swcm_fairseq  # the process that starts the others needs none of it

    translator = swcm_fairseq.from_pretrained(folder, **options, threads=args.threads)
    count, seconds, work = 0, 0.0, 0.0
    for test in args.tests:
        code, path = test.split("=")
        with open(path, encoding="utf-8") as stream:
            lines = stream.read().splitlines()
        # Spread over the file, whose lines may be sorted.
        lines = lines[:: max(1, len(lines) // sentences)][:sentences]
        if not count:
            translator.translate(lines[:WARM_UP], code, beam=BEAM, batch_size=batch)
        start, worked = time.perf_counter(), time.process_time()
        translator.translate(lines, code, beam=BEAM, batch_size=batch)
        seconds += time.perf_counter() - start
        work += time.process_time() - worked
        count += len(lines)
    with open("/proc/self/status") as stream:
        memory = int(re.search(r"VmHWM:\s+(\d+)", stream.read()).group(1)) / 1024
    return {"speed": count / seconds, "work": count / work, "memory": memory}


def _processor() -> str:
    """Its name, and the widest of what it has for products."""
    with open("/proc/cpuinfo") as stream:
        text = stream.read()
    name = re.search(r"model name\s*:\s*(.+)", text)
    flags = set((re.search(r"flags\s*:\s*(.+)", text) or [""])[0].split())
    known = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8") if flag in flags]
    return "{} ({})".format(name.group(1) if name else "?", ", ".join(known))


if __name__ == "__main__":
    main()
