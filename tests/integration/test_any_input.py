"""Whatever the file, its name, the locale, or a pipe in its place: nothing is lost and the bytes are the same."""

import collections
import csv
import gettext
import gzip
import io
import json
import os
import random
import shutil
import subprocess
import sys

from swcm_preprocess.readers import FORMATS
from swcm_preprocess.text_lines import Problems

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swcm_fairseq.errors import SwcmError
from tests.support.hostile_files import compiled_catalogue
from tests.support.tiny_encoder import make_encoder_folder, train_sentencepiece

# Letters of several scripts, what formats use as signs, what ends lines for some, and what is no letter at all.
SIGNS = "aқ中བ\U0001f600 \t\r\n\"',;\\{}[]:#%=~_0\0\x0b\x85\u2028\ufeff"
TEXTS = st.text(SIGNS, max_size=12)
# Bytes that are no UTF-8 now and then.
BYTES = st.lists(st.one_of(TEXTS.map(str.encode), st.sampled_from([b"\xff", b"\xd2", b"\n", b"\r\n"])), max_size=12)


def units(kind, data, tmp_path_factory):
    """What a reader makes of ``data``: records kept and counted, and in all; None where the file is refused."""
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(data)
    problems = Problems()
    try:
        records = list(FORMATS[kind](str(path), problems))
    except SwcmError:
        return None, 0
    assert records.count(None) == problems.number
    return [record for record in records if isinstance(record, dict)], len(records)


@given(BYTES)
@settings(max_examples=100, deadline=None)
def test_lines(tmp_path_factory, parts):
    data = b"".join(parts)
    kept, number = units("text", data, tmp_path_factory)
    if kept is None:
        return  # what looks like UTF-16 or a packed file
    plain = data[3:] if data.startswith(b"\xef\xbb\xbf") else data
    lines = plain.split(b"\n") if b"\n" in plain else plain.split(b"\r")
    lines = lines if lines[-1] else lines[:-1]
    lines = [line[:-1] if line.endswith(b"\r") else line for line in lines]
    assert number == len(lines)
    assert [record["text"] for record in kept] == [
        line.decode() for line in lines if line.decode("utf-8", "ignore").encode() == line
    ]


NAMES = st.text(SIGNS, min_size=1, max_size=4)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)
RECORDS = st.dictionaries(NAMES, VALUES, max_size=3)


def flat(value, path=()):
    """``(path, text)`` of all texts and numbers in a value."""
    if isinstance(value, dict):
        return [pair for name, member in value.items() for pair in flat(member, path + (name,))]
    if isinstance(value, list):
        return [pair for number, member in enumerate(value) for pair in flat(member, path + (str(number),))]
    if isinstance(value, bool) or value is None or value != value or value in (float("inf"), float("-inf")):
        return []
    return [(".".join(path), str(value))]


