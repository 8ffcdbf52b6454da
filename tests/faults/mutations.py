"""Do the tests see a fault when there is one? Each of ``made_faults.FAULTS`` is put into a copy of the checkout by
itself, and the unit tests that are there for its module run until one fails.

Usage     python tests/faults/mutations.py [--only TEXT] [--out FILE] [--least SHARE] [--sound]
Inputs    the checkout; the environment that runs it.
Outputs   a line a fault while it runs: caught (and by which test), survived, or not decided in time, which counts as
          caught, since a test that hangs is seen too. FILE (runs/mutations.jsonl) has the same as JSON lines.
Hardware  1 processor, 4 GiB; Linux or macOS (it forks).
Time      about 15 minutes; a fault takes some seconds, and a surviving one all tests of its part.
Expect    exit code 0, with at least SHARE (0.9) of the faults caught.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import List, NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from swcm_fairseq.errors import SwcmError, run_command  # noqa: E402
from tests.faults.made_faults import FAULTS, Fault  # noqa: E402

# Tests of other rooms that are there for a room too, after its own.
FURTHER = {
    "models": ["tests/integration/test_peers_decoding.py"],
    "modules": ["tests/unit/models", "tests/integration/test_peers_decoding.py"],
    "pretrained": ["tests/unit/models"],
    "vocabulary": ["tests/unit/data", "tests/unit/pretrained", "tests/unit/tasks", "tests/unit/decoding"],
    "data": ["tests/unit/tasks", "tests/unit/decoding"],
    "decoding": ["tests/integration/test_peers_decoding.py"],
    "tasks": ["tests/unit/data", "tests/unit/training"],
}
LIMIT = 600  # seconds for the tests of one fault


class Outcome(NamedTuple):
    """What became of a fault: ``caught``, ``survived`` or ``time``; by which test; after how many seconds."""

    fault: Fault
    outcome: str
    test: str
    seconds: float


def put(fault: Fault, root: Path) -> str:
    """The text of the faulty file.

    Raises:
        SwcmError: the text to replace does not stand there exactly once.
    """
    text = (root / "swcm_fairseq" / fault.place).read_text(encoding="utf-8")
    count = text.count(fault.old)
    if count != 1:
        raise SwcmError(f"swcm_fairseq/{fault.place}: {fault.old!r} stands there {count} times, not once")
    return text.replace(fault.old, fault.new)


def check_all(faults: List[Fault], root: Path) -> None:
    """Raise one error for all faults that no longer fit the code, or no longer are Python."""
    problems = []
    for fault in faults:
        try:
            compile(put(fault, root), fault.place, "exec")
        except (SwcmError, SyntaxError) as error:
            problems.append(str(error))
    if problems:
        raise SwcmError("tests/faults/made_faults.py does not fit the code", problems)


def paths_for(place: str, root: Path) -> List[str]:
    """The tests of a module, then of its room, then of others that use it."""
    room, _, module = place.rpartition("/")
    own = "/".join(filter(None, ["tests/unit", room, "test_" + module]))
    paths = [own] if (root / own).exists() else []
    return paths + (["tests/unit/" + room] if room else []) + FURTHER.get(room, [])


def copy_checkout(target: Path) -> None:
    """What git tracks, and new files, as they are now."""
    listed = subprocess.check_output(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=str(ROOT)
    )
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(ROOT / name), str(target / name))


def run_tests(root: Path, paths: List[str], log: Path, limit: float = LIMIT) -> int:
    """Run pytest in a fork of this process, which has loaded what takes long; its exit code, or -1 out of time."""
    child = os.fork()
    if child == 0:
        code = 3
        try:
            os.setsid()
            stream = os.open(str(log), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            for number in (1, 2):
                os.dup2(stream, number)
            os.chdir(str(root))
            for name in [name for name in sys.modules if name.split(".")[0] in ("swcm_fairseq", "tests")]:
                del sys.modules[name]
            sys.path[:] = [str(root)] + [path for path in sys.path if path != str(ROOT)]
            os.environ["PYTHONPATH"] = str(root)
            import pytest

            flags = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not network and not slow"]
            code = int(pytest.main([*flags, *paths]))
        finally:
            os._exit(code)
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 1
        time.sleep(0.05)
    os.killpg(child, 9)
    os.waitpid(child, 0)
    return -1


def failed_test(log: Path) -> str:
    """The first test that pytest's output says has failed."""
    found = re.search(r"^(?:FAILED|ERROR) (?:tests/)?(\S+)", log.read_text(encoding="utf-8", errors="replace"), re.M)
    return found.group(1) if found else "all of them"


