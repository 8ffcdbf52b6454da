"""Pruning: rows, config and SentencePiece model stay in step, values stay, and so do the text's pieces."""

import json
import os

import numpy
import pytest
import sentencepiece
import torch
from safetensors.torch import load_file, save_file

from swcm_fairseq.pretrained import read_encoder
from swcm_fairseq.vocabulary.sentencepiece_model import BYTE, CONTROL, UNKNOWN, Piece, SentencePieceModel
from tests.support.in_process import assert_fails, import_script, run_script
from tests.support.tiny_encoder import CORPUS, edit_pieces, fairseq_tensors, make_encoder_folder

WORDS = "embeddings.word_embeddings.weight"
TEXT = list(CORPUS[:7]) + ["", "ཀཁ ཀ 马 unknown"]  # Chinese and some Kazakh; most Uyghur pieces go


@pytest.fixture
def folder(tmp_path):
    return make_encoder_folder(tmp_path / "encoder", layers=4, width=15, heads=3, ffn=17, seed=5)


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "text"
    path.write_text("\n".join(TEXT) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def prune(capsys, tmp_path):
    def command(encoder, *options, out="out", check=True):
        return run_script("prune_encoder", ["--encoder", encoder, "--out", tmp_path / out, *options], capsys, check)

    return command


def processor(folder):
    return sentencepiece.SentencePieceProcessor(model_file=os.path.join(str(folder), "sentencepiece.bpe.model"))


def test_kept_rows_are_equal_bit_for_bit_and_text_keeps_its_pieces(prune, folder, corpus, tmp_path):
    card = os.path.join(folder, "README.md")
    with open(card, "w") as stream:
        stream.write("---\nlicense: mit\n---\n")
    prune(folder, "--corpus", corpus, "--keep-layers", "0,2", "--workers", "2")
    os.remove(card)
    assert (tmp_path / "out" / "README.md").read_text() == "---\nlicense: mit\n---\n"
    old, new = read_encoder(folder), read_encoder(str(tmp_path / "out"))
    before, after = processor(folder), processor(tmp_path / "out")
    used = set()
    for line in TEXT:
        pieces = before.encode(line, out_type=str)
        assert after.encode(line, out_type=str) == pieces
        used.update(piece for piece in pieces if piece in set(old.pieces))

    least = min(old.pieces, key=lambda piece: before.get_score(before.piece_to_id(piece)))
    assert set(new.pieces) == used | {"\u2581", least} and len(new.pieces) < len(old.pieces) - 50
    assert [after.get_score(after.piece_to_id(p)) for p in new.pieces] == [
        before.get_score(before.piece_to_id(p)) for p in new.pieces
    ]
    rows = [0, 1, 2, 3] + [4 + old.pieces.index(piece) for piece in new.pieces] + [old.config.vocab_size - 1]
    assert torch.equal(new.tensors["embeddings.tokens.weight"], old.tensors["embeddings.tokens.weight"][rows])
    for name, tensor in new.tensors.items():
        name = name.replace("layers.1.", "layers.2.")
        if name != "embeddings.tokens.weight":
            assert torch.equal(tensor, old.tensors[name]), name
    assert new.config == old.config.__class__(**dict(vars(old.config), vocab_size=len(rows), encoder_layers=2))

    with open(str(tmp_path / "out" / "prune.json"), encoding="utf-8") as stream:
        report = json.load(stream)
    assert report["rows"] == {"before": old.config.vocab_size, "after": len(rows), "surplus_cut": 0}
    assert report["layers"] == {"before": 4, "kept": [0, 2]}
    counts = report["corpora"][str(corpus)]
    assert counts["lines"] == len(TEXT) and counts["lines_changed"] == 0
    assert counts["pieces"] == sum(len(before.encode(line)) for line in TEXT)
    assert counts["unknown"] == sum(before.encode(line).count(0) for line in TEXT) > 0


def test_transformers_loads_it_and_computes_the_same(prune, folder, corpus, tmp_path):
    pytest.importorskip("transformers")
    from transformers import XLMRobertaModel

    prune(folder, "--corpus", corpus)
    models = []
    for path in (folder, str(tmp_path / "out")):
        model, report = XLMRobertaModel.from_pretrained(path, add_pooling_layer=False, output_loading_info=True)
        assert not report["missing_keys"] and not report["unexpected_keys"] and not report["mismatched_keys"]
        ids = [0] + [i + 1 if i else 3 for i in processor(path).encode(TEXT[0])] + [2]
        with torch.no_grad():
            models.append(model.eval()(torch.tensor([ids])).last_hidden_state)
    assert torch.equal(*models)


def add_rows(folder, count):
    path = os.path.join(folder, "model.safetensors")
    weights = load_file(path)
    rows = weights[WORDS].size(0)
    weights[WORDS] = torch.cat([weights[WORDS], torch.full((count, weights[WORDS].size(1)), 9.0)])
    save_file(weights, path, metadata={"format": "pt"})
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as stream:
        config = json.load(stream)
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as stream:
        json.dump(dict(config, vocab_size=rows + count), stream)
    return rows


def test_surplus_rows_are_cut_and_named(prune, folder, tmp_path):
    expected = read_encoder(folder)
    rows = add_rows(folder, 7)
    done = prune(folder)
    assert f"rows {rows} to {rows + 6}" in done.stdout
    encoder = read_encoder(str(tmp_path / "out"))
    assert encoder.config == expected.config and encoder.pieces == expected.pieces
    assert all(torch.equal(tensor, expected.tensors[name]) for name, tensor in encoder.tensors.items())


def test_min_count_leaves_nothing_known_unknown(prune, folder, corpus, tmp_path):
    prune(folder, "--corpus", corpus, "--min-count", "2")
    before, after = processor(folder), processor(tmp_path / "out")
    assert after.get_piece_size() < before.get_piece_size()
    with open(str(tmp_path / "out" / "prune.json"), encoding="utf-8") as stream:
        counts = json.load(stream)["corpora"][str(corpus)]
    changed = [line for line in TEXT if before.encode(line, out_type=str) != after.encode(line, out_type=str)]
    assert counts["lines_changed"] == len(changed) > 0
    assert [before.encode(line).count(0) for line in TEXT] == [after.encode(line).count(0) for line in TEXT]


def test_keep_pieces(prune, folder, corpus, tmp_path):
    prune(folder, "--corpus", corpus)
    lean = read_encoder(str(tmp_path / "out")).pieces
    extra = [piece for piece in read_encoder(folder).pieces if piece not in lean][:3]
    wanted = tmp_path / "wanted"
    wanted.write_text("\n".join(extra) + "\n", encoding="utf-8")
    prune(folder, "--corpus", corpus, "--keep-pieces", wanted, out="more")
    assert set(read_encoder(str(tmp_path / "more")).pieces) == set(lean) | set(extra)
    wanted.write_text("no-such-piece\nnor-this\n", encoding="utf-8")
    done = prune(folder, "--corpus", corpus, "--keep-pieces", wanted, out="none", check=False)
    assert done.returncode == 1 and "no-such-piece" in done.stderr and "nor-this" in done.stderr


def test_pieces_with_white_space_go_and_are_named(prune, folder, corpus, tmp_path):
    edit_pieces(folder, lambda pieces: pieces.__setitem__(60, Piece("\u0085", -5.0)))
    done = prune(folder, "--corpus", corpus)
    assert "'\\x85'" in done.stdout and "\u0085" not in read_encoder(str(tmp_path / "out")).pieces
    prune(folder, out="whole")
    assert "\u0085" in read_encoder(str(tmp_path / "whole")).pieces  # all pieces stay without a corpus


def test_text_that_uses_white_space_pieces_is_refused(prune, folder, tmp_path):
    edit_pieces(folder, lambda pieces: pieces.__setitem__(60, Piece("\u0085", -5.0)))
    text = tmp_path / "text"
    text.write_bytes("fine\nа\u0085а\n".encode("utf-8"))
    assert_fails(prune(folder, "--corpus", text, check=False), f"{text}, line 2", "white space")
    assert not (tmp_path / "out").exists()


def test_what_stays_beside_the_used_pieces():
    choose_pieces = import_script("prune_encoder").choose_pieces
    pieces = [Piece("<unk>", 0.0, UNKNOWN), Piece("<s>", 0.0, CONTROL), Piece("</s>", 0.0, CONTROL)]
    pieces += [Piece("\u2581", -2.0), Piece("ab", -1.0), Piece("a", -3.0), Piece("c", -9.0), Piece("d", -4.0)]
    pieces += [Piece("<0x0A>", 0.0, BYTE), Piece("e", -4.0)]
    counts = numpy.array([0, 0, 0, 0, 1, 0, 0, 2, 0, 0])
    # Used: ab, d; the space mark, the least probable c, the byte; "a" only where "ab" is too rare to stay.
    assert choose_pieces(pieces, counts, 1, []) == [0, 1, 2, 3, 4, 6, 7, 8]
    assert choose_pieces(pieces, counts, 2, []) == [0, 1, 2, 3, 5, 6, 7, 8]
    assert choose_pieces(pieces, counts, 2, ["e"]) == [0, 1, 2, 3, 5, 6, 7, 8, 9]


def test_price_of_unknown_characters_does_not_change(prune, folder, tmp_path):
    """``ཀཁ`` has a piece, ``ཀ`` alone has none: were unknown characters cheaper, it would be cut in two."""
    model = SentencePieceModel.read(os.path.join(folder, "sentencepiece.bpe.model"))

    def edit(pieces):
        pieces[-1] = Piece("\u0f40\u0f41", -60.0)
        pieces[-2] = Piece("never", -55.0)
        pieces[-3] = Piece("\u0f41", -1.0)

    assert min(piece.score for piece in model.pieces) > -30
    edit_pieces(folder, edit)
    text = tmp_path / "text"
    text.write_text("\u0f40\u0f41\n", encoding="utf-8")
    prune(folder, "--corpus", text)
    assert processor(tmp_path / "out").encode("\u0f40\u0f41", out_type=str) == ["\u2581", "\u0f40\u0f41"]


def test_bad_input_leaves_nothing(prune, folder, corpus, tmp_path):
    bad = tmp_path / "bad"
    bad.write_bytes(b"fine\n\xff\n")
    assert_fails(prune(folder, "--corpus", bad, check=False), f"{bad}, line 2: not UTF-8")
    assert_fails(prune(folder, "--corpus", tmp_path / "nowhere", check=False), "nowhere")
    assert_fails(prune(folder, "--keep-layers", "0,4", check=False), "layers 0 to 3")
    bad.write_text("\n")
    assert_fails(prune(folder, "--corpus", bad, check=False), "no piece")
    assert prune(folder, "--keep-layers", "2,1", check=False).returncode == 2
    assert prune(folder, "--min-count", "2", check=False).returncode == 2
    os.remove(os.path.join(folder, "sentencepiece.bpe.model"))
    assert_fails(prune(folder, "--corpus", corpus, check=False), "no SentencePiece model")
    assert sorted(os.listdir(str(tmp_path))) == ["bad", "encoder", "text"]


def test_finished_folder_is_kept_without_force(prune, folder, tmp_path):
    prune(folder, "--keep-layers", "0")
    assert_fails(prune(folder, check=False), "--force")
    assert read_encoder(str(tmp_path / "out")).config.encoder_layers == 1
    prune(folder, "--force")
    assert read_encoder(str(tmp_path / "out")).config.encoder_layers == 4


def test_as_a_command(run, repo, folder, tmp_path):
    command = ["python", repo / "preprocess" / "prune_encoder.py", "--encoder", folder, "--out", tmp_path / "a b"]
    assert "layers 4 -> 1 (3)" in run(command + ["--keep-layers", "3"]).stdout
    done = run(command, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1


def test_fairseq_rows_in_another_order_follow_the_sentencepiece_model(prune, folder, tmp_path):
    """dict.txt says which row a piece has; the folder that is written has them in SentencePiece's order."""
    import argparse
    import shutil

    encoder = read_encoder(folder)
    order = list(range(len(encoder.pieces)))[::-1]
    source = tmp_path / "fairseq"
    source.mkdir()
    rows = torch.tensor([0, 1, 2, 3] + [4 + i for i in order] + [encoder.config.vocab_size - 1])
    weights = load_file(os.path.join(folder, "model.safetensors"))
    state = {"encoder.sentence_encoder." + name: tensor for name, tensor in fairseq_tensors(weights).items()}
    state["encoder.sentence_encoder.embed_tokens.weight"] = encoder.tensors["embeddings.tokens.weight"][rows]
    sizes = {"encoder_layers": 4, "encoder_embed_dim": 15, "encoder_ffn_embed_dim": 17, "encoder_attention_heads": 3}
    args = argparse.Namespace(activation_fn="gelu", **sizes)
    torch.save({"args": args, "model": state}, str(source / "model.pt"))
    (source / "dict.txt").write_text("".join(encoder.pieces[i] + " 1\n" for i in order), encoding="utf-8")
    shutil.copy(os.path.join(folder, "sentencepiece.bpe.model"), str(source))
    assert read_encoder(str(source)).pieces == encoder.pieces[::-1]
    prune(source)
    written = read_encoder(str(tmp_path / "out"))
    assert written.pieces == encoder.pieces and written.config == encoder.config
    assert all(torch.equal(tensor, encoder.tensors[name]) for name, tensor in written.tensors.items())


def test_text_may_come_through_a_pipe_though_it_is_read_twice(prune, folder, corpus, tmp_path):
    prune(folder, "--corpus", corpus)
    reading, writing = os.pipe()
    os.write(writing, corpus.read_bytes())  # less than a pipe holds
    os.close(writing)
    prune(folder, "--corpus", f"/dev/fd/{reading}", out="piped")
    os.close(reading)
    for name in ("config.json", "sentencepiece.bpe.model", "model.safetensors"):
        assert (tmp_path / "piped" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
    (counts,) = json.loads((tmp_path / "piped" / "prune.json").read_text())["corpora"].values()
    assert counts["lines"] == len(TEXT) and counts["lines_changed"] == 0
