"""What a model or task may know of the fairseq-train run that builds it."""

import contextlib
import os
import shutil
from typing import Any, Callable, Iterable, Iterator, List, Optional

from omegaconf import open_dict

from .errors import SwcmError
from .files import atomic_write

_root: Any = None
_AT_START = "_swcm_at_start"


@contextlib.contextmanager
def running(cfg) -> Iterator[None]:
    """While a command of fairseq's runs ``cfg``, its whole configuration; a checkpoint's looks just the same."""
    global _root
    outer, _root = _root, cfg
    try:
        yield
    finally:
        _root = outer


class TrainingRun:
    """The whole configuration of a running ``fairseq-train``, found from one of its nodes.

    fairseq hands models and tasks only their own part of the configuration. The rest (where checkpoints go, what
    is restored) hangs above it in the same tree.
    """

    def __init__(self, root) -> None:
        self.root = root
        self.save_dir = root.checkpoint.save_dir
        self.is_master = root.distributed_training.distributed_rank == 0
        self.train_split = root.dataset.train_subset
        self.valid_splits = [] if root.dataset.disable_validation else root.dataset.valid_subset.split(",")
        self.combines_valid = root.dataset.combine_valid_subsets
        if self.combines_valid and self.valid_splits:
            self.valid_splits = ["valid"]

    @classmethod
    def of(cls, cfg) -> "Optional[TrainingRun]":
        """The run that ``cfg`` is a part of; None where it is part of something else, such as a checkpoint."""
        parent = getattr(cfg, "_get_parent", None)
        root = None if _root is None or parent is None else parent()
        return cls(root) if root is not None and root is _root else None

    def keep_model_settings(self, cfg, names: Iterable[str]) -> None:
        """Copy settings that building has filled in to the configuration that checkpoints keep.

        fairseq builds a model from a merged copy of its settings, so what is filled in there would be lost.
        """
        model = self.root.model
        if model is cfg:
            return
        with open_dict(model):
            for name in names:
                model[name] = cfg[name]

    def keep_beside_checkpoints(self, path: str) -> None:
        """Copy a file that decoding needs into the checkpoint folder; for the master alone to call."""
        target = os.path.join(self.save_dir, os.path.basename(path))
        if os.path.abspath(path) != os.path.abspath(target):
            with open(path, "rb") as source, atomic_write(target, "wb") as stream:
                shutil.copyfileobj(source, stream)

    def at_start(self, action: Callable[[], None]) -> None:
        """Have ``action`` done once nothing stands in the way of training: the checkpoint is loaded, batches are made.

        So a training that cannot start leaves the files of an earlier one in its folder as they are.
        """
        self.root.__dict__.setdefault(_AT_START, []).append(action)

    def checkpoints_at_hand(self) -> List[str]:
        """Whole models that this run will read or lie beside: those in its folder, and what it goes on from."""
        found = [self.root.checkpoint.restore_file, getattr(self.root.checkpoint, "continue_once", None)]
        found = [name for name in found if name and name != "checkpoint_last.pt"]
        names = sorted(os.listdir(self.save_dir)) if os.path.isdir(self.save_dir) else []
        own = [name for name in names if name.startswith("checkpoint") and name.endswith(".pt")]
        return found + [os.path.join(self.save_dir, name) for name in own[:1]]

    def check_restored_files(self) -> None:
        """Refuse files to start from that do not exist: fairseq would only warn and train from scratch."""
        if self.combines_valid and self.root.dataset.valid_subset != "valid":
            raise SwcmError("--combine-val joins valid, valid1, ...; leave --valid-subset out")
        name = getattr(self.root.checkpoint, "continue_once", None)
        if name and not os.path.exists(name):
            raise SwcmError(f"--continue-once {name}: no such file; nothing was trained")
        name = self.root.checkpoint.restore_file
        if name != "checkpoint_last.pt" and not os.path.exists(name):
            raise SwcmError(f"--restore-file {name}: no such file; nothing was trained")
        name = self.root.checkpoint.finetune_from_model
        if name and not os.path.exists(name):
            raise SwcmError(f"--finetune-from-model {name}: no such file; nothing was trained")


def begin(root) -> None:
    """Do what ``TrainingRun.at_start`` was told, once; ``root`` is the run's whole configuration."""
    for action in root.__dict__.pop(_AT_START, []):
        action()
