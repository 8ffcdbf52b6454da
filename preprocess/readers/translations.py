"""Catalogues of gettext, the translations of programs: compiled (.mo) and as text (.po), told apart by their start.

Every message comes out, or with the reason why it is none to learn from: it is obsolete, fuzzy (a guess that nobody
has looked at), untranslated, stands there a second time, or has several plural forms, of which none is the translation
of the English one. A language with one form for all numbers, as Chinese and Kazakh are, gives that.
"""

import collections
import glob
import os
import re
import struct
import typing
from typing import Dict, Iterator, List, NamedTuple, Set, Tuple, Union

from swcm_preprocess.text_lines import Problems, open_whole, without_mark

import polib

from swcm_fairseq.encodings import decode, encoding_hint
from swcm_fairseq.errors import SwcmError

from .json_records import checked_text

# gettext puts this between a message's context and its English text.
CONTEXT_END = "\x04"
_LINE_BREAKS = re.compile(r"[\r\n]+")
_COMPILED = {b"\xde\x12\x04\x95": "<", b"\x95\x04\x12\xde": ">"}  # the order of bytes in the numbers
_CHARSET = re.compile(rb"Content-Type:[^\n]*charset=([\w.:-]+)")
_FORMS = re.compile(r"nplurals\s*=\s*(\d+)")
_LEGAL = re.compile(r'(?:#~ )?(?:(?:msgctxt|msgid|msgid_plural|msgstr|msgstr\[\d\]) )?"(?:[^"\\]|\\.)*"')
_BY_NUMBER = re.compile(r"(?<!\\)(?:\\\\)*\\[0-7x]")
_KEYWORD = re.compile(r'(msg\w+(?:\[\d\])?)\s*(?=")')
_LINE = re.compile(r"\(line (\d+)\)(?:: (.*))?")

Key = Tuple[str, str]  # name of the catalogue, message id


class LeftOut(NamedTuple):
    """A record that the format itself marks as none to learn from, and why."""

    reason: str


class Message(NamedTuple):
    """A message: its context, the English text, the translation, and why it is none to learn from, or ""."""

    context: str
    source: str
    text: str
    left_out: str = ""
    plural: bool = False  # the one form for all numbers; the English is then the plural's
    identifier: str = ""  # context, U+0004 and the English singular, or that alone


class Catalogues(NamedTuple):
    """The messages below a folder by catalogue and id, and how many have none of their own, under each reason."""

    messages: Dict[Key, Message]
    left_out: Dict[str, int]


class Pair(NamedTuple):
    """What joining two languages gave: lines (pivot, target), and counts that add up."""

    lines: List[Tuple[str, str]]
    counts: Dict[str, object]


def read_catalogue(path: str) -> Iterator[Message]:
    """Every message of a catalogue, in the order of the file.

    Raises:
        SwcmError: the file is cut, damaged or no catalogue.
    """
    data = open_whole(path)
    entries, forms, more = _compiled(data, path) if data[:4] in _COMPILED else _as_text(data, path)
    seen: Set[str] = set()
    for entry in entries:
        identifier = entry.msgid if entry.msgctxt is None else entry.msgctxt + CONTEXT_END + entry.msgid
        text, source, reason = entry.msgstr, entry.msgid, ""
        if entry.msgid_plural:
            number = forms or len(entry.msgstr_plural)
            text, source = entry.msgstr_plural.get(0, ""), entry.msgid_plural
            if number != 1 and any(entry.msgstr_plural.values()):
                reason = "plural"
        if entry.obsolete:
            reason = "obsolete"
        elif identifier in seen:
            reason = "duplicate"
        elif "fuzzy" in entry.flags:
            reason = "fuzzy"
        elif not reason and not text:
            reason = "untranslated"
        if not entry.obsolete:
            seen.add(identifier)
        yield Message(entry.msgctxt or "", source, text, reason, bool(entry.msgid_plural), identifier)
    for _ in range(more):
        yield Message("", "", "", "system_dependent")


def read_catalogues(folder: str) -> Catalogues:
    """Every message of the ``LC_MESSAGES/*.mo`` files below ``folder``, or of its ``*.po`` files.

    Raises:
        SwcmError: no catalogue below ``folder``, or some that cannot be read (all are named).
    """
    below = os.path.join(glob.escape(folder), "**")
    paths = sorted(glob.glob(os.path.join(below, "LC_MESSAGES", "*.mo"), recursive=True))
    paths = paths or sorted(glob.glob(os.path.join(below, "*.po"), recursive=True))
    if not paths:
        raise SwcmError(f"{folder}: no gettext catalogue (LC_MESSAGES/*.mo, or *.po) in this folder")
    messages: Dict[Key, Message] = {}
    left_out: typing.Counter[str] = collections.Counter()
    problems = []
    for path in paths:
        try:
            for message in read_catalogue(path):
                key = os.path.basename(path), message.identifier
                if message.left_out in ("obsolete", "duplicate", "system_dependent"):
                    left_out[message.left_out] += 1
                else:
                    left_out["duplicate"] += key in messages  # in a folder beside this one
                    messages[key] = message
        except (SwcmError, OSError) as error:
            problems.append(str(error))
    if problems:
        raise SwcmError("catalogues that cannot be read", problems)
    return Catalogues(messages, +left_out)