@given(st.lists(st.one_of(RECORDS, VALUES), max_size=6), st.sampled_from(["jsonl", "json", "data"]), st.booleans())
@settings(max_examples=100, deadline=None)
def test_json(tmp_path_factory, values, form, ascii_only):
    if form == "jsonl":
        text = "".join(json.dumps(value, ensure_ascii=ascii_only) + "\n" for value in values)
    else:
        text = json.dumps(values, ensure_ascii=ascii_only)
        text = f'{{"meta": {{"data": 1}}, "data": {text}, "z": []}}' if form == "data" else text
    kept, number = units(
        "jsonl" if form == "jsonl" else "json", text.encode("utf-8", "surrogatepass"), tmp_path_factory
    )
    assert kept is not None and number == len(values)
    objects = [value for value in values if isinstance(value, dict)]
    wanted = [sorted(texts for _, texts in flat(value)) for value in objects]
    for record in kept:
        assert sorted(record.values()) in wanted
    # What is counted in place of kept has two values of one name.
    doubled = [value for value in objects if len({path for path, _ in flat(value)}) < len(flat(value))]
    assert len(kept) == len(objects) - len(doubled)


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6), st.sampled_from(["csv", "tsv"]), st.data())
@settings(max_examples=100, deadline=None)
def test_tables_as_python_writes_them(tmp_path_factory, rows, kind, data):
    """What the library writes comes back cell by cell, whatever it quotes, or the marks are asked about."""
    quoting = data.draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    rows = [tuple(cell.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n") for cell in row) for row in rows]
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter="," if kind == "csv" else "\t", quoting=quoting, lineterminator="\n")
    writer.writerow(["first", "second"])
    writer.writerows(rows)
    kept, number = units(kind, stream.getvalue().encode(), tmp_path_factory)
    assert kept is None or [(row["first"], row["second"]) for row in kept] == rows and number == len(rows)
    assert kept is not None or kind == "tsv"


STATES = ("", "fuzzy", "obsolete", "untranslated", "plural", "one form", "duplicate")


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r") + '"'


@given(st.lists(st.tuples(st.sampled_from(STATES), TEXTS, st.booleans()), max_size=8), st.booleans(), st.randoms())
@settings(max_examples=100, deadline=None)
def test_catalogues(tmp_path_factory, entries, one_form, rng):
    """Entries in every state, with and without blank lines and comments between them, and as msgfmt compiles them."""
    lines = [
        'msgid ""',
        f'msgstr "Content-Type: text/plain; charset=UTF-8\\nPlural-Forms: nplurals={2 - one_form};\\n"',
    ]
    expected, messages = collections.Counter(), {}
    for number, (state, text, parted) in enumerate(entries):
        text = text.replace("\0", "") + "x"
        source = f"{number} {text}"
        lines += [""] * parted + [f"#: a.c:{number}", "# note"] * rng.choice([0, 1])
        lines += ["#, fuzzy"] * (state == "fuzzy")
        mark = "#~ " * (state == "obsolete")
        if state == "duplicate" and messages:
            source = next(iter(messages))
        lines.append(mark + "msgid " + quoted(source))
        if state in ("plural", "one form"):
            lines += ["msgid_plural " + quoted(source + "s"), "msgstr[0] " + quoted(text)]
            lines += ["msgstr[1] " + quoted(text)] * (not one_form)
            state = "" if one_form else "plural"
        else:
            lines.append(mark + "msgstr " + quoted("" if state == "untranslated" else text))
        if state == "duplicate" and source not in messages:
            state = ""
        if not state:
            messages.setdefault(source, text)
        expected[state] += 1
    text = rng.choice(["\n", "\r\n"]).join(lines + [""])
    kept, number = units("gettext", text.encode(), tmp_path_factory)
    assert kept is not None and number == len(entries) == sum(expected.values())
    assert len(kept) == expected[""] and [record["text"] for record in kept] == list(messages.values())
    # Python's own reader of compiled catalogues sees the same.
    compiled = compiled_catalogue({"": "Content-Type: text/plain; charset=UTF-8\n", **messages})
    theirs = gettext.GNUTranslations(io.BytesIO(compiled))
    kept, number = units("gettext", compiled, tmp_path_factory)
    assert number == len(kept) == len(messages)
    assert all(theirs.gettext(record["source"]) == record["text"] for record in kept)


@given(
    st.lists(st.lists(st.lists(st.sampled_from(["good", "no question", "null"]), max_size=3), max_size=3), max_size=3)
)
@settings(max_examples=100, deadline=None)
def test_questions(tmp_path_factory, articles):
    made = {"good": {"question": "Q", "answers": [{"text": "A"}]}, "no question": {"id": "1"}, "null": None}
    data = [
        {
            "title": "T",
            "paragraphs": [{"context": "C", "qas": [made[kind] for kind in paragraph]} for paragraph in article],
        }
        for article in articles
    ]
    every = [kind for article in articles for paragraph in article for kind in paragraph]
    for text in (json.dumps({"version": "1", "data": data}), json.dumps(data, indent=1)):
        kept, number = units("squad", text.encode(), tmp_path_factory)
        assert number == len(every) and len(kept) == every.count("good")


# ------------------------------------------------------------------ names, locales and pipes

LOCALES = {
    "utf-8": {"PYTHONIOENCODING": "utf-8:strict", "LC_ALL": "C.UTF-8"},
    "c": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii:strict"},
    "gbk": {"PYTHONIOENCODING": "gbk:strict"},
    "latin-1": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": "latin-1:strict"},
}
TEXT = "Бүгін  ауа райы жақсы\nབོད་ཡིག་གི་ཚིག\nБіз тауға барамыз\n今天天气很好\n"
QUESTIONS = "Ауа райы қалай?\nЧто?\nҚайда?\n如何？\n"

#: Command -> its module, and its arguments, in which IN is the input and OUT where the outputs go. The input is a file,
#: for split a folder of a pair, and for build-dict an encoder.
COMMANDS = {
    "read": ("swcm_preprocess.read", ["--format", "text", "--take", "x=text", "--out", "OUT/r", "IN"]),
    "clean": ("swcm_preprocess.clean", ["--text", "IN", "--lang", "kk", "--out", "OUT/c"]),
    "mrc": (
        "swcm_preprocess.mrc",
        ["--question", "q", "--passage", "IN", "--answer", "q", "--spm", "spm", "--out", "OUT/m"],
    ),
    "encode": ("swcm_preprocess.encode", ["--spm", "spm", "--out", "OUT", "IN"]),
    "score": (
        "swcm_fairseq.scoring.command",
        ["--lang", "kk", "--hyp", "IN", "--ref", "q", "--json", "--metrics", "chrf"],
    ),
    "split": (
        "swcm_preprocess.split",
        ["--pairs", "IN/zh-kk", "--pivot", "zh", "--valid", "2", "--test", "2", "--out", "OUT/s"],
    ),
    "prune": ("swcm_preprocess.prune_encoder", ["--encoder", "encoder", "--corpus", "IN", "--out", "OUT/p"]),
    "extend-vocab": (
        "swcm_preprocess.extend_vocab",
        ["--encoder", "encoder", "--lang", "bo", "--text", "IN", "--pieces", "9", "--out", "OUT/e"],
    ),
    "build-dict": ("swcm_preprocess.build_dict", ["--encoder", "IN", "--langs", "zh,kk", "--out", "OUT/dict.txt"]),
}
SIDES = {
    "zh": "打开文件\n今天天气很好\n学校\n山上的羊\n保存\n北京\n",
    "kk": "есікті аш\nбүгін\nмектеп\nқой\nсақта\nБейжің\n",
}
# Those that load torch, which takes a second or two each time.
SLOW = {"prune", "extend-vocab", "build-dict"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "spm").write_bytes(train_sentencepiece([TEXT, QUESTIONS] * 20, 300))
    (folder / "q").write_text(QUESTIONS, encoding="utf-8")
    make_encoder_folder(folder / "encoder", layers=1)
    return folder


def lay(folder, command, name, stdin=False):
    """Make the input of ``command`` under ``name``, with what comes by standard input left to that."""
    path = os.path.join(os.fsencode(str(folder)), name)
    if command == "build-dict":
        shutil.copytree(os.fsencode(str(folder / "encoder")), path)
        return
    files = {path: TEXT}
    if command == "split":
        os.mkdir(path)
        files = {os.path.join(path, b"zh-kk." + side.encode()): text for side, text in SIDES.items()}
    for place, text in files.items():
        if stdin and not place.endswith(b".kk"):
            os.symlink("/dev/stdin", place)
            continue
        with open(place, "wb") as stream:
            stream.write(text.encode())


def nameless(value, name):
    """A JSON value with ``name`` among its keys, at any depth, called IN."""
    if isinstance(value, dict):
        return {"IN" if key == name else key: nameless(one, name) for key, one in value.items()}
    return value


def outcome(folder, repo, command, source, locale, out, stdin=None):
    """The bytes of all that a command wrote, names and standard output among them; its input may come by a pipe."""
    module, arguments = COMMANDS[command]
    os.makedirs(os.path.join(os.fsencode(str(folder)), out))
    values = [os.fsencode(one).replace(b"OUT", out).replace(b"IN", source) for one in arguments]
    program = f"import sys, {module} as m; sys.exit(m.cli())"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    environment.update(LOCALES[locale], PYTHONPATH=os.pathsep.join([str(repo), str(repo / "preprocess")]))
    done = subprocess.run(
        [os.fsencode(sys.executable), b"-c", program.encode(), *values],
        cwd=str(folder),
        env=environment,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr.decode(errors="replace")[-2000:]
    written = {}
    for place, _, names in os.walk(os.path.join(os.fsencode(str(folder)), out)):
        for name in names:
            with open(os.path.join(place, name), "rb") as stream:
                # encode.py's output has the name of its input.
                data = stream.read()
            if name.endswith(b".json") and command in SLOW:  # reports say of each file what became of it
                data = json.dumps(nameless(json.loads(data), os.fsdecode(source)), sort_keys=True).encode()
            written["output" if name == os.path.basename(source) else name] = data
    if command == "score":
        scores = json.loads(done.stdout)
        written["scores"] = json.dumps({key: value for key, value in scores.items() if "IN" not in key}, sort_keys=True)
    return written


@pytest.mark.parametrize("command", COMMANDS)
def test_names_locales_and_pipes_make_no_difference(folder, repo, command):
    rng = random.Random(command)
    plain = command.encode() + b"-plain"
    lay(folder, command, plain)
    expected = outcome(folder, repo, command, plain, "utf-8", command.encode() + b"0")
    assert all(expected.values())
    for number, locale in enumerate(["c", "gbk"] if command in SLOW else LOCALES):
        # Any bytes make a name but a slash and a zero; dots stay out for the names of outputs.
        name = (
            bytes(rng.choice([0xD6, 0xD0, 0xFF, 0x80, 0x41, 0x20, 0x25, 0x7B, 0x0A, 0x27]) for _ in range(6))
            + "қ".encode()
        )
        lay(folder, command, name)
        out = f"{command}{number + 1}".encode() + name
        assert outcome(folder, repo, command, name, locale, out) == expected, (name, locale)
    if command != "build-dict":
        pipe = command.encode() + b"-pipe"
        lay(folder, command, pipe, stdin=True)
        sent = gzip.compress((SIDES["zh"] if command == "split" else TEXT).encode())
        assert outcome(folder, repo, command, pipe, "utf-8", pipe + b"-out", sent) == expected


def test_what_a_file_is_called_stands_in_the_counts_in_every_locale(folder, repo):
    name = os.path.join(os.fsencode(str(folder)), "қ\n".encode() + b"\xd6")
    with open(name, "wb") as stream:
        stream.write(b"a\nb\xff\n")
    found = []
    for number, locale in enumerate(LOCALES):
        module, arguments = COMMANDS["read"]
        COMMANDS["with drop"] = (module, arguments + ["--unreadable", "drop"])
        written = outcome(folder, repo, "with drop", name, locale, f"counts{number}".encode())
        found.append(json.loads(written[b"r.counts.json"]))
    del COMMANDS["with drop"]
    assert all(one == found[0] for one in found)
    (problem,) = found[0]["unreadable"]
    assert os.fsencode(problem).startswith(name + b", line 2")
