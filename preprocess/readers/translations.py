"""Catalogues of gettext, the translations of programs: compiled (.mo) and as text (.po)."""

import ast
import gettext
import glob
import io
import os
import re
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from swcm_preprocess.lines import Problems, open_whole, read_lines

from swcm_fairseq.errors import SwcmError

from .json_records import checked_text

# gettext puts this between a message's context and its English text.
CONTEXT_END = "\x04"
_LINE_BREAKS = re.compile(r"[\r\n]+")
_ENTRY = re.compile(r'(msgctxt|msgid|msgid_plural|msgstr|msgstr\[\d+\])\s+(".*")\s*\Z')

Key = Tuple[str, str]  # name of the catalogue, message id


class Pair(NamedTuple):
    """What joining two languages gave: lines (pivot, target), and counts that add up."""

    lines: List[Tuple[str, str]]
    counts: Dict[str, object]


def read_catalogue(path: str) -> Dict[str, str]:
    """Message id (context, U+0004, English; or English alone) -> translation.

    A message with plural forms is there once, as an empty text, so that it can be counted; messages that are not
    translated, or marked fuzzy, are not there.

    Raises:
        SwcmError: the file is cut, damaged or no catalogue.
    """
    return _read_text(path) if re.search(r"\.po(\.gz)?\Z", path) else _read_compiled(path)


def read_catalogues(folder: str) -> Dict[Key, str]:
    """Every translated message of the ``LC_MESSAGES/*.mo`` files below ``folder``, or of its ``*.po`` files.

    Raises:
        SwcmError: no catalogue below ``folder``, or some that cannot be read (all are named).
    """
    below = os.path.join(glob.escape(folder), "**")
    paths = sorted(glob.glob(os.path.join(below, "LC_MESSAGES", "*.mo"), recursive=True))
    paths = paths or sorted(glob.glob(os.path.join(below, "*.po"), recursive=True))
    if not paths:
        raise SwcmError("{}: no gettext catalogue (LC_MESSAGES/*.mo, or *.po) in this folder".format(folder))
    messages: Dict[Key, str] = {}
    problems = []
    for path in paths:
        try:
            catalogue = read_catalogue(path)
        except (SwcmError, OSError) as error:
            problems.append(str(error))
            continue
        messages.update(((os.path.basename(path), identifier), text) for identifier, text in catalogue.items())
    if problems:
        raise SwcmError("catalogues that cannot be read", problems)
    return messages


def read_catalogue_records(path: str, problems: Problems) -> Iterator[Optional[Dict[str, str]]]:
    """Each message of one catalogue as ``context``, ``source`` (the English) and ``text`` (the translation)."""
    for identifier, text in sorted(read_catalogue(path).items()):
        context, _, english = identifier.rpartition(CONTEXT_END)
        fields = {"context": context, "source": english, "text": text}
        yield checked_text(fields, "{}, message {!r}".format(path, english[:40]), problems)


def join(pivot: Dict[Key, str], target: Dict[Key, str]) -> Pair:
    """Join two languages by message, in the order of the keys."""
    dropped = {"missing": 0, "plural": 0, "untranslated": 0}
    lines = []
    for key in sorted(pivot):
        english = key[1].rpartition(CONTEXT_END)[2]
        texts = pivot[key], target.get(key)
        if texts[1] is None:
            dropped["missing"] += 1
        elif not all(texts):
            dropped["plural"] += 1
        elif english in texts:
            dropped["untranslated"] += 1
        else:
            lines.append(tuple(_LINE_BREAKS.sub(" ", text) for text in texts))
    assert len(pivot) == len(lines) + sum(dropped.values())
    return Pair(lines, {"read": len(pivot), "kept": len(lines), "dropped": dropped})


def _read_compiled(path: str) -> Dict[str, str]:
    data = open_whole(path)
    try:
        # The class has no public way to list its messages.
        catalogue = gettext.GNUTranslations(io.BytesIO(data))._catalog
    except (OSError, ValueError, LookupError, EOFError) as error:
        raise SwcmError("{}: {}".format(path, error))
    except Exception as error:  # struct.error and the like: the module trusts the file's offsets
        raise SwcmError("{}: cut or damaged ({})".format(path, error))
    messages = {}
    for identifier, text in catalogue.items():
        if isinstance(identifier, tuple):  # (id, number of the plural form)
            messages[identifier[0]] = ""
        elif identifier:  # the empty id holds the catalogue's header
            messages[identifier] = text
    return messages


def _read_text(path: str) -> Dict[str, str]:
    problems = Problems()
    messages: Dict[str, str] = {}
    entry: Dict[str, str] = {}
    last = ""
    fuzzy = False
    for number, line in enumerate(read_lines(path, problems), start=1):
        line = (line or "").strip()
        match = _ENTRY.match(line)
        if line.startswith("#"):
            fuzzy = fuzzy or (line.startswith("#,") and "fuzzy" in line)
        elif match:
            name = match.group(1)
            if name in entry or (name in ("msgctxt", "msgid") and "msgid" in entry):
                _add(messages, entry, fuzzy=False)
                entry = {}
            entry[name] = _unquoted(match.group(2), path, number, problems)
            last = name
        elif line.startswith('"') and last:
            entry[last] += _unquoted(line, path, number, problems)
        elif line:
            problems.add("{}, line {}: no line of a catalogue".format(path, number))
        else:
            _add(messages, entry, fuzzy)
            entry, last, fuzzy = {}, "", False
    _add(messages, entry, fuzzy)
    problems.raise_if_any("a catalogue that cannot be read")
    return messages


def _add(messages: Dict[str, str], entry: Dict[str, str], fuzzy: bool) -> None:
    if not entry.get("msgid") or fuzzy:
        return
    identifier = (entry["msgctxt"] + CONTEXT_END if "msgctxt" in entry else "") + entry["msgid"]
    if "msgid_plural" in entry:
        messages[identifier] = ""
    elif entry.get("msgstr"):
        messages[identifier] = entry["msgstr"]


def _unquoted(text: str, path: str, number: int, problems: Problems) -> str:
    try:
        value = ast.literal_eval(text)  # a catalogue's strings are C's, whose escapes are Python's too
        value.encode("utf-8")
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = None
    if not isinstance(value, str):
        problems.add("{}, line {}: no text in quotation marks".format(path, number))
        return ""
    return value
