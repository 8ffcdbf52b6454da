"""The three kinds of layer: the encoder's, and the decoder's custom and normal ones (paper, section 3.2)."""

from typing import NamedTuple, Optional, Tuple

from torch import Tensor, nn

from .attention import AttentionSublayer, IncrementalState
from .feed_forward import FeedForwardSublayer


class LayerSizes(NamedTuple):
    """What every layer of a model shares."""

    width: int
    heads: int
    inner_width: int
    activation: str
    eps: float
    dropout: float
    attention_dropout: float
    activation_dropout: float

    def attention(self) -> AttentionSublayer:
        return AttentionSublayer(self.width, self.heads, self.dropout, self.attention_dropout, self.eps)

    def feed_forward(self) -> FeedForwardSublayer:
        return FeedForwardSublayer(
            self.width, self.inner_width, self.activation, self.dropout, self.activation_dropout, self.eps
        )


class EncoderLayer(nn.Module):
    """Self-attention, then feed-forward."""

    def __init__(self, sizes: LayerSizes):
        super().__init__()
        self.self_attn = sizes.attention()
        self.ffn = sizes.feed_forward()

    def forward(self, x: Tensor, mask: Optional[Tensor] = None) -> Tensor:
        """x [B, S, C], mask bool [B, 1, 1, S], True at padding -> [B, S, C]."""
        x, _ = self.self_attn(x, mask=mask)
        return self.ffn(x)


class DecoderLayer(nn.Module):
    """Both kinds of decoder layer: self-attention and cross-attention, and what stands behind each."""

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Optional[Tensor] = None,
        memory_mask: Optional[Tensor] = None,
        incremental_state: IncrementalState = None,
        need_weights: bool = False,
    ) -> Tuple[Tensor, Optional[Tensor]]:
        """Run the layer.

        Args:
            x: [B, T, C].
            memory: the encoder's output [B, S, C].
            mask: bool, broadcastable to [B, H, T, T], True where attending is forbidden.
            memory_mask: bool [B, 1, 1, S], True at padding.
            incremental_state: fairseq's cache; x then holds the steps that are not in it yet.
            need_weights: also return the cross-attention's weights.

        Returns:
            [B, T, C], and the weights [B, T, S] or None.
        """
        x, _ = self.self_attn(x, mask=mask, incremental_state=incremental_state)
        x = self.behind_self_attention(x)
        x, weights = self.cross_attn(x, memory, memory_mask, incremental_state, need_weights)
        return self.behind_cross_attention(x), weights

    def behind_self_attention(self, x: Tensor) -> Tensor:
        """[B, T, C] -> [B, T, C]."""
        raise NotImplementedError

    def behind_cross_attention(self, x: Tensor) -> Tensor:
        """[B, T, C] -> [B, T, C]."""
        raise NotImplementedError


class CustomLayer(DecoderLayer):
    """Self-attention, feed-forward, cross-attention, feed-forward.

    Two encoder layers whose second attention looks at the encoder; so one encoder layer can start both halves.
    """

    def __init__(self, sizes: LayerSizes):
        super().__init__()
        self.self_attn = sizes.attention()
        self.ffn1 = sizes.feed_forward()
        self.cross_attn = sizes.attention()
        self.ffn2 = sizes.feed_forward()

    def behind_self_attention(self, x: Tensor) -> Tensor:
        return self.ffn1(x)

    def behind_cross_attention(self, x: Tensor) -> Tensor:
        return self.ffn2(x)


class NormalLayer(DecoderLayer):
    """The standard decoder layer: self-attention, cross-attention, feed-forward."""

    def __init__(self, sizes: LayerSizes):
        super().__init__()
        self.self_attn = sizes.attention()
        self.cross_attn = sizes.attention()
        self.ffn = sizes.feed_forward()

    def behind_self_attention(self, x: Tensor) -> Tensor:
        return x

    def behind_cross_attention(self, x: Tensor) -> Tensor:
        return self.ffn(x)


DECODER_LAYERS = {"custom": CustomLayer, "normal": NormalLayer}
