"""Reading sentences: from text files, and from what fairseq-generate printed."""

import re
from array import array
from typing import List, NamedTuple, Optional, Sequence

import numpy as np

from ..errors import SwcmError
from ..vocabulary.symbols import SPACE
from .lazy_lines import Lazy, Mapped, OpenedText, TextLines

# S source, T target, H hypothesis as the model wrote it, D the same as text; the number is the sentence's place.
_LINE = re.compile(rb"([STHD])-(\d{1,18})\t")
# fairseq-generate's own log stands between them, and ends with the number of sentences.
_LOG = b"| INFO | fairseq_cli.generate |"
_LOG_END = re.compile(rb"\| fairseq_cli\.generate \| Translated ([\d,]+) sentences ")
_CUT_LINE = re.compile(rb"[STHD](-\d*)?\Z")
_SHOWN = 5


class Generated(NamedTuple):
    """A ``fairseq-generate`` output in the order of the data; what it does not show is None."""

    hypotheses: Sequence[str]
    references: Optional[Sequence[str]]
    sources: Optional[Sequence[str]]


def read_lines(path: str) -> Sequence[str]:
    """The lines of a UTF-8 file, plain or packed, which stay there until they are asked for.

    Raises:
        SwcmError: no such file, an empty one, or one that is not UTF-8 (with the line).
    """
    return OpenedText(path).lines()


def read_generated(path: str) -> Generated:
    """Hypotheses and references from a ``fairseq-generate`` (or ``fairseq-interactive``) output.

    The order of the data is restored, pieces are joined where the output holds pieces (no ``--bpe`` or
    ``--post-process`` was given), and of an n-best list the first counts, which is the best.

    Raises:
        SwcmError: anything that shows that the output is not whole: sentences missing from the numbering, a
            hypothesis without its text or its reference, a broken last line. All problems are listed.
    """
    opened = OpenedText(path)
    fields = {kind: _Field() for kind in b"STHD"}
    problems, translated, has_log = [], [], False
    place, number, match = int(opened.bounds[0]), 0, None
    for number, raw in enumerate(opened.raw_lines(), 1):
        line = raw.rstrip(b"\r\n")
        match = _LINE.match(line)
        if match:
            start, kind = match.end(), match.group(1)
            if kind in b"HD":
                start = line.find(b"\t", start) + 1
                if not start:
                    problems.append(f"line {number}: no tab between score and sentence")
                    start = len(line)
            fields[kind[0]].add(int(match.group(2)), place + start, place + len(line), line)
        elif _CUT_LINE.match(line) and number == len(opened.bounds) - 1:
            problems.append(f"line {number}: cut in the middle")
        else:
            end = _LOG_END.search(line)
            has_log = has_log or _LOG in line
            if end:
                translated.append(int(end.group(1).replace(b",", b"")))
        place += len(raw)
    if match and not opened.ends_with_newline:
        problems.append(f"line {number}: cut in the middle (no line end)")
    found = {chr(kind): field.first() for kind, field in fields.items()}
    seen = np.unique(np.concatenate([one.numbers for one in found.values()]))
    if not len(seen):
        raise SwcmError(f"{path} is no output of fairseq-generate: it has no lines such as D-0")
    told = sum(translated) == len(seen) if translated else None
    if told is None and has_log:
        problems.append("its log has no end (Translated ... sentences)")
    elif told is False:
        problems.append(f"its log tells of {sum(translated)} sentences, {len(seen)} are there")
    cut = bool(problems)
    problems += _missing("sentences", np.arange(0), seen, int(seen[-1]) + 1)
    problems += _missing("hypotheses as text (D lines)", found["D"].numbers, seen)
    if len(found["T"].numbers):
        problems += _missing("references (T lines)", found["T"].numbers, seen)
    if problems and told and not cut and len(problems) == 1 and len(seen) <= seen[-1]:
        raise SwcmError(
            f"{path} lacks sentences that are too long: fairseq-generate leaves them out with "
            "--skip-invalid-size-inputs-valid-test; with --truncate-source in its place they are cut",
            problems,
        )
    if problems:
        raise SwcmError(f"{path} was cut, or sentences were skipped in generation; generate again", problems)
    return Generated(
        found["D"].texts(opened),
        found["T"].texts(opened) if len(found["T"].numbers) else None,
        found["S"].texts(opened) if len(found["S"].numbers) == len(seen) else None,
    )


