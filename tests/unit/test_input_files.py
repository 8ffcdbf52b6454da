"""Whatever holds bytes is read, what cannot be is named with what to do."""

import bz2
import gzip
import io
import lzma
import os
import tarfile
import threading
import time
import zipfile

import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st

from swcm_fairseq import input_files
from swcm_fairseq.errors import SwcmError
from swcm_fairseq.input_files import (
    check_fetched,
    check_inputs,
    open_input,
    pipes_kept,
    read_json,
    read_text,
)
from swcm_fairseq.packed_streams import DamagedInput, packing_of

PACK = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
}
RUSSIAN = "Сегодня хорошая погода, мы идём в горы. Дети учатся в школе и читают книги."


def read(path):
    with open_input(str(path)) as stream:
        return stream.read()


@pytest.fixture
def feed(tmp_path):
    """A pipe into which a thread writes ``data``, ``size`` bytes at a time."""
    threads = []

    def make(data, size=None, name="pipe"):
        path = tmp_path / name
        os.mkfifo(str(path))

        def write():
            with open(str(path), "wb", buffering=0) as stream:
                for start in range(0, len(data), size or len(data)):
                    stream.write(data[start : start + (size or len(data))])
                    time.sleep(0.001 if size else 0)

        threads.append(threading.Thread(target=write, daemon=True))
        threads[-1].start()
        return str(path)

    yield make
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("data", [b"", b"a\n", os.urandom(700_000)], ids=["empty", "short", "long"])
def test_what_is_packed_is_told_by_its_first_bytes(tmp_path, kind, data):
    path = tmp_path / "a.txt"
    path.write_bytes(PACK[kind](data))
    assert read(path) == data


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd"])
def test_several_streams_in_a_file_are_one_text(tmp_path, kind):
    path = tmp_path / "a"
    path.write_bytes(PACK[kind](b"first\n" * 9000) + PACK[kind](b"second\n" * 9000))
    assert read(path) == b"first\n" * 9000 + b"second\n" * 9000


