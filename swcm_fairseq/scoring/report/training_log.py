"""Loss curves out of what fairseq-train printed, in its simple or its JSON format."""

import json
import os
import re
from typing import Dict, List, Tuple

from ...errors import SwcmError
from ..corpus import read_lines

NAME = "train.log"  # in a folder of checkpoints

Curve = List[Tuple[float, float]]  # (update, loss), by update

_SIMPLE_TRAIN = re.compile(r"\| train_inner \| epoch .*?\b(?P<numbers>loss=.*)")
_SIMPLE_VALID = re.compile(r"\| epoch \d+ \| valid on '(?P<subset>[^']+)' subset \| (?P<numbers>.*)")
_JSON = re.compile(r"(?P<numbers>\{.*\})\s*\Z")
_NUMBER = re.compile(r"([\w.-]+)[= ]([-+.\deE]+|nan|inf)\b")
# The loss proper where label smoothing hides it in "loss".
_LOSSES = ("nll_loss", "loss")


def read_curves(path: str) -> Dict[str, Curve]:
    """``{"train": [(update, loss), ...], "valid": [...]}`` of one run, in bits a piece; a validation set a name.

    Args:
        path: the log, or the folder it is in under the name train.log.

    Raises:
        SwcmError: no such file, or no losses in it.
    """
    if os.path.isdir(path):
        log = os.path.join(path, NAME)
        if not os.path.isfile(log):
            raise SwcmError(f"{path} holds no {NAME}; name the file with what fairseq-train printed")
        path = log
    curves: Dict[str, Dict[float, float]] = {}
    for line in read_lines(path):
        for name, numbers in _numbers(line).items():
            loss = next((numbers[key] for key in _LOSSES if key in numbers), None)
            if loss is not None and "num_updates" in numbers:
                # Of a run that went on from a checkpoint the last word counts.
                curves.setdefault(name, {})[numbers["num_updates"]] = loss
    if not curves:
        raise SwcmError(f"{path} holds no losses of fairseq-train (--log-format simple or json)")
    return {name: sorted(curve.items()) for name, curve in curves.items()}


def _numbers(line: str) -> Dict[str, Dict[str, float]]:
    """What a line of the log tells: numbers by name, under ``train`` or the validation set's name."""
    simple = _SIMPLE_TRAIN.search(line)
    if simple:
        return {"train": _finite(_NUMBER.findall(simple.group("numbers")))}
    simple = _SIMPLE_VALID.search(line)
    if simple:
        return {simple.group("subset"): _finite(_NUMBER.findall(simple.group("numbers")))}
    found = _JSON.search(line)
    if not found:
        return {}
    try:
        numbers = _finite(json.loads(found.group("numbers")).items())
    except ValueError:
        return {}
    if "num_updates" in numbers:
        return {"train": numbers}
    # At the end of an epoch every name has the subset in front; those of training are a mean over the epoch.
    ending = "_num_updates"
    subsets = [name[: -len(ending)] for name in numbers if name.endswith(ending)]
    return {
        subset: {name[len(subset) + 1 :]: value for name, value in numbers.items() if name.startswith(subset + "_")}
        for subset in subsets
        if subset != "train"
    }


def _finite(pairs) -> Dict[str, float]:
    result = {}
    for name, text in pairs:
        try:
            value = float(text)
        except (TypeError, ValueError):
            continue
        if abs(value) < float("inf"):  # a loss that is no number cannot be drawn; nan compares false
            result[name] = value
    return result
