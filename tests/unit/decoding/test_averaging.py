import os

import pytest
import torch

from swcm_fairseq.decoding.averaging import average, main, newest
from swcm_fairseq.errors import SwcmError
from tests.support.toy import toy_dictionary


def save(path, value, **more):
    state = {"w": torch.full((2, 3), float(value)), "b": torch.tensor([value], dtype=torch.bfloat16)}
    torch.save({"model": {**state, **more}, "cfg": {"name": str(value)}, "last_optimizer_state": {"big": 1}}, str(path))
    return str(path)


@pytest.fixture
def folder(tmp_path):
    for epoch in (1, 2, 3, 10):
        save(tmp_path / f"checkpoint{epoch}.pt", epoch)
    for epoch, update in ((1, 50), (1, 100), (2, 1000)):
        save(tmp_path / f"checkpoint_{epoch}_{update}.pt", update)
    save(tmp_path / "checkpoint_best.pt", 0)
    save(tmp_path / "checkpoint_last.pt", 0)
    return tmp_path


def averaged(*arguments):
    main([str(argument) for argument in arguments])
    return torch.load(str(arguments[arguments.index("--output") + 1]))


def test_the_mean_is_exact_and_in_float32(tmp_path):
    paths = [save(tmp_path / str(value), value) for value in (1, 2, 6)]
    mean = average(paths)
    assert torch.equal(mean["model"]["w"], torch.full((2, 3), 3.0))
    assert mean["model"]["b"].tolist() == [3.0]
    assert all(tensor.dtype == torch.float32 for tensor in mean["model"].values())
    assert mean["cfg"] == {"name": "1"}, "the settings are the first one's"
    assert "last_optimizer_state" not in mean


def test_small_differences_are_not_lost(tmp_path):
    paths = []
    for i in range(3):
        paths.append(str(tmp_path / str(i)))
        # 2 ** 24 + 1 is the first whole number that float32 has not.
        torch.save({"model": {"w": torch.tensor([2.0**24 if i == 0 else 1.0])}}, paths[-1])
    assert average(paths)["model"]["w"].tolist() == [(2**24 + 2) / 3]


@pytest.mark.parametrize(
    "flags, expected",
    [
        (["--num-epoch-checkpoints", 2], (3 + 10) / 2),
        (["--num-epoch-checkpoints", 2, "--checkpoint-upper-bound", 9], (2 + 3) / 2),
        (["--num-update-checkpoints", 2], (100 + 1000) / 2),
        (["--num-update-checkpoints", 2, "--checkpoint-upper-bound", 100], (50 + 100) / 2),
    ],
)
def test_the_newest_are_chosen_by_number_and_not_by_name(folder, flags, expected):
    mean = averaged("--inputs", folder, "--output", folder / "mean.pt", *flags)
    assert mean["model"]["w"][0, 0] == expected


def test_too_few_are_an_error(folder):
    import re

    with pytest.raises(SwcmError, match="has 4 such checkpoints, 5 are wanted"):
        newest(str(folder), re.compile(r"checkpoint(\d+)\.pt\Z"), 5, None)


def test_tensors_that_differ_are_named_and_nothing_is_written(tmp_path):
    one, other = save(tmp_path / "one", 1), save(tmp_path / "other", 2, w=torch.ones(3, 3), extra=torch.ones(1))
    with pytest.raises(SwcmError) as caught:
        main(["--inputs", one, other, "--output", str(tmp_path / "mean.pt")])
    assert caught.value.problems == ["extra", "w"]
    assert sorted(os.listdir(str(tmp_path))) == ["one", "other"]


def test_a_file_of_another_kind_is_named(tmp_path):
    torch.save([1, 2], str(tmp_path / "list.pt"))
    with pytest.raises(SwcmError, match="list.pt is no checkpoint"):
        average([str(tmp_path / "list.pt")])
    (tmp_path / "cut.pt").write_bytes(open(save(tmp_path / "whole.pt", 1), "rb").read()[:300])
    with pytest.raises(SwcmError, match="cut.pt"):
        average([str(tmp_path / "cut.pt")])


def test_a_finished_output_is_kept(tmp_path):
    one = save(tmp_path / "one", 1)
    with pytest.raises(SwcmError, match="--force"):
        main(["--inputs", one, "--output", one])
    assert averaged("--inputs", one, "--output", one, "--force")["cfg"] == {"name": "1"}


def test_a_folder_needs_a_number_and_a_number_a_folder(folder):
    with pytest.raises(SystemExit) as caught:
        main(["--inputs", str(folder / "checkpoint1.pt"), "--output", "x", "--num-epoch-checkpoints", "2"])
    assert caught.value.code == 2


def test_checkpoints_of_different_dictionaries_are_not_averaged(tmp_path):
    paths = []
    for name, pieces in (("one", "ab"), ("two", "ba"), ("three", "ab")):
        (tmp_path / name).mkdir()
        toy_dictionary(pieces).save(str(tmp_path / name / "dict.txt"))
        paths.append(save(tmp_path / name / "checkpoint.pt", 1))
    with pytest.raises(SwcmError, match="two/checkpoint.pt") as error:
        averaged("--inputs", *paths[:2], "--output", str(tmp_path / "mean.pt"))
    assert "the order differs from id 4 on" in str(error.value)
    # Nor is the mean laid beside the dictionary of another model.
    with pytest.raises(SwcmError, match="two/mean.pt"):
        averaged("--inputs", paths[0], paths[2], "--output", str(tmp_path / "two" / "mean.pt"))
    averaged("--inputs", paths[0], paths[2], "--output", str(tmp_path / "mean.pt"))


def test_what_decoding_needs_is_laid_beside_the_mean(tmp_path):
    (tmp_path / "run").mkdir()
    dictionary, pieces = tmp_path / "run" / "dict.txt", tmp_path / "run" / "sentencepiece.bpe.model"
    toy_dictionary("ab").save(str(dictionary))
    pieces.write_bytes(b"model")
    one = save(tmp_path / "run" / "checkpoint.pt", 1)
    averaged("--inputs", one, "--output", str(tmp_path / "new" / "mean.pt"))
    assert sorted(os.listdir(str(tmp_path / "new"))) == ["dict.txt", "mean.pt", "sentencepiece.bpe.model"]
    assert (tmp_path / "new" / "dict.txt").read_bytes() == dictionary.read_bytes()
    assert (tmp_path / "new" / "sentencepiece.bpe.model").read_bytes() == b"model"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named_and_nothing_is_written(tmp_path, value):
    one = save(tmp_path / "one", 1)
    other = save(tmp_path / "other", 2, w=torch.tensor([[1, 1, 1], [1, value, 1]]))
    with pytest.raises(SwcmError, match="other: weights are NaN") as caught:
        averaged("--inputs", one, other, "--output", str(tmp_path / "new" / "mean.pt"))
    assert caught.value.problems == ["1 of the 6 numbers of w"]
    assert not (tmp_path / "new").exists()
