"""Text that stays in its file reads as the plain way reads it."""

import bz2
import gzip
import lzma
import os
import subprocess
import sys

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.scoring import lazy_lines as lines_module
from swcm_fairseq.scoring.corpus import read_lines
from swcm_fairseq.scoring.lazy_lines import Mapped


def plain(data):
    text = data.decode("utf-8-sig")
    found = text.split("\n") if "\n" in text else text.split("\r")
    found = found if found[-1] else found[:-1]
    return [line[:-1] if line.endswith("\r") else line for line in found]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text(alphabet="aқ中\u2028\u0085\r \ufeff😀", max_size=6), min_size=1, max_size=12),
    st.booleans(),
    st.integers(1, 9),
    st.booleans(),
)
def test_lines_are_those_of_the_plain_way(tmp_path_factory, texts, ended, block, packed):
    data = ("x" + "\n".join(texts) + "\n" * ended).encode("utf-8")
    path = tmp_path_factory.mktemp("lines") / "text"
    path.write_bytes(gzip.compress(data) if packed else data)
    old = lines_module._BLOCK, lines_module._RUN
    lines_module._BLOCK, lines_module._RUN = block, 3
    try:
        found = read_lines(str(path))
        assert list(found) == plain(data) == [found[place] for place in range(len(found))]
        assert found == plain(data) and found[-1] == plain(data)[-1] and found[1:3] == plain(data)[1:3]
        assert found != plain(data)[1:] and found != ["z"] * len(found)
    finally:
        lines_module._BLOCK, lines_module._RUN = old


def test_a_bad_byte_is_named_with_its_line_wherever_blocks_end(tmp_path, monkeypatch):
    for block in (1, 2, 3, 5, 1000):
        monkeypatch.setattr(lines_module, "_BLOCK", block)
        (tmp_path / "text").write_bytes("қа\nқ\n".encode("utf-8") + b"\xd0\nb\n")
        with pytest.raises(SwcmError, match="line 3: not UTF-8"):
            read_lines(str(tmp_path / "text"))


def test_a_pipe_is_read_as_a_file(tmp_path, repo):
    (tmp_path / "a").write_text("бір\nекі\n", encoding="utf-8")
    command = "from swcm_fairseq.scoring.command import main; import sys; sys.exit(main())"
    options = ["--lang", "kk", "--resamples", "0", "--json"]
    files = ["--hyp", "/dev/stdin", "--ref", str(tmp_path / "a")]
    done = subprocess.run(
        [sys.executable, "-c", command, *options, *files],
        input="бір\nекі\n".encode("utf-8"),
        stdout=subprocess.PIPE,
        env=dict(os.environ, PYTHONPATH=str(repo)),
    )
    assert done.returncode == 0 and b'"chrf": 100.0' in done.stdout


def test_damaged_gzip_is_said_to_be(tmp_path):
    (tmp_path / "text").write_bytes(gzip.compress(b"a\n" * 5000)[:-20])
    with pytest.raises(SwcmError, match="cut short or damaged"):
        read_lines(str(tmp_path / "text"))


def test_mapped():
    found = Mapped([1, 2, 3], str)
    assert found == ["1", "2", "3"] and found[1:] == ["2", "3"] and found[-1] == "3" and "2" in found


@pytest.mark.parametrize("packed", [bz2.compress, lzma.compress, zstandard.ZstdCompressor().compress, bytes])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_of_packed_files_and_whatever_ends_them(tmp_path, packed, end):
    lines = ["Біз", "", "тауға"]
    (tmp_path / "text").write_bytes(packed("".join(line + end for line in lines).encode("utf-8")))
    assert read_lines(str(tmp_path / "text")) == lines


@pytest.mark.parametrize(
    "data, says",
    [
        ("Біз тауға\n".encode("utf-16"), "iconv -f UTF-16"),
        (
            b"a\n" + "Мы идём в горы, дети учатся".encode("cp1251"),
            "line 2: not UTF-8; it looks like WINDOWS-1251: iconv",
        ),
        (b"PK\x03\x04" + b"a" * 50, "unzip"),
    ],
)
def test_what_is_no_text_is_named_with_what_to_do(tmp_path, data, says):
    (tmp_path / "text").write_bytes(data)
    with pytest.raises(SwcmError, match=says):
        read_lines(str(tmp_path / "text"))
