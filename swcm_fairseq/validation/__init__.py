"""Scores of validation sentences that are decoded while a model is trained.

``settings`` are the flags, ``sentences`` says which sentences are decoded, ``sums`` makes numbers of texts that several
processes can add up, and ``scores`` does it all for a task.
"""
