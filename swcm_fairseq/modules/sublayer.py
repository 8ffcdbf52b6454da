"""What attention and feed-forward have in common: how a sublayer reads its input and joins it."""

from typing import NamedTuple

from torch import Tensor, nn

POST, PRE = "post", "pre"


class LayerSizes(NamedTuple):
    """What every layer of a model shares.

    Attributes:
        width: C.
        heads: H; divides C.
        inner_width: F, width between the two linear layers of feed-forward.
        activation: a key of ``feed_forward.ACTIVATIONS``.
        eps: of every LayerNorm.
        dropout: probability on the sublayers' outputs.
        attention_dropout: probability on the attention weights.
        activation_dropout: probability after the activation.
    """

    width: int
    heads: int
    inner_width: int
    activation: str
    eps: float
    dropout: float
    attention_dropout: float
    activation_dropout: float


class Sublayer(nn.Module):
    """A function f with dropout, LayerNorm and a residual connection.

    Args:
        norm_position: ``post``, as in XLM-R: ``LayerNorm(x + dropout(f(x)))``; or ``pre``:
            ``x + dropout(f(LayerNorm(x)))``, the identity where f is zero, which no post-norm sublayer can be.
        residual: whether x is added.

    Subclasses set ``layer_norm``, ``dropout_module`` and ``packed_linear``, in their own order, which is that of the
    parameters in checkpoints.
    """

    def __init__(self, norm_position: str = POST, residual: bool = True):
        super().__init__()
        self.pre_norm = norm_position == PRE
        self.residual = residual

    def make_generation_fast_(self, **unused) -> None:
        """fairseq calls this before it decodes."""
        self.packed_linear.freeze()

    def read(self, x: Tensor) -> Tensor:
        """What f is given of x [B, T, C]."""
        return self.layer_norm(x) if self.pre_norm else x

    def joined(self, x: Tensor, output: Tensor) -> Tensor:
        """The sublayer's output, of its input x and f's output, all [B, T, C]."""
        output = self.dropout_module(output)
        if self.residual:
            output = x + output
        return output if self.pre_norm else self.layer_norm(output)
