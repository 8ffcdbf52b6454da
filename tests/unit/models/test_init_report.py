"""The report is right about every tensor, and names each once."""

import os

import pytest
import torch
from safetensors.torch import load_file

from swcm_fairseq.models.init_report import report_lines, summary_lines, write_report
from tests.support.tiny_encoder import make_encoder_folder
from tests.support.toy import SIZES, build_model, start_from, toy_dictionary


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_encoder_folder(tmp_path_factory.mktemp("encoder"))


def rows_of(model):
    lines = report_lines(model.state_dict(), model.init_origins)
    assert lines[0].split("\t") == ["tensor", "shape", "origin", "source"]
    return [line.split("\t") for line in lines[1:]]


VARIANTS = [
    {},
    {"insert_normal_every": 0},
    {"inserted_layers": "duplicate"},
    {"decoder_init": "random"},
    {"decoder_init": "warm"},
    {"decoder_init": "feed-forward"},
    {"decoder_init": "interleaved"},
    {"decoder_layer_kind": "normal", "decoder_init": "random"},
    {"untie_output_projection": True},
]


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
def test_every_tensor_once_and_what_it_says_is_true(folder, settings):
    """Copied means equal to the file; random means equal to nothing in it; tied means one and the same tensor."""
    model = start_from(folder, **settings)
    state, file = model.state_dict(), load_file(os.path.join(folder, "model.safetensors"))
    rows = rows_of(model)
    assert sorted(name for name, _, _, _ in rows) == sorted(state)
    in_file = {tuple(tensor.flatten().tolist()) for tensor in file.values()}
    for name, shape, kind, source in rows:
        tensor = state[name]
        assert shape == "x".join(map(str, tensor.shape))
        if kind == "tied":
            assert source != name and state[source].data_ptr() == tensor.data_ptr(), name
        elif kind == "random":
            assert tuple(tensor.flatten().tolist()) not in in_file, name
        else:
            assert kind == "copied" and torch.equal(tensor, named_tensor(source, file, state)[: len(tensor)]), name


def named_tensor(source, file, state):
    """The tensor that a report's last column describes."""
    if source in state:
        return state[source]
    name, _, rest = source.partition("; rows ")
    name, _, added = name.partition(" + ")
    if "{" in name:
        start, parts, end = name.replace("}", "{").split("{")
        return torch.cat([file[start + part + end] for part in parts.split(",")])
    tensor = file[name]
    if added:
        assert added == "embeddings.token_type_embeddings.weight[0]"
        tensor = tensor + file["embeddings.token_type_embeddings.weight"][0]
    if rest:
        # Rows of tags are drawn; they are tested with the start.
        first, last = rest.split(",")[0].split("..")
        assert (int(first), int(last)) == (len(tensor), len(tensor) + 2)
        tensor = torch.cat([tensor, state["encoder.embeddings.tokens.weight"][len(tensor) :]])
    return tensor


def test_tied_are_the_embeddings_alone(folder):
    tied = [row[0] for row in rows_of(start_from(folder)) if row[2] == "tied"]
    assert sorted(tied) == [
        "decoder.embeddings.layer_norm.bias",
        "decoder.embeddings.layer_norm.weight",
        "decoder.embeddings.positions.weight",
        "decoder.embeddings.tokens.weight",
    ]


def test_without_an_encoder_nothing_is_copied():
    model = build_model(toy_dictionary(), **SIZES)
    assert {row[2] for row in rows_of(model)} == {"random", "tied"}


def test_the_summary_counts_tensors_and_numbers(folder):
    model = start_from(folder)
    lines = summary_lines(model.state_dict(), model.init_origins)
    attention, feed_forward = 4 * 24 * 24 + 4 * 24 + 48, 2 * 24 * 40 + 24 + 40 + 48
    normal = 2 * attention + feed_forward
    assert f"start: decoder:   18 tensors random ({normal:,} numbers)" in lines
    # 12 tensors an encoder layer, twice as many a custom layer; 4 of embeddings, each of them once.
    assert any(line.startswith(f"start: encoder:   {4 + 4 * 12} tensors copied") for line in lines)
    assert any(line.startswith(f"start: decoder:   {4 * 24} tensors copied") for line in lines)
    assert any(line.startswith("start: decoder:    4 tensors tied") for line in lines)
    assert len(lines) == 4


def test_the_file_holds_the_whole_report(folder, tmp_path):
    model = start_from(folder)
    write_report(str(tmp_path / "report.tsv"), report_lines(model.state_dict(), model.init_origins))
    lines = (tmp_path / "report.tsv").read_text(encoding="utf-8").splitlines()
    assert lines == report_lines(model.state_dict(), model.init_origins)
