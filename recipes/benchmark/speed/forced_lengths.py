"""Every sentence decoded to its reference's length, so that all systems write the same number of pieces.

Until then </s> is forbidden, and then it alone is allowed. In both libraries that happens where they let others change
scores: before the search strategy's step in fairseq, in a logits processor in transformers. The work stays what the
library does for outputs of these lengths, finished sentences among unfinished ones included.
"""

import contextlib

import torch

from .workload import EOS


def force(scores, lengths, written: int):
    """Change ``scores`` [B, ..., V] of the next piece in place, for sentences [B] that have ``written`` pieces so far.

    Args:
        lengths: [B], pieces that each sentence is to have, </s> included.
    """
    scores[lengths > written + 1, ..., EOS] = -float("inf")
    last = lengths == written + 1
    if bool(last.any()):
        kept = scores[last, ..., EOS]
        scores[last] = -float("inf")
        scores[last, ..., EOS] = kept
    return scores


@contextlib.contextmanager
def force_lengths(generator, lengths):
    """Have fairseq's ``generator`` write ``lengths`` [B] pieces, </s> included; ids of sentences are 0 to B - 1."""
    search = generator.search
    plain = search.step

    def step(step, lprobs, scores, prev_output_tokens=None, original_batch_idxs=None, **options):
        wanted = lengths[original_batch_idxs]
        return plain(step, force(lprobs, wanted, step), scores, prev_output_tokens, original_batch_idxs, **options)

    search.step = step
    try:
        yield
    finally:
        del search.step


class ForcedLengths:
    """The same as a logits processor of transformers; rows are sentences [B], each ``beam`` times in a row."""

    def __init__(self, lengths, beam: int):
        self.lengths = lengths.repeat_interleave(beam)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        return force(scores, self.lengths, input_ids.size(1) - 1)  # the decoder's first input is not written
