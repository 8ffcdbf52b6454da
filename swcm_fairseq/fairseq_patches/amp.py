"""``--amp`` with the gradients unscaled once, and the loss scale kept in checkpoints.

torch's scaler remembers by the optimizer whether its gradients are unscaled. fairseq names torch's optimizer when it
clips and its own wrapper of it when it steps, so the scaler takes them for two and divides by the scale again. And a
run that goes on would begin with the first scale and skip updates until it had found the right one anew.
"""

KEY = "swcm_amp_scaler"


def step(stock):
    """One step for both names of the optimizer."""

    def step(self, closure=None, groups=None):
        self.scaler.step(self.optimizer)
        self.scaler.update()

    return step


def state_dict(stock):
    """The wrapped optimizer's state and the scaler's."""

    def state_dict(self):
        return dict(self.fp32_optimizer.state_dict(), **{KEY: self.scaler.state_dict()})

    return state_dict


def load_state_dict(stock):
    """Both states."""

    def load_state_dict(self, state_dict, optimizer_overrides=None):
        state = dict(state_dict)
        scaler = state.pop(KEY, None)
        # The wrapped one's, which knows what else of its state has to be set right.
        self.fp32_optimizer.load_state_dict(state, optimizer_overrides)
        if scaler and self.scaler.is_enabled():
            self.scaler.load_state_dict(scaler)

    return load_state_dict
