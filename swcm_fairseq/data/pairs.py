"""Source and target side by side: translation, summarization, reading comprehension, and text to decode."""

from typing import Optional, Sequence

import numpy as np
import torch
from torch import Tensor

from .base import ExampleDataset
from .batch import Example


class PairDataset(ExampleDataset):
    """Pairs of piece sequences in one direction, with the tag of the target language.

    Args:
        sources: sequences of pieces, with or without a closing ``</s>``; ``<s>`` and ``</s>`` are put around.
        source_sizes: their lengths in pieces.
        targets: likewise, or None when decoding raw text.
        target_sizes: their lengths.
        dictionary: fairseq's, of both sides.
        tag: dictionary id of the target language's tag.
        group: see ``Example``.
        max_source: pieces, ``<s>`` and ``</s>`` included, after which a source is cut; None never cuts.
        constraints: fairseq's packed lexical constraints [B, *], or None.
        pad_to_multiple: lengths of batches are padded to a multiple of this.
    """

    def __init__(
        self,
        sources: Sequence[Tensor],
        source_sizes,
        targets: Optional[Sequence[Tensor]],
        target_sizes,
        dictionary,
        tag: int,
        group: int = 0,
        max_source: Optional[int] = None,
        constraints: Optional[Tensor] = None,
        pad_to_multiple: int = 1,
    ):
        self.sources = sources
        self.targets = targets
        self.dictionary = dictionary
        self.tag = tag
        self.group = group
        self.max_source = max_source
        self.constraints = constraints
        self.pad_to_multiple = pad_to_multiple
        self.source_sizes = np.asarray(source_sizes) + 1  # <s>
        #: How many sources are cut.
        self.cut = 0
        if max_source is not None:
            self.cut = int((self.source_sizes > max_source).sum())
            self.source_sizes = np.minimum(self.source_sizes, max_source)
        self.target_sizes = None if targets is None else np.asarray(target_sizes)

    def __getitem__(self, index: int) -> Example:
        return Example(
            index=index,
            source=self._source(self.sources[index]),
            target=None if self.targets is None else self._ended(self.targets[index]),
            tag=self.tag,
            group=self.group,
            constraints=None if self.constraints is None else self.constraints[index],
        )

    def _source(self, pieces: Tensor) -> Tensor:
        pieces = self._ended(pieces)
        if self.max_source is not None and pieces.size(0) + 1 > self.max_source:
            pieces = torch.cat([pieces[: self.max_source - 2], pieces[-1:]])
        return torch.cat([pieces.new_tensor([self.dictionary.bos()]), pieces])

    def _ended(self, pieces: Tensor) -> Tensor:
        eos = self.dictionary.eos()
        if pieces.size(0) > 0 and int(pieces[-1]) == eos:
            return pieces
        return torch.cat([pieces, pieces.new_tensor([eos])])
