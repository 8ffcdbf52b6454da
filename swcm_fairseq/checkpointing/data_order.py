"""The same batches in the same order, whether or not the run began in an earlier epoch."""

import functools

from fairseq.trainer import Trainer


def install() -> None:
    """Have batches made anew for every epoch.

    fairseq 0.12.3 seeds the making of batches with the epoch, and then keeps the first epoch's batches for all that
    follow. A run that starts again in the third epoch would make and keep the third epoch's.
    """
    stock = Trainer.get_train_iterator

    @functools.wraps(stock)
    def get_train_iterator(self, *args, **options):
        options["disable_iterator_cache"] = True
        return stock(self, *args, **options)

    Trainer.get_train_iterator = get_train_iterator
