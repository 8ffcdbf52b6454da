"""From one training to the next: fairseq's ``--finetune-from-model``, checked, with room for further languages.

fairseq loads the checkpoint's weights by position, so a dictionary in another order would go unnoticed and every piece
would mean another. Here dictionaries and tensors are compared before anything is loaded. The one difference allowed
are tags at the end of the new dictionary: their rows are added when the weights are loaded.
"""

import logging
import os
from typing import Dict, List, Optional, Tuple

from torch import Tensor

from ..data.data_bin import read_dictionary
from ..errors import SwcmError, some
from ..torch_files import tensor_shapes
from ..vocabulary.dictionary import differing_symbols, tags_in
from ..vocabulary.symbols import DICTIONARY
from .embedding_rows import TABLES

logger = logging.getLogger(__name__)

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
        problems.append(f"the checkpoint has rows for {rows} symbols, the data's dictionary {len(symbols)}")
    elif any(symbol not in tags_in(symbols) for symbol in symbols[rows:]):
        problems.append(
            f"the checkpoint has rows for {rows} symbols; those that the data's dictionary has on top are not all "
            f"tags: {some(symbols[rows:])}"
        )
    problems += _differing_tensors(shapes, state)
    if problems:
        raise SwcmError(f"--finetune-from-model {path} does not fit; nothing was trained", problems)
    if rows < len(symbols):
        logger.info("new in the dictionary, with rows of their own: %s", " ".join(symbols[rows:]))


def _differing_tensors(shapes: Dict[str, Tuple[int, ...]], state: Dict[str, Tensor]) -> List[str]:
    problems = [f"{name} is not in the checkpoint" for name in state if name not in shapes]
    problems += [f"{name} is not in the model" for name in shapes if name not in state]
    for name, tensor in state.items():
        skipped = 1 if name in TABLES else 0  # rows are compared with the dictionary
        if name in shapes and shapes[name][skipped:] != tuple(tensor.shape)[skipped:]:
            shape = tuple(tensor.shape)
            problems.append(f"{name} is {shapes[name]} in the checkpoint, {shape} in the model")
    more = len(problems) - _SHOWN
    return problems[:_SHOWN] + ([f"and {more} more tensors"] if more > 0 else [])
