"""What all datasets here have in common: examples with two lengths, batched by them."""

from typing import List, Optional

import numpy as np
from fairseq.data import FairseqDataset, data_utils

from .batch import Example, collate
from .lengths import by_length


class ExampleDataset(FairseqDataset):
    """Base of the datasets of ``Example``.

    Attributes:
        source_sizes: [N], lengths in pieces, specials included.
        target_sizes: likewise; None where there are only sources.
        dictionary, pad_to_multiple: of the batches; see ``collate``.
    """

    source_sizes: np.ndarray
    target_sizes: Optional[np.ndarray]

    def __len__(self) -> int:
        return len(self.source_sizes)

    def collater(self, samples: List[Example]):
        return collate(samples, self.dictionary.pad(), self.dictionary.eos(), self.pad_to_multiple)

    def num_tokens(self, index: int) -> int:
        """The longer side's length, which a batch is filled by."""
        return max(self.size(index))

    def num_tokens_vec(self, indices) -> np.ndarray:
        sizes = self.source_sizes[indices]
        return sizes if self.target_sizes is None else np.maximum(sizes, self.target_sizes[indices])

    def size(self, index: int):
        """(source, target) lengths in pieces, specials included."""
        target = 0 if self.target_sizes is None else int(self.target_sizes[index])
        return int(self.source_sizes[index]), target

    def ordered_indices(self) -> np.ndarray:
        """The order of ``lengths.by_length``."""
        return by_length(self.source_sizes, self.target_sizes)

    def filter_indices_by_size(self, indices, max_sizes):
        """fairseq's filter: (kept, ignored) by (source, target) limits."""
        return data_utils.filter_paired_dataset_indices_by_size(
            self.source_sizes, self.target_sizes, indices, max_sizes
        )
