"""The same batches in the same order, whether or not the run began in an earlier epoch."""

import functools
from typing import List

from fairseq.trainer import Trainer


def install() -> None:
    """Have batches made anew for every epoch, by processes that end with it.

    fairseq 0.12.3 seeds the making of batches with the epoch, and then keeps the first epoch's batches for all that
    follow. A run that starts again in the third epoch would make and keep the third epoch's.

    It also keeps the processes that read the data, which were forked from the training: each holds on to the memory
    that the training had then, some GB, and with new batches come new ones.
    """
    stock_train, stock_valid = Trainer.get_train_iterator, Trainer.get_valid_iterator
    # The iterators that were given out last.
    training: List = []
    validation: List = []

    @functools.wraps(stock_train)
    def get_train_iterator(self, *args, **options):
        options["disable_iterator_cache"] = True
        _end(validation)
        return _replaced(training, stock_train(self, *args, **options))

    @functools.wraps(stock_valid)
    def get_valid_iterator(self, *args, **options):
        return _replaced(validation, stock_valid(self, *args, **options))

    Trainer.get_train_iterator = get_train_iterator
    Trainer.get_valid_iterator = get_valid_iterator


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
