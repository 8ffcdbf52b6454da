"""The encoder equals Hugging Face's on the same weights, whatever file they came in."""

import json
import os
import shutil
from argparse import Namespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support.tiny_encoder import fairseq_tensors, make_encoder_folder
from tests.support.toy import start_from, toy_dictionary, toy_model, toy_sources

# Odd sizes, in which two axes that are mixed up do not fit, and both epsilons that are in use.
CONFIGURATIONS = [
    {"layers": 1, "width": 10, "heads": 1, "ffn": 17, "eps": 1e-5, "positions": 23, "seed": 3},
    {"layers": 3, "width": 21, "heads": 7, "ffn": 13, "eps": 1e-12, "positions": 41, "seed": 4},
    {"layers": 2, "width": 33, "heads": 3, "ffn": 50, "eps": 1e-5, "positions": 30, "seed": 5},
]


def tensors_of(folder):
    return load_file(os.path.join(folder, "model.safetensors"))


def with_prefix_and_head(folder):
    tensors = {"roberta." + name: tensor for name, tensor in tensors_of(folder).items()}
    rows, width = tensors["roberta.embeddings.word_embeddings.weight"].shape
    tensors.update({"lm_head.bias": torch.randn(rows), "lm_head.dense.weight": torch.randn(width, width)})
    tensors["roberta.pooler.dense.weight"] = torch.randn(width, width)
    return tensors


def as_safetensors(folder):
    return folder


