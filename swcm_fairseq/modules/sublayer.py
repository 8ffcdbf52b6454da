"""What attention and feed-forward have in common: how a sublayer reads its input and joins it."""

from torch import Tensor, nn

POST_NORM, PRE_NORM, BARE = "post-norm", "pre-norm", "bare"


class Sublayer(nn.Module):
    """A function f with dropout, LayerNorm and, but for ``bare``, a residual connection.

    ``post-norm``, XLM-R's: ``LayerNorm(x + dropout(f(x)))``. ``pre-norm``: ``x + dropout(f(LayerNorm(x)))``, the
    identity where f is zero, which no post-norm sublayer can be. ``bare``: ``LayerNorm(dropout(f(x)))``.

    Subclasses set ``layer_norm``, ``dropout_module`` and ``product``, in their own order, which is that of the
    parameters in checkpoints.
    """

    def __init__(self, form: str):
        super().__init__()
        self.pre_norm = form == PRE_NORM
        self.residual = form != BARE

    def make_generation_fast_(self, **unused) -> None:
        """fairseq calls this before it decodes."""
        self.product.freeze()

    def read(self, x: Tensor) -> Tensor:
        """What f is given of x [B, T, C]."""
        return self.layer_norm(x) if self.pre_norm else x

    def joined(self, x: Tensor, output: Tensor) -> Tensor:
        """The sublayer's output, of its input x and f's output, all [B, T, C]."""
        output = self.dropout_module(output)
        if self.residual:
            output = x + output
        return output if self.pre_norm else self.layer_norm(output)
