"""How long ``--patience`` has waited, kept in the checkpoint.

fairseq counts the validations without progress in attributes of a function and forgets them when the process ends; a
run that goes on would begin to wait anew and stop later than the run that was not killed.
"""

import functools
import sys

from fairseq.trainer import Trainer

KEY = "swcm_patience"
_NAMES = ("best", "num_runs")


def _counter():
    # Looked up and not imported: fairseq_cli.train sets up logging, which decoding does in another way.
    command = sys.modules.get("fairseq_cli.train")
    return getattr(command, "should_stop_early", None)


def install() -> None:
    """Have the trainer save and restore the count."""
    stock_save, stock_load = Trainer.save_checkpoint, Trainer.load_checkpoint

    @functools.wraps(stock_save)
    def save_checkpoint(self, filename, extra_state):
        count = {name: getattr(_counter(), name) for name in _NAMES if hasattr(_counter(), name)}
        return stock_save(self, filename, dict(extra_state, **{KEY: count}) if count else extra_state)

    @functools.wraps(stock_load)
    def load_checkpoint(
        self, filename, reset_optimizer=False, reset_lr_scheduler=False, optimizer_overrides=None, reset_meters=False
    ):
        extra = stock_load(self, filename, reset_optimizer, reset_lr_scheduler, optimizer_overrides, reset_meters)
        if extra is not None and _counter() is not None and not (reset_optimizer or reset_meters):
            for name, value in extra.get(KEY, {}).items():
                setattr(_counter(), name, value)
        return extra

    Trainer.save_checkpoint, Trainer.load_checkpoint = save_checkpoint, load_checkpoint
