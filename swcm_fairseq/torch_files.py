"""Files of tensors: loading one of ``torch.save`` without running anything that is in it, and writing safetensors.

A pickle may name any function of any module and have it called. Here a short list of names is allowed and
everything else is refused by name: by torch's own ``weights_only`` loading where torch can be told further
names (2.5 and later), else by an unpickler of ours with the same list.
"""

import argparse
import collections
import importlib
import os
import pickle
import re
import types
import zipfile
from typing import Any, Dict, List, Tuple

import numpy
import torch

from .errors import SwcmError
from .files import utf8_name
from .input_files import check_fetched

# Beside tensors and plain containers, fairseq's checkpoints hold their settings as a Namespace, placeholders
# where the optimizer state of another process was, and at times a NumPy number as a metric.
_PLACEHOLDER = "fairseq.distributed.utils._TensorPlaceholder"
_NUMPY_CORES = ("numpy.core.multiarray", "numpy._core.multiarray")

_STORAGES = "Float Double Half BFloat16 Long Int Short Char Byte Bool".split()
_DTYPES = "float32 float64 float16 bfloat16 int64 int32 int16 int8 uint8 bool".split()
_OWN_LIST = frozenset(
    [f"torch.{kind}Storage" for kind in _STORAGES]
    + [f"torch.{dtype}" for dtype in _DTYPES]
    + ["torch.Size", "torch.device", "torch.storage.UntypedStorage", "torch.storage.TypedStorage"]
    + ["torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter"]
    + ["collections.OrderedDict", "argparse.Namespace", "_codecs.encode", _PLACEHOLDER]
    + [f"{core}.{name}" for core in _NUMPY_CORES for name in ("scalar", "_reconstruct")]
    + ["numpy.ndarray", "numpy.dtype"]
    + [f"{b}.{name}" for b in ("builtins", "__builtin__") for name in ("set", "frozenset", "complex")]
)


def safe_load(path: str, mapped: bool = False) -> Any:
    """Load what ``torch.save`` wrote at ``path``, in its zip or its legacy format, onto the CPU.

    Args:
        mapped: let the tensors be the file itself, as far as torch can (2.5 and later, zip format): what is not looked
            at is not read, and processes of one machine share what is. The file must not be written over meanwhile.

    Returns:
        the object: tensors, numbers, text, plain containers and ``argparse.Namespace``.

    Raises:
        SwcmError: the file is missing, cut or of another kind, or its pickle names a global that is not on
            the list. Nothing of the pickle has then been run.
    """
    _check_kind(path)
    try:
        if hasattr(torch.serialization, "safe_globals"):
            with torch.serialization.safe_globals(allowed_globals()):
                return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped and zipfile.is_zipfile(path))
        return torch.load(path, map_location="cpu", pickle_module=_restricted_pickle())
    except MemoryError:
        raise
    except Exception as error:
        refused = _refused_name(error)
        if refused:
            raise SwcmError(
                f"{path}: its pickle asks for {refused}, which safe loading does not allow, so nothing was "
                "loaded; where you trust the file's author, convert it to safetensors on a machine of theirs"
            )
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SwcmError(
            f"{path} cannot be read as a file of torch.save: it was cut short or is damaged; fetch it again ({reason})"
        )


def check_finite(state: Dict[str, Any], path: str) -> None:
    """Raise ``SwcmError`` that names the tensors of ``state``, read from ``path``, with numbers that are none."""
    problems = []
    for name, tensor in state.items():
        if isinstance(tensor, torch.Tensor) and tensor.is_floating_point() and not torch.isfinite(tensor).all():
            number = int((~torch.isfinite(tensor)).sum())
            problems.append(f"{number} of the {tensor.numel()} numbers of {name}")
    if problems:
        rest = [f"and {len(problems) - 3} more tensors"] if len(problems) > 3 else []
        raise SwcmError(
            f"{path}: weights are NaN or infinite, the training has diverged; take an earlier checkpoint",
            problems[:3] + rest,
        )


def save_safetensors(path: str, tensors: Dict[str, torch.Tensor]) -> None:
    """Write ``tensors``, each in memory of its own, as safetensors, readable by whom the umask says."""
    # Imported here: scoring and cleaning read this module, and do without it.
    from safetensors.torch import save_file

    with open(path, "wb") as stream:
        mode = os.fstat(stream.fileno()).st_mode & 0o777
    # transformers asks for the metadata; without "format" it refuses the file.
    with utf8_name(path) as name:
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, name, metadata={"format": "pt"})
    os.chmod(path, mode)  # some versions of the library make it its owner's alone


