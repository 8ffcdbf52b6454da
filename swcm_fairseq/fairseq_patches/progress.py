"""How far a checkpoint's run had come, from a glance into the file."""

from typing import NamedTuple, Optional

from ..torch_files import outline


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
    """Read a checkpoint's progress; None where the file is cut, unreadable or no checkpoint of a training run."""
    try:
        state = outline(path)
        extra = state["extra_state"]
        score = extra.get("val_loss")
        return Progress(
            updates=int(state["optimizer_history"][-1]["num_updates"]),
            epoch=int(extra["train_iterator"]["epoch"]),
            is_best=score is not None and score == extra.get("best"),
        )
    except Exception:  # whatever a damaged file makes of it
        return None
