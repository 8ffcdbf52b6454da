import sys

import pytest
import torch

from swcm_fairseq.fairseq_patches import applied, loading
from swcm_fairseq.fairseq_patches.half_precision import copy_all


def mapped(path) -> bool:
    with open("/proc/self/maps") as stream:
        return str(path) in stream.read()


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
maps = pytest.mark.skipif(not hasattr(torch.serialization, "safe_globals"), reason="torch before 2.5 reads it whole")


@linux
@maps
def test_a_checkpoint_is_mapped_not_read(tmp_path):
    path = tmp_path / "checkpoint.pt"
    torch.save({"model": {"x": torch.arange(100000.0)}}, path)
    with open(path, "rb") as stream:
        state = loading.load(stream)
    assert mapped(path) and torch.equal(state["model"]["x"], torch.arange(100000.0))
    del state
    assert not mapped(path)


def test_old_files_are_read_as_they_were(tmp_path):
    path = tmp_path / "checkpoint.pt"
    torch.save({"model": {"x": torch.arange(3.0)}}, path, _use_new_zipfile_serialization=False)
    with open(path, "rb") as stream:
        assert torch.equal(loading.load(stream)["model"]["x"], torch.arange(3.0))


@linux
def test_what_a_run_goes_on_with_is_not_the_file(tmp_path):
    from tests.support.device_training import make
    from tests.support.trainings import make_data

    flags = "--task swcm_finetuning --lang-pairs zh-kk,zh-mn --criterion swcm_cross_entropy"
    data, path = make_data(tmp_path / "data", 60), str(tmp_path / "checkpoint_last.pt")
    first = make(data, flags, None)
    first.train(2)
    position = {"epoch": 1, "iterations_in_epoch": 2, "shuffle": False, "version": 2}
    again = make(data, flags, None)
    with applied():
        first.trainer.consolidate_optimizer()
        first.trainer.save_checkpoint(path, {"train_iterator": position})
        again.trainer.load_checkpoint(path)
    assert again.trainer.get_num_updates() == 2
    assert not mapped(path)


def test_copies_are_what_they_are_one_by_one():
    targets = [torch.zeros(3, dtype=torch.bfloat16), torch.zeros(2, 2)]
    copy_all(targets, [torch.arange(3.0), torch.ones(2, 2)])
    assert targets[0].tolist() == [0, 1, 2] and targets[1].sum() == 4
