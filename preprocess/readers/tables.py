"""Tables of comma- or tab-separated values, with a line of names at their head (CMHG, MiLiC-Eval's titles).

Cells of CSV may stand in quotation marks, doubled inside, and then hold separators and line ends. In TSV that is so
where pandas, R or Excel wrote it, and elsewhere quotation marks are text: ``quotes`` says which, or a table shows it.
"""

import csv
import itertools
import re
from typing import Dict, Iterator, List, NamedTuple, Optional

from swcm_preprocess.text_lines import LONGEST, Problems, Undecodable, read_raw_lines

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.input_files import pipes_kept

from .json_records import checked_text

MARK = '"'
_MOST_LINES = 1_000  # of one cell


class Form(NamedTuple):
    """How a table is written.

    ``quotes`` is "table" where cells may stand in quotation marks, "text" where these are text, "auto" to look.
    Without ``header`` the columns are called 1, 2, 3 and so on.
    """

    delimiter: str
    quotes: str
    header: bool = True


CSV = Form(",", "table")
TSV = Form("\t", "auto")


def read_table(path: str, problems: Problems, form: Form) -> Iterator[Optional[Dict[str, str]]]:
    """The rows of a table by the names of its columns.

    Raises:
        SwcmError: two columns have one name, a row ends wrongly, or nobody can tell what its quotation marks are.
    """
    csv.field_size_limit(LONGEST)
    with pipes_kept([path]):
        quotes = _look(path, form.delimiter) if form.quotes == "auto" else form.quotes
        seen = Undecodable(path)
        # What is no UTF-8 becomes surrogates, so that it can be told in which row it stands.
        lines = map(seen.decode, read_raw_lines(path))
        rows = _quoted_rows(lines, form.delimiter, path) if quotes == "table" else _plain_rows(lines, form.delimiter)
        head: Optional[List[str]] = None
        for number, row in rows:
            if head is None:
                head = row if form.header else [str(column + 1) for column in range(len(row))]
                if len(set(head)) < len(head):
                    raise SwcmError(
                        "{}: two columns have the same name: {}; rename one, or take them by number with "
                        "--no-header".format(path, ", ".join(sorted(head)))
                    )
                if form.header:
                    continue
            place = f"{path}, line {number}"
            if len(row) != len(head):
                if row and row != [""]:  # a blank line is no row, but where it is the one cell
                    problems.add(f"{place}: {len(row)} cells under {len(head)} names")
                    yield None
            else:
                yield checked_text(dict(zip(head, row)), place, problems)
        problems.explain(seen.hint())


def _plain_rows(lines: Iterator[str], delimiter: str) -> Iterator:
    for number, line in enumerate(lines, start=1):
        yield number, line.split(delimiter)


def _quoted_rows(lines: Iterator[str], delimiter: str, path: str) -> Iterator:
    rows = csv.reader((line + "\n" for line in lines), strict=True, delimiter=delimiter)
    try:
        for row in rows:
            yield rows.line_num, row or [""]
    except csv.Error as error:
        # Where one row ends wrongly, nobody knows where the next begins.
        raise SwcmError(f"{path}, line {rows.line_num}: {error}; is this a table, and whole?")


class _Looked:
    """What the cells of a table show about its quotation marks."""

    def __init__(self) -> None:
        self.width = 0  # cells of the first line
        self.needed = self.needless = self.bare = 0  # cells in marks for what they hold, for nothing, and without
        self.unlike_table = self.unlike_text = 0  # rows of another width, read in either way

    def add_plain(self, cells: List[str]) -> None:
        """Add a line without any mark."""
        self.width = self.width or len(cells)
        self.bare += any(map(_is_text, cells))

    def add_marked(self, lines: List[str], delimiter: str) -> bool:
        """Add the lines of a row that has marks; False where a cell holds one that no table would leave there."""
        cells = []
        for cell in _cells("\n".join(lines), delimiter):
            if cell is None:
                return False
            cells.append(cell)
        self.width = self.width or len(cells)
        self.unlike_table += len(cells) != self.width
        self.unlike_text += any(line.count(delimiter) + 1 != self.width for line in lines)
        for cell in cells:
            if not cell.startswith(MARK):
                self.bare += _is_text(cell)
            elif any(sign in cell[1:-1] for sign in (MARK, delimiter, "\n")):
                self.needed += 1
            else:
                self.needless += 1
        return True


def _look(path: str, delimiter: str) -> str:
    """Whether quotation marks are the table's or text, as its cells show.

    They are text where a cell holds one that no table would leave there. They are the table's where all its cells of
    text stand in them, or some that need it for what they hold.

    Raises:
        SwcmError: neither is so.
    """
    looked = _Looked()
    begun: List[str] = []
    odd = False  # the row that was begun ends within a cell
    for raw in read_raw_lines(path):
        line = raw.decode("utf-8", "surrogateescape")
        if MARK not in line and not begun:
            looked.add_plain(line.split(delimiter))
            continue
        begun.append(line)
        odd ^= line.count(MARK) % 2 == 1
        if not odd:
            if not looked.add_marked(begun, delimiter):
                return "text"
            begun = []
        elif len(begun) > _MOST_LINES:
            return "text"
    if begun:
        return "text"
    if looked.needed:
        return "table" if looked.unlike_table <= looked.unlike_text else "text"
    if looked.needless and looked.bare:
        raise SwcmError(
            f"{path}: some cells stand in quotation marks without need, so these are text or the table's; say which: "
            "--quotes text or --quotes table"
        )
    return "table" if looked.needless else "text"


def _cells(row: str, delimiter: str) -> Iterator[Optional[str]]:
    """The cells of a row as they are written; None, the last one, for what is no cell of a table."""
    cell = re.compile(r'("(?:[^"]|"")*"|[^"{0}\n]*)(?:({0})|\Z)'.format(re.escape(delimiter)))
    place: Optional[int] = 0
    while place is not None:
        match = cell.match(row, place)
        yield match.group(1) if match else None
        place = match.end() if match and match.group(2) is not None else None


def _is_text(cell: str) -> bool:
    return any(map(str.isalpha, itertools.islice(cell, 1000)))
