"""What a model or task may know of the fairseq-train run that builds it."""

import contextlib
import os
import shutil
from typing import Iterable, Iterator, List, Optional

from omegaconf import open_dict

from .errors import SwcmError
from .files import atomic_write

MARK = "swcm_run"
LIVE = "_swcm_live"

_building_from_files: List[bool] = []


@contextlib.contextmanager
def no_training_run() -> Iterator[None]:
    """While models are built from checkpoints, no configuration is a run's, whatever a checkpoint says of itself."""
    _building_from_files.append(True)
    try:
        yield
    finally:
        _building_from_files.pop()


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
        """The run that ``cfg`` is a part of; None when nothing is being trained.

        A checkpoint keeps a configuration of the same shape. The two are told apart by a mark that every run sets
        in its configuration, and so in its checkpoints, and by a note on the object that only this process sees.
        """
        parent = getattr(cfg, "_get_parent", None) if not _building_from_files else None
        root = parent() if parent is not None else None
        if root is None or "checkpoint" not in root or "optimization" not in root:
            return None
        if MARK in root and not root.__dict__.get(LIVE):
            return None
        with open_dict(root):
            root[MARK] = True
        root.__dict__[LIVE] = True
        return cls(root)

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
