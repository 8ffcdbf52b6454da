"""What importing the plug-in adds to importing fairseq."""

import json
import os
import statistics
import subprocess
import sys

import swcm_fairseq

PROBE = """
import json, sys, time
from argparse import Namespace
clock = time.perf_counter, time.process_time
start = [read() for read in clock]
from fairseq import utils
middle = [read() for read in clock]
utils.import_user_module(Namespace(user_dir=sys.argv[1]))
end = [read() for read in clock]
print(json.dumps([[b - a for a, b in zip(start, middle)], [b - a for a, b in zip(middle, end)]]))
"""


def startup(rounds: int) -> dict:
    """Median seconds of importing fairseq and then, as --user-dir does, the plug-in, each time in a new process.

    Returns:
        ``{"fairseq": {"wall": ..., "processor": ...}, "plug-in": {...}}``.
    """
    folder = os.path.dirname(os.path.abspath(swcm_fairseq.__file__))
    rows = []
    for turn in range(-1, rounds):
        command = [sys.executable, "-W", "ignore", "-c", PROBE, folder]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
        if turn >= 0:  # the first one reads files that the next ones find in memory
            rows.append(json.loads(done.stdout.decode().splitlines()[-1]))
    return {
        part: {clock: statistics.median(row[i][j] for row in rows) for j, clock in enumerate(("wall", "processor"))}
        for i, part in enumerate(("fairseq", "plug-in"))
    }
