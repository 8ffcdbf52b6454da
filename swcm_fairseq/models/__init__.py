"""The registered model and its two halves."""

from .xlm_swcm import XlmSwcmModel  # noqa: F401
