"""The kinds of layer: the encoder's; the decoder's custom, normal (paper, section 3.2) and identity ones."""

from typing import Optional, Tuple

from torch import Tensor, nn

from .attention import AttentionSublayer, IncrementalState
from .feed_forward import FeedForwardSublayer
from .padding import RealPositions
from .sublayer import POST, PRE, LayerSizes


class EncoderLayer(nn.Module):
    """Self-attention, then feed-forward.

    Args:
        sizes: of every layer.
        residual: whether self-attention adds its input. A layer without that can forget what stood at each position,
            so that the output says less about the source's word order (arXiv 2012.15127).
    """

    def __init__(self, sizes: LayerSizes, residual: bool = True):
        super().__init__()
        self.self_attn = AttentionSublayer(sizes, residual=residual)
        self.ffn = FeedForwardSublayer(sizes)

    def forward(self, x: Tensor, mask: Optional[Tensor] = None) -> Tensor:
        """x [B, S, C], mask [B, 1, 1, S] as ``AttentionSublayer`` takes it -> [B, S, C]."""
        x, _ = self.self_attn(x, mask=mask)
        return self.ffn(x)


class DecoderLayer(nn.Module):
    """All kinds of decoder layer: self-attention and cross-attention, and what stands behind each."""

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Optional[Tensor] = None,
        memory_mask: Optional[Tensor] = None,
        incremental_state: IncrementalState = None,
        need_weights: bool = False,
        real: Optional[RealPositions] = None,
        causal: bool = False,
    ) -> Tuple[Tensor, Optional[Tensor]]:
        """Run the layer; arguments and results as of ``AttentionSublayer.forward``.

        Args:
            memory: the encoder's output [B, S, C].
            mask: for self-attention, broadcastable to [B, H, T, T].
            memory_mask: for cross-attention, [B, 1, 1, S].
            need_weights: also return the cross-attention's weights.
        """
        x, _ = self.self_attn(x, mask=mask, incremental_state=incremental_state, real=real, causal=causal)
        x = self.after_self_attention(x)
        x, weights = self.cross_attn(x, memory, memory_mask, incremental_state, need_weights, real)
        return self.after_cross_attention(x), weights

    def after_self_attention(self, x: Tensor) -> Tensor:
        """[B, T, C] -> [B, T, C]."""
        raise NotImplementedError

    def after_cross_attention(self, x: Tensor) -> Tensor:
        """[B, T, C] -> [B, T, C]."""
        raise NotImplementedError


class CustomLayer(DecoderLayer):
    """Self-attention, feed-forward, cross-attention, feed-forward.

    Two encoder layers whose second attention looks at the encoder; so one encoder layer can start both halves.
    """

    def __init__(self, sizes: LayerSizes):
        super().__init__()
        self.self_attn = AttentionSublayer(sizes)
        self.ffn1 = FeedForwardSublayer(sizes)
        self.cross_attn = AttentionSublayer(sizes)
        self.ffn2 = FeedForwardSublayer(sizes)

    def after_self_attention(self, x: Tensor) -> Tensor:
        return self.ffn1(x)

    def after_cross_attention(self, x: Tensor) -> Tensor:
        return self.ffn2(x)


class NormalLayer(DecoderLayer):
    """The standard decoder layer: self-attention, cross-attention, feed-forward."""

    def __init__(self, sizes: LayerSizes, norm_position: str = POST):
        super().__init__()
        self.self_attn = AttentionSublayer(sizes, norm_position)
        self.cross_attn = AttentionSublayer(sizes, norm_position)
        self.ffn = FeedForwardSublayer(sizes, norm_position)

    def after_self_attention(self, x: Tensor) -> Tensor:
        return x

    def after_cross_attention(self, x: Tensor) -> Tensor:
        return self.ffn(x)


class IdentityLayer(NormalLayer):
    """A normal layer that starts as the identity: pre-norm, the last matrix of every sublayer zero."""

    def __init__(self, sizes: LayerSizes):
        super().__init__(sizes, PRE)
        for last in (self.self_attn.out_proj, self.cross_attn.out_proj, self.ffn.fc2):
            nn.init.zeros_(last.weight)


DECODER_LAYERS = {"custom": CustomLayer, "normal": NormalLayer, "identity": IdentityLayer}
