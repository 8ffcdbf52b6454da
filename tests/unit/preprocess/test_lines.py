import gzip

from swcm_preprocess import lines as lines_module
from swcm_preprocess.lines import MOST_NAMED, Problems, read_aligned, read_blocks, read_lines, split_lines

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
    assert "{} has {}".format(paths[shorter], 2) in str(caught.value)
    assert "{} has {}".format(paths[1 - shorter], 3) in str(caught.value)


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
    assert "behind line {}:".format(len(read)) in str(caught.value) and 0 < len(read) < 20000
    assert read == [b"line %d" % i for i in range(len(read))]
