"""Trainings that are watched, and killed where a test says so.

As a module: ``make_data``, ``run_trainings`` and ``read_probe`` for tests. As a script it is
``fairseq-train`` under watch::

    python tests/support/trainings.py JOBS.json     each job in a process of its own, forked so that fairseq loads once
    python tests/support/trainings.py FLAGS...      one, as fairseq-train; PROBE names the file to write, PROBE.<rank>
"""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence

from tests.support.forked import exit_code, forked

ROOT = Path(__file__).resolve().parent.parent.parent


class Update(NamedTuple):
    """What a training did in one update: the exact losses of its batches, and digests of what it left."""

    losses: List[str]
    weights: str
    masters: str


def make_data(folder, lines: int) -> str:
    """Binarize random sentences of 3 to 6 pieces.

    So many for zh-kk and zh-mn together, two thirds of them zh-kk; and a sixth as many documents each of zh and kk, of
    one to three sentences.
    """
    from tests.support.toy import PIECES, toy_dictionary, write_data_bin

    chance = random.Random(0)
    sides = {}
    for split, count in (("train", lines), ("valid", 9)):
        for pair, part in (("zh-kk", 2 * count // 3), ("zh-mn", count // 3)):
            text = [" ".join(chance.choices(PIECES, k=chance.randint(3, 6))) for _ in range(part)]
            for side in pair.split("-"):
                sides[f"{split}.{pair}.{side}"] = text
    for code in ("zh", "kk"):
        sentences = [" ".join(chance.choices(PIECES, k=chance.randint(3, 6))) for _ in range(lines // 3)]
        ends = sorted(chance.sample(range(1, len(sentences)), lines // 6 - 1)) + [len(sentences)]
        documents = [" </s> ".join(sentences[start:end]) for start, end in zip([0] + ends, ends)]
        sides[f"train.{code}-None.{code}"] = documents
    return write_data_bin(folder, toy_dictionary(), sides)


def small_job(folder, data: str, name: str, flags: Sequence[str], probe: str = "") -> Dict:
    """A job for ``run_trainings`` on ``make_data``'s: two layers, bf16, adamw; into ``folder``/NAME, with NAME.log."""
    text = (
        "{} --user-dir {}/swcm_fairseq --save-dir {} --task swcm_finetuning --lang-pairs zh-kk,zh-mn --bf16 "
        "--arch xlm_swcm --encoder-layers 2 --encoder-embed-dim 16 --encoder-ffn-embed-dim 24 "
        "--encoder-attention-heads 2 --max-positions 40 --criterion swcm_cross_entropy --optimizer adamw "
        "--max-tokens 60 --no-epoch-checkpoints --cpu --seed 7"
    )
    return {
        "args": text.format(data, ROOT, folder / name).split() + list(flags),
        "probe": str(folder / ((probe or name) + ".probe")),
        "log": str(folder / (name + ".log")),
    }


def run_trainings(folder, jobs: List[Dict], timeout: int = 400) -> List[int]:
    """Run jobs one after the other and return their exit codes; a killed one has the signal's number, negative.

    A job is ``{"args": flags, "probe": file to write, "log": file for the output}`` and, to be killed like with
    ``kill -9``, ``"kill": {"update": n}``: with ``"in": "step"`` while update n is computed, with ``"in": NAME`` when
    half of that file is written in the save after update n; or ``"kill": {"in": "time", "after": seconds}``, from the
    first update of the process, whatever it is doing.
    """
    listed, results = Path(folder) / "jobs.json", Path(folder) / "results.json"
    listed.write_text(json.dumps(jobs))
    environment = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1")
    subprocess.run([sys.executable, __file__, str(listed), str(results)], env=environment, check=True, timeout=timeout)
    return json.loads(results.read_text())


def read_probe(path) -> Dict[int, Update]:
    """What a watched training wrote, by the number of the update."""
    if not Path(path).exists():  # killed before the end of its first update
        return {}
    lines = [json.loads(line) for line in Path(path).read_text().splitlines()]
    return {number: Update(*rest) for number, *rest in lines}


def _digest(tensors) -> str:
    import torch

    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _watch(probe: str, kill: Dict) -> None:
    """Wrap the parts of fairseq that this process is about to use."""
    from fairseq.tasks import FairseqTask
    from fairseq.trainer import Trainer

    losses = []
    task_step, trainer_step = FairseqTask.train_step, Trainer.train_step
    clock = threading.Timer(kill["after"], _die) if kill and kill["in"] == "time" else None
    if kill and kill["in"] not in ("step", "time"):
        _kill_while_writing(kill["in"], kill["update"], Trainer)

    def watched_task_step(self, sample, model, criterion, optimizer, update_num, ignore_grad=False, **options):
        result = task_step(self, sample, model, criterion, optimizer, update_num, ignore_grad, **options)
        losses.append(float(result[0].detach()).hex())
        if kill and kill["in"] == "step" and kill["update"] == update_num + 1:
            _die()
        return result

    def watched_trainer_step(self, samples, raise_oom=False):
        if clock is not None and not clock.is_alive():
            clock.start()
        losses.clear()
        result = trainer_step(self, samples, raise_oom)
        weights = _digest(self.get_model().state_dict().values())
        masters = _digest(getattr(self.optimizer, "fp32_params", []))
        with open(probe, "a") as stream:
            stream.write(json.dumps([self.get_num_updates(), losses, weights, masters]) + "\n")
        return result

    FairseqTask.train_step, Trainer.train_step = watched_task_step, watched_trainer_step


def _kill_while_writing(name: str, update: int, trainer_class) -> None:
    import io
    import shutil

    import torch
    from fairseq import checkpoint_utils

    save_checkpoint, save, copyfile = checkpoint_utils.save_checkpoint, torch.save, shutil.copyfile
    now, writing = [0], [""]

    def watched_save_checkpoint(cfg, trainer, epoch_itr, val_loss):
        now[0] = trainer.get_num_updates()
        return save_checkpoint(cfg, trainer, epoch_itr, val_loss)

    def half(path, content, stream) -> None:
        stream.write(content[: len(content) // 2])
        stream.flush()
        _die()

    def watched_copyfile(source, path, **options):
        if now[0] == update and os.path.basename(path).lstrip(".").startswith(name):
            with open(path, "wb") as stream:
                half(path, Path(source).read_bytes(), stream)
        return copyfile(source, path, **options)

    trainer_save = trainer_class.save_checkpoint

    def watched_trainer_save(self, filename, extra_state):
        writing[0] = os.path.basename(filename).lstrip(".")
        return trainer_save(self, filename, extra_state)

    def watched_save(state, stream, **options):
        if now[0] == update and writing[0].startswith(name):
            whole = io.BytesIO()
            save(state, whole)
            # The plug-in hands a stream over that wraps the file; what is in the file's buffer would be lost.
            file = getattr(stream, "file", stream)
            half(name, whole.getvalue(), file)
        return save(state, stream, **options)

    checkpoint_utils.save_checkpoint = watched_save_checkpoint
    trainer_class.save_checkpoint = watched_trainer_save
    torch.save, shutil.copyfile = watched_save, watched_copyfile  # type: ignore[assignment]


def _train(args: List[str], probe: str, kill: Dict) -> None:
    from fairseq_cli import train

    _watch(probe, kill)
    sys.argv = ["fairseq-train", *args]
    train.cli_main()


def _run_job(job: Dict) -> int:
    return exit_code(forked(lambda: _train(job["args"], job["probe"], job.get("kill") or {}), job["log"]))


if __name__ == "__main__":
    if sys.argv[1].endswith(".json"):
        import fairseq_cli.train  # noqa: F401  (once, before the forks)

        Path(sys.argv[2]).write_text(json.dumps([_run_job(job) for job in json.loads(Path(sys.argv[1]).read_text())]))
    else:
        _train(sys.argv[1:], os.environ["PROBE"] + "." + os.environ.get("RANK", "0"), {})
