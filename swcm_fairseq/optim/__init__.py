"""The registered optimizer."""

from .adamw import SwcmAdamW  # noqa: F401