def allowed_globals() -> List[Tuple[Any, str]]:
    """What to add to torch's own safe list, as ``torch.serialization.safe_globals`` takes it."""
    multiarray = _numpy_multiarray()
    allowed = [(argparse.Namespace, "argparse.Namespace"), (_tensor_placeholder(), _PLACEHOLDER)]
    for name in ("scalar", "_reconstruct"):
        allowed += [(getattr(multiarray, name), f"{core}.{name}") for core in _NUMPY_CORES]
    allowed += [(numpy.ndarray, "numpy.ndarray"), (numpy.dtype, "numpy.dtype")]
    # torch looks at the type of a dtype too, once it has been made; object arrays are not on this list.
    for kind in {type(numpy.dtype(code)) for code in "?bhilqBHILQefd"}:
        allowed.append((kind, f"{kind.__module__}.{kind.__qualname__}"))
    return allowed


def outline(path: str) -> Any:
    """What ``torch.save`` wrote at ``path``, its tensors as ``TensorShape`` alone, from a glance into the file.

    The tensors, which are nearly all of a checkpoint, are not read. Plain values and containers are as they were, all
    else is nothing.

    Raises:
        SwcmError: the file is no zip of torch's, or is cut: it has then lost its table of contents, which is its end.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            with archive.open(name) as stream:
                return _Outline(stream).load()
    except Exception as error:  # whatever a damaged file makes of it
        raise SwcmError(f"{path} is no checkpoint of fairseq, or was cut short: {error!r}")


def tensor_shapes(path: str) -> Dict[str, Tuple[int, ...]]:
    """The shape of every tensor of a checkpoint's model; raises as ``outline``."""
    found = outline(path)
    model = found.get("model") if isinstance(found, dict) else None
    if not isinstance(model, dict):
        raise SwcmError(f"{path} is no checkpoint of fairseq: it holds no model")
    return {name: value.shape for name, value in model.items() if isinstance(value, TensorShape)}


class TensorShape:
    """Stands for a tensor in an ``outline``; arguments as of ``torch._utils._rebuild_tensor_v2``."""

    def __init__(self, storage: Any = None, offset: int = 0, size: Any = (), *rest: Any) -> None:
        self.shape = tuple(size)


class _Nothing:
    """Stands for whatever is neither a plain value nor a tensor."""

    def __init__(self, *args: Any, **options: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, value: Any) -> None:
        pass


class _Outline(pickle.Unpickler):
    """Nothing that the file names is imported or called."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        return TensorShape if module == "torch._utils" and name.startswith("_rebuild_tensor") else _Nothing

    def persistent_load(self, pid: Any) -> Any:
        return None


class _RefusedGlobal(pickle.UnpicklingError):
    """A pickle names a global that is not on the list."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Unsupported global: GLOBAL {name} was not an allowed global")


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full not in _OWN_LIST:
            raise _RefusedGlobal(full)
        if full == _PLACEHOLDER:
            return _tensor_placeholder()
        if module in _NUMPY_CORES:
            return getattr(_numpy_multiarray(), name)
        return super().find_class(module, name)


def _restricted_pickle() -> types.ModuleType:
    """A stand-in for the module ``pickle`` as ``torch.load`` uses it, on the reading side alone."""
    module = types.ModuleType("swcm_restricted_pickle")
    names = {
        "Unpickler": _Unpickler,
        "load": lambda stream, **options: _Unpickler(stream, **options).load(),
        "UnpicklingError": pickle.UnpicklingError,
    }
    vars(module).update(names)
    return module


def _refused_name(error: Exception) -> str:
    """The global that a loading error is about, "" where it is about something else."""
    found = re.search(r"GLOBAL ([\w.]+)", str(error))
    return found.group(1) if found else ""


def _check_kind(path: str) -> None:
    """Raise for what is plainly no file of ``torch.save``."""
    if not os.path.isfile(path):
        raise SwcmError(f"{path} is not a file; give a file written by torch.save")
    check_fetched(path)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                raise SwcmError(f"{path} is a TorchScript program, not a file of weights")


def _numpy_multiarray() -> types.ModuleType:
    # NumPy 2 moved the module; its old name still works there, with a warning.
    try:
        return importlib.import_module("numpy._core.multiarray")
    except ImportError:
        return importlib.import_module("numpy.core.multiarray")


def _tensor_placeholder() -> type:
    from fairseq.distributed.utils import _TensorPlaceholder

    return _TensorPlaceholder
