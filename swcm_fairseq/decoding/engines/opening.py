"""Which engine opens a folder."""

import importlib
import os
from typing import Dict, Optional, Tuple

from ...errors import SwcmError
from ..hypotheses import BaseTranslator
from .folder import SETTINGS, read_settings

#: Name -> module under this one, class, and what pip installs for it.
_ENGINES: Dict[str, Tuple[str, str, str]] = {
    "ct2": ("ct2", "Ct2Translator", "ctranslate2"),
    "onnx": ("onnx", "OnnxTranslator", "onnxruntime"),
}
BACKENDS = ("torch",) + tuple(_ENGINES)


def open_translator(
    folder: str,
    backend: Optional[str] = None,
    device: str = "cpu",
    compute_type: str = "default",
    threads: int = 0,
    dtype: str = "float32",
) -> BaseTranslator:
    """Open a folder of ``swcm-pack`` or ``swcm-export``.

    Args:
        folder: what to open.
        backend: ``torch``, ``ct2`` or ``onnx``; by default what the folder is for.
        device: ``cpu``, ``cuda``.
        compute_type: numbers that the model is computed in, by default as it is stored; ``ct2`` has ``int8``,
            ``float32``, ``bfloat16`` and others, the rest knows the default alone.
        threads: processors to use, where it is not 0, which leaves that to the engine.
        dtype: the same for ``torch``: ``float32``, ``bfloat16``, ``float16``, or ``auto``, what the device is quick in.

    Raises:
        SwcmError: no such folder, a damaged one, one for another backend, or an engine that is not installed.
    """
    if backend is not None and backend not in BACKENDS:
        raise SwcmError("backend {!r} is none of {}".format(backend, ", ".join(BACKENDS)))
    folder = str(folder)
    exported = read_settings(folder) if os.path.isfile(os.path.join(folder, SETTINGS)) else None
    kind = "torch" if exported is None else exported.kind
    if kind == "hf":
        raise SwcmError(
            f"{folder} is for Hugging Face's transformers, which open it themselves; for swcm-translate and swcm-serve "
            "export with --to ct2 or --to onnx"
        )
    if backend not in (None, kind):
        command = f"swcm-export {folder} OUT --to {backend}" if kind == "torch" else "swcm-export"
        raise SwcmError(f"{folder} is for backend {kind}; make one for {backend} with {command}")
    if exported is None:
        if compute_type != "default":
            raise SwcmError(f"compute_type {compute_type} is for backend ct2; swcm-export makes a folder for it")
        translator = _engine("..translator", "Translator", "swcm-fairseq")
        return translator.from_pretrained(folder, device=device, dtype=dtype, threads=threads)
    if dtype != "float32":
        raise SwcmError(f"dtype {dtype} is for folders of swcm-pack; {folder} takes compute_type")
    module, name, package = _ENGINES[kind]
    return _engine("." + module, name, package).open(folder, exported, device, compute_type, threads)


def _engine(module: str, name: str, package: str):
    try:
        return getattr(importlib.import_module(module, __package__), name)
    except ModuleNotFoundError as error:
        if error.name not in (package, "fairseq", "torch"):
            raise
        raise SwcmError(f"this model needs {error.name}: pip install {package}")
