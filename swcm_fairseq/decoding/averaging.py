"""The command ``swcm-average``: the mean of several checkpoints' weights, as one checkpoint.

Its flags are those of fairseq's script of the same purpose, which is not in fairseq's wheels.
"""

import argparse
import os
import re
import shutil
import sys
from typing import Dict, List, Optional

from ..errors import SwcmError, run_command
from ..files import atomic_write, refuse_overwrite

_EPOCH = re.compile(r"checkpoint(\d+)\.pt\Z")
_UPDATE = re.compile(r"checkpoint_\d+_(\d+)\.pt\Z")


def newest(folder: str, pattern, count: int, upper_bound: Optional[int]) -> List[str]:
    """The ``count`` checkpoints of ``folder`` with the highest numbers in ``pattern``, newest first."""
    numbered = []
    for name in os.listdir(folder):
        match = pattern.match(name)
        if match and (upper_bound is None or int(match.group(1)) <= upper_bound):
            numbered.append((int(match.group(1)), os.path.join(folder, name)))
    if len(numbered) < count:
        raise SwcmError(f"{folder} has {len(numbered)} such checkpoints, {count} are wanted")
    return [path for _, path in sorted(numbered, reverse=True)[:count]]


def average(paths: List[str]) -> Dict:
    """The first checkpoint's state with the mean of all weights, summed in float64 and kept in float32.

    Raises:
        SwcmError: checkpoints whose tensors are not the same by name and shape, all named; or with NaN in them.
    """
    from ..torch_files import check_finite, safe_load

    result: Dict = {}
    sums: Dict = {}
    for path in paths:
        state = safe_load(path)
        if not isinstance(state, dict) or "model" not in state:
            raise SwcmError(f"{path} is no checkpoint of fairseq")
        shapes = {name: tuple(tensor.shape) for name, tensor in state["model"].items()}
        if not result:
            result = {name: value for name, value in state.items() if name != "last_optimizer_state"}
            first_shapes = shapes
        different = sorted(set(shapes.items()) ^ set(first_shapes.items()))
        if different:
            names = sorted({name for name, _ in different})
            raise SwcmError(f"{paths[0]} and {path} hold different tensors", names)
        check_finite(state["model"], path)
        for name, tensor in state["model"].items():
            sums[name] = sums[name].add_(tensor) if name in sums else tensor.double()
    result["model"] = {name: tensor.div_(len(paths)).float() for name, tensor in sums.items()}
    return result


def copy_missing(path: str, folder: str) -> None:
    """Copy a file that decoding needs into ``folder``, which may be new; nothing where it lies there, or nowhere."""
    target = os.path.join(folder, os.path.basename(path))
    if os.path.exists(path) and not os.path.exists(target):
        with open(path, "rb") as source, atomic_write(target, "wb") as stream:
            shutil.copyfileobj(source, stream)


def main(arguments: Optional[List[str]] = None) -> None:
    parser = argparse.ArgumentParser(prog="swcm-average", description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", nargs="+", required=True, help="checkpoints, or one folder of them")
    parser.add_argument("--output", required=True, help="the checkpoint to write")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--num-epoch-checkpoints", type=int, help="the last N checkpointE.pt of the folder")
    which.add_argument("--num-update-checkpoints", type=int, help="the last N checkpoint_E_U.pt of the folder")
    parser.add_argument("--checkpoint-upper-bound", type=int, help="none later than this epoch or update")
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")
    args = parser.parse_args(arguments)

    inputs = args.inputs
    count = args.num_epoch_checkpoints or args.num_update_checkpoints
    if count:
        if len(inputs) != 1 or not os.path.isdir(inputs[0]):
            parser.error("--num-epoch-checkpoints and --num-update-checkpoints want one folder as --inputs")
        pattern = _EPOCH if args.num_epoch_checkpoints else _UPDATE
        inputs = newest(inputs[0], pattern, count, args.checkpoint_upper_bound)
    refuse_overwrite(args.output, args.force)

    import torch

    from ..data.data_bin import check_dictionary_of, read_dictionary
    from ..vocabulary.symbols import DICTIONARY, SENTENCEPIECE_MODEL

    folders = [os.path.dirname(path) for path in inputs]
    kept = next((folder for folder in folders if os.path.exists(os.path.join(folder, DICTIONARY))), None)
    if kept is not None:
        symbols = read_dictionary(os.path.join(kept, DICTIONARY)).symbols
        for path in [*inputs, args.output]:
            check_dictionary_of(path, symbols, f"the dictionary in {kept or '.'}")
    mean = average(inputs)
    if kept is not None:
        for name in (DICTIONARY, SENTENCEPIECE_MODEL):
            copy_missing(os.path.join(kept, name), os.path.dirname(args.output))
    with atomic_write(args.output, "wb") as stream:
        torch.save(mean, stream)
    names = "\n  ".join(inputs)
    print(f"averaged {len(inputs)} checkpoints into {args.output}:\n  {names}", file=sys.stderr)


def cli() -> None:
    """Entry point."""
    sys.exit(run_command(main))
