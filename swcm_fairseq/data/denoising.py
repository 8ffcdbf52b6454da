"""Denoising: text with noise in, the text itself out (the paper's DAE)."""

from bisect import bisect_right
from typing import NamedTuple, Sequence

import numpy as np
import torch
from torch import Tensor

from ..vocabulary.symbols import MASK
from ..vocabulary.whole_words import WholeWords
from .base import ExampleDataset
from .batch import Example
from .epoch import SharedEpoch
from .noise import NoiseSettings, add_noise, noise_generator


class Runs(NamedTuple):
    """Runs of sentences, one an example, each field [N]: pieces ``begin`` to ``end`` of ``document``.

    Attributes:
        length: pieces of the example, which is the run and a ``</s>`` where the run has none.
        empty_documents: how many documents hold nothing, and give no run.
        long_sentences: how many sentences exceed the limit, and are cut into several runs.
    """

    document: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    length: np.ndarray
    empty_documents: int
    long_sentences: int


def tidy(document: np.ndarray, eos: int) -> np.ndarray:
    """``document`` without any ``</s>`` that ends nothing, and with one at its end; empty where nothing is in it."""
    ends = document == eos
    nothing = ends.copy()
    nothing[1:] &= ends[:-1]
    if nothing.any():
        document = document[~nothing]
    return document if len(document) == 0 or document[-1] == eos else np.append(document, eos)


def find_runs(documents: Sequence[Tensor], eos: int, limit: int) -> Runs:
    """Cut documents into the longest runs of whole sentences of at most ``limit`` pieces, ``</s>`` included.

    A sentence that is longer itself is cut after ``limit - 1`` pieces, so that a ``</s>`` can close the run, and goes
    on in the next run: nothing is lost.
    """
    found = []
    empty = long = 0
    for number in range(len(documents)):
        pieces = tidy(documents[number].numpy(), eos)
        if len(pieces) == 0:
            empty += 1
        elif len(pieces) <= limit:
            found.append((number, 0, len(pieces), len(pieces)))
        else:
            ends = (np.flatnonzero(pieces == eos) + 1).tolist()
            begin, in_long = 0, False
            while begin < len(pieces):
                fitting = bisect_right(ends, begin + limit)
                whole = fitting > 0 and ends[fitting - 1] > begin
                end = ends[fitting - 1] if whole else begin + limit - 1
                found.append((number, begin, end, end - begin if whole else limit))
                long += not whole and not in_long
                begin, in_long = end, not whole
    columns = np.array(found, dtype=np.int64).reshape(-1, 4)
    return Runs(columns[:, 0], columns[:, 1], columns[:, 2], columns[:, 3], empty, long)


class DenoisingDataset(ExampleDataset):
    """Text of one language, to be put right again.

    The source is ``<s> x' </s>`` with x' the noised text, the target ``x </s>``; sentences within x end in ``</s>``
    as in the data. The noise is a function of (seed, epoch, index) alone.

    Args:
        documents: sequences of pieces [T], each a document whose sentences end in ``</s>``.
        dictionary: fairseq's, with ``<mask>``.
        units: of the language.
        tag: dictionary id of the language's tag.
        group: see ``Example``.
        settings: of the noise.
        seed: of the noise.
        max_source: longest source in pieces, ``<s>`` and ``</s>`` included.
        max_target: longest target in pieces, ``</s>`` included.
        pad_to_multiple: lengths of batches are padded to a multiple of this.
    """

    def __init__(
        self,
        documents: Sequence[Tensor],
        dictionary,
        units: WholeWords,
        tag: int,
        group: int,
        settings: NoiseSettings,
        seed: int,
        max_source: int,
        max_target: int,
        pad_to_multiple: int = 1,
    ):
        self.documents = documents
        self.dictionary = dictionary
        self.units = units
        self.tag = tag
        self.group = group
        self.settings = settings.check()
        self.seed = seed
        self.pad_to_multiple = pad_to_multiple
        self.mask = dictionary.index(MASK)
        self.limit = min(max_source - 1, max_target)
        self.runs = find_runs(documents, dictionary.eos(), self.limit)
        self.target_sizes = self.runs.length
        # Most sources are shorter, since masking shortens; a short one may be longer by its insertions.
        self.source_sizes = self.target_sizes + 1
        self._epoch = SharedEpoch()

    def text(self, index: int) -> np.ndarray:
        """The text of an example, ids [T] that end with ``</s>``."""
        eos = self.dictionary.eos()
        document = tidy(self.documents[int(self.runs.document[index])].numpy(), eos)
        pieces = document[self.runs.begin[index] : self.runs.end[index]]
        return pieces if pieces[-1] == eos else np.append(pieces, eos)

    def example(self, index: int, key: int) -> Example:
        """Example ``index`` with the noise of ``key``: where a text is drawn twice, each time is another."""
        text = self.text(index)
        noised = add_noise(
            text,
            self.units,
            self.dictionary.eos(),
            self.mask,
            self.settings,
            noise_generator(self.seed, self._epoch.number, key),
            self.limit,
        )
        source = np.empty(len(noised) + 1, dtype=np.int64)
        source[0], source[1:] = self.dictionary.bos(), noised
        return Example(
            index=index,
            source=torch.from_numpy(source),
            target=torch.from_numpy(text.astype(np.int64)),
            tag=self.tag,
            group=self.group,
        )

    def __getitem__(self, index: int) -> Example:
        return self.example(index, index)

    def set_epoch(self, epoch: int) -> None:
        self._epoch.number = epoch

    @property
    def can_reuse_epoch_itr_across_epochs(self) -> bool:
        return False  # another epoch has other noise
