"""Reading an encoder: every kind of file gives the same tensors, and whatever is wrong is said at once."""

import argparse
import json
import os
import shutil

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.pretrained import read_encoder
from swcm_fairseq.pretrained.tensor_files import TensorFiles
from tests.support.tiny_encoder import fairseq_tensors, make_encoder_folder, sentencepiece_pieces, train_sentencepiece

LAYERS, WIDTH, HEADS, FFN = 3, 15, 5, 22
WORDS = "embeddings.word_embeddings.weight"


@pytest.fixture
def folder(tmp_path):
    return make_encoder_folder(tmp_path / "bare", layers=LAYERS, width=WIDTH, heads=HEADS, ffn=FFN, seed=3)


def weights_of(folder):
    return load_file(os.path.join(folder, "model.safetensors"))


def variant(folder, name):
    """A copy of the folder without its weights."""
    copy = os.path.join(os.path.dirname(folder), name)
    shutil.copytree(folder, copy)
    os.remove(os.path.join(copy, "model.safetensors"))
    return copy


def edit_config(folder, **changes):
    path = os.path.join(folder, "config.json")
    with open(path, encoding="utf-8") as stream:
        config = json.load(stream)
    config.update(changes)
    with open(path, "w", encoding="utf-8") as stream:
        json.dump({name: value for name, value in config.items() if value != "absent"}, stream)


def expected_tensors(weights):
    """The mapping spelled out, one tensor after the other."""
    position = weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
    tensors = {"embeddings.tokens.weight": weights[WORDS], "embeddings.positions.weight": position}
    for kind in ("weight", "bias"):
        tensors["embeddings.layer_norm." + kind] = weights["embeddings.LayerNorm." + kind]
        for n in range(LAYERS):
            theirs, ours = "encoder.layer.%d." % n, "layers.%d." % n
            attention = theirs + "attention.self.{}." + kind
            stacked = [weights[attention.format(part)] for part in ("query", "key", "value")]
            tensors[ours + "self_attn.in_proj." + kind] = torch.cat(stacked)
            tensors[ours + "self_attn.out_proj." + kind] = weights[theirs + "attention.output.dense." + kind]
            tensors[ours + "self_attn.layer_norm." + kind] = weights[theirs + "attention.output.LayerNorm." + kind]
            tensors[ours + "ffn.fc1." + kind] = weights[theirs + "intermediate.dense." + kind]
            tensors[ours + "ffn.fc2." + kind] = weights[theirs + "output.dense." + kind]
            tensors[ours + "ffn.layer_norm." + kind] = weights[theirs + "output.LayerNorm." + kind]
    return tensors


def assert_same(tensors, expected):
    assert sorted(tensors) == sorted(expected)
    for name, tensor in tensors.items():
        assert tensor.dtype == torch.float32 and torch.equal(tensor, expected[name]), name


def with_head(weights):
    """As a masked language model saves them: a prefix, a head, a pooler, a buffer."""
    full = {"roberta." + name: tensor for name, tensor in weights.items()}
    full["roberta.embeddings.position_ids"] = torch.arange(66)[None]
    full["roberta.pooler.dense.weight"], full["roberta.pooler.dense.bias"] = torch.ones(WIDTH, WIDTH), torch.ones(WIDTH)
    full["lm_head.bias"], full["lm_head.dense.weight"] = torch.ones(202), torch.ones(WIDTH, WIDTH)
    return full


def split(weights, folder, pattern, save, index):
    names, where = sorted(weights), {}
    for shard in range(3):
        file = pattern.format(shard + 1)
        part = {name: weights[name] for name in names[shard::3]}
        save(part, os.path.join(folder, file))
        where.update((name, file) for name in part)
    with open(os.path.join(folder, index), "w", encoding="utf-8") as stream:
        json.dump({"metadata": {}, "weight_map": where}, stream)


def write_prefixed(weights, folder):
    save_file(with_head(weights), os.path.join(folder, "model.safetensors"))