def write(path: Path, text: str) -> None:
    """Write a module, and forget how it was compiled: by time and size alone a new version may look like the old."""
    path.write_text(text, encoding="utf-8")
    for compiled in (path.parent / "__pycache__").glob(path.stem + ".*"):
        compiled.unlink()


def try_fault(fault: Fault, root: Path, log: Path) -> Outcome:
    path, start = root / "swcm_fairseq" / fault.place, time.monotonic()
    sound = path.read_text(encoding="utf-8")
    write(path, put(fault, root))
    try:
        first, *rest = paths_for(fault.place, root)
        code = run_tests(root, [first], log) or (run_tests(root, rest, log) if rest else 0)
    finally:
        write(path, sound)
    outcome = {0: "survived", -1: "time"}.get(code, "caught")
    return Outcome(fault, outcome, failed_test(log) if outcome == "caught" else "", time.monotonic() - start)


def load_what_takes_long() -> None:
    """Everything that the package and its tests import, but for themselves."""
    os.environ["OMP_NUM_THREADS"] = "1"
    import fairseq.models
    import fairseq.sequence_generator
    import fairseq.tasks
    import hypothesis.strategies
    import pytest
    import safetensors.torch
    import sentencepiece
    import torch
    import torch.testing
    import transformers

    torch.set_num_threads(1)
    torch.testing.assert_close(torch.ones(1), torch.ones(1))  # which imports a lot
    assert all((fairseq, hypothesis, pytest, safetensors, sentencepiece, transformers.XLMRobertaModel))


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="faults whose file or reason has this text")
    parser.add_argument("--out", default=str(ROOT / "runs" / "mutations.jsonl"))
    parser.add_argument("--sound", action="store_true", help="the tests pass without a fault; do not try that first")
    parser.add_argument("--least", type=float, default=0.9, help="share that must be caught")
    args = parser.parse_args(arguments)
    faults = [fault for fault in FAULTS if args.only in fault.place or args.only in fault.why]
    if not faults:
        parser.error(f"no fault has {args.only!r} in its file or reason")
    check_all(FAULTS, ROOT)
    load_what_takes_long()
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)

    outcomes: List[Outcome] = []
    with tempfile.TemporaryDirectory() as folder, open(args.out, "w", encoding="utf-8") as report:
        root, log = Path(folder) / "checkout", Path(folder) / "log"
        copy_checkout(root)
        everything = sorted({path for fault in faults for path in paths_for(fault.place, root)[-4:]})
        if not args.sound and run_tests(root, everything, log, 10 * LIMIT):
            raise SwcmError("the tests fail, or are too slow, without any fault:\n" + log.read_text()[-2000:])
        for number, fault in enumerate(faults, 1):
            one = try_fault(fault, root, log)
            outcomes.append(one)
            row = dict(fault._asdict(), outcome=one.outcome, test=one.test, seconds=round(one.seconds, 1))
            report.write(json.dumps(row, ensure_ascii=False) + "\n")
            report.flush()
            line = f"{number:3d}/{len(faults)} {one.outcome:8s} {one.seconds:5.1f} s  {fault.place}: {fault.why}"
            print(line + (f"  [{one.test}]" if one.test else ""), flush=True)
    survived = [one for one in outcomes if one.outcome == "survived"]
    caught = 1 - len(survived) / len(outcomes)
    print(f"{len(outcomes) - len(survived)} of {len(outcomes)} faults caught ({caught:.1%})")
    for one in survived:
        print(f"survived: {one.fault.place}: {one.fault.new!r} for {one.fault.old!r} ({one.fault.why})")
    return 0 if caught >= args.least else 1


if __name__ == "__main__":
    sys.exit(run_command(main))
