"""What a model or task may know of the fairseq-train run that builds it."""

import contextlib
import os
import shutil
from typing import Any, Iterable, Iterator, Optional

from omegaconf import open_dict

from .errors import SwcmError
from .files import atomic_write

_root: Any = None


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

    def check_restored_files(self) -> None:
        """Refuse files to start from that do not exist: fairseq would only warn and train from scratch."""
        name = self.root.checkpoint.restore_file
        if name != "checkpoint_last.pt" and not os.path.exists(name):
            raise SwcmError("--restore-file {}: no such file; nothing was trained".format(name))
        name = self.root.checkpoint.finetune_from_model
        if name and not os.path.exists(name):
            raise SwcmError("--finetune-from-model {}: no such file; nothing was trained".format(name))
