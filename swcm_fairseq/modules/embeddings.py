"""Token and position embeddings with their LayerNorm, as XLM-R has them."""

from typing import Optional

import torch
from torch import Tensor, nn

from .dropout import Dropout

INIT_STD = 0.02  # BERT's and XLM-R's initializer_range


class Embeddings(nn.Module):
    """LayerNorm(token row + position row), then dropout.

    The position of the first token is ``padding_idx + 1``, so a table for n tokens has n + padding_idx + 1 rows,
    the first of which are never read. Padding does not count, on whichever side it stands.

    Args:
        tokens: table [V, C].
        positions: table [max_positions + padding_idx + 1, C].
        layer_norm: over C.
        dropout: probability.
    """

    def __init__(self, tokens: nn.Embedding, positions: nn.Embedding, layer_norm: nn.LayerNorm, dropout: float):
        super().__init__()
        self.tokens = tokens
        self.positions = positions
        self.layer_norm = layer_norm
        self.dropout_module = Dropout(dropout, module_name=self.__class__.__name__)

    @property
    def max_positions(self) -> int:
        """How many tokens a sequence may have."""
        return self.positions.num_embeddings - self.tokens.padding_idx - 1

    def forward(self, tokens: Tensor, step: Optional[int] = None) -> Tensor:
        """Embed ``tokens`` [B, T] -> [B, T, C].

        Args:
            step: for incremental decoding: the number of tokens so far, the one given included; T is 1 then.
        """
        padding = self.tokens.padding_idx
        if step is None:
            real = tokens.ne(padding)
            positions = torch.cumsum(real, dim=1) * real + padding
        else:
            positions = torch.full_like(tokens, padding + step)
        x = self.tokens(tokens) + self.positions(positions)
        return self.dropout_module(self.layer_norm(x))


def token_table(rows: int, width: int, padding_idx: int) -> nn.Embedding:
    """A fresh table [rows, width] whose padding row is zero, as XLM-R's is at its start."""
    table = nn.Embedding(rows, width, padding_idx)
    nn.init.normal_(table.weight, std=INIT_STD)
    nn.init.zeros_(table.weight[padding_idx])
    return table


def position_table(max_positions: int, width: int, padding_idx: int) -> nn.Embedding:
    """A fresh table of positions for ``max_positions`` tokens."""
    table = nn.Embedding(max_positions + padding_idx + 1, width)
    nn.init.normal_(table.weight, std=INIT_STD)
    return table
