"""Reading the formats that corpora come in: one a file, each a stream of records.

A record is a dictionary from field to text. A reader takes a path and ``Problems``, to which it adds what cannot be
read, with file and line; for such a record it yields ``None``. What makes the rest of a file unreadable raises
``SwcmError``.
"""

import re
from typing import Callable, Dict, Iterator, Optional

from swcm_preprocess.lines import Problems, read_lines

from .json_records import read_json, read_json_lines
from .question_answering import read_question_answering
from .tables import read_csv, read_tsv
from .translations import read_catalogue_records

Record = Dict[str, str]
Reader = Callable[[str, Problems], Iterator[Optional[Record]]]


def read_text(path: str, problems: Problems) -> Iterator[Optional[Record]]:
    """Each line as the field ``text``."""
    for line in read_lines(path, problems):
        yield None if line is None else {"text": line}


#: Format -> reader.
FORMATS: Dict[str, Reader] = {
    "text": read_text,
    "jsonl": read_json_lines,
    "json": read_json,
    "squad": read_question_answering,
    "csv": read_csv,
    "tsv": read_tsv,
    "gettext": read_catalogue_records,
}

_ENDINGS = {"txt": "text", "jsonl": "jsonl", "ndjson": "jsonl", "json": "json", "csv": "csv", "tsv": "tsv"}
_ENDINGS.update({"mo": "gettext", "po": "gettext"})


def format_of(path: str) -> Optional[str]:
    """The format that a file's name speaks of, before ``.gz``, or None."""
    match = re.search(r"\.(\w+?)(?:\.gz)?\Z", path)
    return _ENDINGS.get(match.group(1).lower()) if match else None
