"""JSON: one record a line (MC2, LCSTS), or a file that is a list of records.

What is inside a record is reached by dots, and in lists by numbers from 0: ``translation.bo``, ``answers.text.0``.
"""

import json
import re
from typing import Any, Dict, Iterator, Optional

from swcm_preprocess.lines import LONGEST, Problems, open_whole, read_raw_lines

from swcm_fairseq.errors import SwcmError

# A record is text that somebody wrote; JSON that is larger is something else, and takes 100 times its size.
LONGEST_RECORD = LONGEST // 4

_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACE = re.compile(r"[ \t\r\n]*")
# "data" stands near the head, behind a version or the like.
_BEFORE_DATA = re.compile(r'\{[^\[{]*?"data"\s*:\s*(?=\[)')
_HEAD = 4096


def read_json_lines(path: str, problems: Problems) -> Iterator[Optional[Dict[str, str]]]:
    """The object on each line that is not blank."""
    for place, value in json_line_values(path, problems):
        yield None if value is None else checked_fields(value, place, problems)


def read_json(path: str, problems: Problems) -> Iterator[Optional[Dict[str, str]]]:
    """The objects of a list; the list may be the member ``data`` of an object."""
    for place, value in json_list_values(path):
        yield checked_fields(value, place, problems)


def json_line_values(path: str, problems: Problems) -> Iterator[Any]:
    """``(place, value)`` for each line; the value is None where the line is not JSON, which is noted."""
    for number, raw in enumerate(read_raw_lines(path), start=1):
        if not raw.strip():
            continue
        place = "{}, line {}".format(path, number)
        value = None
        if len(raw) > LONGEST_RECORD:
            problems.add("{}: longer than {} MiB; this is no record".format(place, LONGEST_RECORD >> 20))
        else:
            try:
                # What is no UTF-8 becomes surrogates, which are looked for in the fields.
                value = json.loads(raw.decode("utf-8", "surrogateescape"))
            except (ValueError, RecursionError) as error:
                problems.add("{}: not JSON ({})".format(place, error))
        yield place, value


def json_list_values(path: str) -> Iterator[Any]:
    """``(place, value)`` for each element of the list that a file holds, decoded one by one.

    Raises:
        SwcmError: the file holds no list, or is no JSON from some place on.
    """
    text = open_whole(path).decode("utf-8", "surrogateescape")
    match = _BEFORE_DATA.match(text[:_HEAD], _SPACE.match(text[:_HEAD]).end())
    place = match.end() if match else _SPACE.match(text).end()
    if text[place : place + 1] != "[":
        raise SwcmError(
            "{}: neither a list of records nor an object with one in 'data'; JSON lines are --format jsonl".format(path)
        )
    decoder = json.JSONDecoder()
    number = 0
    try:
        place = _SPACE.match(text, place + 1).end()
        while text[place : place + 1] != "]":
            value, place = decoder.raw_decode(text, place)
            number += 1
            yield "{}, record {}".format(path, number), value
            place = _SPACE.match(text, place).end()
            if text[place : place + 1] == ",":
                place = _SPACE.match(text, place + 1).end()
            elif text[place : place + 1] != "]":
                raise ValueError("',' or ']' is missing")
    except (ValueError, RecursionError) as error:
        raise SwcmError("{}, behind record {}: not JSON ({}); is the file whole?".format(path, number, error))


def fields_of(value: Any, prefix: str = "") -> Dict[str, str]:
    """Every text and number in a value, by its path of names and numbers."""
    if isinstance(value, str):
        return {prefix: value}
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {prefix: str(value)}
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: Dict[str, str] = {}
    for name, member in inside:
        found.update(fields_of(member, "{}.{}".format(prefix, name) if prefix else str(name)))
    return found


def checked_fields(value: Any, place: str, problems: Problems) -> Optional[Dict[str, str]]:
    """The fields of an object; None, and noted, where it is none or holds what is no text."""
    if not isinstance(value, dict):
        problems.add("{}: no object with fields".format(place))
        return None
    return checked_text(fields_of(value), place, problems)


def checked_text(fields: Dict[str, str], place: str, problems: Problems) -> Optional[Dict[str, str]]:
    """The fields; None, and noted, where one holds bytes that are no UTF-8, or half of a pair of surrogates."""
    for name, text in fields.items():
        if _SURROGATE.search(text) or _SURROGATE.search(name):
            name = _SURROGATE.sub("?", name)
            problems.add("{}: field {} holds bytes that are not UTF-8, or a lone surrogate".format(place, name))
            return None
    return fields
