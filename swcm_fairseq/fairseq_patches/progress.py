"""How far a checkpoint's run had come, from a glance into the file."""

import collections
import pickle
import zipfile
from typing import Any, NamedTuple, Optional


class Progress(NamedTuple):
    """Where in its run a checkpoint was saved.

    Attributes:
        updates: number of updates done.
        epoch: the epoch to go on in.
        is_best: whether no earlier checkpoint had a better validation score.
    """

    updates: int
    epoch: int
    is_best: bool


def read_progress(path: str) -> Optional[Progress]:
    """Read a checkpoint's progress; None where the file is cut, unreadable or no checkpoint of a training run.

    The tensors, which are nearly all of the file, are not read: a cut file has lost its table of contents, which is
    its end.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            with archive.open(name) as stream:
                state = _Outline(stream).load()
        extra = state["extra_state"]
        score = extra.get("val_loss")
        return Progress(
            updates=int(state["optimizer_history"][-1]["num_updates"]),
            epoch=int(extra["train_iterator"]["epoch"]),
            is_best=score is not None and score == extra.get("best"),
        )
    except Exception:  # whatever a damaged file makes of it
        return None


class _Nothing:
    """Stands for everything in a checkpoint that is not a plain value."""

    def __init__(self, *args: Any, **options: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, value: Any) -> None:
        pass


class _Outline(pickle.Unpickler):
    """Plain values and containers alone: nothing that the file names is imported or called."""

    def find_class(self, module: str, name: str) -> Any:
        return collections.OrderedDict if (module, name) == ("collections", "OrderedDict") else _Nothing

    def persistent_load(self, pid: Any) -> Any:
        return None
