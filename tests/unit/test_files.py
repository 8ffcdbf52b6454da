import os
import stat

import pytest

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.files import atomic_folder, atomic_write, refuse_overwrite


def names(folder):
    return sorted(os.listdir(str(folder)))


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "out.txt"
    with atomic_write(str(path)) as stream:
        stream.write("ä\n")
        stream.flush()
        assert not path.exists()
    assert path.read_bytes() == b"\xc3\xa4\n"
    assert names(path.parent) == ["out.txt"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError):
        with atomic_write(str(path), "wb") as stream:
            stream.write(b"half")
            raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["out.bin"]


def test_outputs_have_the_permissions_that_open_gives(tmp_path):
    mask = os.umask(0o027)
    try:
        with atomic_write(str(tmp_path / "file")):
            pass
        with atomic_folder(str(tmp_path / "folder")):
            pass
    finally:
        os.umask(mask)
    assert stat.S_IMODE(os.stat(str(tmp_path / "file")).st_mode) == 0o640
    assert stat.S_IMODE(os.stat(str(tmp_path / "folder")).st_mode) == 0o750


def fill(folder, text):
    with open(os.path.join(folder, "part"), "w") as stream:
        stream.write(text)


def test_a_folder_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "out"
    path.mkdir()  # an empty one is no finished output
    with atomic_folder(str(path)) as temporary:
        fill(temporary, "new")
        assert names(path) == []
    assert (path / "part").read_text() == "new"
    assert names(tmp_path) == ["out"]


def test_a_failed_folder_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError):
        with atomic_folder(str(tmp_path / "out")) as temporary:
            fill(temporary, "half")
            raise ZeroDivisionError
    assert names(tmp_path) == []


def test_a_finished_output_is_replaced_only_by_force(tmp_path):
    path = tmp_path / "out"
    with atomic_folder(str(path)) as temporary:
        fill(temporary, "old")
    with pytest.raises(SwcmError, match="--force"):
        with atomic_folder(str(path)):
            pytest.fail("the work must not begin")
    with pytest.raises(ZeroDivisionError):
        with atomic_folder(str(path), force=True):
            raise ZeroDivisionError
    assert (path / "part").read_text() == "old"
    with atomic_folder(str(path), force=True) as temporary:
        fill(temporary, "new")
    assert (path / "part").read_text() == "new"


def test_what_counts_as_a_finished_output(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    refuse_overwrite(str(tmp_path / "none"), force=False)
    refuse_overwrite(str(tmp_path / "empty"), force=False)
    refuse_overwrite(str(tmp_path / "file"), force=True)
    for name in ("file", ""):
        with pytest.raises(SwcmError, match="exists already"):
            refuse_overwrite(str(tmp_path / name), force=False)