def write_bin(weights, folder):
    torch.save(with_head(weights), os.path.join(folder, "pytorch_model.bin"))


def write_legacy_bin(weights, folder):
    torch.save(weights, os.path.join(folder, "pytorch_model.bin"), _use_new_zipfile_serialization=False)


def write_old_names(weights, folder):
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
        for name, tensor in weights.items()
    }
    torch.save(old, os.path.join(folder, "pytorch_model.bin"))


def write_shards(weights, folder):
    split(with_head(weights), folder, "model-{:05d}-of-00003.safetensors", save_file, "model.safetensors.index.json")


def write_bin_shards(weights, folder):
    split(weights, folder, "pytorch_model-{:05d}-of-00003.bin", torch.save, "pytorch_model.bin.index.json")


@pytest.mark.parametrize(
    "write", [write_prefixed, write_bin, write_legacy_bin, write_old_names, write_shards, write_bin_shards]
)
def test_every_hugging_face_layout_gives_the_same_tensors(folder, write):
    weights = weights_of(folder)
    copy = variant(folder, "copy")
    write(weights, copy)
    encoder = read_encoder(copy)
    assert_same(encoder.tensors, expected_tensors(weights))
    assert encoder.config == read_encoder(folder).config
    left = {name for name in with_head(weights) if "pooler" in name or "lm_head" in name or "position_ids" in name}
    assert set(encoder.unused) == (left if write in (write_prefixed, write_bin, write_shards) else set())


def test_config_sources_and_pieces(folder):
    encoder = read_encoder(folder)
    config = encoder.config
    assert (config.encoder_layers, config.encoder_embed_dim, config.encoder_attention_heads) == (LAYERS, WIDTH, HEADS)
    assert (config.encoder_ffn_embed_dim, config.max_positions, config.layer_norm_eps) == (FFN, 64, 1e-5)
    assert config.activation_fn == "gelu"
    assert encoder.pieces == sentencepiece_pieces(train_sentencepiece())
    assert config.vocab_size == 4 + len(encoder.pieces) + 1 == encoder.tensors["embeddings.tokens.weight"].size(0)
    assert encoder.sentencepiece_model == os.path.join(folder, "sentencepiece.bpe.model")
    assert sorted(encoder.sources) == sorted(encoder.tensors)
    assert encoder.sources["layers.2.self_attn.in_proj.bias"] == "encoder.layer.2.attention.self.{query,key,value}.bias"
    assert encoder.sources["layers.0.ffn.fc2.weight"] == "encoder.layer.0.output.dense.weight"


def test_half_precision_becomes_float32(folder):
    weights = {name: tensor.half() for name, tensor in weights_of(folder).items()}
    save_file(weights, os.path.join(folder, "model.safetensors"))
    expected = expected_tensors({name: tensor.float() for name, tensor in weights.items()})
    assert_same(read_encoder(folder).tensors, expected)


def test_eps_that_config_leaves_out_is_hugging_faces_default(folder):
    edit_config(folder, layer_norm_eps="absent")
    assert read_encoder(folder).config.layer_norm_eps == 1e-12


def fairseq_state(weights, prefix, fused):
    state = {prefix + "version": torch.ones(1), "encoder.lm_head.bias": torch.ones(5)}
    return {**state, **{prefix + name: tensor for name, tensor in fairseq_tensors(weights, fused).items()}}


SETTINGS = {
    "encoder_layers": LAYERS,
    "encoder_embed_dim": WIDTH,
    "encoder_ffn_embed_dim": FFN,
    "encoder_attention_heads": HEADS,
    "activation_fn": "gelu",
    "max_positions": 64,
}


