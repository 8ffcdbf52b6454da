"""Each format by itself: what its fields are called, and what cannot be read."""

import gzip
import json
import struct

from swcm_preprocess.readers import CSV, FORMATS, TSV, LeftOut, format_of, read_table, why_not_read
from swcm_preprocess.readers.translations import Catalogues, Message, join, read_catalogue, read_catalogues
from swcm_preprocess.text_lines import Problems

import pytest

from swcm_fairseq.errors import SwcmError
from tests.support.hostile_files import compiled_catalogue
from tests.support.in_process import run_script


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
    [
        ("a.jsonl.gz", "jsonl"),
        ("b/a.JSON", "json"),
        ("a.csv", "csv"),
        ("x.po", "gettext"),
        ("KK.PO", "gettext"),
        ("a.tsv.ZST", "tsv"),
        ("a.txt.xz", "text"),
        ("a.tmx", None),
        ("x.gz", None),
        ("x", None),
    ],
)
def test_names_tell_the_format(name, kind):
    assert format_of(name) == kind


@pytest.mark.parametrize(
    "name, says", [("a.tmx", "Moses"), ("b/A.XLF.gz", "xliff2po"), ("a.txt.zip", "unzip a.txt.zip")]
)
def test_names_of_what_is_not_read_say_what_to_do(name, says):
    assert says in why_not_read(name)
    assert not any(why_not_read(known) for known in ("a.txt", "a", "a.kk.gz", "a.po"))


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
        ('{"a": "1", "b": "2", "a": "3"}', "line 2: the field 'a' stands twice"),
        ('{"b": [{"c": "1", "c": "1"}]}', "line 2: the field 'c' stands twice"),
        ('{"a.b": "1", "a": {"b": "2"}}', "line 2: the field 'a.b' stands twice"),
        ('{"a": "1"} {"a": "2"}', "line 2: not JSON (Extra data"),
        ("null", "line 2: no object"),
        ("NaN", "line 2: no object"),
    ],
)
def test_a_bad_json_line_is_named_and_the_others_are_read(file, line, problem):
    problems = Problems()
    line = line if isinstance(line, bytes) else line.encode("utf-8")
    records = read("jsonl", file, b'{"a": "1"}\n' + line + b'\n{"a": "3"}\n', problems)
    assert records == [{"a": "1"}, None, {"a": "3"}]
    assert len(problems.named) == 1 and problem in problems.named[0]


def test_numbers_are_as_written_and_what_is_no_number_is_missing(file):
    line = '{"a": NaN, "b": -Infinity, "c": 1.50, "d": 1e400, "e": 12345678901234567890123, "f": -0.0, "g": [1, NaN]}'
    expected = {"c": "1.50", "d": "1e400", "e": "12345678901234567890123", "f": "-0.0", "g.0": "1"}
    assert read("jsonl", file, line) == [expected]
    assert read("json", file, "[" + line + "]") == [expected]


def test_the_list_called_data_may_stand_anywhere(file):
    expected = [{"zh": "一"}, {"zh": "二"}]
    records = '[{"zh": "一"}, {"zh": "二"}]'
    for text in (
        '{"meta": {"data": [{"zh": "no"}]}, "data": %s}',
        '{"version": "v1 [beta] {\\"data\\": [", "data":%s, "more": [1, {"a": 2}]}',
        '\n{ "a" : 1.5 , "data" : %s }\n',
        '{"' + "long" * 5000 + '": 0, "data": %s}',
        '{"data": %s}',
    ):
        assert read("json", file, text % records) == expected


@pytest.mark.parametrize(
    "data, says",
    [
        ('[{"a": "b"}] [{"a": "c"}]', "more follows at character 14"),
        ('[{"a": "b"}],', "more follows"),
        ('{"data": [{"a": "b"}]}\n{"data": [{"a": "c"}]}', "more follows"),
        ('{"data": [{"a": "b"}], "data": [{"a": "c"}]}', "'data' stands twice"),
        ('{"data": {"train": [{"a": "b"}]}}', "--format jsonl"),
        ('{"train": [{"a": "b"}], "test": []}', "lists there are called 'train' 'test'"),
        ('{"a": "b"}\n{"a": "c"}\n', "--format jsonl"),
        ('{"data": [{"a": "b"}]', "is missing"),
        ('{"data": [{"a": "b"}}', "not JSON"),
    ],
)
def test_what_follows_a_document_or_hides_in_it_is_an_error(file, data, says):
    with pytest.raises(SwcmError) as caught:
        read("json", file, data, Problems())
    assert says in str(caught.value) and "--format json;" not in str(caught.value)


