"""Reading comprehension: SQuAD's nested form, and flat records of context, question and answer (TibetanQA).

Whatever the form, a record has ``context``, ``question`` and ``answer``, the first one given; where there are any,
``answer.2``, ``answer.3`` and so on, those that differ, ``title`` and ``id``.
"""

import itertools
import json
from typing import Any, Dict, Iterator, Optional

from swcm_preprocess.text_lines import Problems, read_raw_lines

from swcm_fairseq.errors import SwcmError, some
from swcm_fairseq.input_files import pipes_kept

from .json_records import LONGEST_RECORD, Doubled, checked_text, fields_of, json_line_values, json_list_values

#: Where a field may be, in the order in which it is looked for; CMRC 2018 in its own form has the names with _text.
_PLACES = {
    "title": ("title",),
    "id": ("id", "query_id", "question_id"),
    "question": ("question", "query_text", "question_text", "query"),
    "context": ("context", "context_text", "passage", "article"),
    "answer": ("answer", "answer.text", "answers.text.0", "answers.0.text", "answers.0", "answers.text", "answers"),
}

QUESTION_FIELDS = tuple(_PLACES)


def read_question_answering(path: str, problems: Problems) -> Iterator[Optional[Dict[str, str]]]:
    """Every question of a file: JSON lines, a list, or an object with a list in ``data``."""
    with pipes_kept([path]):
        read = json_line_values if _is_record(_first_line(path)) else json_list_values
        for place, value in read(path, problems):
            if value is None:
                yield None
                continue
            for number, fields in enumerate(_questions(value, place), start=1):
                where = place if number == 1 else f"{place}, question {number}"
                yield _checked(fields, where, problems)


def _first_line(path: str) -> bytes:
    return next((raw for raw in read_raw_lines(path) if raw.strip()), b"")


def _is_record(line: bytes) -> bool:
    """Whether a line is a whole object that is not itself a list's wrapping."""
    if not line.lstrip().startswith(b"{") or len(line) > LONGEST_RECORD:
        return False
    try:
        return not isinstance(json.loads(line.decode("utf-8", "surrogateescape")).get("data"), list)
    except (ValueError, RecursionError):
        return False


def _checked(fields: Any, place: str, problems: Problems) -> Optional[Dict[str, str]]:
    """The record made of a question's fields; None, and noted, where it is none."""
    try:
        there = fields_of(fields) if isinstance(fields, dict) else {}
    except ValueError as error:
        problems.add(f"{place}: {error}")
        return None
    found = _named(there)
    if not found.get("question") or not found.get("context"):
        names = "; its fields: " + some(sorted(there)) if there else ""
        problems.add(f"{place}: no question with its context{names}")
        return None
    return checked_text(found, place, problems)


def _questions(value: Any, place: str) -> Iterator[Any]:
    """The questions of an element, each with its context; what is no question is None.

    Raises:
        SwcmError: what holds questions has a name twice, so that nobody knows how many are lost.
    """
    if isinstance(value, dict) and isinstance(value.get("paragraphs"), list):  # an article of SQuAD's
        _check_once(value, place)
        for paragraph in value["paragraphs"]:
            yield from _of_paragraph(paragraph, value.get("title"), place)
    elif isinstance(value, dict) and isinstance(value.get("qas"), list):
        yield from _of_paragraph(value, value.get("title"), place)
    else:
        yield value


def _of_paragraph(paragraph: Any, title: Any, place: str) -> Iterator[Any]:
    questions = paragraph.get("qas") if isinstance(paragraph, dict) else None
    if not isinstance(questions, list):
        yield None
        return
    _check_once(paragraph, place)
    shared = {name: paragraph[name] for name in _PLACES["context"] if name in paragraph}
    for question in questions:
        if isinstance(question, dict) and not isinstance(question, Doubled):
            yield {"title": title, **shared, **question}
        else:
            yield question


def _check_once(holder: Dict[str, Any], place: str) -> None:
    if isinstance(holder, Doubled):
        raise SwcmError(f"{place}: {holder.name!r} stands twice around questions; mend the file")


def _named(fields: Dict[str, str]) -> Dict[str, str]:
    found = {}
    for name, places in _PLACES.items():
        place = next((place for place in places if place in fields), None)
        if place is None:
            continue
        texts = _all_from(fields, place) if name == "answer" else [fields[place]]
        for number, text in enumerate(dict.fromkeys(texts), start=1):
            found[name if number == 1 else f"{name}.{number}"] = text
    return found


def _all_from(fields: Dict[str, str], place: str) -> Iterator[str]:
    """The text at ``place`` and, where that is the first of a list, as ``answers.0`` is, those behind it."""
    numbers = itertools.count() if "0" in place else [0]
    places = (place.replace("0", str(number)) for number in numbers)
    return (fields[one] for one in itertools.takewhile(fields.__contains__, places))
