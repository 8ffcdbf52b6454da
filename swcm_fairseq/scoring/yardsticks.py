"""What outputs without understanding score, to hold a system's scores against."""

import random
from typing import List, Sequence

from ..errors import SwcmError

SEED = 20250215  # fixed, so that the yardstick of a test set is one number


def shuffled(references: Sequence[str], seed: int = SEED) -> List[str]:
    """The references in another order, none in its own place: a model that writes well and ignores its source.

    Raises:
        SwcmError: fewer than two references.
    """
    if len(references) < 2:
        raise SwcmError("shuffling references among themselves takes two sentences or more")
    generator = random.Random(seed)
    result = list(references)
    # Sattolo's algorithm: exchanging with an earlier place only makes one cycle, so nothing stays where it was.
    for last in range(len(result) - 1, 0, -1):
        other = generator.randrange(last)
        result[last], result[other] = result[other], result[last]
    return result
