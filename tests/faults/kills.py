"""Killing a stage of the work at random moments, again and again, until it has been let through to its end.

``SWCM_KILLS`` says how many kills a stage gets (few by default); recipes/test_faults.sh asks for many. Where
``SWCM_KILLS_REPORT`` names a file, what happened is added to it, a line of JSON a stage.
"""

import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Callable, Dict, List

#: Kills a stage where nothing else is said.
FEW = 4


def wanted(share: float = 1.0) -> int:
    """How many kills a stage gets; ``share`` is less than 1 for a stage that takes long to start."""
    return max(2, round(share * int(os.environ.get("SWCM_KILLS", FEW))))


def run_to_its_end(start: Callable[[], int]) -> float:
    """Run a stage that ``start`` starts, giving its process id; returns how many seconds it took."""
    began = time.time()
    assert os.waitpid(start(), 0)[1] == 0, "the stage failed where it was not killed"
    return time.time() - began


def kill_again_and_again(
    stage: str, start: Callable[[], int], seconds: float, count: int, unfinished: Callable[[], List[Path]], check
) -> int:
    """Kill ``count`` times, at moments spread over the ``seconds`` that the stage takes; then let it end.

    Args:
        start: starts the stage in a session of its own and gives its process id.
        unfinished: the files that are being written, as they lie in the folder.
        check: called after each kill; raises where something is lost.

    Returns:
        how many kills fell into the writing of a file: one that has begun and has not its name.
    """
    chance = random.Random(stage)
    kills = writing = ends = 0
    while kills < count:
        assert ends < 4 * count + 20, "the kills come too late"
        pid = start()
        time.sleep(chance.uniform(0.0, seconds))
        if kill(pid):
            kills += 1
            writing += any(path.stat().st_size > 0 for path in unfinished())
        else:
            ends += 1
        check()
    report(stage, kills, writing)
    return writing


def kill(pid: int) -> bool:
    """``kill -9`` a process and all of its session; False where it had ended before."""
    ended, status = os.waitpid(pid, os.WNOHANG)
    if not ended:
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:  # it has no session of its own yet
            os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def report(stage: str, kills: int, writing: int) -> None:
    """Add a stage to the report that SWCM_KILLS_REPORT names."""
    path = os.environ.get("SWCM_KILLS_REPORT")
    if path:
        with open(path, "a") as stream:
            stream.write(json.dumps({"stage": stage, "kills": kills, "while writing": writing}) + "\n")


def contents(folder, visible: bool = True) -> Dict[str, bytes]:
    """The bytes of every file in a folder and below; hidden ones, such as temporary files, only where asked for."""
    folder = Path(str(folder))
    paths = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    names = {str(path.relative_to(folder)): path for path in paths}
    hidden = [name for name in names if any(part.startswith(".") for part in name.split(os.sep))]
    return {name: path.read_bytes() for name, path in names.items() if not visible or name not in hidden}