@pytest.mark.parametrize("settings", ["args", "cfg dict", "cfg namespace"])
@pytest.mark.parametrize("names", ["new", "old"])
def test_every_fairseq_layout_gives_the_same_tensors(folder, tmp_path, names, settings):
    weights = weights_of(folder)
    state = (
        fairseq_state(weights, "encoder.sentence_encoder.", fused=False)
        if names == "new"
        else fairseq_state(weights, "decoder.sentence_encoder.", fused=True)
    )
    checkpoint = {"model": state, "args": None, "cfg": None, "extra_state": {"epoch": 1}}
    if settings == "args":
        checkpoint["args"] = argparse.Namespace(**SETTINGS)
    else:
        checkpoint["cfg"] = {"model": SETTINGS if settings == "cfg dict" else argparse.Namespace(**SETTINGS)}
    target = tmp_path / "fairseq"
    target.mkdir()
    torch.save(checkpoint, str(target / "model.pt"))
    pieces = read_encoder(folder).pieces
    (target / "dict.txt").write_text("".join(piece + " 7\n" for piece in pieces), encoding="utf-8")
    for path in (str(target), str(target / "model.pt")):
        encoder = read_encoder(path)
        assert_same(encoder.tensors, expected_tensors(weights))
        assert encoder.config == read_encoder(folder).config  # eps 1e-5 is fairseq's own
        assert encoder.pieces == pieces and encoder.sentencepiece_model is None
    fused = "decoder.sentence_encoder.layers.1.self_attn.in_proj_weight"
    parts = "encoder.sentence_encoder.layers.1.self_attn.{q_proj,k_proj,v_proj}.weight"
    assert encoder.sources["layers.1.self_attn.in_proj.weight"] == (fused if names == "old" else parts)


def plain_encoder(encoder, ids):
    """XLM-R's forward pass over ids [B, S] in plain formulas, from the tensors under our names: [B, S, C]."""
    config, w = encoder.config, encoder.tensors

    def norm(x, name):
        return F.layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"], config.layer_norm_eps)

    real = ids != 1
    positions = torch.where(real, real.long().cumsum(1) + 1, torch.ones_like(ids))
    x = norm(w["embeddings.tokens.weight"][ids] + w["embeddings.positions.weight"][positions], "embeddings.layer_norm")
    for n in range(config.encoder_layers):
        p = "layers.%d." % n
        q, k, v = F.linear(x, w[p + "self_attn.in_proj.weight"], w[p + "self_attn.in_proj.bias"]).chunk(3, dim=-1)
        heads = [t.reshape(*ids.shape, config.encoder_attention_heads, -1).transpose(1, 2) for t in (q, k, v)]
        scores = heads[0] @ heads[1].transpose(2, 3) / heads[0].size(-1) ** 0.5
        scores = scores.masked_fill(~real[:, None, None, :], float("-inf"))
        mixed = (scores.softmax(-1) @ heads[2]).transpose(1, 2).reshape(x.shape)
        mixed = F.linear(mixed, w[p + "self_attn.out_proj.weight"], w[p + "self_attn.out_proj.bias"])
        x = norm(x + mixed, p + "self_attn.layer_norm")
        inner = F.gelu(F.linear(x, w[p + "ffn.fc1.weight"], w[p + "ffn.fc1.bias"]))
        x = norm(x + F.linear(inner, w[p + "ffn.fc2.weight"], w[p + "ffn.fc2.bias"]), p + "ffn.layer_norm")
    return x


def padded_batch(rows):
    ids = torch.randint(4, rows, (3, 9), generator=torch.Generator().manual_seed(1))
    ids[1, 6:], ids[2, 3:] = 1, 1
    return ids


