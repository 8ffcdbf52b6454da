"""The registered model and its two halves."""

from .. import plugin  # noqa: F401
from .xlm_swcm import XlmSwcmModel  # noqa: F401