def read_references(paths: Sequence[str]) -> Sequence[List[str]]:
    """The references of every sentence, one file a reference.

    A blank line is no reference where another file has text for the sentence. The order of the files does not matter.

    Raises:
        SwcmError: as ``read_lines`` does, and for files of different length.
    """
    files = [read_lines(path) for path in paths]
    problems = [
        f"{path} has {len(lines)} lines, {paths[0]} has {len(files[0])}"
        for path, lines in zip(paths, files)
        if len(lines) != len(files[0])
    ]
    if problems:
        raise SwcmError("files of references must match line by line", problems)
    return _References(files)


def in_one_order(references: Sequence[str]) -> List[str]:
    """A sentence's references but for blank ones, sorted; one blank one where there is nothing else.

    So no score depends on which file a reference stands in, nor where equally good ones are.
    """
    return sorted(one for one in references if one.strip()) or list(references[:1])


class _References(Lazy):
    """The references of every sentence out of several files."""

    def __init__(self, files: Sequence[Sequence[str]]) -> None:
        self._files = files

    def __len__(self) -> int:
        return len(self._files[0])

    def _item(self, place: int) -> List[str]:
        return in_one_order([lines[place] for lines in self._files])

    def __iter__(self):
        return map(in_one_order, zip(*self._files))


class _Field:
    """Where the lines of one kind stand: their sentences' numbers, and the first and last byte of their text."""

    def __init__(self) -> None:
        self._numbers, self._starts, self._ends = array("q"), array("q"), array("q")
        self._pieces = False

    def add(self, number: int, start: int, end: int, line: bytes) -> None:
        self._numbers.append(number)
        self._starts.append(start)
        self._ends.append(end)
        # Text never holds the mark of a piece's start: SentencePiece's normalization makes a space of it.
        self._pieces = self._pieces or SPACE.encode("utf-8") in line

    def first(self) -> "_Field":
        """Of each sentence the first line, in the order of their numbers."""
        every = np.frombuffer(self._numbers, dtype=np.int64) if self._numbers else np.zeros(0, dtype=np.int64)
        self.numbers, self.places = np.unique(every, return_index=True)
        return self

    def texts(self, opened: OpenedText) -> Sequence[str]:
        """The texts that ``first`` chose, with pieces joined where there are any."""
        starts, ends = (np.frombuffer(each, dtype=np.int64)[self.places] for each in (self._starts, self._ends))
        lines = TextLines(opened.stream, starts, ends)
        return Mapped(lines, _joined) if self._pieces else lines


def _joined(pieces: str) -> str:
    return pieces.replace(" ", "").replace(SPACE, " ").strip()


def _missing(what: str, there: np.ndarray, seen: np.ndarray, wanted: int = 0) -> List[str]:
    """Which of ``seen`` are not ``there``; or, of the numbers up to ``wanted``, which are not ``seen``."""
    if wanted:
        number = wanted - len(seen)
        # Holes between neighbours; a broken number may be larger than any list.
        before = np.concatenate([[-1], seen[:-1]])
        holes = np.flatnonzero(seen - before > 1)[: _SHOWN + 1]
        first = [n for h in holes for n in range(int(before[h]) + 1, min(int(seen[h]), int(before[h]) + _SHOWN + 2))]
    else:
        wanted = len(seen)
        first = np.setdiff1d(seen, there).tolist()
        number = len(first)
    if not number:
        return []
    shown = ", ".join(map(str, first[:_SHOWN])) + (", ..." if number > _SHOWN else "")
    return [f"{number} of {wanted} {what} are missing: {shown}"]
