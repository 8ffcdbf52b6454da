"""Runs the steps of gpu_check.sh one after another, each in a process of its own, and writes what they found."""

import argparse
import json
import os
import subprocess
import sys
import time
from typing import Dict, List, Optional

from swcm_fairseq.errors import SwcmError, run_command
from swcm_fairseq.files import atomic_write

#: Step -> the most seconds that it may take.
STEPS = {
    "environment": 120,
    "parity": 300,
    "precisions": 300,
    "training": 900,
    "decoding": 300,
    "processes": 900,
    "memory": 300,
    "speed": 900,
}


def run_step(name: str, out: str, gpus: int) -> Dict:
    """What the step found, with ``status`` and ``seconds``; a failure is the last line that it said."""
    began = time.monotonic()
    log, found = os.path.join(out, name + ".log"), os.path.join(out, name + ".json")
    command = [sys.executable, "-m", "recipes.benchmark.gpu_check.steps", name, "--out", out, "--gpus", str(gpus)]
    result: Dict = {}
    try:
        with open(log, "wb") as stream:
            code = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT, timeout=STEPS[name]
            ).returncode
        status = "ok" if code == 0 else "failed"
    except subprocess.TimeoutExpired:
        status = f"took over {STEPS[name]} seconds"
    if status == "ok":
        with open(found, encoding="utf-8") as stream:
            result = json.load(stream)
    else:
        with open(log, encoding="utf-8", errors="replace") as stream:
            lines = [line.strip() for line in stream if line.strip()]
        result = {"said": lines[-1] if lines else ""}
    return {"status": status, "seconds": round(time.monotonic() - began, 1), **result}


def table(results: Dict[str, Dict]) -> str:
    """A Markdown table with a row a step."""
    rows = ["| step | status | s | found |", "|---|---|---|---|"]
    for name, result in results.items():
        found = "; ".join(
            "{} {}".format(key.replace("_", " "), value)
            for key, value in result.items()
            if key not in ("status", "seconds") and not isinstance(value, (dict, list))
        )
        rows.append("| {} | {} | {} | {} |".format(name, result["status"], result["seconds"], found.replace("|", "/")))
    return "\n".join(rows) + "\n"


def main(arguments: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="gpu_check.sh", description=__doc__)
    parser.add_argument("steps", nargs="*", help="which of {} (all)".format(", ".join(STEPS)))
    parser.add_argument("--out", required=True, help="folder to write into")
    parser.add_argument("--gpus", type=int, required=True, help="how many there are; 0 tries the steps on the CPU")
    args = parser.parse_args(arguments)
    unknown = [name for name in args.steps if name not in STEPS]
    if unknown:
        raise SwcmError("no such step: {}; there are {}".format(", ".join(unknown), ", ".join(STEPS)))
    os.makedirs(args.out, exist_ok=True)
    results = {}
    for name in args.steps or STEPS:
        print(f"== {name}", flush=True)
        results[name] = run_step(name, args.out, args.gpus)
        print("   {status} ({seconds} s) {said}".format(**{"said": "", **results[name]}), flush=True)
        # After each step, so that what was found is there whatever happens to the next.
        with atomic_write(os.path.join(args.out, "gpu_check.json")) as stream:
            json.dump(results, stream, indent=2)
        with atomic_write(os.path.join(args.out, "gpu_check.md")) as stream:
            stream.write(table(results))
    print("\n" + table(results))
    return int(any(result["status"] != "ok" for result in results.values()))


if __name__ == "__main__":
    sys.exit(run_command(main))
