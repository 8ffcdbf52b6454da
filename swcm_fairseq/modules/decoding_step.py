"""One step of decoding: a decoder's layers for one new position of every row, on a processor.

It computes what the layers' ``forward`` computes, from the same weights and caches, kernel by kernel. But what stays
the same from one step to the next is looked up once, and neither modules nor dropout that is off are called: with the
few rows of one sentence, all that took half as long as the products.
"""

from typing import Any, Callable, Dict, Optional

import torch
from fairseq.modules import FairseqDropout
from torch import Tensor, nn

from .attention import AttentionSublayer, attention_weights
from .feed_forward import FeedForwardSublayer
from .sublayer import Sublayer

#: fairseq's cache while a search is on: an entry for each module, of named tensors.
State = Dict[str, Dict[str, Any]]
#: x [R, 1, C], the cache, which it brings up to date, and the memory's mask [M, 1, 1, S] or None -> [R, 1, C].
Step = Callable[[Tensor, State, Optional[Tensor]], Tensor]


def decoding_step(layers: nn.ModuleList) -> Optional[Step]:
    """A decoder's layers as one function, every cache of which has been begun; rows are as in ``beam_rows.py``.

    None where dropout stays on (``--retain-dropout``), which only ``forward`` knows.
    """
    if any(isinstance(module, FairseqDropout) and module.apply_during_inference for module in layers.modules()):
        return None
    # Sublayers are registered in the order in which they run.
    steps = [_STEPS[name](sublayer) for layer in layers for name, sublayer in layer.named_children()]

    def step(x: Tensor, state: State, memory_mask: Optional[Tensor]) -> Tensor:
        for one in steps:
            x = one(x, state, memory_mask)
        return x

    return step


def _self_attention(sublayer: AttentionSublayer) -> Step:
    read, joined, cache = _reader(sublayer), _joiner(sublayer), _name_of_cache(sublayer)
    in_proj = sublayer.packed_linear.product(sublayer.in_proj.weight, sublayer.in_proj.bias)
    out_proj = sublayer.packed_linear.product(sublayer.out_proj.weight, sublayer.out_proj.bias)
    heads, scale = sublayer.heads, sublayer.scale

    def step(x: Tensor, state: State, memory_mask: Optional[Tensor]) -> Tensor:
        # [R, 1, 3 C] -> [3, R, H, 1, D]
        projected = in_proj(read(x)).view(x.size(0), 3, heads, 1, -1).transpose(0, 1)
        keys_values = torch.cat([state[cache]["keys_values"], projected[1:]], dim=3)
        state[cache] = {"keys_values": keys_values}
        key, value = keys_values.unbind(0)
        attended = torch.matmul(attention_weights(projected[0] * scale, key, None), value)
        return joined(x, out_proj(attended.reshape(x.shape)))

    return step


def _cross_attention(sublayer: AttentionSublayer) -> Step:
    read, joined, cache = _reader(sublayer), _joiner(sublayer), _name_of_cache(sublayer)
    width, heads, scale = sublayer.width, sublayer.heads, sublayer.scale
    query_proj = sublayer.packed_linear.product(sublayer.in_proj.weight[:width], sublayer.in_proj.bias[:width])
    out_proj = sublayer.packed_linear.product(sublayer.out_proj.weight, sublayer.out_proj.bias)

    def step(x: Tensor, state: State, memory_mask: Optional[Tensor]) -> Tensor:
        key, value = state[cache]["keys_values"].unbind(0)
        # Rows that share their memory become one row's steps: [M, H, R / M, D].
        query = query_proj(read(x)).view(key.size(0), -1, heads, width // heads).transpose(1, 2)
        attended = torch.matmul(attention_weights(query * scale, key, memory_mask), value)
        return joined(x, out_proj(attended.transpose(1, 2).reshape(x.shape)))

    return step


def _feed_forward(sublayer: FeedForwardSublayer) -> Step:
    read, joined, activation = _reader(sublayer), _joiner(sublayer), sublayer.activation
    fc1 = sublayer.packed_linear.product(sublayer.fc1.weight, sublayer.fc1.bias)
    fc2 = sublayer.packed_linear.product(sublayer.fc2.weight, sublayer.fc2.bias)

    def step(x: Tensor, state: State, memory_mask: Optional[Tensor]) -> Tensor:
        return joined(x, fc2(activation(fc1(read(x)))))

    return step


_STEPS = {
    "self_attn": _self_attention,
    "cross_attn": _cross_attention,
    "ffn": _feed_forward,
    "ffn1": _feed_forward,
    "ffn2": _feed_forward,
}


def _norm(sublayer: Sublayer) -> Callable[[Tensor], Tensor]:
    norm = sublayer.layer_norm
    shape, weight, bias, eps = norm.normalized_shape, norm.weight, norm.bias, norm.eps
    return lambda x: torch.layer_norm(x, shape, weight, bias, eps)


def _reader(sublayer: Sublayer) -> Callable[[Tensor], Tensor]:
    """``Sublayer.read`` with what it needs."""
    return _norm(sublayer) if sublayer.pre_norm else lambda x: x


def _joiner(sublayer: Sublayer) -> Callable[[Tensor, Tensor], Tensor]:
    """``Sublayer.joined`` with what it needs; a decoder's sublayers all have a residual connection."""
    if sublayer.pre_norm:
        return torch.add
    norm = _norm(sublayer)
    return lambda x, output: norm(x + output)


def _name_of_cache(sublayer: AttentionSublayer) -> str:
    return sublayer._get_full_incremental_state_key("attention")
