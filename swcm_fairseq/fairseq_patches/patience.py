"""How long ``--patience`` has waited, kept in the checkpoint.

fairseq counts the validations without progress in attributes of a function and forgets them when the process ends; a
run that goes on would begin to wait anew and stop later than the run that was not killed.
"""

import logging
import sys

from .patch import instead

logger = logging.getLogger(__name__)

KEY = "swcm_patience"
_NAMES = ("best", "num_runs")


def _counter():
    # Looked up and not imported: fairseq_cli.train sets up logging, which decoding does in another way.
    command = sys.modules.get("fairseq_cli.train")
    return getattr(command, "should_stop_early", None)


@instead
def save_checkpoint(stock, self, filename, extra_state):
    """The trainer's, with the count in the checkpoint."""
    count = {name: getattr(_counter(), name) for name in _NAMES if hasattr(_counter(), name)}
    return stock(self, filename, dict(extra_state, **{KEY: count}) if count else extra_state)


@instead
def load_checkpoint(
    stock, self, filename, reset_optimizer=False, reset_lr_scheduler=False, optimizer_overrides=None, reset_meters=False
):
    """The trainer's, which sets the count as the checkpoint has it; a run that had stopped early trains no more."""
    extra = stock(self, filename, reset_optimizer, reset_lr_scheduler, optimizer_overrides, reset_meters)
    if extra is not None and _counter() is not None and not (reset_optimizer or reset_meters):
        for name, value in extra.get(KEY, {}).items():
            setattr(_counter(), name, value)
        if 0 < self.cfg.checkpoint.patience <= getattr(_counter(), "num_runs", 0):
            # fairseq would train until the next validation before it looks. No epoch comes before this one, and 0
            # means any number.
            self.cfg.optimization.max_epoch = -1
            logger.info("this training has stopped early; a higher --patience goes on with it")
    return extra
