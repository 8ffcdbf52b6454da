"""JSON: one record a line (MC2, LCSTS), or a file that is a list of records.

What is inside a record is reached by dots, and in lists by numbers from 0: ``translation.bo``, ``answers.text.0``.
Numbers stay as they are written; NaN and Infinity, which Python's own writer puts where a number is missing, are
missing, as null is. A field that stands twice makes a record unreadable: nobody knows which one was meant.
"""

import collections
import json
import re
from typing import Any, Dict, Generator, Iterator, Optional, Tuple

from swcm_preprocess.text_lines import LONGEST, Problems, Undecodable, open_whole, read_raw_lines, without_mark

from swcm_fairseq.errors import SwcmError, some

# A record is text that somebody wrote; JSON that is larger is something else, and takes 100 times its size.
LONGEST_RECORD = LONGEST // 4

_SURROGATE = re.compile("[\ud800-\udfff]")
_NO_SPACE = re.compile(r"[^ \t\r\n]|\Z")


class Doubled(dict):
    """An object in which a name stands more than once; ``name`` is the first such."""

    name = ""


def _object(members) -> Dict[str, Any]:
    found = dict(members)
    if len(found) == len(members):
        return found
    doubled = Doubled(found)
    ((doubled.name, _),) = collections.Counter(name for name, _ in members).most_common(1)
    return doubled


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=str,
    parse_float=str,
    parse_constant=lambda _: None,  # NaN and Infinity
)


def read_json_lines(path: str, problems: Problems) -> Iterator[Optional[Dict[str, str]]]:
    """The object on each line that is not blank."""
    for place, value in json_line_values(path, problems):
        yield None if value is None else checked_fields(value, place, problems)


def read_json(path: str, problems: Problems) -> Iterator[Optional[Dict[str, str]]]:
    """The objects of a list; the list may be the member ``data`` of an object."""
    for place, value in json_list_values(path, problems):
        yield checked_fields(value, place, problems)


def json_line_values(path: str, problems: Problems) -> Iterator[Tuple[str, Any]]:
    """``(place, value)`` for each line; the value is None where the line is not JSON, which is noted."""
    seen = Undecodable(path)
    first = True
    for number, raw in enumerate(read_raw_lines(path), start=1):
        raw = raw.strip()
        if not raw:
            continue
        if first:
            problems.explain(_other_form(path, raw))
            first = False
        place = f"{path}, line {number}"
        value = None
        if len(raw) > LONGEST_RECORD:
            problems.add(f"{place}: longer than {LONGEST_RECORD >> 20} MiB; this is no record")
        else:
            try:
                value = _DECODER.decode(seen.decode(raw))
            except (ValueError, RecursionError) as error:
                problems.add(f"{place}: not JSON ({error})")
            else:
                if value is None:
                    problems.add(f"{place}: no object with fields")
        yield place, value
    problems.explain(seen.hint())


def _other_form(path: str, first: bytes) -> str:
    """What a file is whose first line is no record, where that can be seen."""
    if first.startswith(b"["):
        return f"{path}: begins as a list; a list of records is --format json"
    if first == b"{":
        return f"{path}: its records go over several lines; one a line makes: jq -c . {path} > NEW"
    return ""


def json_list_values(path: str, problems: Problems) -> Iterator[Tuple[str, Any]]:
    """``(place, value)`` for each element of the list that a file holds, decoded one by one.

    Raises:
        SwcmError: the file holds no list, more than that, or is no JSON from some place on.
    """
    data = without_mark(open_whole(path), path)
    seen = Undecodable(path)
    text = seen.decode(data)
    problems.explain(seen.hint())
    number = 0
    try:
        place = _behind_space(text, 0)
        elements = _list_elements(text, place) if text[place : place + 1] == "[" else _data_elements(text, place, path)
        for value in elements:
            number += 1
            yield f"{path}, record {number}", value
    except SwcmError:
        raise
    except (ValueError, RecursionError) as error:
        raise SwcmError(f"{path}, behind record {number}: not JSON ({error}); is the file whole?", problems.causes)


