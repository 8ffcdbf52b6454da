"""Each format by itself: what its fields are called, and what cannot be read."""

import gzip
import json

from swcm_preprocess.lines import Problems
from swcm_preprocess.readers import FORMATS, format_of
from swcm_preprocess.readers.translations import Catalogues, Message, join, read_catalogue, read_catalogues

import pytest

from swcm_fairseq.errors import SwcmError
from tests.support.hostile_files import compiled_catalogue


def read(kind, path, data, problems=None):
    """The records of ``data``; without ``problems`` there may be none."""
    path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
    noted = problems or Problems()
    records = list(FORMATS[kind](str(path), noted))
    assert problems or not noted.number, noted.named
    return records


@pytest.fixture
def file(tmp_path):
    return tmp_path / "file"


@pytest.mark.parametrize(
    "name, kind",
    [("a.jsonl.gz", "jsonl"), ("b/a.JSON", "json"), ("a.csv", "csv"), ("x.po", "gettext"), ("x.gz", None), ("x", None)],
)
def test_names_tell_the_format(name, kind):
    assert format_of(name) == kind


def test_json_lines_reach_inside_and_skip_blank_lines(file):
    data = '{"a": "x", "b": {"c": ["y", 3, null, true]}}\n\n{"a": "\\u0441"}\n'
    assert read("jsonl", file, data) == [{"a": "x", "b.c.0": "y", "b.c.1": "3"}, {"a": "с"}]
    assert read("jsonl", file, gzip.compress(data.encode("utf-8")))[1] == {"a": "с"}


@pytest.mark.parametrize(
    "line, problem",
    [
        ("[1]", "line 2: no object"),
        ('{"a": ', "line 2: not JSON"),
        ("[" * 100000, "line 2: not JSON"),
        ('{"a": "\\ud800"}', "line 2: field a holds"),
        (b'{"a": "\xff"}', "line 2: field a holds"),
    ],
)
def test_a_bad_json_line_is_named_and_the_others_are_read(file, line, problem):
    problems = Problems()
    line = line if isinstance(line, bytes) else line.encode("utf-8")
    records = read("jsonl", file, b'{"a": "1"}\n' + line + b'\n{"a": "3"}\n', problems)
    assert records == [{"a": "1"}, None, {"a": "3"}]
    assert len(problems.named) == 1 and problem in problems.named[0]


def test_json_lists(file):
    records = [{"zh": "好", "translation": {"kk": "жақсы"}}, {"zh": "坏"}]
    expected = [{"zh": "好", "translation.kk": "жақсы"}, {"zh": "坏"}]
    for data in (records, {"version": "1", "data": records}):
        for indent in (None, 2):
            assert read("json", file, json.dumps(data, indent=indent)) == expected
    assert read("json", file, " [ ] ") == []


@pytest.mark.parametrize("data", ["", "{}", '{"a": 1}', "[1", '[{"a": "b"} {}]', '[{"a": "b"},', "x"])
def test_what_is_no_list_is_one_error(file, data):
    with pytest.raises(SwcmError, match="file"):
        read("json", file, data, Problems())


def test_questions_in_every_shape(file):
    expected = [{"context": "C", "question": "Q", "answer": "A"}]
    flat = {"context": "C", "question": "Q"}
    for answer in (
        {"answer": "A"},
        {"answers": [{"text": "A", "answer_start": 5}]},
        {"answers": ["A"]},
        {"answer": {"text": "A"}},
    ):
        record = dict(flat, **answer)
        assert read("squad", file, json.dumps([record])) == expected
        assert read("squad", file, json.dumps(record) + "\n" + json.dumps(record) + "\n") == expected * 2
    nested = {"title": "T", "paragraphs": [{"context": "C", "qas": [{"question": "Q", "id": "1", "answers": ["A"]}]}]}
    assert read("squad", file, json.dumps({"data": [nested]})) == [dict(expected[0], title="T", id="1")]


def test_every_answer_once(file):
    expected = {"context": "C", "question": "Q", "answer": "A", "answer.2": "B", "answer.3": "D"}
    texts = ["A", "B", "A", "D", "B"]
    for answers in ({"text": texts, "answer_start": [0, 1]}, [{"text": text} for text in texts], texts):
        assert read("squad", file, json.dumps([{"context": "C", "question": "Q", "answers": answers}])) == [expected]


