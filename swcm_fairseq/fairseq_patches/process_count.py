"""A training that goes on with another number of processes than it was saved with: each batch of an epoch once.

A checkpoint says how many batches each process had had of its epoch. fairseq skips as many for each of the new ones,
so half as many processes would see half of the epoch's beginning again, and twice as many would leave a part out.
"""

import logging

from .patch import instead

KEY = "swcm_processes"

logger = logging.getLogger(__name__)


def share_anew(train_iterator: dict, before: int, now: int) -> None:
    """Set ``iterations_in_epoch`` of a checkpoint's ``train_iterator`` right for ``now`` processes, in place.

    Batch b of an epoch goes to process b modulo their number; what does not divide evenly is seen again.
    """
    done = train_iterator.get("iterations_in_epoch", 0) * before
    train_iterator["iterations_in_epoch"] = done // now
    logger.warning(
        "%d process(es) go on where %d stopped, %d batches into epoch %d%s: with --update-freq times %d / %d an update "
        "is what it was; with the same --update-freq it is another experiment",
        now,
        before,
        done,
        train_iterator["epoch"],
        f", {done % now} of which are seen again" if done % now else "",
        before,
        now,
    )


@instead
def save_checkpoint(stock, self, filename, extra_state):
    """The trainer's, with the number in the checkpoint."""
    return stock(self, filename, dict(extra_state, **{KEY: self.data_parallel_world_size}))


@instead
def load_checkpoint(stock, self, filename, *args, **options):
    """The trainer's, which heeds the number."""
    extra = stock(self, filename, *args, **options)
    now = self.data_parallel_world_size
    before = (extra or {}).get(KEY, now)
    if before != now:
        share_anew(extra["train_iterator"], before, now)
    return extra
