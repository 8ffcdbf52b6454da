"""R-Drop: a batch run twice with other dropout, and how far the two outputs are apart (arXiv 2106.14448)."""

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

from .chunked_loss import default_chunk_size


def double_batch(sample):
    """The batch ``sample`` with every sentence once more behind all others; counts stay as they are."""
    doubled = {name: _doubled(value) for name, value in sample.items()}
    doubled["net_input"] = {name: _doubled(value) for name, value in sample["net_input"].items()}
    return doubled


def _doubled(value):
    return torch.cat([value, value]) if torch.is_tensor(value) and value.dim() else value


def chunked_symmetric_kl(hidden, weight, bias, chunk_size=-1):
    """Kullback-Leibler divergences both ways between both runs' outputs, summed over the tokens.

    Args:
        hidden: decoder output, (2N, C): row i and row N + i are a token in the first run and in the second one.
        weight: output layer, [V, C].
        bias: [V] or None.
        chunk_size: tokens whose logits stand in memory at once; -1 chooses by vocabulary and device.

    Returns:
        scalar, natural logarithm, differentiable. The logits are computed again in the backward pass.
    """
    if chunk_size == -1:
        chunk_size = default_chunk_size(weight.size(0), hidden)
    weight = weight.to(hidden.dtype)  # once, not for each chunk and again in its backward pass
    bias = None if bias is None else bias.to(hidden.dtype)
    total = hidden.new_zeros((), dtype=torch.promote_types(hidden.dtype, torch.float32))
    for first, second in zip(*(half.split(chunk_size) for half in hidden.chunk(2))):
        total = total + checkpoint(
            _of_chunk, first, second, weight, bias, use_reentrant=False, preserve_rng_state=False
        )
    return total


def _of_chunk(first, second, weight, bias):
    logits = [F.linear(hidden, weight, bias) for hidden in (first, second)]
    return symmetric_kl(
        *(F.log_softmax(one, -1, dtype=torch.promote_types(one.dtype, torch.float32)) for one in logits)
    )


def symmetric_kl(first, second):
    """KL(P || Q) + KL(Q || P) of logarithms of probabilities (..., V), summed over all rows."""
    return ((first.exp() - second.exp()) * (first - second)).sum()
