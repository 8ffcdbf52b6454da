"""fairseq's commands in processes that are forked from one, so that fairseq is loaded once for many.

As a script: ``python tests/support/commands.py JOBS.json RESULTS.json``.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import List, NamedTuple, Sequence, Union

from tests.support.forked import exit_code, forked

ROOT = Path(__file__).resolve().parent.parent.parent


class Job(NamedTuple):
    """``fairseq-COMMAND ARGS``, with ``stdin`` piped in."""

    command: str
    args: Sequence[str]
    stdin: Union[str, bytes] = ""


class Done(NamedTuple):
    """Its exit code, and both of its streams together."""

    code: int
    output: str

    @property
    def error(self) -> str:
        """The lines from ``error:`` on; fails where there is a traceback, or no error."""
        assert "Traceback" not in self.output, self.output[-3000:]
        assert "error: " in self.output and self.code != 0, self.output[-3000:]
        return self.output[self.output.index("error: ") :]


def run_commands(folder, jobs: Sequence[Job], timeout: int = 600) -> List[Done]:
    """Run ``jobs`` one after the other, whatever becomes of them; ``folder`` holds what they print."""
    folder = Path(folder)
    listed, logs = [], []
    for number, job in enumerate(jobs):
        typed = job.stdin if isinstance(job.stdin, bytes) else job.stdin.encode()
        (folder / f"{number}.in").write_bytes(typed)
        logs.append(folder / f"{number}.log")
        listed.append([job.command, list(map(str, job.args)), str(folder / f"{number}.in"), str(logs[-1])])
    (folder / "jobs.json").write_text(json.dumps(listed))
    environment = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1", PYTHONIOENCODING="utf-8")
    paths = [str(folder / "jobs.json"), str(folder / "results.json")]
    subprocess.run([sys.executable, __file__, *paths], env=environment, check=True, timeout=timeout)
    codes = json.loads((folder / "results.json").read_text())
    return [Done(code, log.read_text(encoding="utf-8")) for code, log in zip(codes, logs)]


def _run(command: str, args: List[str], stdin: str, log: str) -> int:
    def work() -> None:
        module = __import__("fairseq_cli." + command, fromlist=["cli_main"])
        sys.argv = ["fairseq-" + command, *args, "--user-dir", str(ROOT / "swcm_fairseq")]
        module.cli_main()

    return exit_code(forked(work, log, stdin))


if __name__ == "__main__":
    # Once, before the forks: all of the commands, and what they load of this package.
    from argparse import Namespace

    from fairseq import utils
    from fairseq_cli import generate, interactive, train, validate  # noqa: F401

    utils.import_user_module(Namespace(user_dir=str(ROOT / "swcm_fairseq")))
    jobs = json.loads(Path(sys.argv[1]).read_text())
    Path(sys.argv[2]).write_text(json.dumps([_run(*job) for job in jobs]))
