"""Lines that stand in the data held out for tests: training on them would make the scores a lie."""

from typing import Callable, FrozenSet, Iterable

from swcm_preprocess.filters.duplicates import digest
from swcm_preprocess.lines import Problems, read_lines
from swcm_preprocess.overlap import fingerprint


def held_out_texts(paths: Iterable[str]) -> FrozenSet[bytes]:
    """Hashes of the fingerprints of every line: case, punctuation, spaces and the values of numbers do not count.

    Raises:
        SwcmError: lines that are not UTF-8.
    """
    problems = Problems()
    lines = (line for path in paths for line in read_lines(path, problems) if line)
    found = frozenset(digest([fingerprint(line)]) for line in lines)
    problems.raise_if_any("held-out lines that are not UTF-8 text")
    return found


def is_held_out(known: FrozenSet[bytes]) -> Callable[..., bool]:
    """A test: one of the texts is among the ``known``."""
    return lambda *texts: any(digest([fingerprint(text)]) in known for text in texts)