@pytest.mark.parametrize("eps", [1e-5, 1e-12])
def test_the_tensors_mean_what_hugging_face_computes(tmp_path, eps):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.XLMRobertaConfig(
        vocab_size=37,
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        intermediate_size=FFN,
        max_position_embeddings=20,
        type_vocab_size=2,
        layer_norm_eps=eps,
        initializer_range=0.3,
    )
    model = transformers.XLMRobertaForMaskedLM(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(str(tmp_path))
    encoder = read_encoder(str(tmp_path))
    assert encoder.pieces is None and encoder.config.vocab_size == 37
    ids = padded_batch(37)
    with torch.no_grad():
        theirs = model.roberta(ids, attention_mask=(ids != 1).long()).last_hidden_state
    assert (plain_encoder(encoder, ids) - theirs)[ids != 1].abs().max() < 1e-5


def test_the_tensors_mean_what_fairseqs_roberta_computes(tmp_path):
    from fairseq.data import Dictionary
    from fairseq.models.roberta.model import RobertaModel, base_architecture

    torch.manual_seed(0)
    args = argparse.Namespace(max_positions=30, **{k: v for k, v in SETTINGS.items() if k != "max_positions"})
    base_architecture(args)
    dictionary = Dictionary()
    for symbol in "abcdefg":
        dictionary.add_symbol(symbol)
    dictionary.add_symbol("<mask>")
    model = RobertaModel.build_model(args, argparse.Namespace(source_dictionary=dictionary)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    torch.save({"args": args, "model": model.state_dict()}, str(tmp_path / "model.pt"))
    dictionary.save(str(tmp_path / "dict.txt"))
    encoder = read_encoder(str(tmp_path))
    assert encoder.pieces == list("abcdefg") and encoder.config.max_positions == 30
    ids = padded_batch(len(dictionary))
    with torch.no_grad():
        theirs, _ = model(ids, features_only=True)
    assert (plain_encoder(encoder, ids) - theirs)[ids != 1].abs().max() < 1e-5


def failure(path):
    with pytest.raises(SwcmError) as caught:
        read_encoder(str(path))
    return str(caught.value)


def test_folder_without_weights_names_what_it_needs(folder):
    os.remove(os.path.join(folder, "model.safetensors"))
    assert "model.safetensors" in failure(folder) and "pytorch_model.bin" in failure(folder)
    os.remove(os.path.join(folder, "config.json"))
    message = failure(folder)
    assert "config.json is missing" in message and "no weights" in message
    assert "does not exist" in failure(folder + "-nowhere")


@pytest.mark.parametrize("keep", [4, 100, -1000])
def test_cut_safetensors_file(folder, keep):
    path = os.path.join(folder, "model.safetensors")
    with open(path, "rb") as stream:
        data = stream.read()
    with open(path, "wb") as stream:
        stream.write(data[:keep])
    message = failure(folder)
    assert path in message and "cut short" in message


def test_cut_bin_file(folder):
    copy = variant(folder, "bin")
    write_bin(weights_of(folder), copy)
    path = os.path.join(copy, "pytorch_model.bin")
    with open(path, "rb+") as stream:
        stream.truncate(os.path.getsize(path) // 2)
    assert path in failure(copy) and "cut short" in failure(copy)


@pytest.mark.parametrize("model_type", ["distilbert", "mbart", "xlm-roberta-xl", "absent"])
def test_another_architecture(folder, model_type):
    edit_config(folder, model_type=model_type)
    message = failure(folder)
    assert "another architecture" in message and "xlm-roberta" in message


def test_everything_wrong_is_said_at_once(folder):
    edit_config(
        folder,
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size="many",
        pad_token_id=0,
        position_embedding_type="relative_key",
        hidden_act="gelu_new",
    )
    weights = weights_of(folder)
    del weights["encoder.layer.1.attention.self.key.bias"]
    weights["encoder.layer.0.output.dense.weight"] = torch.zeros(FFN, WIDTH)
    weights["encoder.layer.0.crossattention.self.query.weight"] = torch.zeros(WIDTH, WIDTH)
    save_file(weights, os.path.join(folder, "model.safetensors"))
    message = failure(folder)
    for part in [
        "hidden_size is 16, the tensors have 15",
        "num_hidden_layers is 4, the tensors have 3",
        "4 attention heads do not divide the width 15",
        "intermediate_size is 'many'",
        "position_embedding_type is 'relative_key'",
        "pad_token_id is 0",
        "'gelu_new'",
        "encoder.layer.1.attention.self.key.bias is missing",
        "encoder.layer.0.output.dense.weight has shape [22, 15], not [15, 22]",
        "encoder.layer.0.crossattention.self.query.weight is no tensor",
    ]:
        assert part in message, part
    assert message.count("\n  - ") == 10


def test_a_missing_layer_is_one_problem(folder):
    weights = {name: tensor for name, tensor in weights_of(folder).items() if ".layer.1." not in name}
    save_file(weights, os.path.join(folder, "model.safetensors"))
    message = failure(folder)
    assert "layer 1 as a whole is missing" in message and message.count("\n  - ") == 1


def test_sentencepiece_model_of_another_encoder(folder):
    path = os.path.join(folder, "sentencepiece.bpe.model")
    with open(path, "wb") as stream:
        stream.write(train_sentencepiece(vocab=230))
    message = failure(folder)
    assert path in message and "another encoder's vocabulary" in message
    with open(path, "wb") as stream:
        stream.write(b"no model at all")
    assert "no SentencePiece model" in failure(folder)


def test_surplus_rows_are_named_with_the_command_that_cuts_them(folder):
    weights = weights_of(folder)
    rows = weights[WORDS].size(0)
    weights[WORDS] = torch.cat([weights[WORDS], torch.zeros(7, WIDTH)])
    save_file(weights, os.path.join(folder, "model.safetensors"))
    edit_config(folder, vocab_size=rows + 7)
    message = failure(folder)
    assert f"rows {rows} to {rows + 6} are surplus" in message and "prune_encoder.py" in message
    os.remove(os.path.join(folder, "sentencepiece.bpe.model"))
    assert read_encoder(folder).config.vocab_size == rows + 7


def test_fairseq_files_that_cannot_be_followed(folder, tmp_path):
    state = fairseq_state(weights_of(folder), "encoder.sentence_encoder.", fused=False)
    state["encoder.sentence_encoder.layer_norm.weight"] = torch.ones(WIDTH)
    path = tmp_path / "checkpoint.pt"
    torch.save({"args": argparse.Namespace(**dict(SETTINGS, no_scale_embedding=False)), "model": state}, str(path))
    message = failure(path)
    assert "pre-norm" in message and "scaled" in message
    torch.save({"model": state}, str(path))
    assert "neither 'args' nor 'cfg'" in failure(path)
    torch.save([1, 2], str(path))
    assert "no fairseq checkpoint" in failure(path)


def test_of_two_files_the_one_that_cannot_run_anything_is_read(folder):
    other = {name: tensor + 1 for name, tensor in weights_of(folder).items()}
    torch.save(other, os.path.join(folder, "pytorch_model.bin"))
    assert torch.equal(read_encoder(folder).tensors["embeddings.tokens.weight"], weights_of(folder)[WORDS])


def test_what_is_read_is_the_readers_own(folder):
    """Not the file's memory, which changes when the file is written anew."""
    for name in ("model.safetensors", "pytorch_model.bin"):
        files = TensorFiles(folder)
        torch.save(weights_of(folder), os.path.join(folder, "pytorch_model.bin"))
        files.add_file(os.path.join(folder, name))
        files.read(WORDS).zero_()
        assert torch.equal(files.read(WORDS), weights_of(folder)[WORDS])


@pytest.mark.parametrize("value", [True, 0, -1, 2.0, "3", None])
def test_a_size_that_is_no_number_of_things_is_named(folder, value):
    edit_config(folder, num_hidden_layers=value)
    with pytest.raises(SwcmError, match=f"num_hidden_layers is {value!r}, not a number of things"):
        read_encoder(folder)


@pytest.mark.parametrize("name", ["../elsewhere.bin", "/etc/hostname", "below/part.bin"])
def test_an_index_names_files_beside_itself_alone(folder, name):
    copy = variant(folder, "sharded")
    with open(os.path.join(copy, "pytorch_model.bin.index.json"), "w") as stream:
        json.dump({"weight_map": {WORDS: name}}, stream)
    with pytest.raises(SwcmError, match="names paths where file names are wanted"):
        read_encoder(copy)


def as_bert(folder, name="bert", prefix=""):
    """The same encoder, kept as multilingual-e5-small is: a BertModel with positions from row 0 and two token types."""
    weights, copy = weights_of(folder), variant(folder, name)
    positions, types = "embeddings.position_embeddings.weight", "embeddings.token_type_embeddings.weight"
    weights[positions] = weights[positions][2:].clone()
    weights[types] = torch.cat([weights[types], weights[types] + 1])
    weights["embeddings.position_ids"] = torch.arange(len(weights[positions]))[None]
    weights["pooler.dense.weight"] = torch.zeros(WIDTH, WIDTH)
    weights = {prefix + name: tensor for name, tensor in weights.items()}
    if prefix:
        weights["cls.predictions.bias"] = torch.zeros(3)
    save_file(weights, os.path.join(copy, "model.safetensors"), metadata={"format": "pt"})
    edit_config(
        copy,
        model_type="bert",
        architectures=["BertModel"],
        max_position_embeddings=64,
        type_vocab_size=2,
        pad_token_id=0,
        bos_token_id="absent",
        eos_token_id="absent",
    )
    return copy


@pytest.mark.parametrize("prefix", ["", "bert."])
def test_a_bert_with_xlm_rs_pieces_is_the_same_encoder(folder, prefix):
    expected, found = read_encoder(folder), read_encoder(as_bert(folder, prefix=prefix))
    assert found.config == expected.config and found.pieces == expected.pieces
    assert set(found.tensors) == set(expected.tensors)
    for name, tensor in expected.tensors.items():
        first = 2 if name == "embeddings.positions.weight" else 0  # no token has the rows before
        assert torch.equal(found.tensors[name][first:], tensor[first:]), name


def test_a_converted_bert_computes_what_it_computed(folder, tmp_path, run, repo):
    from transformers import BertModel, XLMRobertaModel

    bert = as_bert(folder)
    run(["python", repo / "preprocess" / "prune_encoder.py", "--encoder", bert, "--out", tmp_path / "out"])
    tokens = torch.tensor([[0, 5, 9, 7, 2]])
    with torch.no_grad():
        before = BertModel.from_pretrained(bert).eval()(tokens).last_hidden_state
        after = XLMRobertaModel.from_pretrained(tmp_path / "out").eval()(tokens).last_hidden_state
    assert torch.allclose(before, after, atol=1e-6)


def test_a_bert_with_other_pieces_is_refused_in_words(folder):
    bert = as_bert(folder)
    os.remove(os.path.join(bert, "sentencepiece.bpe.model"))
    with pytest.raises(SwcmError, match="no SentencePiece model.*WordPiece"):
        read_encoder(bert)


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize("kind", ["int8", "uint8", "int32"])
def test_quantized_weights_are_refused_by_name(folder, file, kind):
    weights, copy = weights_of(folder), variant(folder, "quantized")
    name = "encoder.layer.1.output.dense.weight"
    weights[name] = (weights[name].abs() * 100).to(getattr(torch, kind))
    path = os.path.join(copy, file)
    save_file(weights, path, metadata={"format": "pt"}) if file.endswith("safetensors") else torch.save(weights, path)
    with pytest.raises(SwcmError, match=f"1 tensors hold {kind}.*{name} first: they are quantized"):
        read_encoder(copy)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused_by_name(folder, value):
    weights, copy = weights_of(folder), variant(folder, "broken")
    weights[WORDS][3, 2] = value
    save_file(weights, os.path.join(copy, "model.safetensors"), metadata={"format": "pt"})
    with pytest.raises(SwcmError, match=f"1 of the [0-9]+ numbers of {WORDS} are NaN or infinite"):
        read_encoder(copy)
