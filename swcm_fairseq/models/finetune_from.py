"""From one training to the next: fairseq's ``--finetune-from-model``, checked, with room for further languages.

fairseq loads the checkpoint's weights by position, so a dictionary in another order would go unnoticed and every piece
would mean another. Here dictionaries and tensors are compared before anything is loaded. The one difference allowed
are tags at the end of the new dictionary: their rows are added when the weights are loaded.
"""

import collections
import logging
import os
import pickle
import zipfile
from typing import Dict, List, Optional, Tuple

import torch
from torch import Tensor

from ..data.data_bin import DICTIONARY, read_dictionary
from ..errors import SwcmError, some
from ..vocabulary.dictionary import differing_symbols, tags_in
from .initialization import tag_rows

logger = logging.getLogger(__name__)

# Tensors with a row for every symbol of the dictionary.
TABLES = (
    "encoder.embeddings.tokens.weight",
    "decoder.embeddings.tokens.weight",
    "decoder.output_projection.weight",
    "decoder.output_projection.bias",
)
_SHOWN = 8


def checkpoint_to_start_from(run) -> Optional[str]:
    """The file of ``--finetune-from-model``; None where there is none, or where the run goes on with its own."""
    own = os.path.join(run.save_dir, "checkpoint_last.pt")
    return None if os.path.exists(own) else run.root.checkpoint.finetune_from_model


def check_finetune_from(path: str, symbols: List[str], state: Dict[str, Tensor]) -> None:
    """Check that the checkpoint at ``path`` can start a model.

    Args:
        path: of the checkpoint, with the dict.txt that its training left beside it.
        symbols: of the data's dictionary, in order.
        state: the model's, whose shapes count.

    Raises:
        SwcmError: all differences, of dictionaries and of tensors.
    """
    beside = os.path.join(os.path.dirname(path), DICTIONARY)
    problems = []
    if os.path.exists(beside):
        problems += differing_symbols(symbols, read_dictionary(beside).symbols, further_tags=True)
    else:
        logger.warning("no %s beside %s: that its symbols are the data's cannot be checked", DICTIONARY, path)
    shapes = tensor_shapes(path)
    rows = shapes.get(TABLES[0], (0,))[0]
    if rows > len(symbols):
        problems.append("the checkpoint has rows for {} symbols, the data's dictionary {}".format(rows, len(symbols)))
    elif any(symbol not in tags_in(symbols) for symbol in symbols[rows:]):
        problems.append(
            "the checkpoint has rows for {} symbols; those that the data's dictionary has on top are not all tags: "
            "{}".format(rows, some(symbols[rows:]))
        )
    problems += _differing_tensors(shapes, state)
    if problems:
        raise SwcmError("--finetune-from-model {} does not fit; nothing was trained".format(path), problems)
    if rows < len(symbols):
        logger.info("new in the dictionary, with rows of their own: %s", " ".join(symbols[rows:]))


def add_rows(state: Dict[str, Tensor], own: Dict[str, Tensor]) -> None:
    """Lengthen the tables of a loaded ``state`` in place to the rows of the model's ``own``.

    New rows are drawn as where a model starts from an encoder. Tied tables stay equal, and all
    processes add the same.
    """
    for name in TABLES:
        if name in state and name in own and state[name].size(0) < own[name].size(0):
            state[name] = _lengthened(state[name], own[name].size(0))


def _lengthened(table: Tensor, rows: int) -> Tensor:
    new = rows - table.size(0)
    if table.dim() == 1:  # a bias; a tag is never written
        added = table.new_zeros(new)
    else:
        added = tag_rows(table, new, torch.Generator().manual_seed(table.size(0)))
    return torch.cat([table, added.to(table.dtype)])


def _differing_tensors(shapes: Dict[str, Tuple[int, ...]], state: Dict[str, Tensor]) -> List[str]:
    problems = ["{} is not in the checkpoint".format(name) for name in state if name not in shapes]
    problems += ["{} is not in the model".format(name) for name in shapes if name not in state]
    for name, tensor in state.items():
        skipped = 1 if name in TABLES else 0  # rows are compared with the dictionary
        if name in shapes and shapes[name][skipped:] != tuple(tensor.shape)[skipped:]:
            shape = tuple(tensor.shape)
            problems.append("{} is {} in the checkpoint, {} in the model".format(name, shapes[name], shape))
    more = len(problems) - _SHOWN
    return problems[:_SHOWN] + (["and {} more tensors".format(more)] if more > 0 else [])


def tensor_shapes(path: str) -> Dict[str, Tuple[int, ...]]:
    """The shape of every tensor of a checkpoint's model, without reading one.

    Raises:
        SwcmError: the file is no checkpoint, or is cut.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            with archive.open(name) as stream:
                model = _Shapes(stream).load()["model"]
        return {name: value.shape for name, value in model.items() if isinstance(value, _Shape)}
    except (OSError, zipfile.BadZipFile, StopIteration, pickle.UnpicklingError, KeyError, TypeError, EOFError) as error:
        raise SwcmError("{} is no checkpoint of fairseq, or was cut short: {!r}".format(path, error))


class _Anything:
    """Stands for whatever is neither a plain value nor a tensor."""

    def __init__(self, *args, **options) -> None:
        pass

    def __setstate__(self, state) -> None:
        pass

    def __setitem__(self, key, value) -> None:
        pass

    def append(self, value) -> None:
        pass


class _Shape:
    """Stands for a tensor. Arguments as of ``torch._utils._rebuild_tensor_v2``."""

    def __init__(self, storage=None, offset=0, size=(), *rest) -> None:
        self.shape = tuple(size)


class _Shapes(pickle.Unpickler):
    """Plain values, containers and shapes: nothing that the file names is imported or called."""

    def find_class(self, module: str, name: str):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        return _Shape if module == "torch._utils" and name.startswith("_rebuild_tensor") else _Anything

    def persistent_load(self, pid):
        return None
