import os
import resource
import signal
import stat
import subprocess
import sys

import pytest

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.files import atomic_files, atomic_folder, atomic_write, only_writer, refuse_overwrite


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


# ---------------------------------------------------------------------- several files that belong together


def three(folder):
    return [str(folder / name) for name in ("counts", "zh", "kk")]


def write_three(folder, text, **options):
    with atomic_files(three(folder), **options) as streams:
        for stream in streams:
            stream.write(text)


def test_files_take_their_names_together_and_the_first_last(tmp_path, monkeypatch):
    named, replace = [], os.replace

    def watched(source, target):
        named.append(os.path.basename(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    with atomic_files(three(tmp_path)) as streams:
        for stream in streams:
            stream.write("new")
        assert not [name for name in names(tmp_path) if not name.startswith(".")]
    assert sorted(named[:2]) == ["kk", "zh"] and named[2] == "counts"
    assert names(tmp_path) == ["counts", "kk", "zh"]


def test_one_that_exists_is_enough_to_refuse(tmp_path):
    (tmp_path / "kk").write_text("mine")
    with pytest.raises(SwcmError, match="kk exists already"):
        write_three(tmp_path, "new")
    assert names(tmp_path) == ["kk"] and (tmp_path / "kk").read_text() == "mine"
    write_three(tmp_path, "new", force=True)
    assert (tmp_path / "kk").read_text() == "new"


@pytest.mark.parametrize("moment", [0, 1, 2])
def test_a_kill_among_the_names_is_made_good_by_the_next_run(tmp_path, monkeypatch, moment):
    replace, moments = os.replace, iter(range(3))

    def killed(source, target):
        if next(moments) == moment:
            os._exit(9)
        replace(source, target)

    child = os.fork()
    if not child:
        os.replace = killed
        write_three(tmp_path, "first")
    assert os.WEXITSTATUS(os.waitpid(child, 0)[1]) == 9
    assert not (tmp_path / "counts").exists()
    assert len([name for name in ("zh", "kk") if (tmp_path / name).exists()]) == moment
    write_three(tmp_path, "second")
    assert names(tmp_path) == ["counts", "kk", "zh"]
    assert {(tmp_path / name).read_text() for name in names(tmp_path)} == {"second"}


def test_old_and_new_files_together_never_look_whole(tmp_path, monkeypatch):
    write_three(tmp_path, "old")
    replace = os.replace

    def killed(source, target):
        replace(source, target)
        raise ZeroDivisionError

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(ZeroDivisionError):
        write_three(tmp_path, "new", force=True)
    assert {path.read_text() for path in (tmp_path / "zh", tmp_path / "kk")} == {"old", "new"}
    assert not (tmp_path / "counts").exists()


def test_a_kill_between_the_old_folder_and_the_new_one_gives_the_old_one_back(tmp_path, monkeypatch):
    path, replace = tmp_path / "out", os.replace
    with atomic_folder(str(path)) as temporary:
        fill(temporary, "old")
    child = os.fork()
    if not child:
        os.replace = lambda source, target: (replace(source, target), os._exit(9))
        with atomic_folder(str(path), force=True) as temporary:
            fill(temporary, "new")
    assert os.WEXITSTATUS(os.waitpid(child, 0)[1]) == 9
    assert not path.exists()
    with pytest.raises(SwcmError, match="exists already"):
        with atomic_folder(str(path)):
            pass
    assert (path / "part").read_text() == "old" and names(tmp_path) == ["out"]


# ---------------------------------------------------------------------- two at once, and places that take nothing

WRITER = """
import sys, time
sys.path.insert(0, {root!r})
from swcm_fairseq import files
with getattr(files, sys.argv[1])(sys.argv[2]):
    print("begun", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(repo):
    """Start another process that is writing."""
    started = []

    def start(function, path):
        command = [sys.executable, "-c", WRITER.format(root=str(repo)), function, str(path)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE))
        assert started[-1].stdout.readline() == b"begun\n"
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("function", ["atomic_write", "atomic_folder"])
def test_a_second_writer_is_told_of_the_first(tmp_path, other, function):
    path = tmp_path / "out"
    first = other(function, path)
    with pytest.raises(SwcmError, match=f"out is being written by process {first.pid} on"):
        with {"atomic_write": atomic_write, "atomic_folder": atomic_folder}[function](str(path)):
            pytest.fail("the work must not begin")
    first.send_signal(signal.SIGKILL)
    first.wait()
    with {"atomic_write": atomic_write, "atomic_folder": atomic_folder}[function](str(path)):
        pass
    assert names(tmp_path) == ["out"], "and nothing of the killed one is left"


def test_a_lock_whose_file_was_removed_is_not_one(tmp_path):
    """Its owner has ended between our opening of the file and our locking of it."""
    name = str(tmp_path / ".out.lock")
    opened, real = [], os.open

    def removed_meanwhile(path, *rest):
        handle = real(path, *rest)
        opened.append(path)
        if len(opened) == 1:
            os.remove(path)
        return handle

    os.open = removed_meanwhile
    try:
        with only_writer(str(tmp_path / "out")):
            assert os.path.exists(name)
    finally:
        os.open = real
    assert opened == [name, name] and names(tmp_path) == []


@pytest.mark.parametrize("place", ["/proc/swcm/out", "file/out"])
def test_a_place_that_takes_nothing_is_named(tmp_path, place):
    (tmp_path / "file").write_text("")
    path = os.path.join(str(tmp_path), place)
    with pytest.raises(SwcmError, match=f"{place} cannot be written: "):
        with atomic_write(path):
            pass


@pytest.mark.parametrize("function", [atomic_write, atomic_folder])
def test_a_full_disk_is_named_and_the_old_output_stays(tmp_path, function):
    path = tmp_path / "out"
    with function(str(path)) as out:
        fill(out, "old") if function is atomic_folder else out.write("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(SwcmError, match="out could not be written: .*make room"):
            with function(str(path), *([True] if function is atomic_folder else [])) as out:
                fill(out, "new" * 1000) if function is atomic_folder else out.write("new" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (path / "part" if function is atomic_folder else path).read_text() == "old"
    assert names(tmp_path) == ["out"]
