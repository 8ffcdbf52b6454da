"""One file of pieces, of every kind that ``fairseq-preprocess --dataset-impl`` writes."""

import os
import struct
from typing import Optional

import numpy as np
import torch
from fairseq.data import Dictionary, indexed_dataset
from torch import Tensor

from ..errors import SwcmError

#: The kinds by their names; the two old ones are one on disk.
KINDS = ("mmap", "cached", "lazy", "huffman", "raw")
RAW = "raw"
_MAGIC = {b"TNTIDX\x00\x00": "cached", b"MMIDIDX\x00": "mmap", b"HUFFIDX\x00": "huffman"}


class LegacyDataset(indexed_dataset.IndexedDataset):
    """What fairseq's kinds ``cached`` and ``lazy`` read, mapped into memory.

    fairseq's ``cached`` has to be told before which sequences will be asked for, and several processes that read with
    its ``lazy`` move one another's place in the file.
    """

    def __init__(self, path: str):
        super().__init__(path, fix_lua_indexing=True)
        data = indexed_dataset.data_file_path(path)
        empty = os.path.getsize(data) == 0  # which cannot be mapped
        self._tokens = np.zeros(0, self.dtype) if empty else np.memmap(data, self.dtype, mode="r")

    def __getitem__(self, index: int) -> Tensor:
        self.check_index(index)
        start, end = self.data_offsets[index : index + 2]
        return torch.from_numpy(np.array(self._tokens[start:end], dtype=np.int64)) - 1


def exists(path: str, impl: Optional[str]) -> bool:
    """Whether there is a file of pieces ``path``, where ``impl`` is the kind that was asked for."""
    return os.path.exists(named(path, impl))


def named(path: str, impl: Optional[str]) -> str:
    """The name of the file that ``exists`` looks for."""
    return path if impl == RAW else path + ".idx"


def load(path: str, dictionary: Dictionary, impl: Optional[str]):
    """Open the sequences in ``path``; which kind a binary file is of is read from the file itself.

    Args:
        path: without ``.idx``.
        dictionary: that makes pieces of text.
        impl: what ``--dataset-impl`` says; None where it says nothing.

    Raises:
        SwcmError: the file is damaged, incomplete, or of a kind that holds no text.
    """
    if impl is not None and impl not in KINDS:
        raise SwcmError(f"--dataset-impl {impl} is not for text; there are: {', '.join(KINDS)}")
    if impl == RAW:
        return indexed_dataset.IndexedRawTextDataset(path, dictionary)
    try:
        with open(path + ".idx", "rb") as stream:
            kind = _MAGIC.get(stream.read(8))
        if kind is None:
            raise ValueError("its start is none of fairseq-preprocess")
        return LegacyDataset(path) if kind == "cached" else indexed_dataset.make_dataset(path, impl=kind)
    except (AssertionError, ValueError, struct.error, OSError) as error:
        raise SwcmError(f"{path}.idx and .bin cannot be read: {error}; binarize the text anew")
