"""Tensors on disk: names and shapes first, values one at a time, whatever the file's kind."""

import functools
import os
from typing import Any, Callable, Dict, List, Tuple

import torch

from .. import input_files
from ..errors import SwcmError
from ..files import utf8_name
from ..torch_files import safe_load

# In order of preference: safetensors cannot run anything and is read piecewise.
WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)

#: The types of numbers that weights are kept in. Others are quantized: without their scales they say nothing.
FLOATS = ("float64", "float32", "float16", "bfloat16")
_SAFETENSORS_KINDS = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32",
    "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip

Shape = Tuple[int, ...]


class TensorFiles:
    """Names, shapes and values of the tensors in one or several weight files.

    Attributes:
        shapes: name -> shape, for every tensor.
        kinds: name -> type of its numbers, such as ``float16``.
        path: the file, or the index of several, for messages.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.shapes: Dict[str, Shape] = {}
        self.kinds: Dict[str, str] = {}
        self._readers: Dict[str, Callable[[], torch.Tensor]] = {}

    def read(self, name: str) -> torch.Tensor:
        """The tensor ``name`` in float32, of shape ``shapes[name]``.

        It is a copy: what safetensors gives may be the mapped file itself, and change when that is rewritten.

        Raises:
            SwcmError: some of the numbers are NaN or infinite.
        """
        tensor = self._readers[name]().detach().to(torch.float32, copy=True)
        if not torch.isfinite(tensor).all():
            number = int((~torch.isfinite(tensor)).sum())
            raise SwcmError(
                f"{self.path}: {number} of the {tensor.numel()} numbers of {name} are NaN or infinite; no model "
                "can start from these weights, so take them from an earlier checkpoint"
            )
        return tensor

    def add_state(self, state: Dict[str, Any]) -> None:
        """Add the tensors of a state dictionary; entries that are no tensors are left out."""
        for name, value in state.items():
            if isinstance(value, torch.Tensor):
                kind = str(value.dtype).replace("torch.", "")
                self._add(name, tuple(value.shape), kind, functools.partial(torch.Tensor.detach, value))

    def add_file(self, path: str) -> None:
        """Add every tensor of a .safetensors or .bin file."""
        if path.endswith(".safetensors"):
            self._add_safetensors(path)
            return
        state = safe_load(path)
        if not isinstance(state, dict):
            raise SwcmError(f"{path} holds a {type(state).__name__} where a dictionary of tensors is wanted")
        self.add_state(state)

    def _add_safetensors(self, path: str) -> None:
        from safetensors import SafetensorError, safe_open

        input_files.check_fetched(path)
        try:
            with utf8_name(path) as name:
                stream = safe_open(name, framework="pt")
            for name in stream.keys():
                part = stream.get_slice(name)
                kind = _SAFETENSORS_KINDS.get(part.get_dtype(), part.get_dtype())
                self._add(name, tuple(part.get_shape()), kind, functools.partial(stream.get_tensor, name))
        except SafetensorError as error:
            raise SwcmError(
                f"{path} cannot be read as safetensors: it was cut short or is damaged; fetch it again ({error})"
            )

    def _add(self, name: str, shape: Shape, kind: str, reader: Callable[[], torch.Tensor]) -> None:
        self.shapes[name] = shape
        self.kinds[name] = kind
        self._readers[name] = reader


def open_weights(folder: str) -> TensorFiles:
    """Open the weights of a Hugging Face folder: one file, or the shards that an index names.

    Raises:
        SwcmError: no weights, a shard missing, or a file cut short.
    """
    for name in WEIGHT_FILES:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            files = TensorFiles(path)
            for part in _shards(path) if name.endswith(".json") else [path]:
                files.add_file(part)
            return files
    raise SwcmError("{} holds no weights; it needs one of {}".format(folder, ", ".join(WEIGHT_FILES)))


def read_json(path: str) -> Dict[str, Any]:
    """The JSON object in the file at ``path``."""
    content = input_files.read_json(path)
    if not isinstance(content, dict):
        raise SwcmError(f"{path} holds no JSON object")
    return content


def shard_names(index: str) -> List[str]:
    """The names of the files that the index file ``index`` spreads the tensors over; all stand beside it."""
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise SwcmError(f"{index} has no weight_map, which names the file of each tensor")
    names = sorted(set(map(str, weight_map.values())))
    # A path could point anywhere.
    strange = [name for name in names if os.path.basename(name) != name]
    if strange:
        raise SwcmError(f"{index} names paths where file names are wanted:", strange)
    return names


def _shards(index: str) -> List[str]:
    folder = os.path.dirname(index)
    paths = [os.path.join(folder, name) for name in shard_names(index)]
    missing = [path for path in paths if not os.path.isfile(path)]
    if missing:
        raise SwcmError(f"{index} names files that are missing:", missing)
    return paths
