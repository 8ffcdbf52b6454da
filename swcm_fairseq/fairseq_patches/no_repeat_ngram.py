"""``--no-repeat-ngram-size`` as it is meant."""

import math

from .patch import instead


@instead
def no_repeat_ngram(stock, self, tokens, lprobs, bsz, beam_size, step):
    """Runs of pieces compared with the end of what has been written.

    fairseq compares them with the end of a buffer that has room for the longest output, which is padding until the last
    step, so that nothing is ever forbidden (fairseq's issues 4709 and 5206). And for a size of 1, no piece twice, it
    compares with all of the buffer.
    """
    if self.no_repeat_ngram_size == 1:
        return lprobs.scatter_(1, tokens[:, 1 : step + 1], -math.inf)  # the first token is no piece
    return stock(self, tokens[:, : step + 1], lprobs, bsz, beam_size, step)
