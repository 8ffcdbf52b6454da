"""A learning rate that follows the validation scores goes on where it was.

``--lr-scheduler reduce_lr_on_plateau`` waits for some validations without progress. fairseq's checkpoints hold the best
score and not how long it has waited; and they are written at the end of an epoch before the schedule is told of that
epoch's score, which a run that goes on never tells it. The other schedules are functions of the number of updates or of
the epoch, but for one flag, which is refused.
"""

from fairseq.optim.lr_scheduler.reduce_lr_on_plateau import ReduceLROnPlateauLRSchedule

from ..errors import SwcmError
from .patch import instead

KEY = "swcm_plateau"
_NAMES = ("num_bad_epochs", "cooldown_counter")


@instead
def state_dict(stock, self):
    """How long the schedule has waited is saved too."""
    waited = {name: getattr(self.lr_scheduler, name) for name in _NAMES}
    return {**stock(self), KEY: {"warmup_end": self.warmup_end, **waited}}


@instead
def load_state_dict(stock, self, state_dict):
    """And restored."""
    stock(self, state_dict)
    saved = state_dict.get(KEY, {})
    self.warmup_end = saved.get("warmup_end", self.warmup_end)
    for name in _NAMES:
        if name in saved:
            setattr(self.lr_scheduler, name, saved[name])


@instead
def load_checkpoint(stock, cfg, trainer, **options):
    """The schedule is told of the epoch that a checkpoint ended; one that could not go on is refused.

    polynomial_decay with ``--force-anneal`` makes each epoch's rate of the one that the epoch before ended with, and
    keeps neither in checkpoints.
    """
    schedule = trainer.cfg.lr_scheduler
    if schedule._name == "polynomial_decay" and schedule.force_anneal is not None:
        raise SwcmError(
            "--force-anneal with --lr-scheduler polynomial_decay: a run that is stopped would go on with another "
            "rate; leave it out, or take --lr-scheduler fixed"
        )
    extra, epochs = stock(cfg, trainer, **options)
    went_on = extra is not None and not (cfg.reset_lr_scheduler or cfg.reset_optimizer or cfg.reset_dataloader)
    if went_on and isinstance(trainer.lr_scheduler, ReduceLROnPlateauLRSchedule):
        place = extra["train_iterator"]
        if place.get("iterations_in_epoch") == 0 and extra.get("val_loss") is not None:
            trainer.lr_step(place["epoch"] - 1, extra["val_loss"])
    return extra, epochs
