"""The same batches in the same order, whether or not the run began in an earlier epoch."""

from typing import List

from .patch import instead

# The iterators that were given out last.
_training: List = []
_validation: List = []


@instead
def get_train_iterator(stock, self, *args, **options):
    """Batches made anew for every epoch, by processes that end with it.

    fairseq 0.12.3 seeds the making of batches with the epoch, and then keeps the first epoch's batches for all that
    follow. A run that starts again in the third epoch would make and keep the third epoch's.

    It also keeps the processes that read the data, which were forked from the training: each holds on to the memory
    that the training had then, some GB, and with new batches come new ones.
    """
    options["disable_iterator_cache"] = True
    _end(_validation)
    return _replaced(_training, stock(self, *args, **options))


@instead
def get_valid_iterator(stock, self, *args, **options):
    """The same for validation, whose batches stay."""
    return _replaced(_validation, stock(self, *args, **options))


def _end(iterators: List) -> None:
    """Let go of what has been read with ``iterators``, and so of the processes that read it."""
    for iterator in iterators:
        iterator._cur_epoch_itr = iterator._next_epoch_itr = None
    iterators.clear()


def _replaced(iterators: List, iterator):
    """``iterator``, in the place of those given out before it."""
    _end(iterators)
    iterators.append(iterator)
    # Looked at when its first process is started; 0.12.2 has neither.
    iterator.reuse_dataloader = iterator.persistent_workers = False
    return iterator
