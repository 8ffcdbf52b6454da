"""Encoding text into pieces: line by line, nothing dropped, everything or nothing written."""

import os

import pytest
import sentencepiece

from tests.support.in_process import assert_fails, run_script
from tests.support.tiny_encoder import CORPUS, train_sentencepiece

LINES = list(CORPUS) + ["", "  two  spaces ", "ཀཁག unknown ཀ", "a\u3000b\u00a0c", "end\r"]


@pytest.fixture
def spm(tmp_path):
    path = tmp_path / "some.model"
    path.write_bytes(train_sentencepiece())
    return path


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "train.zh-kk.kk"
    path.write_bytes("\n".join(LINES).encode("utf-8"))  # no line end after the last line
    return path


@pytest.fixture
def encode(capsys, spm, tmp_path):
    def command(*inputs, options=(), check=True):
        arguments = ["--spm", spm, "--out", tmp_path / "pieces", *options, *inputs]
        return run_script("encode", arguments, capsys, check)

    return command


def test_lines_stay_aligned_and_pieces_are_sentencepieces(encode, spm, text, tmp_path):
    done = encode(text, options=["--workers", "2"])
    written = (tmp_path / "pieces" / text.name).read_bytes().decode("utf-8").split("\n")
    assert written.pop() == "" and len(written) == len(LINES)
    model = sentencepiece.SentencePieceProcessor(model_file=str(spm))
    expected = [model.encode(line, out_type=str) for line in LINES]
    assert [line.split(" ") if line else [] for line in written] == expected
    assert all(line.split() == pieces for line, pieces in zip(written, expected))  # as fairseq cuts them
    total, unknown = sum(map(len, expected)), sum(model.encode(line).count(0) for line in LINES)
    assert unknown >= 2
    share = f"{100 * unknown / total:.2f}% unknown"
    assert f"{len(LINES)} lines, {total} pieces, {share}" in done.stdout
    assert (tmp_path / "pieces" / "sentencepiece.bpe.model").read_bytes() == spm.read_bytes()


def test_a_line_that_is_not_utf8_is_named_and_nothing_is_left(encode, text, tmp_path):
    bad = tmp_path / "train.zh-kk.zh"
    bad.write_bytes("好\n".encode("utf-8") + "好\n".encode("gb18030"))
    done = encode(text, bad, check=False)
    assert_fails(done, f"{bad}, line 2: not UTF-8")
    assert os.listdir(str(tmp_path / "pieces")) == []


def test_finished_output_is_kept_without_force(encode, text):
    encode(text)
    done = encode(text, check=False)
    assert done.returncode == 1 and "--force" in done.stderr
    encode(text, options=["--force"])


def test_one_folder_holds_the_pieces_of_one_model(encode, spm, text, tmp_path):
    encode(text)
    spm.write_bytes(train_sentencepiece(vocab=230))
    other = tmp_path / "other.txt"
    other.write_text("x\n")
    done = encode(other, check=False)
    assert done.returncode == 1 and "another model" in done.stderr
    assert not (tmp_path / "pieces" / "other.txt").exists()


def test_bad_arguments(encode, spm, text, tmp_path):
    (tmp_path / "again").mkdir()
    twin = tmp_path / "again" / text.name
    twin.write_text("x\n")
    assert "under the same name" in encode(text, twin, check=False).stderr
    assert "no such file" in encode(tmp_path / "nowhere", check=False).stderr
    assert encode(text, options=["--workers", "0"], check=False).returncode == 2
    spm.write_bytes(b"\xff" * 20)
    assert "no SentencePiece model" in encode(text, check=False).stderr


def test_as_a_command(run, repo, spm, text, tmp_path):
    script = repo / "preprocess" / "encode.py"
    done = run(["python", script, "--spm", spm, "--out", tmp_path / "with a space", text])
    assert done.stdout.startswith(str(tmp_path / "with a space" / text.name) + ": ")
    done = run(["python", script, "--spm", spm, "--out", tmp_path / "with a space", text], check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1


def test_pieces_that_fairseq_would_cut_again_are_refused(encode, spm, tmp_path):
    import io

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["one two", "three"]),
        model_writer=model,
        vocab_size=30,
        hard_vocab_limit=False,
        normalization_rule_name="identity",
        minloglevel=2,
    )
    spm.write_bytes(model.getvalue())
    path = tmp_path / "text"
    path.write_text("one two\nthree\u3000one\n", encoding="utf-8")
    done = encode(path, check=False)
    assert done.returncode == 1 and f"{path}, line 2: a piece holds white space" in done.stderr


def test_documents_keep_the_ends_of_their_sentences(encode, spm, tmp_path):
    text = tmp_path / "train.kk"
    text.write_text("{}</s>{} </s> \n\n{}\n".format(*CORPUS[:3]), encoding="utf-8")
    encode(text, options=["--documents"])
    model = sentencepiece.SentencePieceProcessor(model_file=str(spm))
    first, second, third = (" ".join(model.encode(sentence, out_type=str)) for sentence in CORPUS[:3])
    written = (tmp_path / "pieces" / "train.kk").read_text(encoding="utf-8")
    assert written == f"{first} </s> {second}\n\n{third}\n"


def test_without_documents_the_mark_is_text(encode, tmp_path):
    text = tmp_path / "train.kk"
    text.write_text("a </s> b\n", encoding="utf-8")
    encode(text)
    assert "</s>" not in (tmp_path / "pieces" / "train.kk").read_text(encoding="utf-8").split()
