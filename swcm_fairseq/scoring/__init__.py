"""Scores that mean something in every script: one metric a file, one tokenizer for all scripts, signatures.

``score`` is the entry point; ``swcm-score`` is the same as a command. Nothing here imports torch or fairseq.
"""

from .metrics import METRICS, measure, score

__all__ = ["METRICS", "measure", "score"]
