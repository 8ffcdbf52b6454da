"""Reading comprehension: SQuAD's nested form, and flat records of context, question and answer (TibetanQA).

Whatever the form, a record has ``context``, ``question`` and ``answer``, the first one given; where there are any,
``answer.2``, ``answer.3`` and so on, those that differ, ``title`` and ``id``.
"""

import itertools
from typing import Any, Dict, Iterator, Optional

from swcm_preprocess.lines import Problems, first_byte

from .json_records import checked_text, fields_of, json_line_values, json_list_values

# Where the answer may be, in the order in which it is looked for.
_ANSWERS = ("answer", "answer.text", "answers.text.0", "answers.0.text", "answers.0", "answers.text", "answers")
_CONTEXTS = ("context", "passage", "article")


def read_question_answering(path: str, problems: Problems) -> Iterator[Optional[Dict[str, str]]]:
    """Every question of a file: JSON lines, a list, or an object with a list in ``data``."""
    values = json_list_values(path)
    try:
        values = itertools.chain([next(values)], values)
    except StopIteration:
        return
    except ValueError:  # no list: lines
        if first_byte(path) != b"{":
            raise
        values = json_line_values(path, problems)
    for place, value in values:
        if value is None:
            yield None
            continue
        for number, flat in enumerate(_questions(value), start=1):
            where = place if number == 1 else "{}, question {}".format(place, number)
            if not flat.get("question") or not flat.get("context"):
                problems.add("{}: no question with its context".format(where))
                yield None
            else:
                yield checked_text(flat, where, problems)


def _questions(value: Any) -> Iterator[Dict[str, str]]:
    if isinstance(value, dict) and isinstance(value.get("paragraphs"), list):  # an article of SQuAD's
        for paragraph in value["paragraphs"]:
            yield from _of_paragraph(paragraph, value.get("title"))
    elif isinstance(value, dict) and isinstance(value.get("qas"), list):
        yield from _of_paragraph(value, value.get("title"))
    else:
        yield _flat(value)


def _of_paragraph(paragraph: Any, title: Any) -> Iterator[Dict[str, str]]:
    questions = paragraph.get("qas") if isinstance(paragraph, dict) else None
    if not isinstance(questions, list):
        yield {}
        return
    for question in questions:
        shared = {"context": paragraph.get("context"), "title": title}
        yield _flat(dict(shared, **question) if isinstance(question, dict) else {})


def _flat(record: Any) -> Dict[str, str]:
    fields = fields_of(record) if isinstance(record, dict) else {}
    found = {name: fields[name] for name in ("title", "id", "question") if name in fields}
    for name, places in (("context", _CONTEXTS), ("answer", _ANSWERS)):
        place = next((place for place in places if place in fields), None)
        if place is None:
            continue
        for number, text in enumerate(dict.fromkeys(_all_from(fields, place)), start=1):
            found[name if number == 1 else "{}.{}".format(name, number)] = text
    return found


def _all_from(fields: Dict[str, str], place: str) -> Iterator[str]:
    """The text at ``place`` and, where that is the first of a list, as ``answers.0`` is, those behind it."""
    numbers = itertools.count() if "0" in place else [0]
    places = (place.replace("0", str(number)) for number in numbers)
    return (fields[one] for one in itertools.takewhile(fields.__contains__, places))
