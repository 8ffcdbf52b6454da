"""A half-precision update of all tensors at once, in the place of one tensor after the other.

fairseq copies each gradient to its float32 master, and each master to its parameter, by itself: on a GPU a start of a
kernel for every tensor, which takes longer than the copy. Where torch has a step for lists, that is taken. CPUs, which
have nothing to start, go tensor by tensor as before.
"""

from typing import List

import torch
from torch import Tensor

from .patch import instead


def copy_all(targets: List[Tensor], sources: List[Tensor]) -> None:
    """``target.copy_(source)`` for each pair."""
    if targets and targets[0].device.type != "cpu" and hasattr(torch, "_foreach_copy_"):
        torch._foreach_copy_(targets, sources)
        return
    for target, source in zip(targets, sources):
        target.copy_(source)


@instead
@torch.no_grad()
def gradients_to_masters(stock, self):
    """The gradients, each into its master's."""
    if self.has_flat_params or not self._needs_sync:
        return stock(self)
    pairs = [pair for pair in zip(self.fp16_params, self.fp32_params) if pair[0].requires_grad]
    for parameter, master in pairs:
        if parameter.grad is None or master.grad is None:
            master.grad = torch.zeros_like(master)
    pairs = [pair for pair in pairs if pair[0].grad is not None]
    copy_all([master.grad for _, master in pairs], [parameter.grad for parameter, _ in pairs])
    self._needs_sync = False


@instead
@torch.no_grad()
def masters_to_parameters(stock, self):
    """The masters, each rounded into its parameter."""
    if self.has_flat_params:
        return stock(self)
    pairs = [pair for pair in zip(self.fp16_params, self.fp32_params) if pair[0].requires_grad]
    copy_all([parameter.data for parameter, _ in pairs], [master.data for _, master in pairs])


@instead
def zero_grad(stock, self):
    """The gradients of both; the masters', which the next ones are copied over, are left where they are."""
    if self.has_flat_params or self.fp32_params[0].device.type == "cpu":
        return stock(self)
    for parameter in self.fp16_params:
        parameter.grad = None
    gradients = [master.grad for master in self.fp32_params if master.grad is not None]
    torch._foreach_zero_(gradients)
    self._needs_sync = False
    if self.scaler is not None:
        self._multiply_factor = 1.0 / float(self.scaler.loss_scale)
