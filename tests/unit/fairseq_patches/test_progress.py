import argparse
from collections import OrderedDict, defaultdict

import numpy
import pytest
import torch

from swcm_fairseq.fairseq_patches.progress import Progress, read_progress


def save(path, **extra):
    """A file of the shape of fairseq's checkpoints, with what may turn up in them."""
    torch.save(
        {
            "args": argparse.Namespace(seed=1),
            "model": OrderedDict(weight=torch.arange(3000.0), half=torch.ones(5, dtype=torch.bfloat16)),
            "optimizer_history": [{"num_updates": 3}, {"num_updates": 40}],
            "extra_state": {
                "train_iterator": {"epoch": 2, "iterations_in_epoch": 5},
                "val_loss": 2.5,
                "best": 2.5,
                "odd": [numpy.float64(1.5), defaultdict(int, a=1), torch.nn.Parameter(torch.ones(2)), {1, 2}],
                **extra,
            },
        },
        str(path),
    )
    return str(path)


def test_reads_the_last_history_and_the_iterator(tmp_path):
    assert read_progress(save(tmp_path / "a.pt")) == Progress(updates=40, epoch=2, is_best=True)


@pytest.mark.parametrize("extra", [{"best": 2.4}, {"val_loss": None, "best": None}])
def test_is_best_only_with_the_best_score(tmp_path, extra):
    assert not read_progress(save(tmp_path / "a.pt", **extra)).is_best


def test_cut_at_any_place_is_no_checkpoint(tmp_path):
    path = tmp_path / "a.pt"
    whole = (save(path), path.read_bytes())[1]
    for length in list(range(0, len(whole), 500)) + [len(whole) - 1]:
        path.write_bytes(whole[:length])
        assert read_progress(str(path)) is None, length


def test_end_of_zeros_is_no_checkpoint(tmp_path):
    # What a power cut leaves of a file whose length was written and whose content was not.
    path = tmp_path / "a.pt"
    whole = (save(path), path.read_bytes())[1]
    path.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2))
    assert read_progress(str(path)) is None


def test_weights_alone_are_no_checkpoint_of_a_run(tmp_path):
    torch.save({"model": {"weight": torch.ones(3)}}, str(tmp_path / "a.pt"))
    assert read_progress(str(tmp_path / "a.pt")) is None


def test_nothing_that_the_file_names_is_called(tmp_path):
    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "sprung"), "w")

    assert read_progress(save(tmp_path / "a.pt", trap=Trap())).updates == 40
    assert not (tmp_path / "sprung").exists()
