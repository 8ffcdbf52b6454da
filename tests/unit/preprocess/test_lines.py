import pytest

from preprocess.lines import MOST_NAMED, Problems, read_aligned, read_lines
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
