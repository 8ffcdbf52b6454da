"""``--amp`` with the gradients unscaled once, and the loss scale kept in checkpoints.

torch's scaler remembers by the optimizer whether its gradients are unscaled. fairseq names torch's optimizer when it
clips and its own wrapper of it when it steps, so the scaler takes them for two and divides by the scale again. And a
run that goes on would begin with the first scale and skip updates until it had found the right one anew.
"""

from .patch import instead

KEY = "swcm_amp_scaler"


@instead
def step(stock, self, closure=None, groups=None):
    """One step for both names of the optimizer."""
    self.scaler.step(self.optimizer)
    self.scaler.update()


@instead
def state_dict(stock, self):
    """The wrapped optimizer's state and the scaler's."""
    return dict(self.fp32_optimizer.state_dict(), **{KEY: self.scaler.state_dict()})


@instead
def load_state_dict(stock, self, state_dict, optimizer_overrides=None):
    """Both states."""
    state = dict(state_dict)
    scaler = state.pop(KEY, None)
    # The wrapped one's, which knows what else of its state has to be set right.
    self.fp32_optimizer.load_state_dict(state, optimizer_overrides)
    if scaler and self.scaler.is_enabled():
        self.scaler.load_state_dict(scaler)
