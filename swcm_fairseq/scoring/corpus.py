"""Reading sentences: from text files, and from what fairseq-generate printed."""

import re
from typing import Dict, List, NamedTuple, Optional, Sequence

from ..errors import SwcmError

_PIECE_START = "\u2581"
# S source, T target, H hypothesis as the model wrote it, D the same as text; the number is the sentence's place.
_LINE = re.compile(r"([STHD])-(\d+)\t(.*)\Z", re.DOTALL)
# fairseq-generate's own log stands between them, and ends with the number of sentences.
_LOG = "| INFO | fairseq_cli.generate |"
_LOG_END = re.compile(r"\| fairseq_cli\.generate \| Translated ([\d,]+) sentences ")
_CUT_LINE = re.compile(r"[STHD](-\d*)?\Z")
_SHOWN = 5


class Generated(NamedTuple):
    """A ``fairseq-generate`` output in the order of the data; what it does not show is None."""

    hypotheses: List[str]
    references: Optional[List[str]]
    sources: Optional[List[str]]


def read_lines(path: str) -> List[str]:
    """The lines of a UTF-8 file.

    Raises:
        SwcmError: no such file, an empty one, or one that is not UTF-8 (with the line).
    """
    try:
        with open(path, "rb") as stream:
            data = stream.read()
    except OSError as error:
        raise SwcmError("{}: {}".format(path, error.strerror))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SwcmError("{}, line {}: not UTF-8; convert the file".format(path, line))
    # Only the line feed ends a line: other separators of Unicode may stand inside a sentence.
    lines = [line[:-1] if line.endswith("\r") else line for line in text.split("\n")]
    if not lines[-1]:
        lines.pop()
    if not any(line.strip() for line in lines):
        raise SwcmError("{} is empty".format(path))
    return lines


def read_generated(path: str) -> Generated:
    """Hypotheses and references from a ``fairseq-generate`` (or ``fairseq-interactive``) output.

    The order of the data is restored, pieces are joined where the output holds pieces (no ``--bpe`` or
    ``--post-process`` was given), and of an n-best list the first counts, which is the best.

    Raises:
        SwcmError: anything that shows that the output is not whole: sentences missing from the numbering, a
            hypothesis without its text or its reference, a broken last line. All problems are listed.
    """
    fields: Dict[str, Dict[int, str]] = {kind: {} for kind in "STHD"}
    problems = []
    lines = read_lines(path)
    match = None
    for number, line in enumerate(lines, 1):
        match = _LINE.match(line)
        if match:
            kind, text = match.group(1), match.group(3)
            if kind in "HD":
                _, tab, text = text.partition("\t")
                if not tab:
                    problems.append("line {}: no tab between score and sentence".format(number))
            fields[kind].setdefault(int(match.group(2)), text)
        elif _CUT_LINE.match(line) and number == len(lines):
            problems.append("line {}: cut in the middle".format(number))
    if match and not _ends_with_newline(path):
        problems.append("line {}: cut in the middle (no line end)".format(len(lines)))
    hypotheses, references, sources = fields["D"], fields["T"], fields["S"]
    seen = set().union(*fields.values())
    if not seen:
        raise SwcmError("{} is no output of fairseq-generate: it has no lines such as D-0".format(path))
    translated = [int(end.group(1).replace(",", "")) for end in map(_LOG_END.search, lines) if end]
    if not translated and any(_LOG in line for line in lines):
        problems.append("its log has no end (Translated ... sentences)")
    elif translated and sum(translated) != len(seen):
        problems.append("its log tells of {} sentences, {} are there".format(sum(translated), len(seen)))
    problems += _missing("sentences", set(range(max(seen) + 1)), seen)
    problems += _missing("hypotheses as text (D lines)", seen, hypotheses)
    if references:
        problems += _missing("references (T lines)", seen, references)
    if problems:
        raise SwcmError("{} was cut, or sentences were skipped in generation; generate again".format(path), problems)
    return Generated(
        _sentences(hypotheses),
        _sentences(references) if references else None,
        _sentences(sources) if len(sources) == len(seen) else None,
    )


def read_references(paths: Sequence[str]) -> List[List[str]]:
    """The references of every sentence, one file a reference.

    Where a sentence has fewer than there are files, its line is empty in the files behind the first.

    Raises:
        SwcmError: as ``read_lines`` does, and for files of different length.
    """
    files = [read_lines(path) for path in paths]
    problems = [
        "{} has {} lines, {} has {}".format(path, len(lines), paths[0], len(files[0]))
        for path, lines in zip(paths, files)
        if len(lines) != len(files[0])
    ]
    if problems:
        raise SwcmError("files of references must match line by line", problems)
    return [[first] + [one for one in others if one.strip()] for first, *others in zip(*files)]


def _missing(what: str, wanted, there) -> List[str]:
    missing = sorted(set(wanted) - set(there))
    if not missing:
        return []
    shown = ", ".join(map(str, missing[:_SHOWN])) + (", ..." if len(missing) > _SHOWN else "")
    return ["{} of {} {} are missing: {}".format(len(missing), len(wanted), what, shown)]


def _sentences(field: Dict[int, str]) -> List[str]:
    texts = [field[number] for number in sorted(field)]
    # Text never holds the mark of a piece's start: SentencePiece's normalization makes a space of it.
    if any(_PIECE_START in text for text in texts):
        texts = [text.replace(" ", "").replace(_PIECE_START, " ").strip() for text in texts]
    return texts


def _ends_with_newline(path: str) -> bool:
    with open(path, "rb") as stream:
        stream.seek(-1, 2)
        return stream.read(1) == b"\n"