def read_catalogue_records(path: str, problems: Problems) -> Iterator[Union[Dict[str, str], LeftOut, None]]:
    """Each message of one catalogue as ``context``, ``source`` (the English) and ``text`` (the translation)."""
    for message in read_catalogue(path):
        if message.left_out:
            yield LeftOut(message.left_out)
        else:
            fields = {"context": message.context, "source": message.source, "text": message.text}
            yield checked_text(fields, f"{path}, message {message.source[:40]!r}", problems)


def join(pivot: Catalogues, target: Catalogues) -> Pair:
    """Join two languages by message, in the order of the keys.

    Messages with plural forms are counted and left out: the one form of a language may stand for several of another.
    """
    dropped = collections.Counter(missing=0, plural=0, untranslated=0)
    dropped.update(pivot.left_out)
    lines = []
    for key in sorted(pivot.messages):
        pair = pivot.messages[key], target.messages.get(key)
        there = [message for message in pair if message]
        texts = [message.text for message in there]
        reasons = {message.left_out for message in there}
        if len(there) < 2:
            dropped["missing"] += 1
        elif any(message.plural for message in there):
            dropped["plural"] += 1
        elif "fuzzy" in reasons:
            dropped["fuzzy"] += 1
        elif "untranslated" in reasons or key[1].rpartition(CONTEXT_END)[2] in texts:
            dropped["untranslated"] += 1
        else:
            lines.append((_LINE_BREAKS.sub(" ", texts[0]), _LINE_BREAKS.sub(" ", texts[1])))
    return Pair(lines, {"read": len(lines) + sum(dropped.values()), "kept": len(lines), "dropped": dict(dropped)})


class _Lines(str):
    """Text whose lines end at line feeds alone; the parser asks ``splitlines``, which also ends them at other signs."""

    def splitlines(self, keepends: bool = False) -> List[str]:
        return self.split("\n")


def _as_text(data: bytes, path: str) -> Tuple[List[polib.POEntry], int, int]:
    lines = [_bare(line) for line in re.split(r"\r\n|\n|\r", _decoded(data, path))]
    problems = Problems()
    for number, line in enumerate(lines, start=1):
        if not line or line.startswith("#,"):
            continue
        if not _LEGAL.fullmatch(line):
            problems.add(f"{path}, line {number}: no line of a catalogue")
        elif _BY_NUMBER.search(line):
            problems.add(f"{path}, line {number}: a character by its number; msgcat {path} > NEW writes it")
    problems.raise_if_any("a catalogue that cannot be read")
    try:
        catalogue = polib.pofile(_Lines("\n".join(lines) + "\n"), encoding="utf-8")
    except OSError as error:
        place = _LINE.search(str(error))
        if not place:
            raise SwcmError(f"{path}: {error}")
        more = place.group(2) or "this cannot stand here"
        raise SwcmError(f"{path}, line {place.group(1)}: {more}; msgfmt --check {path} may tell more")
    forms = _FORMS.search(catalogue.metadata.get("Plural-Forms", ""))
    return list(filter(_is_message, catalogue)), int(forms.group(1)) if forms else 0, 0


def _is_message(entry) -> bool:
    return bool(entry.msgid) or entry.msgctxt is not None  # the empty id is the header's


def _bare(line: str) -> str:
    """A line without what the parser does not need, and in the one form that it reads; comments become blank."""
    line = line.strip()
    for mark in ("#~", "#,"):
        if line.startswith(mark):
            rest = line[2:].strip()
            return mark + " " + _KEYWORD.sub(r"\1 ", rest, count=1) if rest and rest[0] not in "|#" else ""
    return "" if line.startswith("#") else _KEYWORD.sub(r"\1 ", line, count=1)


def _decoded(data: bytes, path: str) -> str:
    """The text of a catalogue, in the encoding that its header names."""
    found = _CHARSET.search(data)
    name = found.group(1).decode("ascii") if found else "UTF-8"
    if name.upper() in ("UTF-8", "UTF8", "CHARSET", "ASCII", "US-ASCII"):  # CHARSET stands in templates
        return decode(path, data)
    try:
        return without_mark(data, path).decode(name)
    except LookupError:
        raise SwcmError(f"{path}: charset={name} is unknown here; convert it: msgconv -t UTF-8 {path} > NEW")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        hint = encoding_hint(path, data[data.rfind(b"\n", 0, error.start) + 1 :])
        raise SwcmError("{}, line {}: not {}, as its header says; {}".format(path, line, name, hint or "correct it"))


def _compiled(data: bytes, path: str) -> Tuple[List[polib.MOEntry], int, int]:
    order = _COMPILED[data[:4]]
    try:
        revision, number, *tables = struct.unpack_from(order + "IIII", data, 4)
        # The parser takes what there is of a text that goes beyond the end.
        for table in tables:
            for place in range(table, table + 8 * number, 8):
                length, start = struct.unpack_from(order + "II", data, place)
                if start + length > len(data):
                    raise ValueError("a text goes beyond the end of the file")
        more = struct.unpack_from(order + "I", data, 36)[0] if revision & 0xFFFF else 0
        length, start = struct.unpack_from(order + "II", data, tables[1]) if number else (0, 0)
        found = _CHARSET.search(data[start : start + length])  # the header's, which is the first one
        catalogue = polib.mofile(data, encoding=found.group(1).decode("ascii") if found else "utf-8")
    except (OSError, ValueError, LookupError, struct.error) as error:
        raise SwcmError(f"{path}: cut, damaged or not as its header says ({error})")
    forms = _FORMS.search(catalogue.metadata.get("Plural-Forms", ""))
    return list(filter(_is_message, catalogue)), int(forms.group(1)) if forms else 0, more