@pytest.mark.parametrize("kind", PACK)
def test_packed_data_that_is_cut_short_gives_what_is_there_and_then_an_error(tmp_path, kind):
    data = os.urandom(1_300_000)  # bzip2's blocks are of 900,000
    path = tmp_path / "a"
    packed = PACK[kind](data)
    path.write_bytes(packed[: len(packed) * 3 // 4])
    found = b""
    with open_input(str(path)) as stream, pytest.raises(DamagedInput, match=kind + " data is cut short"):
        for _ in range(10_000):
            found += stream.read1(1 << 16)
    assert 0 < len(found) < len(data) and data.startswith(found)


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd"])
def test_packed_data_with_a_wrong_byte_is_an_error(tmp_path, kind):
    packed = bytearray(PACK[kind](b"".join(b"line %d\n" % i for i in range(20000))))
    packed[len(packed) // 2] ^= 0x55
    (tmp_path / "a").write_bytes(packed)
    # zstd's frames have no check of their own by default, so damage that unpacks cannot be seen.
    if kind != "zstd":
        with pytest.raises(DamagedInput):
            read(tmp_path / "a")


def test_zstd_without_its_library_names_the_command(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(PACK["zstd"](b"a\n"))
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    with pytest.raises(SwcmError, match="zstd -d .*pip install zstandard"):
        read(tmp_path / "a")


def archive(kind):
    stream = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(stream, "w") as made:
            made.writestr("a.txt", "a")
    else:
        with tarfile.open(fileobj=stream, mode="w") as made:
            made.addfile(tarfile.TarInfo("a.txt"), io.BytesIO())
    return stream.getvalue()


@pytest.mark.parametrize(
    "name, data, says",
    [
        ("a.txt", archive("zip"), "ZIP archive; unpack it first: unzip"),
        ("a.xlsx", archive("zip"), "office"),
        ("a.zip.gz", gzip.compress(archive("zip")), "ZIP archive"),
        ("a.tar", archive("tar"), "tar -xf"),
        ("a.tar.xz", lzma.compress(archive("tar")), "tar -xf"),
        ("a.gz", gzip.compress(gzip.compress(b"a\n")), "packed twice"),
        ("a.7z", b"7z\xbc\xaf\x27\x1c" + b"\0" * 50, "7z x"),
        ("a.Z", b"\x1f\x9d\x90" + b"a" * 50, "gzip -d"),
        ("a.lz4", b"\x04\x22\x4d\x18" + b"a" * 50, "lz4 -d"),
        ("a.parquet", b"PAR1\x15\x04" + b"a" * 50, "read_parquet"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 50, "CSV"),
        ("a.pdf", b"%PDF-1.7\n", "pdftotext"),
        ("a.txt", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4\n", "git lfs pull"),
        ("a.tmx", b'<?xml version="1.0"?>\n<tmx/>', "translate-toolkit"),
    ],
    ids=lambda value: value if isinstance(value, str) else "data",
)
def test_other_formats_are_named_with_what_to_do(tmp_path, name, data, says):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SwcmError) as caught:
        read(tmp_path / name)
    assert says in str(caught.value) and name in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["BZh is no bzip2\n", "BZh91\n", "PK\n", "PAR1 TY\n", "7z\n", "LZIP\n", "Rar!\n", "]\n", "{\n"]
)
def test_text_that_begins_like_another_format_is_text(tmp_path, text):
    (tmp_path / "a").write_bytes(text.encode())
    assert read(tmp_path / "a") == text.encode()


@given(st.binary(max_size=300))
@example(b"\x1f\x8b")
def test_any_bytes_come_out_or_are_refused(data):
    path = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"swcm-any-bytes-{os.getpid()}")
    with open(path, "wb") as stream:
        stream.write(data)
    try:
        assert read(path) == data
    except SwcmError:
        assert packing_of(data) or any(data.startswith(mark) for mark, _, _ in input_files._REFUSED)
    finally:
        os.remove(path)


@pytest.mark.parametrize("size", [None, 1, 7])
@pytest.mark.parametrize("kind", [None, "gzip", "zstd"])
def test_pipes_are_read_however_slowly_they_come(feed, kind, size):
    data = "қазақ\n".encode() * 40
    assert read(feed(PACK[kind](data) if kind else data, size)) == data


def test_a_pipe_can_be_kept_to_be_read_twice(feed, tmp_path):
    plain = tmp_path / "plain"
    plain.write_bytes(b"b\n")
    path = feed(gzip.compress(b"a\n"))
    with pipes_kept([path, str(plain)]):
        assert [read(path), read(path), read(plain)] == [b"a\n", b"a\n", b"b\n"]
    assert not input_files._COPIES


def test_all_that_is_no_file_is_named(tmp_path):
    paths = [str(tmp_path), str(tmp_path / "none"), os.devnull, "a\0b"]
    with pytest.raises(SwcmError) as caught:
        check_inputs(paths)
    assert [path in problem for path, problem in zip((paths[0], paths[1], paths[3]), caught.value.problems)] == [
        True
    ] * 3
    with pytest.raises(SwcmError, match="none: there is no such file"):
        check_inputs([str(tmp_path / "none")])


def test_whole_texts(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"\xef\xbb\xbfa\r\nb")
    assert read_text(str(path)) == "a\r\nb"
    path.write_bytes(b"a\n" + RUSSIAN.encode("cp1251"))
    with pytest.raises(SwcmError, match="line 2: not UTF-8 .*WINDOWS-1251: iconv -f WINDOWS-1251"):
        read_text(str(path))
    path.write_bytes(b"a\n\nb\xff\n")
    with pytest.raises(SwcmError, match="line 3: not UTF-8 .*0xff"):
        read_text(str(path))


@pytest.mark.parametrize(
    "data, says",
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"\n<!DOCTYPE html>\n<html>", "web page"),
        (b"<HTML><head>", "web page"),
    ],
)
def test_what_downloads_leave_in_a_models_place_is_named(tmp_path, data, says):
    (tmp_path / "model.safetensors").write_bytes(data)
    with pytest.raises(SwcmError, match=says):
        check_fetched(str(tmp_path / "model.safetensors"))
    (tmp_path / "config.json").write_bytes(b"{}")
    check_fetched(str(tmp_path / "config.json"))


@pytest.mark.parametrize(
    "text, says",
    [
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "it has 'c' twice"),
        ("{", "is not JSON"),
        ("[" * 100000, "is not JSON"),
        ("", "is empty"),
        ("<!doctype HTML>", "web page"),
    ],
)
def test_settings_that_cannot_be_read_are_one_error(tmp_path, text, says):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(SwcmError, match=says):
        read_json(str(tmp_path / "config.json"))
    (tmp_path / "config.json").write_text('{"a": [1.5, null]}')
    assert read_json(str(tmp_path / "config.json")) == {"a": [1.5, None]}
