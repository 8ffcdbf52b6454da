"""Where a run goes on: from the newest whole checkpoint of its folder."""

import logging
import os
import re
import zipfile
from typing import List, NamedTuple

import torch

from ..errors import SwcmError
from ..training_run import begin
from .patch import instead
from .progress import Progress, read_progress
from .writing import copy, remove_unfinished

logger = logging.getLogger(__name__)

_DEFAULT = "checkpoint_last.pt"


class Checkpoint(NamedTuple):
    """A whole checkpoint file."""

    path: str
    progress: Progress
    written_ns: int

    def __str__(self) -> str:
        return f"{os.path.basename(self.path)} (epoch {self.progress.epoch}, {self.progress.updates} updates)"


def whole_checkpoints(folder: str, suffix: str = "") -> List[Checkpoint]:
    """The whole checkpoints that fairseq has saved in ``folder``, but for checkpoint_last.pt; the newest first."""
    pattern = re.compile(rf"checkpoint(\d+|_\d+_\d+|_best|\.best_.+){re.escape(suffix)}\.pt")
    found = []
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        progress = read_progress(path) if pattern.fullmatch(name) else None
        if progress is not None:
            found.append(Checkpoint(path, progress, os.stat(path).st_mtime_ns))
    return sorted(found, key=lambda one: (one.written_ns, one.progress.updates, one.path), reverse=True)


def is_cut(path: str) -> bool:
    """Whether a file of ``torch.save`` has lost its end, which holds its table of contents."""
    if zipfile.is_zipfile(path):
        return False
    with open(path, "rb") as stream:
        # Before torch 1.6 files were of another kind, which has no such table.
        return stream.read(2) in (b"", b"PK")


def refuse_cut_file(path: str) -> None:
    """Raise ``SwcmError`` where the file to start from is cut; fairseq would show what torch makes of it."""
    if os.path.isfile(path) and is_cut(path):
        raise SwcmError(f"{path} was cut short or is damaged; fetch it again, or name another")


def finish_interrupted_save(folder: str, suffix: str = "") -> None:
    """Bring ``checkpoint_last.pt`` up to the newest whole checkpoint, where a kill fell between the two.

    A save writes one file and copies it to ``checkpoint_best.pt``, where it is the best, and to ``checkpoint_last.pt``.
    After a kill the last may be behind, missing, or, where an older version wrote it, cut. It is behind where another
    is both further and later: one that is only further was left behind on purpose, by someone who went back.

    Raises:
        SwcmError: ``checkpoint_last.pt`` is cut and no whole checkpoint lies beside it.
    """
    if not os.path.isdir(folder):
        return
    remove_unfinished(folder, suffix)
    last = os.path.join(folder, f"checkpoint_last{suffix}.pt")
    others = whole_checkpoints(folder, suffix)
    exists = os.path.isfile(last)
    progress = read_progress(last) if exists else None
    if exists and progress is None and not is_cut(last):
        return  # somebody has put another kind of file there, and fairseq is to say what it thinks of it
    if exists and progress is None and not others:
        raise SwcmError(
            f"{last} was cut short or is damaged, and there is no whole checkpoint beside it; remove it to train from "
            "the start, or name another with --restore-file"
        )
    if progress is not None:
        written = os.stat(last).st_mtime_ns
        others = [one for one in others if one.written_ns > written and one.progress.updates > progress.updates]
    elif not exists:
        # Who keeps the best of a finished run and trains anew beside it wants no resuming; a kill in the first save
        # leaves the file that the best is a copy of.
        others = [one for one in others if "best" not in os.path.basename(one.path)]
    if not others:
        return
    newest = others[0]
    state = "missing" if not exists else "cut short or damaged" if progress is None else "older"
    logger.warning("%s is %s: going on from the newest whole checkpoint, %s", last, state, newest)
    if newest.progress.is_best:
        best = os.path.join(folder, f"checkpoint_best{suffix}.pt")
        if best != newest.path:
            copy(newest.path, best)
    copy(newest.path, last)


def _load(stock, cfg, trainer, options):
    """fairseq's, which also makes the optimizer; a schedule that refuses its flags is one error."""
    try:
        return stock(cfg, trainer, **options)
    except (AssertionError, ValueError, ArithmeticError) as error:
        if trainer._optimizer is None or trainer._lr_scheduler is not None:
            raise
        names = trainer.cfg.optimizer._name, trainer.cfg.lr_scheduler._name
        raise SwcmError("--optimizer {} with --lr-scheduler {}: {}".format(*names, error or "these flags do not fit"))


@instead
def load_checkpoint(stock, cfg, trainer, **options):
    """Interrupted saves are finished before fairseq looks for the checkpoint to go on from."""
    if cfg.restore_file == _DEFAULT and not cfg.no_last_checkpoints:
        if trainer.should_save_checkpoint_on_current_rank:
            finish_interrupted_save(cfg.save_dir, trainer.checkpoint_suffix)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.barrier()
    refuse_cut_file(cfg.finetune_from_model or cfg.restore_file)
    found = _load(stock, cfg, trainer, options)
    if not trainer.cfg.dataset.disable_validation:
        for split in trainer.cfg.dataset.valid_subset.split(","):
            trainer.get_valid_iterator(split)  # whose limits may be too small
    begin(trainer.cfg)
    return found
