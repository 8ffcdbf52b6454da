"""Multi-head attention as a sublayer, of the same shape for self- and cross-attention."""

from typing import Dict, Optional, Tuple

import torch
import torch.nn.functional as F
from fairseq.incremental_decoding_utils import with_incremental_state
from torch import Tensor, nn

from .dropout import Dropout
from .linear import PackedLinear, linear
from .masks import fuses
from .padding import RealPositions, pad, unpad
from .sublayer import POST, LayerSizes, Sublayer

# fairseq's cache for decoding step by step: an entry for each module, of named tensors.
IncrementalState = Optional[Dict[str, Dict[str, Optional[Tensor]]]]


@with_incremental_state
class AttentionSublayer(Sublayer):
    """``LayerNorm(x + dropout(attention(x)))`` over x itself, or over a memory from the encoder.

    Self- and cross-attention are one class with the same tensors, because the method starts both from the same
    self-attention (paper, section 3.2): copying is then tensor by tensor, nothing left over on either side.
    ``in_proj`` stacks the projections of query, key and value, in this order.

    Args:
        sizes: of every layer.
        norm_position, residual: see ``Sublayer``.
    """

    def __init__(self, sizes: LayerSizes, norm_position: str = POST, residual: bool = True):
        super().__init__(norm_position, residual)
        width, heads = sizes.width, sizes.heads
        self.width = width
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.in_proj = linear(width, 3 * width)
        self.out_proj = linear(width, width)
        self.layer_norm = nn.LayerNorm(width, eps=sizes.eps)
        name = self.__class__.__name__
        self.dropout_module = Dropout(sizes.dropout, module_name=name)
        self.attention_dropout_module = Dropout(sizes.attention_dropout, module_name=name)
        self.packed_linear = PackedLinear()

    def forward(
        self,
        x: Tensor,
        memory: Optional[Tensor] = None,
        mask: Optional[Tensor] = None,
        incremental_state: IncrementalState = None,
        need_weights: bool = False,
        real: Optional[RealPositions] = None,
        causal: bool = False,
    ) -> Tuple[Tensor, Optional[Tensor]]:
        """Attend from x [B, T, C]; with ``real``, from its positions alone, x [1, N, C].

        Args:
            memory: [M, S, C] to attend to; None attends to x (S = T, or all steps so far when incremental). With fewer
                rows than x, as in a beam, each of its rows is for B / M rows of x side by side (``beam_rows.py``).
            mask: broadcastable to [B or M, H, T, S]: bool, True where attending is forbidden, or numbers to add to the
                scores (``masks.mask_for``).
            incremental_state: fairseq's cache; x then holds the steps that are not in it yet.
            need_weights: also return the weights, averaged over heads.
            real: which positions of [B, T] x has; None for all.
            causal: in the place of a mask, where ``masks.fuses``: no step attends to later ones.

        Returns:
            the sublayer's output, shaped as x, and the weights [B, T, S] or None.
        """
        read = self.read(x)
        if memory is None:
            query, key, value = self._project_self(read, incremental_state, real)
        else:
            query, key, value = self._project_cross(read, memory, incremental_state, real)

        weights: Optional[Tensor] = None
        if fuses(query) and not need_weights:
            attended = self._fused(query, key, value, mask, causal)
        else:
            attended, weights = self._attend(query, key, value, mask)
        attended = attended.transpose(1, 2)
        if real is None:
            attended = attended.reshape(x.shape)
        else:
            attended = unpad(attended.flatten(2), real)
        output = self.packed_linear(attended, self.out_proj.weight, self.out_proj.bias)
        batch, length, _ = x.shape
        x = self.joined(x, output)
        if not need_weights or weights is None:
            return x, None
        return x, weights.mean(dim=1).view(batch, length, -1)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Optional[Tensor]) -> Tuple[Tensor, Tensor]:
        """-> what was attended to [B, H, T, D], and with which weights [B, H, T, S]."""
        weights = attention_weights(query * self.scale, key, mask)
        return torch.matmul(self.attention_dropout_module(weights), value), weights

    @torch.jit.unused
    def _fused(self, query: Tensor, key: Tensor, value: Tensor, mask: Optional[Tensor], causal: bool) -> Tensor:
        dropout = self.attention_dropout_module
        return F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=None if mask is None else mask.to(query.dtype),
            dropout_p=dropout.p if self.training or dropout.apply_during_inference else 0.0,
            is_causal=causal,
        )

    def _project_self(
        self, x: Tensor, incremental_state: IncrementalState, real: Optional[RealPositions]
    ) -> Tuple[Tensor, Tensor, Tensor]:
        """-> query [B, H, T, D], key and value [B, H, S, D]."""
        projected = self.packed_linear(x, self.in_proj.weight, self.in_proj.bias)
        if real is not None:
            projected = pad(projected, real)
        query, key, value = self._split_heads(projected, 3).unbind(0)
        if incremental_state is None:
            return query, key, value
        keys_values = torch.stack([key, value])
        cached = self._cached(incremental_state)
        if cached is not None:
            keys_values = torch.cat([cached, keys_values], dim=3)
        self._cache(incremental_state, keys_values)
        return query, keys_values[0], keys_values[1]

    def _project_cross(
        self, x: Tensor, memory: Tensor, incremental_state: IncrementalState, real: Optional[RealPositions]
    ) -> Tuple[Tensor, Tensor, Tensor]:
        """Like ``_project_self``, for M rows; the memory is projected once a sentence when decoding incrementally."""
        parts = [self.width, 2 * self.width]
        query_weight, memory_weight = self.in_proj.weight.split(parts)
        query_bias, memory_bias = self.in_proj.bias.split(parts)
        projected = self.packed_linear(x, query_weight, query_bias)
        if real is not None:
            projected = pad(projected, real)
        # Rows that share their memory become one row's steps: [M, B / M * T, C].
        query = self._split_heads(projected.view(memory.size(0), -1, self.width), 1).squeeze(0)
        keys_values = self._cached(incremental_state)
        if keys_values is None:
            keys_values = self._split_heads(self.packed_linear(memory, memory_weight, memory_bias), 2)
            if incremental_state is not None:
                keys_values = keys_values.contiguous()
                self._cache(incremental_state, keys_values)
        key, value = keys_values.unbind(0)  # one gradient, not a zeroed one for each
        return query, key, value

    def _split_heads(self, x: Tensor, parts: int) -> Tensor:
        """[B, T, parts * C] -> [parts, B, H, T, D]."""
        batch, length, _ = x.shape
        return x.view(batch, length, parts, self.heads, -1).permute(2, 0, 3, 1, 4)

    def _cached(self, incremental_state: IncrementalState) -> Optional[Tensor]:
        """Keys and values [2, B, H, S, D] of earlier steps; None before the first."""
        entry = self.get_incremental_state(incremental_state, "attention")
        return None if entry is None else entry["keys_values"]

    def _cache(self, incremental_state: IncrementalState, keys_values: Tensor) -> None:
        entry: Dict[str, Optional[Tensor]] = {"keys_values": keys_values}
        self.set_incremental_state(incremental_state, "attention", entry)

    def reorder_cache(self, incremental_state: IncrementalState, new_order: Tensor) -> None:
        """Bring the cached rows (of cross-attention: the memory's) into ``new_order`` [B']."""
        cached = self._cached(incremental_state)
        if cached is not None:
            self._cache(incremental_state, cached.index_select(1, new_order))


def attention_weights(query: Tensor, key: Tensor, mask: Optional[Tensor]) -> Tensor:
    """Scaled queries [B, H, T, D], keys [B, H, S, D] -> softmax of their products over the keys [B, H, T, S]."""
    scores = torch.matmul(query, key.transpose(-1, -2))
    if mask is not None:
        if mask.dtype == torch.bool:
            # Finite, not -inf: a row with nothing to attend to must not become NaN. (TorchScript lacks torch.finfo.)
            scores = scores.masked_fill(mask, -65504.0 if scores.dtype == torch.float16 else -3e38)
        else:
            scores = scores + mask
    return F.softmax(scores, dim=-1)
