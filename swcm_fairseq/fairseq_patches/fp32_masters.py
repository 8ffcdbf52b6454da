"""The float32 masters of a half-precision run, saved with the optimizer.

With ``--bf16`` and ``--fp16`` fairseq trains float32 copies of the parameters and rounds them into the model after
every update. Its checkpoints hold the rounded ones alone; a run that goes on from them has lost the lower bits of
every parameter, which is more than many updates add.

The copies travel in the optimizer's state: fairseq saves it, hands it to every process and loads it after the model,
which is when the copies can be set. ``--memory-efficient-bf16`` has no copies, so there is nothing to add.
"""

import logging
from collections import defaultdict
from typing import Dict, Iterator, Tuple

import torch
from torch import Tensor

from .patch import instead

logger = logging.getLogger(__name__)

KEY = "swcm_float32_masters"


def parameters_and_masters(optimizer) -> Iterator[Tuple[Tensor, Tensor]]:
    """Each parameter of the model and its float32 master, of the same shape, from an ``FP16Optimizer``."""
    if not optimizer.has_flat_params:
        for parameter, master in zip(optimizer.fp16_params, optimizer.fp32_params):
            yield parameter.data, master.data
        return
    # --fp16 has one long vector for each GPU, with the parameters one after the other.
    used: Dict[int, int] = defaultdict(int)
    for parameter in optimizer.fp16_params:
        device = parameter.device.index
        start, used[device] = used[device], used[device] + parameter.numel()
        yield parameter.data, optimizer.fp32_params[device].data[start : used[device]].view_as(parameter)


def restore(optimizer, saved) -> None:
    """Set the masters from ``saved``, in the order of the parameters.

    A master is taken where it rounds to the parameter that the model has loaded. It does not where somebody has
    changed the checkpoint's weights, by averaging for instance; there the weights count, as without masters.
    """
    pairs = list(parameters_and_masters(optimizer))
    if len(saved) != len(pairs):
        logger.warning("float32 masters of %d parameters for a model of %d: not used", len(saved), len(pairs))
        return
    changed = 0
    for (parameter, master), value in zip(pairs, saved):
        value = value.to(master.device)
        if value.shape == parameter.shape and torch.equal(value.to(parameter.dtype), parameter):
            master.copy_(value)
        else:
            changed += 1
    if changed:
        logger.warning(
            "%d of %d parameters are not what their float32 masters round to: "
            "going on from the parameters themselves, less exactly",
            changed,
            len(pairs),
        )
    else:
        logger.info("restored the float32 masters of %d parameters", len(pairs))


@instead
def state_dict(stock, self):
    """The optimizer's state and the masters."""
    state = stock(self)
    state[KEY] = [master for _, master in parameters_and_masters(self)]
    return state


@instead
def load_state_dict(stock, self, state_dict, optimizer_overrides=None):
    """The state, then the masters."""
    stock(self, {name: value for name, value in state_dict.items() if name != KEY}, optimizer_overrides)
    if KEY in state_dict:
        restore(self, state_dict[KEY])
    else:
        logger.warning("the checkpoint holds no float32 masters: going on from its rounded parameters, less exactly")
