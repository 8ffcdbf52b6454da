"""Tables with a line of names at their head: CSV (CMHG, MiLiC-Eval's titles) and tab-separated values."""

import csv
from typing import Dict, Iterator, Optional

from swcm_preprocess.lines import LONGEST, Problems, read_raw_lines

from swcm_fairseq.errors import SwcmError

from .json_records import checked_text


def read_csv(path: str, problems: Problems) -> Iterator[Optional[Dict[str, str]]]:
    """Rows of cells separated by commas; a cell in quotation marks may hold line ends."""
    return _read(path, problems, delimiter=",")


def read_tsv(path: str, problems: Problems) -> Iterator[Optional[Dict[str, str]]]:
    """Rows of cells separated by tabs; quotation marks are text."""
    return _read(path, problems, delimiter="\t", quoting=csv.QUOTE_NONE)


def _read(path: str, problems: Problems, **form) -> Iterator[Optional[Dict[str, str]]]:
    csv.field_size_limit(LONGEST)
    # What is no UTF-8 becomes surrogates, so that it can be told in which row it stands.
    lines = (raw.decode("utf-8", "surrogateescape") + "\n" for raw in read_raw_lines(path))
    rows = csv.reader(lines, strict=True, **form)
    try:
        head = next(rows, None)
        if not head:
            return
        if len(set(head)) < len(head):
            raise SwcmError("{}: two columns have the same name: {}".format(path, ", ".join(sorted(head))))
        for row in rows:
            place = "{}, line {}".format(path, rows.line_num)
            if not row:
                continue
            if len(row) != len(head):
                problems.add("{}: {} cells under {} names".format(place, len(row), len(head)))
                yield None
            else:
                yield checked_text(dict(zip(head, row)), place, problems)
    except csv.Error as error:
        # Where one row ends wrongly, nobody knows where the next begins.
        raise SwcmError("{}, line {}: {}; is this a table, and whole?".format(path, rows.line_num, error))
