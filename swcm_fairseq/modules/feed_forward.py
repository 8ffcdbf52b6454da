"""The feed-forward sublayer."""

import torch.nn.functional as F
from torch import Tensor, nn

from .dropout import Dropout
from .linear import PackedLinear, linear
from .sublayer import POST, LayerSizes, Sublayer

# torch's own gelu (the exact one) and not fairseq's, which widens bf16 to float32 and back.
ACTIVATIONS = {"gelu": F.gelu, "relu": F.relu}


class FeedForwardSublayer(Sublayer):
    """``LayerNorm(x + dropout(fc2(activation(fc1(x)))))``.

    Args:
        sizes: of every layer.
        norm_position: see ``Sublayer``.
    """

    def __init__(self, sizes: LayerSizes, norm_position: str = POST):
        super().__init__(norm_position)
        self.fc1 = linear(sizes.width, sizes.inner_width)
        self.fc2 = linear(sizes.inner_width, sizes.width)
        self.layer_norm = nn.LayerNorm(sizes.width, eps=sizes.eps)
        self.activation = ACTIVATIONS[sizes.activation]
        name = self.__class__.__name__
        self.dropout_module = Dropout(sizes.dropout, module_name=name)
        self.activation_dropout_module = Dropout(sizes.activation_dropout, module_name=name)
        self.packed_linear = PackedLinear()

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, C] -> [B, T, C]."""
        inner = self.activation(self.packed_linear(self.read(x), self.fc1.weight, self.fc1.bias))
        output = self.packed_linear(self.activation_dropout_module(inner), self.fc2.weight, self.fc2.bias)
        return self.joined(x, output)
