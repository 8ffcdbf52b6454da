import contextlib
import errno
import os
import resource
import shutil

import pytest
import torch

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.fairseq_patches import writing
from swcm_fairseq.files import neighbour

STATE = {"weight": torch.arange(50000.0), "more": {"bias": torch.ones(3)}}


@contextlib.contextmanager
def disk_for(size: int):
    """Let no file grow beyond ``size`` bytes: the system refuses, as it does where a disk is full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "checkpoint_last.pt"
    path.write_bytes(b"the last good one")
    return path


def write(how: str, path) -> None:
    if how == "save":
        writing.save(STATE, str(path))
    else:
        source = path.parent / "source.pt"
        if not source.exists():
            torch.save(STATE, str(source))
        writing.copy(str(source), str(path))


@pytest.mark.parametrize("how", ["save", "copy"])
def test_writes_the_whole(old, how):
    write(how, old)
    loaded = torch.load(str(old))
    assert torch.equal(loaded["weight"], STATE["weight"])
    assert torch.equal(loaded["more"]["bias"], STATE["more"]["bias"])


@pytest.mark.parametrize("how", ["save", "copy"])
@pytest.mark.parametrize("room", [0, 1000, 100000])
def test_full_disk_is_an_error_and_the_last_good_file_stays(old, how, room):
    torch.save(STATE, str(old.parent / "source.pt"))
    with disk_for(room), pytest.raises(SwcmError, match="checkpoint_last.pt could not be written: .*make room"):
        write(how, old)
    assert old.read_bytes() == b"the last good one"
    assert sorted(os.listdir(str(old.parent))) == ["checkpoint_last.pt", "source.pt"]


@pytest.mark.parametrize("how", ["save", "copy"])
def test_old_file_stands_until_the_new_one_is_whole(old, how, monkeypatch):
    seen = []

    def replace(source, path):
        seen.append((old.read_bytes(), os.path.getsize(source), source))
        shutil.move(source, path)

    monkeypatch.setattr(os, "replace", replace)
    write(how, old)
    ((before, size, temporary),) = seen
    assert before == b"the last good one"
    assert size == old.stat().st_size
    assert temporary == neighbour(str(old), "tmp")


def test_disk_that_fails_for_a_moment(old, monkeypatch, caplog):
    # fairseq's own second attempt goes on where the first one broke off, and calls the result a checkpoint.
    monkeypatch.setattr(writing, "_PAUSE_S", 0)
    fails = [True]

    class Flaky(writing._Stream):
        def write(self, data):
            if fails and self.file.tell() > 20000:
                fails.clear()
                self.error = OSError(errno.EIO, "the network folder is away")
            return super().write(data)

    monkeypatch.setattr(writing, "_Stream", Flaky)
    writing.save(STATE, str(old))
    assert torch.equal(torch.load(str(old))["weight"], STATE["weight"])
    assert "trying again" in caplog.text


def test_copy_is_no_link(old):
    # Who writes over checkpoint_last.pt to go back must not change the checkpoint that it was copied from.
    write("copy", old)
    old.write_bytes(b"an older one")
    assert torch.equal(torch.load(str(old.parent / "source.pt"))["weight"], STATE["weight"])
