"""Safe loading: what checkpoints hold comes through, and nothing in a file is ever run."""

import argparse
import collections
import os

import numpy
import pytest
import torch

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.torch_files import safe_load
from tests.support.evil import Trap


@pytest.fixture(params=[True, False], ids=["zip", "legacy"])
def save(request, tmp_path):
    def write(content, name="file.pt"):
        path = str(tmp_path / name)
        torch.save(content, path, _use_new_zipfile_serialization=request.param)
        return path

    return write


def test_a_pickle_that_runs_a_command_is_refused_by_name_and_not_run(route, save, tmp_path):
    trap = Trap(tmp_path)
    path = save({"model": {"x": torch.ones(2)}, "args": trap.program()})
    with pytest.raises(SwcmError) as caught:
        safe_load(path)
    message = str(caught.value)
    assert not trap.sprung()
    assert path in message and f"{os.name}.system" in message and "safetensors" in message


class Hidden:
    """A class of this file's own: harmless, and on no list."""


def test_an_unlisted_class_is_refused_by_name(route, save):
    with pytest.raises(SwcmError, match="Hidden"):
        safe_load(save([Hidden()]))


def test_nested_loading_is_refused(route, save):
    """A storage may be pickled as bytes that torch loads again, without any list."""

    class Bytes:
        def __reduce__(self):
            return torch.storage._load_from_bytes, (b"whatever",)

    with pytest.raises(SwcmError, match="_load_from_bytes"):
        safe_load(save([Bytes()]))


def test_what_fairseq_checkpoints_hold_comes_through(route, save):
    from fairseq.distributed.utils import _TensorPlaceholder

    shared = torch.arange(6.0).reshape(2, 3)
    content = {
        "args": argparse.Namespace(lr=[0.1], arch="tiny", nothing=None),
        "cfg": {"model": {"layers": 3, "names": ("a", "b")}},
        "model": collections.OrderedDict(a=shared, b=shared.t(), c=torch.ones(3).half(), d=torch.tensor(7)),
        "parameter": torch.nn.Parameter(torch.ones(2).bfloat16()),
        "dtype": torch.float16,
        "set": {1, 2},
        "placeholder": _TensorPlaceholder(index=4),
        "number": numpy.float64(0.25),
        "array": numpy.arange(4, dtype=numpy.int64),
    }
    loaded = safe_load(save(content))
    assert loaded["args"] == content["args"] and loaded["cfg"] == content["cfg"] and loaded["set"] == {1, 2}
    assert list(loaded["model"]) == ["a", "b", "c", "d"]
    for name, tensor in content["model"].items():
        assert torch.equal(loaded["model"][name], tensor) and loaded["model"][name].dtype == tensor.dtype
    loaded["model"]["a"][0, 1] = 9
    assert loaded["model"]["b"][1, 0] == 9  # tensors that shared their storage still do
    assert torch.equal(loaded["parameter"].detach(), torch.ones(2).bfloat16()) and loaded["dtype"] == torch.float16
    assert loaded["placeholder"] == content["placeholder"] and loaded["number"] == 0.25
    assert loaded["array"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_cut_file_is_said_to_be_cut(route, save, share):
    path = save({"x": torch.ones(1000)})
    with open(path, "rb+") as stream:
        stream.truncate(int(share * os.path.getsize(path)))
    with pytest.raises(SwcmError) as caught:
        safe_load(path)
    assert path in str(caught.value)


def test_what_is_no_weight_file(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n")
    with pytest.raises(SwcmError, match="Git LFS pointer"):
        safe_load(str(path))
    with pytest.raises(SwcmError, match="not a file"):
        safe_load(str(tmp_path))
    program = torch.jit.script(torch.nn.Linear(1, 1))
    program.save(str(path))
    with pytest.raises(SwcmError, match="is a TorchScript program, not a file of weights"):
        safe_load(str(path))
