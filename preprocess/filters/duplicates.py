"""Lines that were there before."""

import hashlib
from typing import Callable


def is_repeated() -> Callable[..., bool]:
    """A test with a memory: the same text, or pair, was asked about before.

    It keeps 16 bytes for each different line, not the line, so that a large corpus fits; that two lines share
    them is less likely than an error of the memory.
    """
    seen = set()

    def test(*texts: str) -> bool:
        digest = hashlib.blake2b("\n".join(texts).encode("utf-8"), digest_size=16).digest()
        if digest in seen:
            return True
        seen.add(digest)
        return False

    return test
