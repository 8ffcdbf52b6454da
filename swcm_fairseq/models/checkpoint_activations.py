"""``--checkpoint-activations``: layers keep their inputs alone, and compute the rest again for their gradients."""

import functools

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


def checkpoint_activations(model: nn.Module) -> None:
    """Have every layer of ``model`` compute its activations again in the backward pass.

    That takes a third more computing and a small part of the memory (``training_memory.py``). The random numbers of
    dropout are drawn again as they were, so losses and gradients stay the same. Where no gradient is wanted, layers run
    as always.
    """
    for layer in [*model.encoder.layers, *model.decoder.layers]:
        layer.forward = functools.partial(_forward, layer, layer.forward)


def _forward(layer: nn.Module, forward, *arguments):
    if layer.training and torch.is_grad_enabled():
        # The other kind, which fairseq has, gives no gradient where the input has none (a frozen embedding).
        return checkpoint(forward, *arguments, use_reentrant=False)
    return forward(*arguments)
