"""What the folder of a training says about it, as far as its files are there."""

import json
import os
import re
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional

from ..vocabulary.symbols import CARD

_LICENSE = re.compile(r"^license:\s*(\S+)\s*$", re.MULTILINE)
_ABSOLUTE = re.compile(r"(?<=\s)/\S*/([^\s/]+)")


@dataclass(frozen=True)
class RunFiles:
    """A training.

    Attributes:
        pairs: ``zh-kk`` -> ``{"train": 5000, "test": 150, ...}``, sentence pairs.
        scores: language -> metric -> score, of the system that the model is.
        signatures: metric -> sacreBLEU's signature.
        command: the command line, without the machine's own paths.
        license: of the encoder that the model started from, as its card names it.
    """

    pairs: Dict[str, Dict[str, int]] = field(default_factory=dict)
    scores: Dict[str, Dict[str, float]] = field(default_factory=dict)
    signatures: Dict[str, str] = field(default_factory=dict)
    command: Optional[str] = None
    license: Optional[str] = None


def find_run(model: str) -> Optional[str]:
    """The nearest folder above ``model``, itself included, that has scores.json; None where there is none."""
    folder = os.path.abspath(model)
    for _ in range(3):
        if os.path.isfile(os.path.join(folder, "scores.json")):
            return folder
        folder = os.path.dirname(folder)
    return None


def read_run(folder: str, model: str) -> RunFiles:
    """Read what is there.

    Args:
        folder: of the whole run, with scores.json, split/, encoder/ and a folder for each training.
        model: what is exported, which tells which training it is.
    """
    systems = _json(os.path.join(folder, "scores.json")).get("systems", {})
    name = _system(folder, model, systems)
    found = systems.get(name, {})
    signatures: Dict[str, str] = {}
    for values in found.values():
        signatures.update(values.get("signatures", {}))
    scores = {
        code: {metric: float(value) for metric, value in values.items() if isinstance(value, (int, float))}
        for code, values in found.items()
    }
    split = _json(os.path.join(folder, "split", "split.counts.json")).get("pairs", {})
    pairs = {
        pair: {part: int(counts[part]) for part in ("train", "valid", "test") if part in counts}
        for pair, counts in split.items()
    }
    command = _command(os.path.join(folder, name or "", "command.txt"), folder)
    return RunFiles(pairs, scores, signatures, command, _license(folder))


def _system(folder: str, model: str, systems: Dict) -> Optional[str]:
    """The training that ``model`` lies in; a packed folder is of the first."""
    first = os.path.relpath(os.path.abspath(model), os.path.abspath(folder)).split(os.sep)[0]
    return first if first in systems else next(iter(systems), None)


def _json(path: str) -> Dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as stream:
            found = json.load(stream)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _command(path: str, folder: str) -> Optional[str]:
    if not os.path.isfile(path):
        return None
    with open(path, encoding="utf-8", errors="replace") as stream:
        text = stream.read().strip()
    return _ABSOLUTE.sub(r"\1", text.replace(os.path.abspath(folder) + os.sep, ""))


def _license(folder: str) -> Optional[str]:
    """What the card of the encoder says, where the encoder came with one."""
    cards: List[str] = [os.path.join(folder, name, CARD) for name in ("encoder", "encoder-full")]
    for card in filter(os.path.isfile, cards):
        with open(card, encoding="utf-8", errors="replace") as stream:
            found = _LICENSE.search(stream.read())
        if found:
            return found.group(1)
    return None
