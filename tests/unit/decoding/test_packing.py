import json
import os
import shutil
import stat

import pytest
import torch
from fairseq import checkpoint_utils
from safetensors.torch import load_file, save_file

from swcm_fairseq.decoding import packed
from swcm_fairseq.decoding.packing import main, pack
from swcm_fairseq.errors import SwcmError
from swcm_fairseq.fairseq_patches import loading
from swcm_fairseq.vocabulary.pieces import Pieces
from tests.support.tiny_encoder import train_sentencepiece
from tests.support.toy import toy_checkpoint, toy_model

NAME = "encoder.embeddings.layer_norm.weight"


@pytest.fixture
def checkpoint(tmp_path):
    os.makedirs(str(tmp_path / "training"))
    return toy_checkpoint(tmp_path / "training", lang_pairs="zh-kk,zh-mn")


@pytest.fixture
def folder(checkpoint, tmp_path):
    pack(checkpoint, str(tmp_path / "packed"))
    return str(tmp_path / "packed")


def change_settings(folder, change=None, **changes):
    path = os.path.join(folder, "config.json")
    with open(path) as stream:
        settings = json.load(stream)
    settings.update(changes)
    if change is not None:
        change(settings)
    with open(path, "w") as stream:
        json.dump(settings, stream)


def test_what_is_read_is_what_was_trained_even_after_moving(folder, checkpoint, tmp_path):
    moved = shutil.move(folder, str(tmp_path / "elsewhere"))
    trained = torch.load(checkpoint)["model"]
    shutil.rmtree(os.path.dirname(checkpoint))
    found = packed.read(moved)
    state = found.model.state_dict()
    assert list(state) == list(trained)
    assert all(torch.equal(state[name], trained[name]) for name in state)
    assert not found.model.training
    assert found.targets == ["kk", "mn"]
    assert found.model.decoder.embeddings.tokens.weight is found.model.encoder.embeddings.tokens.weight


def test_every_weight_is_stored_once(folder):
    stored = load_file(os.path.join(folder, "model.safetensors"))
    found = packed.read(folder)
    parameters = sum(parameter.numel() for parameter in found.model.parameters())
    assert sum(tensor.numel() for tensor in stored.values()) == parameters
    assert sorted(os.listdir(folder)) == ["config.json", "dict.txt", "model.safetensors", "sentencepiece.bpe.model"]


def test_weights_of_bf16_are_read_as_float32(checkpoint, tmp_path):
    state = torch.load(checkpoint)
    state["model"] = {name: tensor.bfloat16() for name, tensor in state["model"].items()}
    torch.save(state, checkpoint)
    pack(checkpoint, str(tmp_path / "packed"))
    found = packed.read(str(tmp_path / "packed")).model.state_dict()
    assert all(tensor.dtype == torch.float32 for tensor in found.values())
    assert all(torch.equal(found[name], tensor.float()) for name, tensor in state["model"].items())


def test_layer_wise_memory_is_packed(checkpoint, tmp_path):
    state = torch.load(checkpoint)
    state["cfg"]["model"]["cross_attention_memory"] = "same-layer"
    torch.save(state, checkpoint)
    pack(checkpoint, str(tmp_path / "packed"))
    model = packed.read(str(tmp_path / "packed")).model
    assert model.decoder.memory_places == [0, 1, -1, 2, -1, -1] and model.encoder.kept == [1, 2, 3]


def test_what_is_older_than_the_flag_reads_the_last_output(checkpoint, tmp_path):
    state = torch.load(checkpoint)
    del state["cfg"]["model"]["cross_attention_memory"]
    torch.save(state, checkpoint)
    pack(checkpoint, str(tmp_path / "packed"))
    change_settings(str(tmp_path / "packed"), lambda settings: settings["model"].pop("cross_attention_memory"))
    state["cfg"]["task"].update(data=os.path.dirname(checkpoint))
    torch.save(state, checkpoint)
    (loaded,), _, _ = checkpoint_utils.load_model_ensemble_and_task([checkpoint])
    for model in (packed.read(str(tmp_path / "packed")).model, loaded):
        assert model.decoder.memory_places == [-1] * 6 and model.encoder.kept == []


