"""Linear layers as BERT draws them."""

from torch import nn

from .embeddings import INIT_STD


def linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer with weights from N(0, 0.02) and a zero bias.

    The narrow start keeps a random post-norm layer close to the identity beside copied ones.
    """
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=INIT_STD)
    nn.init.zeros_(layer.bias)
    return layer