def as_safetensors_with_prefix(folder):
    save_file(with_prefix_and_head(folder), os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    return folder


def as_bin(folder):
    torch.save(with_prefix_and_head(folder), os.path.join(folder, "pytorch_model.bin"))
    os.remove(os.path.join(folder, "model.safetensors"))
    return folder


def as_shards(folder, suffix, save):
    tensors = tensors_of(folder)
    os.remove(os.path.join(folder, "model.safetensors"))
    stem = suffix.split(".")[0]
    index = {
        name: "{}-0000{}-of-00002.{}".format(stem, i % 2 + 1, suffix.split(".")[1]) for i, name in enumerate(tensors)
    }
    for part in set(index.values()):
        save({name: tensor for name, tensor in tensors.items() if index[name] == part}, os.path.join(folder, part))
    with open(os.path.join(folder, suffix + ".index.json"), "w") as stream:
        json.dump({"metadata": {}, "weight_map": index}, stream)
    return folder


def as_safetensors_shards(folder):
    return as_shards(folder, "model.safetensors", save_file)


def as_bin_shards(folder):
    return as_shards(folder, "pytorch_model.bin", torch.save)


def as_fairseq(folder, prefix, fused):
    with open(os.path.join(folder, "config.json")) as stream:
        config = json.load(stream)
    args = Namespace(
        arch="roberta_base",
        encoder_layers=config["num_hidden_layers"],
        encoder_embed_dim=config["hidden_size"],
        encoder_ffn_embed_dim=config["intermediate_size"],
        encoder_attention_heads=config["num_attention_heads"],
        activation_fn="gelu",
    )
    state = {prefix + name: tensor for name, tensor in fairseq_tensors(tensors_of(folder), fused).items()}
    state[prefix.split(".")[0] + ".lm_head.bias"] = torch.randn(3)
    torch.save({"args": args, "model": state}, os.path.join(folder, "model.pt"))
    os.remove(os.path.join(folder, "model.safetensors"))
    os.remove(os.path.join(folder, "config.json"))
    return os.path.join(folder, "model.pt")


def as_new_fairseq(folder):
    return as_fairseq(folder, "encoder.sentence_encoder.", fused=False)


def as_old_fairseq(folder):
    return as_fairseq(folder, "decoder.sentence_encoder.", fused=True)


HUGGING_FACE_KINDS = [as_safetensors, as_safetensors_with_prefix, as_bin, as_safetensors_shards, as_bin_shards]
FAIRSEQ_KINDS = [as_new_fairseq, as_old_fairseq]
CASES = [
    (number, kind)
    for number, configuration in enumerate(CONFIGURATIONS)
    for kind in HUGGING_FACE_KINDS + FAIRSEQ_KINDS
    if kind in HUGGING_FACE_KINDS or configuration["eps"] == 1e-5  # fairseq knows no other
]


@pytest.fixture(scope="module")
def pretrained(request, tmp_path_factory):
    """An encoder folder, batches padded on either side, and Hugging Face's output for them."""
    from transformers import XLMRobertaModel

    folder = make_encoder_folder(tmp_path_factory.mktemp("encoder"), **CONFIGURATIONS[request.param])
    theirs = XLMRobertaModel.from_pretrained(folder, add_pooling_layer=False).eval()
    dictionary = start_from(folder).encoder.dictionary
    longest = CONFIGURATIONS[request.param]["positions"] - 2
    lengths = [longest, 2, 5, longest - 1, 3]
    sources = [toy_sources(dictionary, lengths, left=left) for left in (False, True)]
    with torch.no_grad():
        expected = [theirs(each, attention_mask=each.ne(1)).last_hidden_state for each in sources]
    return folder, sources, expected


@pytest.mark.parametrize("pretrained, kind", CASES, indirect=["pretrained"])
def test_output_is_hugging_faces_at_every_real_position(pretrained, kind, tmp_path):
    folder, batches, expected = pretrained
    path = kind(shutil.copytree(folder, str(tmp_path / "copy")))
    model = start_from(path)
    for sources, wanted in zip(batches, expected):
        with torch.no_grad():
            output = model.encoder(sources)["encoder_out"][0].transpose(0, 1)
        real = sources.ne(1)
        torch.testing.assert_close(output[real], wanted[real], atol=1e-5, rtol=0)


def test_padding_is_reported_where_there_is_some():
    dictionary = toy_dictionary()
    encoder = toy_model(dictionary).encoder
    sources = toy_sources(dictionary, [6, 3])
    padded = encoder(sources)
    assert padded["encoder_padding_mask"][0].tolist() == [[False] * 6, [False] * 3 + [True] * 3]
    assert encoder(sources[:1])["encoder_padding_mask"] == []


def test_all_layers_states_end_with_the_output():
    dictionary = toy_dictionary()
    encoder = toy_model(dictionary).encoder
    output = encoder(toy_sources(dictionary, [6, 3]), return_all_hiddens=True)
    assert len(output["encoder_states"]) == 1 + 4
    assert torch.equal(output["encoder_states"][-1], output["encoder_out"][0])
    assert not torch.equal(output["encoder_states"][0], output["encoder_states"][1])


@pytest.mark.parametrize(
    "memory, numbers",
    [("last", []), ("same-layer", [1, 2, 3]), ("same-layer-input", [0, 1, 2, 3])],
)
@pytest.mark.parametrize("asked", [True, False])
@torch.no_grad()
def test_what_the_decoder_reads_is_kept_whether_or_not_all_states_are_asked_for(memory, numbers, asked):
    dictionary = toy_dictionary()
    encoder = toy_model(dictionary, cross_attention_memory=memory).encoder
    sources = toy_sources(dictionary, [6, 3])
    states = encoder(sources, return_all_hiddens=True)["encoder_states"]
    kept = encoder(sources, return_all_hiddens=asked)["memories"]
    assert len(kept) == len(numbers)
    assert all(torch.equal(one, states[number]) for one, number in zip(kept, numbers))


@pytest.mark.parametrize(
    "order, kept",
    [
        ([0, 0, 1, 1, 2, 2], [0, 1, 2]),  # a beam: rows of one sentence share its memory
        ([2, 2, 0, 0], [2, 0]),
        ([0, 0, 1, 2, 2], [0, 0, 1, 2, 2]),  # not as many rows of each: repeated
        ([2, 0, 1], [2, 0, 1]),
        ([1], [1]),
        ([0, 1, 2], [0, 1, 2]),
    ],
)
def test_reordering_moves_all_that_belongs_to_a_sentence(order, kept):
    dictionary = toy_dictionary()
    encoder = toy_model(dictionary, cross_attention_memory="same-layer-input").encoder
    sources = toy_sources(dictionary, [6, 3, 4])
    moved = encoder.reorder_encoder_out(encoder(sources, return_all_hiddens=True), torch.tensor(order))
    rows = moved["memory_rows"][0]
    assert [kept[row] for row in rows.tolist()] == order
    expected = encoder(sources[kept], return_all_hiddens=True)
    mask = sources[kept].eq(dictionary.pad())
    assert torch.equal(moved["encoder_padding_mask"][0] if moved["encoder_padding_mask"] else mask & False, mask)
    real = ~mask
    assert moved["encoder_out"][0].size(1) == len(kept)
    torch.testing.assert_close(
        moved["encoder_out"][0].transpose(0, 1)[real], expected["encoder_out"][0].transpose(0, 1)[real]
    )
    assert len(moved["memories"]) == 4  # what each of the four layers read
    for state, wanted in zip(
        moved["encoder_states"] + moved["memories"], expected["encoder_states"] + expected["memories"]
    ):
        torch.testing.assert_close(state.transpose(0, 1)[real], wanted.transpose(0, 1)[real])