@pytest.mark.parametrize(
    "task, targets",
    [
        ({"lang_pairs": "zh-mn, zh-kk,kk-mn"}, ["kk", "mn"]),
        ({"source_lang": "zh", "target_lang": "kk"}, ["kk"]),
        ({"source_lang": "text", "target_lang": "summary", "target_tag": "mn"}, ["mn"]),
    ],
)
def test_targets_are_those_of_the_training(tmp_path, task, targets):
    pack(toy_checkpoint(tmp_path, **task), str(tmp_path / "packed"))
    assert packed.read(str(tmp_path / "packed")).targets == targets


def test_dictionary_and_pieces_may_lie_elsewhere(checkpoint, tmp_path):
    alone = shutil.copy(checkpoint, str(tmp_path / "alone.pt"))
    with pytest.raises(SwcmError, match="no sentencepiece.bpe.model in .*--data"):
        pack(alone, str(tmp_path / "packed"))
    main([alone, str(tmp_path / "packed"), "--data", os.path.dirname(checkpoint)])
    assert packed.read(str(tmp_path / "packed")).targets == ["kk", "mn"]


def test_a_sentencepiece_model_of_another_encoder_is_refused(checkpoint, tmp_path):
    other = train_sentencepiece(vocab=150)
    with open(os.path.join(os.path.dirname(checkpoint), "sentencepiece.bpe.model"), "wb") as stream:
        stream.write(other)
    with pytest.raises(SwcmError, match="does not match the dictionary"):
        pack(checkpoint, str(tmp_path / "packed"))


def test_a_finished_folder_is_replaced_only_by_force(folder, checkpoint):
    with pytest.raises(SwcmError, match="--force"):
        main([checkpoint, folder])
    main([checkpoint, folder, "--force"])


@pytest.mark.parametrize(
    "content", [{"model": {}}, {"cfg": {"model": {"arch": "transformer"}, "task": {}}, "model": {}}, [1]]
)
def test_a_checkpoint_of_another_model_is_refused(tmp_path, checkpoint, content):
    torch.save(content, checkpoint)
    with pytest.raises(SwcmError, match="is no checkpoint of an xlm_swcm model"):
        pack(checkpoint, str(tmp_path / "packed"))
    assert not (tmp_path / "packed").exists()


def test_weights_that_do_not_fit_are_all_named_and_nothing_is_written(tmp_path, checkpoint):
    state = torch.load(checkpoint)
    del state["model"]["encoder.layers.0.ffn.fc1.bias"]
    state["model"]["extra"] = torch.ones(1)
    state["model"]["encoder.layers.1.ffn.fc1.bias"] = torch.ones(3)
    torch.save(state, checkpoint)
    with pytest.raises(SwcmError) as caught:
        pack(checkpoint, str(tmp_path / "packed"))
    assert caught.value.problems == [
        "encoder.layers.0.ffn.fc1.bias is missing",
        "extra is unknown",
        "encoder.layers.1.ffn.fc1.bias is (3,), the settings and the dictionary give (24,)",
    ]
    assert sorted(os.listdir(str(tmp_path))) == ["training"]


def test_weights_that_are_no_numbers_are_refused_by_name(folder, checkpoint, tmp_path):
    state = torch.load(checkpoint)
    state["model"][NAME][0] = float("nan")
    torch.save(state, checkpoint)
    with pytest.raises(SwcmError, match="checkpoint") as caught:
        pack(checkpoint, str(tmp_path / "again"))
    assert NAME in caught.value.problems[0] and not (tmp_path / "again").exists()
    with open(checkpoint, "rb") as stream, pytest.raises(SwcmError, match=NAME):
        loading.load(stream)  # as fairseq's own commands read it
    weights = load_file(os.path.join(folder, "model.safetensors"))
    weights[NAME][0] = float("inf")
    save_file(weights, os.path.join(folder, "model.safetensors"))
    with pytest.raises(SwcmError, match=NAME):
        packed.read(folder)


