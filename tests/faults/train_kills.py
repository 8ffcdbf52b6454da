"""One training, killed at random moments and started again until it has come to its end.

As a module: ``train_and_kill`` for tests. As a script it does the work, forked so that fairseq loads once.
"""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

SETTINGS = """--user-dir {root}/swcm_fairseq --task swcm_finetuning --lang-pairs zh-kk,zh-mn --arch xlm_swcm
    --encoder-layers 2 --encoder-embed-dim 16 --encoder-ffn-embed-dim 24 --encoder-attention-heads 2
    --max-positions 40 --dropout 0.2 --criterion swcm_cross_entropy --optimizer adamw --lr 3e-3 --clip-norm 1
    --max-tokens 60 --max-update {updates} --no-epoch-checkpoints --disable-validation --num-workers 0 --bf16 --cpu
    --log-format json --log-interval 10 --seed 7"""
# A save after each update, so that many kills fall into the writing.
SAVING = "--save-interval-updates 1 --keep-interval-updates 3"


def train_and_kill(folder, kills: int, timeout: int = 1200) -> str:
    """Train once whole, and once with ``kills`` kills; compares both, and returns the log of the second.

    Raises:
        AssertionError: an update that was done again differs, or one is missing.
    """
    from tests.faults.kills import report
    from tests.support.trainings import make_data, read_probe

    folder = Path(str(folder))
    # Two or three updates come between two kills.
    job = {"data": make_data(folder / "data", lines=90), "kills": kills, "updates": 3 * kills + 10}
    (folder / "job.json").write_text(json.dumps(job))
    environment = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1")
    command = [sys.executable, __file__, str(folder)]
    subprocess.run(command, env=environment, check=True, timeout=timeout)
    whole, parts = read_probe(folder / "whole.probe"), json.loads((folder / "parts.json").read_text())
    assert parts["kills"] == kills
    seen = {}
    # A probe has a line for each update, those done again too; the later ones are the last.
    for line in (folder / "parts.probe").read_text().splitlines():
        try:
            number, *rest = json.loads(line)
        except ValueError:  # the kill fell into this line
            continue
        assert tuple(rest) == tuple(whole[number]), f"update {number} was done another way"
        seen[number] = rest
    assert sorted(seen) == sorted(whole) == list(range(1, job["updates"] + 1))
    report("train", kills, parts["writing"])
    return (folder / "parts.log").read_text()


def _train(folder: Path, name: str, data: str, updates: int, saving: str) -> int:
    """Start the training in a child process; returns its id."""
    from tests.support.forked import forked
    from tests.support.trainings import _train as watched

    flags = SETTINGS.format(root=ROOT, updates=updates).split() + saving.split() + ["--save-dir", str(folder / name)]

    def work() -> int:
        watched([data, *flags], str(folder / (name + ".probe")), {})
        return 0

    return forked(work, folder / (name + ".log"), session=True)


def main(folder: Path) -> None:
    import fairseq_cli.train  # noqa: F401  (once, before the forks)

    from tests.faults.kills import kill

    job = json.loads((folder / "job.json").read_text())
    data, updates = job["data"], job["updates"]
    assert os.waitpid(_train(folder, "whole", data, updates, "--save-interval-updates 0"), 0)[1] == 0
    chance, kills, writing = random.Random(1), 0, 0
    probe = folder / "parts.probe"
    while kills < job["kills"]:
        before = probe.stat().st_size if probe.exists() else 0
        pid = _train(folder, "parts", data, updates, SAVING)
        # From its first update on: what comes before is the same each time and writes nothing.
        while (probe.stat().st_size if probe.exists() else 0) == before and os.waitpid(pid, os.WNOHANG) == (0, 0):
            time.sleep(0.005)
        time.sleep(chance.uniform(0.0, 0.25))
        assert kill(pid), "the training came to its end before all kills"
        kills += 1
        writing += any(path.stat().st_size > 0 for path in (folder / "parts").glob("*.pt.tmp"))
    assert os.waitpid(_train(folder, "parts", data, updates, SAVING), 0)[1] == 0
    (folder / "parts.json").write_text(json.dumps({"kills": kills, "writing": writing}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
