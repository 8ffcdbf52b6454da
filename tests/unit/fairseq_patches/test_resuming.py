import logging
import os

import pytest
import torch

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.fairseq_patches.progress import read_progress
from swcm_fairseq.fairseq_patches.resuming import finish_interrupted_save, refuse_cut_file, whole_checkpoints


class Folder:
    """A folder of checkpoints, each written a second after the one before."""

    def __init__(self, path) -> None:
        self.path, self.time = path, 1000

    def __truediv__(self, name):
        return self.path / name

    def save(self, name, updates, best=False, cut=False):
        state = {
            "optimizer_history": [{"num_updates": updates}],
            "extra_state": {"train_iterator": {"epoch": 1}, "val_loss": 1.0, "best": 1.0 if best else 0.5},
        }
        torch.save(state, str(self / name))
        if cut:
            (self / name).write_bytes((self / name).read_bytes()[:300])
        self.time += 1
        os.utime(str(self / name), (self.time, self.time))

    def last(self):
        return read_progress(str(self / "checkpoint_last.pt")).updates

    def finish(self):
        finish_interrupted_save(str(self.path))


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def test_whole_save_is_left_alone(folder, caplog):
    folder.save("checkpoint_1_20.pt", 20)
    folder.save("checkpoint_last.pt", 20)
    before = (folder / "checkpoint_last.pt").stat()
    folder.finish()
    after = (folder / "checkpoint_last.pt").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert not caplog.records


@pytest.mark.parametrize("cut", [True, False])
def test_last_that_a_kill_left_cut_or_behind_follows_the_newest(folder, caplog, cut):
    folder.save("checkpoint_1_10.pt", 10)
    if not cut:
        folder.save("checkpoint_last.pt", 10)
    folder.save("checkpoint_1_20.pt", 20)
    if cut:
        folder.save("checkpoint_last.pt", 20, cut=True)
    with caplog.at_level(logging.WARNING):
        folder.finish()
    assert folder.last() == 20
    assert "checkpoint_1_20.pt (epoch 1, 20 updates)" in caplog.text
    assert ("cut short" in caplog.text) == cut


def test_cut_ones_are_passed_over(folder):
    folder.save("checkpoint1.pt", 10)
    folder.save("checkpoint_1_20.pt", 20, cut=True)
    folder.save("checkpoint_last.pt", 20, cut=True)
    folder.finish()
    assert folder.last() == 10


def test_who_went_back_to_an_older_checkpoint_goes_on_from_it(folder):
    folder.save("checkpoint_1_10.pt", 10)
    folder.save("checkpoint_1_20.pt", 20)
    folder.save("checkpoint_last.pt", 10)
    folder.finish()
    assert folder.last() == 10


def test_folder_copied_without_its_times_goes_on_from_the_last(folder):
    folder.save("checkpoint_last.pt", 20)
    folder.save("checkpoint_1_10.pt", 10)
    folder.save("checkpoint_1_20.pt", 20)
    before = (folder / "checkpoint_last.pt").stat().st_ino
    folder.finish()
    assert (folder / "checkpoint_last.pt").stat().st_ino == before


def test_kill_in_the_first_save(folder):
    folder.save("checkpoint_1_10.pt", 10)
    folder.finish()
    assert folder.last() == 10


def test_best_of_another_run_is_not_gone_on_from(folder):
    folder.save("checkpoint_best.pt", 10)
    folder.finish()
    assert not (folder / "checkpoint_last.pt").exists()


@pytest.mark.parametrize("best", [True, False])
def test_best_is_brought_up_too(folder, best):
    folder.save("checkpoint_best.pt", 10)
    folder.save("checkpoint_last.pt", 10)
    folder.save("checkpoint_1_20.pt", 20, best=best)
    folder.finish()
    assert read_progress(str(folder / "checkpoint_best.pt")).updates == (20 if best else 10)
    assert folder.last() == 20


def test_cut_last_alone_is_an_error_and_stays(folder):
    folder.save("checkpoint_last.pt", 20, cut=True)
    with pytest.raises(SwcmError, match="checkpoint_last.pt was cut short"):
        folder.finish()
    assert (folder / "checkpoint_last.pt").stat().st_size == 300


@pytest.mark.parametrize("zipped", [True, False])
def test_last_of_another_kind_is_left_alone(folder, zipped):
    torch.save({"model": {}}, str(folder / "checkpoint_last.pt"), _use_new_zipfile_serialization=zipped)
    before = (folder / "checkpoint_last.pt").read_bytes()
    folder.save("checkpoint_1_20.pt", 20)
    folder.finish()
    assert (folder / "checkpoint_last.pt").read_bytes() == before


def test_unfinished_files_go_and_others_stay(folder):
    for name in (".checkpoint_1_20.pt.tmp", ".checkpoint_last.pt.tmp", "dict.txt.tmp", "checkpoint_notes.txt"):
        (folder / name).write_text("x")
    folder.finish()
    assert sorted(os.listdir(str(folder.path))) == ["checkpoint_notes.txt", "dict.txt.tmp"]


def test_other_files_of_the_folder_are_no_candidates(folder):
    for name in ("crash.pt", "checkpoint_average.pt", "checkpoint_last.pt", "checkpoint_1_20-shard1.pt"):
        folder.save(name, 20)
    folder.save("checkpoint3.pt", 10)
    folder.save("checkpoint.best_loss_3.14.pt", 10)
    names = [os.path.basename(one.path) for one in whole_checkpoints(str(folder.path))]
    assert names == ["checkpoint.best_loss_3.14.pt", "checkpoint3.pt"]


def test_no_folder_yet(tmp_path):
    finish_interrupted_save(str(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("size", [0, 300])
def test_cut_file_to_start_from_is_an_error(folder, size):
    folder.save("pretrained.pt", 10)
    refuse_cut_file(str(folder / "pretrained.pt"))
    (folder / "pretrained.pt").write_bytes((folder / "pretrained.pt").read_bytes()[:size])
    with pytest.raises(SwcmError, match="pretrained.pt was cut short"):
        refuse_cut_file(str(folder / "pretrained.pt"))


def test_file_to_start_from_that_is_missing_or_of_before_torch_1_6_is_fairseqs_affair(folder):
    refuse_cut_file(str(folder / "missing.pt"))
    torch.save([1], str(folder / "old.pt"), _use_new_zipfile_serialization=False)
    refuse_cut_file(str(folder / "old.pt"))