@pytest.mark.parametrize("mask, mode", [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_files_are_readable_by_whom_the_umask_says(checkpoint, tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        pack(checkpoint, str(tmp_path / "packed"))
    finally:
        os.umask(before)
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "packed").iterdir()}
    assert set(found.values()) == {mode}, found


def test_a_folder_may_have_a_name_that_is_not_utf8(folder, checkpoint, tmp_path):
    strange = os.fsdecode(os.fsencode(str(tmp_path)) + b"/\xd6\xd0 packed")
    pack(checkpoint, strange)
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as one, open(os.path.join(strange, name), "rb") as other:
            assert one.read() == other.read()
    assert Pieces.load(packed.read(strange).sentencepiece_model).encode("") == ""
    linked = os.fsdecode(os.fsencode(str(tmp_path)) + b"/\xd6\xd0")
    shutil.copyfile(os.path.join(folder, "sentencepiece.bpe.model"), linked)
    assert Pieces.load(linked).encode("") == ""


def test_a_folder_of_another_kind_is_refused_with_all_that_is_missing(tmp_path):
    with pytest.raises(SwcmError) as caught:
        packed.read(str(tmp_path))
    assert len(caught.value.problems) == 4


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 1}'])
def test_damaged_settings_are_named(folder, text):
    with open(os.path.join(folder, "config.json"), "w") as stream:
        stream.write(text)
    with pytest.raises(SwcmError, match="config.json is no settings file"):
        packed.read(folder)


def test_a_later_format_is_refused(folder):
    change_settings(folder, format=2)
    with pytest.raises(SwcmError, match="has format 2; this version reads 1"):
        packed.read(folder)


def test_cut_weights_are_named(folder):
    path = os.path.join(folder, "model.safetensors")
    with open(path, "rb+") as stream:
        stream.truncate(os.path.getsize(path) // 2)
    with pytest.raises(SwcmError, match="model.safetensors cannot be read"):
        packed.read(folder)


def test_weights_of_another_training_are_refused(folder):
    other = toy_model(packed.read(folder).dictionary, encoder_layers=3).state_dict()
    save_file({name: tensor.clone() for name, tensor in other.items()}, os.path.join(folder, "model.safetensors"))
    with pytest.raises(SwcmError, match="encoder.layers.3.self_attn.in_proj.weight is missing"):
        packed.read(folder)


def test_an_untied_output_is_kept(tmp_path):
    checkpoint = toy_checkpoint(tmp_path, target_tag="kk")
    state = torch.load(checkpoint)
    state["cfg"]["model"]["untie_output_projection"] = True
    rows, width = state["model"]["encoder.embeddings.tokens.weight"].shape
    own = {
        "decoder.output_projection.weight": torch.randn(rows, width),
        "decoder.output_projection.bias": torch.randn(rows),
    }
    state["model"].update(own)
    torch.save(state, checkpoint)
    pack(checkpoint, str(tmp_path / "packed"))
    found = packed.read(str(tmp_path / "packed")).model.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in own.items())


def test_data_of_another_dictionary_is_not_packed_with_a_checkpoint(checkpoint, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(os.path.dirname(checkpoint), str(other))
    lines = (other / "dict.txt").read_text(encoding="utf-8").splitlines()
    (other / "dict.txt").write_text("\n".join([lines[1], lines[0], *lines[2:]]) + "\n", encoding="utf-8")
    with pytest.raises(SwcmError, match="is not that of .*checkpoint_best.pt"):
        pack(checkpoint, str(tmp_path / "packed"), data=str(other))
    assert not (tmp_path / "packed").exists()