@pytest.mark.parametrize(
    "kind, data, says",
    [
        ("jsonl", '[{"a": "b"},\n{"a": "c"}]\n', "--format json"),
        ("jsonl", '{\n"a": "b"\n}\n', "jq -c"),
        ("jsonl", '{"a": "今天天气很好我们去山上看羊"}\n'.encode("gb18030") * 3, "iconv -f GB18030"),
        ("json", '[{"a": "今天天气很好我们去山上看羊"}]'.encode("gb18030"), "iconv -f GB18030"),
        ("csv", "a,b\nСегодня хорошая погода,мы идём в горы\n".encode("cp1251"), "iconv -f WINDOWS-1251"),
    ],
)
def test_records_that_all_fail_for_one_reason_say_it(file, kind, data, says):
    problems = Problems()
    records = read(kind, file, data, problems)
    assert records.count(None) == len(records) == problems.number > 0
    assert says in problems.in_words()[0]


@pytest.mark.parametrize("kind", ["text", "jsonl", "json", "squad", "csv", "tsv", "gettext"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_wide_characters_are_named_whatever_the_format(file, kind, encoding):
    text = {"csv": "a,b\nc,d\n", "tsv": "a\tb\nc\td\n", "gettext": PO, "text": "Open\n"}.get(
        kind, '[{"question": "Q"}]'
    )
    with pytest.raises(SwcmError, match="iconv -f UTF-16"):
        read(kind, file, text.encode(encoding), Problems())


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


def test_questions_as_cmrc_writes_them(file):
    element = {"context_id": "A_0", "context_text": "C", "title": "T"}
    element["qas"] = [{"query_id": "A_0_Q0", "query_text": "Q", "answers": ["A", "B"]}]
    expected = {"context": "C", "title": "T", "question": "Q", "id": "A_0_Q0", "answer": "A", "answer.2": "B"}
    assert read("squad", file, json.dumps([element])) == [expected]
    assert read("squad", file, json.dumps(element) + "\n" + json.dumps(element) + "\n") == [expected] * 2


def test_questions_with_doubled_names(file):
    problems = Problems()
    data = '[{"context": "C", "qas": [{"question": "Q", "question": "R"}, {"question": "S"}]}]'
    assert read("squad", file, data, problems) == [None, {"context": "C", "question": "S"}]
    assert "'question' stands twice" in problems.named[0]
    # Nobody knows how many questions such an article had.
    for data in ('[{"paragraphs": [], "paragraphs": []}]', '[{"context": "C", "qas": [], "qas": []}]'):
        with pytest.raises(SwcmError, match="stands twice around questions"):
            read("squad", file, data, Problems())


def test_questions_under_other_names_show_those(file):
    problems = Problems()
    assert read("squad", file, '[{"frage": "Q", "text": "C"}]', problems) == [None]
    assert "its fields: 'frage' 'text'" in problems.named[0]


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
    assert problems.named[1].startswith(f"{file}, record 1, question 2: ")


def test_tables(file):
    data = 'id,title,content\n1,"a ""b""","c\r\nd, e"\n\n2,f,g\n'
    expected = [{"id": "1", "title": 'a "b"', "content": "c\nd, e"}, {"id": "2", "title": "f", "content": "g"}]
    assert read("csv", file, b"\xef\xbb\xbf" + data.encode("utf-8")) == expected
    assert read("tsv", file, 'zh\tkk\n"好\tжақсы "\n') == [{"zh": '"好', "kk": 'жақсы "'}]
    assert read("csv", file, "") == []


def table(path, data, **form):
    """The rows of ``data``, read as TSV but for ``form``."""
    path.write_bytes(data.encode("utf-8"))
    problems = Problems()
    rows = list(read_table(str(path), problems, TSV._replace(**form)))
    assert not problems.number, problems.named
    return [list(row.values()) for row in rows]


@pytest.mark.parametrize(
    "data, rows",
    [
        # As pandas and Excel write it: marks where they are needed, doubled inside.
        ('a\tb\n"x ""y"""\tz\n"1\n2"\t"3\t4"\n', [['x "y"', "z"], ["1\n2", "3\t4"]]),
        ('"a"\t"b"\n"x"\t"y"\n', [["x", "y"]]),  # all in marks
        ('"a"\t"b"\n"x"\t5\n', [["x", "5"]]),  # all but numbers
        # Text: a mark where no table leaves one.
        ('a\tb\n"x\ty "\n', [['"x', 'y "']]),
        ('a\tb\nx "y"\tz\n', [['x "y"', "z"]]),
        ('a\tb\n"x" y\t"z"\n', [['"x" y', '"z"']]),
        ('a\tb\n"x\ty"\n', [['"x', 'y"']]),  # a cell with a tab would be one too few
        ('a\tb\n5"\tx\n', [['5"', "x"]]),
        ('a\tb\n"\tx\ny\tz\n', [['"', "x"], ["y", "z"]]),  # no end
        ("a\tb\nx\ty\n", [["x", "y"]]),
    ],
)
def test_tab_separated_cells_show_what_their_quotation_marks_are(file, data, rows):
    assert table(file, data) == rows


def test_quotation_marks_that_may_be_either_are_asked_about(file):
    data = 'a\tb\n"Hello!"\the said\n'
    with pytest.raises(SwcmError, match="--quotes text or --quotes table"):
        table(file, data)
    assert table(file, data, quotes="text") == [['"Hello!"', "he said"]]
    assert table(file, data, quotes="table") == [["Hello!", "he said"]]


def test_tables_without_names_and_with_other_delimiters(file):
    file.write_text("x;y\nz;x\n")
    assert list(read_table(str(file), Problems(), CSV._replace(delimiter=";", header=False))) == [
        {"1": "x", "2": "y"},
        {"1": "z", "2": "x"},
    ]
    with pytest.raises(SwcmError, match="two columns have the same name.*--no-header"):
        read("csv", file, "a,a\n1,2\n")
    # A blank line is the one cell of its row, or no row.
    assert read("tsv", file, "a\nx\n\ny\n") == [{"a": "x"}, {"a": ""}, {"a": "y"}]
    assert read("tsv", file, "a\tb\n\nx\ty\n") == [{"a": "x", "b": "y"}]


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
    assert [problem.split(": ")[0] for problem in caught.value.problems] == [f"{path}, line {n}" for n in (2, 3)]


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


HEAD = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\nPlural-Forms: nplurals={}; plural=n != 1;\\n"\n'


@pytest.mark.parametrize(
    "text, expected",
    [
        # A comment belongs to the entry behind it, with or without blank lines.
        ('#, fuzzy\nmsgid "a"\nmsgstr "1"\nmsgid "b"\nmsgstr "2"\n', [("a", "1", "fuzzy"), ("b", "2", "")]),
        ('msgid "a"\nmsgstr "1"\n#, fuzzy\n#~ msgid "b"\n#~ msgstr "2"\n#: x.c:1\nmsgid "c"\nmsgstr "3"\n',
         [("a", "1", ""), ("b", "2", "obsolete"), ("c", "3", "")]),
        ('#,fuzzy,c-format\nmsgid "a"\nmsgstr "1"\n\n#, c-format\nmsgid "b"\nmsgstr "2"\n',
         [("a", "1", "fuzzy"), ("b", "2", "")]),
        ('#| msgid "old"\n#, fuzzy\n#| "more"\nmsgid "a"\nmsgstr "1"\n', [("a", "1", "fuzzy")]),
        # The last entry, whatever comment follows it.
        ('msgid "a"\nmsgstr "1"\n#:\n', [("a", "1", "")]),
        ('msgid "a"\nmsgstr "1"\n#~| msgid "x"\n#~ msgid "b"\n#~ msgstr "2"\n#~\n',
         [("a", "1", ""), ("b", "2", "obsolete")]),
        ('#~msgid "b"\n#~"c"\n#~msgstr "2"\n', [("bc", "2", "obsolete")]),
        ('msgid "a"\nmsgstr "1"\nmsgid "a"\nmsgstr "2"\nmsgctxt "x"\nmsgid "a"\nmsgstr "3"\n',
         [("a", "1", ""), ("a", "2", "duplicate"), ("x\x04a", "3", "")]),
        # An obsolete entry does not make the same message a duplicate.
        ('#~ msgid "a"\n#~ msgstr "0"\nmsgid "a"\nmsgstr "1"\n', [("a", "0", "obsolete"), ("a", "1", "")]),
        # Signs at which Python ends lines, and not gettext.
        ('msgid "a"\nmsgstr "1\u2028 2\x0b\x85"\n', [("a", "1\u2028 2\x0b\x85", "")]),
        ('msgid "a\\"b\\\\" \nmsgstr"\\t1\\n"\n', [('a"b\\', "\t1\n", "")]),
        ('msgid "a"\r\nmsgstr ""\r\n"1"\r\n', [("a", "1", "")]),
        ('msgid "a"\rmsgstr "1"\r', [("a", "1", "")]),
        ("", []),
        (HEAD.format(2), []),
    ],
)  # fmt: skip
def test_every_message_of_a_catalogue_in_its_own_state(file, text, expected):
    file.write_bytes(text.encode("utf-8"))
    assert messages_of(file) == expected
    file.write_bytes(b"\xef\xbb\xbf" + text.encode("utf-8"))
    assert messages_of(file) == expected


PLURAL = 'msgid "one file"\nmsgid_plural "%d files"\nmsgstr[0] "%d файл"\n'


@pytest.mark.parametrize(
    "text, expected",
    [
        (HEAD.format(1) + PLURAL, {"context": "", "source": "%d files", "text": "%d файл"}),
        (PLURAL, {"context": "", "source": "%d files", "text": "%d файл"}),
        (HEAD.format(2) + PLURAL + 'msgstr[1] "файлдар"\n', LeftOut("plural")),
        (HEAD.format(2) + PLURAL, LeftOut("plural")),
        (HEAD.format(1) + "#, fuzzy\n" + PLURAL, LeftOut("fuzzy")),
        (HEAD.format(1) + PLURAL.replace("%d файл", ""), LeftOut("untranslated")),
        (HEAD.format(2) + PLURAL.replace("%d файл", "") + 'msgstr[1] ""\n', LeftOut("untranslated")),
    ],
)
def test_a_language_with_one_form_gives_it_and_others_are_counted(file, text, expected):
    assert read("gettext", file, text) == [expected]
    if "msgstr[1]" not in text and "fuzzy" not in text and '[0] ""' not in text:
        pairs = {"": text.split('msgstr "')[1].split('"\n')[0].replace("\\n", "\n")} if text != PLURAL else {}
        compiled = compiled_catalogue({**pairs, "one file\0%d files": "%d файл"})
        assert read("gettext", file, compiled) == [expected]


def test_catalogues_in_other_encodings(file):
    head = 'msgid ""\nmsgstr "Content-Type: text/plain; charset={}\\n"\n\nmsgid "Open"\nmsgstr "{}"\n'
    for charset, text in (("windows-1251", "Ашу"), ("GB18030", "打开\u6a5c"), ("KOI8-R", "ещё"), ("UTF-8", "қ")):
        file.write_bytes(head.format(charset, text).encode(charset))
        assert messages_of(file) == [("Open", text, "")]
    for charset, encoding, says in (
        ("UTF-8", "cp1251", "line 5: not UTF-8.*iconv"),
        ("x-none", "utf-8", "charset=x-none is unknown here.*msgconv"),
        ("GB18030", "latin-1", "line 5: not GB18030"),
    ):
        text = "\xff\xff" if encoding == "latin-1" else "Файлды ашу"
        file.write_bytes(head.format(charset, text).encode(encoding))
        with pytest.raises(SwcmError, match=says):
            messages_of(file)


@pytest.mark.parametrize(
    "text, line",
    [
        ('msgid "a"\nmsgstr "1" "2"\n', 2),
        ('msgid "a"\nmsgstr "1\n', 2),
        ('msgid "a"\nmsgstr 1\n', 2),
        ('msgid "a"\nmsgid "b"\nmsgstr "1"\n', 2),
        ('msgstr "1"\n', 1),
        ('msgid "a"\n\nmsgstr "\\303\\251"\n', 3),
        ("domain x\n", 1),
    ],
)
def test_what_is_no_catalogue_is_named_by_its_line(file, text, line):
    file.write_text(text)
    with pytest.raises(SwcmError) as caught:
        messages_of(file)
    assert f"{file}, line {line}:" in str(caught.value)


def test_compiled_catalogues_are_told_by_their_start_and_read_whole_or_not(file):
    messages = {"": "Content-Type: text/plain; charset=UTF-8\n", "charset=x": "1", "m\x04Open": "Ашу", "zz": ""}
    data = compiled_catalogue(messages)
    assert read("gettext", file, data) == [
        {"context": "", "source": "charset=x", "text": "1"},
        {"context": "m", "source": "Open", "text": "Ашу"},
        LeftOut("untranslated"),
    ]
    for cut in (3, 10, 30, len(data) - 8, len(data) - 2):
        file.write_bytes(data[:cut])
        with pytest.raises(SwcmError, match="file"):
            messages_of(file)
    # A later revision may have messages that differ from system to system; they are counted.
    later = bytearray(compiled_catalogue({"": "charset=UTF-8\n", "a": "1"}))
    for start in range(28, 28 + 4 * 8, 8):  # make room for five more numbers
        later[start + 4 : start + 8] = struct.pack("<I", struct.unpack_from("<I", later, start + 4)[0] + 20)
    head = struct.unpack_from("<IIIIIII", later)
    later[:28] = struct.pack("<12I", head[0], 1, head[2], head[3] + 20, head[4] + 20, 0, 0, 0, 0, 3, 0, 0)
    assert (
        read("gettext", file, bytes(later))
        == [{"context": "", "source": "a", "text": "1"}] + [LeftOut("system_dependent")] * 3
    )


def test_names_that_another_delimiter_parts_are_told(file, tmp_path, capsys):
    file.write_text("zh;kk\nx;y\n")
    done = run_script(
        "read", ["--format", "csv", "--take", "zh=zh", "--out", tmp_path / "x", file], capsys, check=False
    )
    assert done.returncode == 1 and "there are: 'zh;kk'; that is several names in one" in done.stderr
    arguments = ["--format", "csv", "--delimiter", ";", "--take", "zh=zh", "--out", tmp_path / "x", file]
    run_script("read", arguments, capsys)
    assert (tmp_path / "x.zh").read_text() == "x\n"


@pytest.mark.parametrize(
    "takes, words",
    [
        (["a=a", "b=bb?"], "no record has the field 'bb'; there are: 'a' 'b' 'c.0'"),
        (["a=a+x?", "b=b"], "no record has the field 'x'"),
        (["a=a", "b=c.7?"], ""),  # a further one of several, which these records happen to lack
    ],
)
def test_a_field_that_no_record_has_is_an_error_even_where_it_may_be_empty(file, tmp_path, capsys, takes, words):
    file.write_text('{"a": "1", "b": "2"}\n{"a": "1", "c": ["3"]}\n')
    arguments = ["--format", "jsonl", "--take", *takes, "--out", tmp_path / "x", file]
    done = run_script("read", arguments, capsys, check=False)
    assert done.returncode == bool(words) and words in done.stderr
    assert (tmp_path / "x.counts.json").exists() != bool(words)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["a.tmx"], "Moses"),
        (["a.nothing"], "--format is needed"),
        (["--no-header", "a.jsonl"], "are for tables"),
        (["--delimiter", "ab", "a.csv"], "must be one sign"),
    ],
)
def test_what_read_cannot_do_is_said_before_it_starts(tmp_path, capsys, arguments, words):
    done = run_script("read", ["--take", "a=b", "--out", tmp_path / "x", *arguments], capsys, check=False)
    assert done.returncode == 2 and words in done.stderr


def test_messages_left_out_are_counted_under_their_reason(file, tmp_path, capsys):
    file.write_text(PO, encoding="utf-8")
    run_script("read", ["--format", "gettext", "--take", "kk=text", "--out", tmp_path / "x", file], capsys)
    counts = json.loads((tmp_path / "x.counts.json").read_text())
    assert counts == {
        "read": 6,
        "kept": 3,
        "dropped": {"fuzzy": 1, "obsolete": 1, "untranslated": 1},
        "lines": 3,
    }
