"""Optimizers; importing this registers ``adamw`` with fairseq."""

from .adamw import SwcmAdamW  # noqa: F401