def _list_elements(text: str, place: int) -> Iterator[Any]:
    """The elements of the list at ``place``, behind which the text has to end."""
    end = yield from _elements(text, place)
    _check_end(text, end)


def _elements(text: str, place: int) -> Generator[Any, None, int]:
    """The elements of the list at ``place``; gives the place behind it."""
    place = _skip(text, place, "[")
    while text[place : place + 1] != "]":
        value, place = _DECODER.raw_decode(text, place)
        yield value
        place = _behind_space(text, place)
        if text[place : place + 1] != "]":
            place = _skip(text, place, ",")
    return place + 1


def _data_elements(text: str, place: int, path: str) -> Iterator[Any]:
    """The elements of the list that is the member ``data`` of the object at ``place``, wherever it stands in that."""
    if text[place : place + 1] != "{":
        raise _no_list(path, [])
    names, found = [], False
    place = _skip(text, place, "{")
    while text[place : place + 1] != "}":
        name, place = _DECODER.raw_decode(text, place)
        place = _skip(text, place, ":")
        if name == "data" and text[place : place + 1] == "[":
            if found:
                raise SwcmError(f"{path}: 'data' stands twice in it")
            found = True
            place = yield from _elements(text, place)
        else:
            value, place = _DECODER.raw_decode(text, place)
            names += [name] * isinstance(value, list)
        place = _behind_space(text, place)
        if text[place : place + 1] != "}":
            place = _skip(text, place, ",")
    if not found:
        raise _no_list(path, names)
    _check_end(text, place + 1)


def _no_list(path: str, lists) -> SwcmError:
    there = "; lists there are called " + some(lists) if lists else ""
    return SwcmError(
        f"{path}: neither a list of records nor an object with one in 'data'{there}; JSON lines are --format jsonl"
    )


def _behind_space(text: str, place: int) -> int:
    found = _NO_SPACE.search(text, place)
    return found.start() if found else len(text)


def _skip(text: str, place: int, sign: str) -> int:
    """The place behind ``sign``, which has to stand at ``place``, and the white space around it."""
    place = _behind_space(text, place)
    if text[place : place + 1] != sign:
        raise ValueError(f"{sign!r} is missing at character {place + 1}")
    return _behind_space(text, place + 1)


def _check_end(text: str, place: int) -> None:
    place = _behind_space(text, place)
    if place < len(text):
        raise ValueError(f"more follows at character {place + 1}: {text[place : place + 20]!r}")


def fields_of(value: Any, prefix: str = "") -> Dict[str, str]:
    """Every text and number in a value, by its path of names and numbers.

    Raises:
        ValueError: two of them have the same path.
    """
    found: Dict[str, str] = {}
    _collect(value, prefix, found)
    return found


def _collect(value: Any, prefix: str, found: Dict[str, str]) -> None:
    if isinstance(value, str):
        if prefix in found:
            raise ValueError(f"the field {prefix!r} stands twice")
        found[prefix] = value
        return
    if isinstance(value, Doubled):
        raise ValueError(f"the field {value.name!r} stands twice")
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in inside:
        _collect(member, f"{prefix}.{name}" if prefix else str(name), found)


def checked_fields(value: Any, place: str, problems: Problems) -> Optional[Dict[str, str]]:
    """The fields of an object; None, and noted, where it is none or holds what is no text."""
    if not isinstance(value, dict):
        problems.add(f"{place}: no object with fields")
        return None
    try:
        return checked_text(fields_of(value), place, problems)
    except ValueError as error:
        problems.add(f"{place}: {error}")
        return None


def checked_text(fields: Dict[str, str], place: str, problems: Problems) -> Optional[Dict[str, str]]:
    """The fields; None, and noted, where one holds bytes that are no UTF-8, or half of a pair of surrogates."""
    for name, text in fields.items():
        if _SURROGATE.search(text) or _SURROGATE.search(name):
            name = _SURROGATE.sub("?", name)
            problems.add(f"{place}: field {name} holds bytes that are not UTF-8, or a lone surrogate")
            return None
    return fields
