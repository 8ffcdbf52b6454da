"""Batches that hold every example, of every dataset that fairseq batches."""

from .patch import instead


@instead
def batch_by_size(stock, indices, *args, **options):
    """The examples that fairseq leaves out are put back.

    fairseq's last version drops the last batch where its size is not a multiple of ``--required-batch-size-multiple``,
    which is 8 by default: of a test set the longest sentences, or all of a small one, without a word (fairseq's issues
    5036 and 5351). Batches are slices of ``indices`` in order, so what is missing is the end.
    """
    if len(indices) == 0:
        return []  # the stock function looks at the last of no batches
    batches = list(stock(indices, *args, **options))
    left_out = len(indices) - sum(len(batch) for batch in batches)
    if left_out > 0:
        batches.append(indices[-left_out:])
    return batches
