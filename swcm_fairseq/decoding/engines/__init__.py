"""What can compute a model for decoding: torch, CTranslate2, onnxruntime. Light: each is imported when it is opened."""

from .opening import BACKENDS, open_translator  # noqa: F401
