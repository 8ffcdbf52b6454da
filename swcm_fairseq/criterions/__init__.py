"""Losses; importing this registers ``swcm_cross_entropy`` with fairseq."""

from .swcm_cross_entropy import SwcmCrossEntropy  # noqa: F401
