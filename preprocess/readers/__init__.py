"""Reading the formats that corpora come in: one a file, each a stream of records.

A record is a dictionary from field to text. A reader takes a path and ``Problems``, to which it adds what cannot be
read, with file and line; for such a record it yields ``None``, and ``LeftOut`` for one that the file itself marks as
none to learn from. What makes the rest of a file unreadable raises ``SwcmError``.
"""

import functools
import re
from typing import Callable, Dict, Iterator, Optional, Union

from swcm_preprocess.text_lines import Problems, read_lines

from .json_records import read_json, read_json_lines
from .question_answering import QUESTION_FIELDS, read_question_answering
from .tables import CSV, TSV, Form, read_table
from .translations import LeftOut, read_catalogue_records

Record = Dict[str, str]
Reader = Callable[[str, Problems], Iterator[Union[Record, LeftOut, None]]]


def read_text(path: str, problems: Problems) -> Iterator[Optional[Record]]:
    """Each line as the field ``text``."""
    for line in read_lines(path, problems):
        yield None if line is None else {"text": line}


#: Format -> form, of those that are tables.
TABLES: Dict[str, Form] = {"csv": CSV, "tsv": TSV}

#: Format -> reader.
FORMATS: Dict[str, Reader] = {
    "text": read_text,
    "jsonl": read_json_lines,
    "json": read_json,
    "squad": read_question_answering,
    **{name: functools.partial(read_table, form=form) for name, form in TABLES.items()},
    "gettext": read_catalogue_records,
}

#: Format -> fields of its own, whether the records of a file have them all or not.
OWN_FIELDS = {"text": ("text",), "squad": QUESTION_FIELDS, "gettext": ("context", "source", "text")}

_ENDINGS = {"txt": "text", "jsonl": "jsonl", "ndjson": "jsonl", "json": "json", "csv": "csv", "tsv": "tsv"}
_ENDINGS.update({"tab": "tsv", "mo": "gettext", "po": "gettext", "pot": "gettext"})

#: Ending of a name -> what such files are, and what to do about them.
_NOT_READ = {
    "tmx": "TMX is not read; OPUS has the same corpora as Moses text, or convert it to tab-separated text",
    "xlf": "XLIFF is not read; convert it first: xliff2po FILE NEW.po (from translate-toolkit)",
    "sgm": "SGML is not read; convert it to text, a sentence a line, or take the test set from sacreBLEU",
    "xml": "XML is not read; convert it to JSON lines or text",
    "html": "HTML is not read; convert it to text",
    "zip": "ZIP archives are not read; unpack it first: unzip FILE",
    "tar": "tar archives are not read; unpack it first: tar -xf FILE",
    "7z": "7z archives are not read; unpack it first: 7z x FILE",
    "pdf": "PDF is not read; convert it first: pdftotext FILE",
    "docx": "documents of office programs are not read; save it there as text (UTF-8)",
    "srt": "subtitles are not read; OPUS has them as Moses text, or take the lines of text out first",
    "arrow": "Arrow is not read; convert it first, with datasets: load_from_disk(FOLDER).to_json(NEW)",
    "xlsx": "tables of office programs are not read; save it there as CSV (UTF-8)",
    "parquet": "Parquet is not read; convert it first, with pandas: read_parquet(FILE).to_csv(NEW)",
}
_NOT_READ.update(xliff=_NOT_READ["xlf"], sgml=_NOT_READ["sgm"], htm=_NOT_READ["html"], tgz=_NOT_READ["tar"])
_NOT_READ.update(dict.fromkeys(("xls", "ods"), _NOT_READ["xlsx"]), doc=_NOT_READ["docx"], odt=_NOT_READ["docx"])
_ENDING = re.compile(r"\.(\w+?)(?:\.(?:gz|bz2|xz|lzma|zst))?\Z", re.IGNORECASE)


def format_of(path: str) -> Optional[str]:
    """The format that a file's name speaks of, before ``.gz`` and the like, or None."""
    return _ENDINGS.get(_ending(path))


def why_not_read(path: str) -> str:
    """Why a file with such a name is not read, and what to do, or ""."""
    return _NOT_READ.get(_ending(path), "").replace("FILE", path)


def _ending(path: str) -> str:
    match = _ENDING.search(path)
    return match.group(1).lower() if match else ""