def test_questions_without_context_are_noted(file):
    problems = Problems()
    data = {"data": [{"paragraphs": [{"qas": [{"question": "Q"}]}, 3]}, 5, {"context": "C", "question": "Q"}]}
    records = read("squad", file, json.dumps(data), problems)
    assert records == [None, None, None, {"context": "C", "question": "Q"}]
    assert problems.named[1].startswith("{}, record 1, question 2: ".format(file))


def test_tables(file):
    data = 'id,title,content\n1,"a ""b""","c\r\nd, e"\n\n2,f,g\n'
    expected = [{"id": "1", "title": 'a "b"', "content": "c\nd, e"}, {"id": "2", "title": "f", "content": "g"}]
    assert read("csv", file, b"\xef\xbb\xbf" + data.encode("utf-8")) == expected
    assert read("tsv", file, 'zh\tkk\n"好\tжақсы "\n') == [{"zh": '"好', "kk": 'жақсы "'}]
    assert read("csv", file, "") == []


def test_rows_that_are_no_rows(file):
    problems = Problems()
    assert read("csv", file, b"a,b\n1\n2,\xff\n3,4\n", problems) == [None, None, {"a": "3", "b": "4"}]
    assert ["line 2: 1 cells" in problems.named[0], "line 3: field b" in problems.named[1]] == [True, True]
    for broken in ('a,b\n1,"2\n', 'a,b\n1,"2"3\n', "a,a\n1,2\n"):
        with pytest.raises(SwcmError, match="file"):
            read("csv", file, broken)


PO = """
# a comment
msgid ""
msgstr "Language: kk\\n"

#, fuzzy
msgid "guess"
msgstr "x"

msgctxt "menu"
msgid "Open"
msgstr ""
"Аш"
"у\\n"

msgid "none"
msgstr ""

msgid "file"
msgid_plural "files"
msgstr[0] "файл"
#~ msgid "old"
#~ msgstr "ескі"

msgid "Close"
msgstr "Жабу \\"x\\""
"""


def messages_of(path):
    """Identifier, translation and reason of every message."""
    return [(message.identifier, message.text, message.left_out) for message in read_catalogue(str(path))]


def test_catalogues(tmp_path):
    path = tmp_path / "kk.po"
    path.write_text(PO, encoding="utf-8")
    expected = [
        ("guess", "x", "fuzzy"),
        ("menu\x04Open", "Ашу\n", ""),
        ("none", "", "untranslated"),
        ("file", "файл", ""),
        ("old", "ескі", "obsolete"),
        ("Close", 'Жабу "x"', ""),
    ]
    assert messages_of(path) == expected
    compiled = tmp_path / "kk.mo"
    compiled.write_bytes(compiled_catalogue({"": "Content-Type: text/plain; charset=UTF-8\n", "Open": "Ашу"}))
    assert list(FORMATS["gettext"](str(compiled), Problems())) == [{"context": "", "source": "Open", "text": "Ашу"}]
    assert read_catalogues(str(tmp_path)).messages[("kk.po", "Close")].text == 'Жабу "x"'
    compiled.write_bytes(compiled.read_bytes()[:40])
    with pytest.raises(SwcmError, match="kk.mo"):
        messages_of(compiled)
    path.write_text('msgid "a"\nmsgstr b\nrubbish\n', encoding="utf-8")
    with pytest.raises(SwcmError) as caught:
        messages_of(path)
    assert [problem.split(": ")[0] for problem in caught.value.problems] == [
        "{}, line {}".format(path, n) for n in (2, 3)
    ]


def test_catalogues_are_joined_by_message():
    def catalogues(texts, left_out=()):
        messages = {
            key: Message("", key[1], text, "" if text else "untranslated", key[1] == "4") for key, text in texts.items()
        }
        return Catalogues(messages, dict(left_out))

    pivot = {
        ("a", "1"): "一",
        ("a", "2"): "2",
        ("a", "3"): "三",
        ("a", "4"): "四",
        ("a", "5"): "五\n5",
        ("a", "6"): "六",
    }
    target = {
        ("a", "1"): "бір",
        ("a", "2"): "екі",
        ("a", "4"): "төрт",
        ("a", "5"): "бес",
        ("a", "6"): "",
        ("b", "3"): "ү",
    }
    pair = join(catalogues(pivot, {"obsolete": 2}), catalogues(target, {"obsolete": 5}))
    assert pair.lines == [("一", "бір"), ("五 5", "бес")]
    assert pair.counts == {
        "read": 8,
        "kept": 2,
        "dropped": {"missing": 1, "plural": 1, "untranslated": 2, "obsolete": 2},
    }
