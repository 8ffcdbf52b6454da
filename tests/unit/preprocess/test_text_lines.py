import gzip
import os

from swcm_preprocess import text_lines as lines_module
from swcm_preprocess.text_lines import (
    MOST_NAMED,
    Problems,
    in_order,
    read_aligned,
    read_blocks,
    read_lines,
    split_lines,
)

import pytest

from swcm_fairseq.errors import SwcmError


def write(path, data):
    path.write_bytes(data)
    return str(path)


@pytest.mark.parametrize(
    "data, lines",
    [
        (b"", []),
        (b"a\nb\n", ["a", "b"]),
        (b"a\nb", ["a", "b"]),
        (b"a\r\n\r\nb\r\n", ["a", "", "b"]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", ["a", "\ufeffb"]),
        # Signs that str.splitlines ends lines at.
        ("a\x0bb\x85c\u2028d\x1ce\n".encode("utf-8"), ["a\x0bb\x85c\u2028d\x1ce"]),
        (b"a\x00b\n", ["a\x00b"]),
        # Carriage returns end lines where there is no line feed at all.
        (b"a\rb\r", ["a", "b"]),
        (b"\xef\xbb\xbfa\r\rb", ["a", "", "b"]),
        (b"a\rb\nc\rd", ["a\rb", "c\rd"]),
        (b"\r", [""]),
    ],
)
def test_lines(tmp_path, data, lines):
    problems = Problems()
    assert list(read_lines(write(tmp_path / "text", data), problems)) == lines
    assert problems.number == 0


def test_every_undecodable_line_is_named_with_file_and_line(tmp_path):
    good = write(tmp_path / "good", b"a\nb\nc\n")
    # Cut UTF-8, and a lone surrogate.
    bad = write(tmp_path / "bad", b"a\n\xd2\nc\xed\xa0\x80\n")
    with pytest.raises(SwcmError) as caught:
        list(read_aligned([good, bad]))
    assert [problem.split(": ")[0] for problem in caught.value.problems] == [bad + ", line 2", bad + ", line 3"]


def test_many_bad_lines_are_counted(tmp_path):
    bad = write(tmp_path / "bad", b"x\xff\n" * (MOST_NAMED + 5))
    with pytest.raises(SwcmError) as caught:
        list(read_aligned([bad]))
    assert len(caught.value.problems) == MOST_NAMED + 1
    assert caught.value.problems[-1] == "and 5 more"


def test_utf16_is_told_apart(tmp_path):
    with pytest.raises(SwcmError, match="UTF-16"):
        list(read_aligned([write(tmp_path / "text", "текст".encode("utf-16"))]))


@pytest.mark.parametrize("shorter", [0, 1])
def test_different_lengths_are_an_error_with_both_numbers(tmp_path, shorter):
    paths = [write(tmp_path / "a", b"1\n2\n3\n"), write(tmp_path / "b", b"1\n2\n3\n")]
    write(tmp_path / "ab"[shorter], b"1\n2\n")
    with pytest.raises(SwcmError) as caught:
        list(read_aligned(paths))
    assert f"{paths[shorter]} has {2}" in str(caught.value)
    assert f"{paths[1 - shorter]} has {3}" in str(caught.value)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1 << 18])
@pytest.mark.parametrize("packed", [False, True])
def test_blocks_of_any_size_are_the_file_in_whole_lines(tmp_path, size, packed):
    data = b"\xef\xbb\xbffirst\r\n\n\nlonger than a block\n\xef\xbb\xbfa\rb\r\r\nno end"
    path = write(tmp_path / "text", gzip.compress(data) if packed else data)
    blocks = list(read_blocks(path, size))
    assert b"".join(blocks) == data[3:]
    assert all(block.endswith(b"\n") for block in blocks[:-1])
    expected = [b"first", b"", b"", b"longer than a block", b"\xef\xbb\xbfa\rb\r", b"no end"]
    assert [line for block in blocks for line in split_lines(block)] == expected
    assert (len(blocks) == 2) == (size > len(data))  # the last line has no end


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_the_longest_line(tmp_path, monkeypatch, size):
    monkeypatch.setattr(lines_module, "LONGEST", 10)
    fits = write(tmp_path / "fits", b"a\n" + b"b" * 10 + b"\nc\n")
    assert b"".join(read_blocks(fits, size)) == b"a\n" + b"b" * 10 + b"\nc\n"
    if size < 1000:  # lines inside of a block are not long by then
        with pytest.raises(SwcmError, match="line 2: longer than"):
            list(read_blocks(write(tmp_path / "long", b"a\n" + b"b" * 20 + b"\nc\n"), size))


def test_gzip_that_is_cut_short_is_named_behind_the_last_line(tmp_path):
    data = gzip.compress(b"".join(b"line %d\n" % i for i in range(20000)))
    path = write(tmp_path / "text.gz", data[: len(data) // 2])
    read = []
    with pytest.raises(SwcmError, match="gzip data is cut short") as caught:
        for block in read_blocks(path):
            read += split_lines(block)
    assert f"behind line {len(read)}:" in str(caught.value) and 0 < len(read) < 20000
    assert read == [b"line %d" % i for i in range(len(read))]


@pytest.mark.parametrize("size", [1, 3, 1 << 18])
def test_files_of_carriage_returns_alone_in_blocks_of_any_size(tmp_path, size):
    data = b"first\r\rsecond line\r\xd0\xb0 end"
    blocks = list(read_blocks(write(tmp_path / "text", data), size))
    assert [line for block in blocks for line in split_lines(block)] == data.split(b"\r")


def test_a_long_file_of_carriage_returns_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(lines_module, "LONGEST", 100)
    data = b"0123456789\r" * 50
    assert b"".join(read_blocks(write(tmp_path / "text", data), 30)) == data.replace(b"\r", b"\n")
    # Where a line feed comes before a line would be too long, carriage returns are text.
    data = b"01234\r" * 10 + b"\n" + b"01234\r" * 10
    assert b"".join(read_blocks(write(tmp_path / "text", data), 30)) == data


def test_a_file_in_another_encoding_is_named_as_such(tmp_path):
    text = "今天天气很好，我们去山上看羊。\nascii\n" * 3
    path = write(tmp_path / "text", text.encode("gb18030"))
    with pytest.raises(SwcmError) as caught:
        list(read_aligned([path]))
    assert caught.value.problems[0].startswith(
        path + ": most of it is not UTF-8; it looks like GB18030: iconv -f GB18030"
    )
    assert caught.value.problems[1].startswith(path + ", line 1: ")
    # A damaged line among others is just that.
    path = write(tmp_path / "text", text.encode() + "今天天气很好，我们去山上看羊。\n".encode("gb18030"))
    with pytest.raises(SwcmError) as caught:
        list(read_aligned([path]))
    assert [problem.split(": ")[0] for problem in caught.value.problems] == [path + ", line 7"]


def test_parts_are_in_the_order_of_their_names_and_pipes_as_given(tmp_path):
    names = [write(tmp_path / name, b"") for name in "ba"]
    pipes = []
    for _ in range(3):
        reading, writing = os.pipe()
        os.close(writing)
        pipes.append(f"/dev/fd/{reading}")
    given = [(pipes[2],), (names[0],), (pipes[0],), (names[1],), (pipes[1],)]
    assert [path for (path,) in in_order(given)] == [names[1], names[0], pipes[2], pipes[0], pipes[1]]
    with pytest.raises(SwcmError, match="given twice"):
        in_order([(pipes[0],), (pipes[0],)])
    for pipe in pipes:
        os.close(int(pipe.split("/")[-1]))
