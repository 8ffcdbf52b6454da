"""Lines that stand in the data held out for tests: training on them would make the scores a lie."""

from typing import Callable, FrozenSet, Iterable, List, Sequence

from swcm_preprocess.filters.duplicates import digest
from swcm_preprocess.overlap import fingerprint
from swcm_preprocess.text_lines import Problems, read_lines


def held_out_texts(
    paths: Iterable[str],
    normalizers: Sequence[Callable[[str], str]] = (),
    parts: Callable[[str], List[str]] = lambda text: [text],
) -> FrozenSet[bytes]:
    """Hashes of the fingerprints of every line: case, punctuation, spaces and the values of numbers do not count.

    Args:
        paths: files of the test data, of any side.
        normalizers: what cleaning does to a line of each side. A held-out line is compared in the forms that it would
            have on any of them, and as it stands.
        parts: the sentences of a text.

    Raises:
        SwcmError: lines that are not UTF-8.
    """
    problems = Problems()
    lines = (line for path in paths for line in read_lines(path, problems) if line)
    forms = (form for line in lines for form in {line, *(normalize(line) for normalize in normalizers)})
    found = frozenset(
        digest([fingerprint(text)]) for form in forms for text in {form, *parts(form)} if text and not text.isspace()
    )
    problems.raise_if_any("held-out lines that are not UTF-8 text")
    return found


def is_held_out(known: FrozenSet[bytes]) -> Callable[..., bool]:
    """A test: one of the texts is among the ``known``."""
    return lambda *texts: any(digest([fingerprint(text)]) in known for text in texts)
