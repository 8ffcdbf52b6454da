"""The dictionary: every symbol's id in fairseq is its row in the encoder's embedding."""

import os

import pytest
from fairseq.data import Dictionary

from swcm_fairseq.pretrained import read_encoder
from tests.support.in_process import assert_fails, run_script
from tests.support.tiny_encoder import edit_pieces, make_encoder_folder


@pytest.fixture
def build(capsys, tmp_path):
    def command(encoder, langs="zh,kk,mn,ug", options=(), check=True):
        arguments = ["--encoder", encoder, "--langs", langs, "--out", tmp_path / "dict.txt", *options]
        return run_script("build_dict", arguments, capsys, check)

    return command


@pytest.fixture
def folder(tmp_path):
    return make_encoder_folder(tmp_path / "encoder", layers=1)


def test_ids_are_rows(build, folder, tmp_path):
    done = build(folder)
    dictionary, encoder = Dictionary.load(str(tmp_path / "dict.txt")), read_encoder(folder)
    rows = encoder.config.vocab_size
    assert [dictionary.index(piece) for piece in encoder.pieces] == list(range(4, rows - 1))
    assert dictionary.index("<mask>") == rows - 1
    assert [dictionary.index(tag) for tag in ("[zh]", "[kk]", "[mn]", "[ug]")] == list(range(rows, rows + 4))
    assert len(dictionary) == rows + 4 and f"{rows} symbols" in done.stdout
    again = build(folder, check=False)
    assert again.returncode == 1 and "--force" in again.stderr
    build(folder, langs="bo", options=["--force"])
    assert Dictionary.load(str(tmp_path / "dict.txt")).index("[bo]") == rows


def test_everything_wrong_is_said_at_once_and_nothing_written(build, folder, tmp_path):
    def edit(pieces):
        pieces[10] = pieces[10].__class__("[kk]", -1.0)
        pieces[11] = pieces[11].__class__("a b", -1.0)

    edit_pieces(folder, edit)
    done = build(folder, langs="kk,xx-nowhere,mn,mn", check=False)
    assert_fails(done, "the tag [kk] stands 2 times", "the tag [mn] stands 2 times", "xx-nowhere", "'a b'")
    assert os.listdir(str(tmp_path)) == ["encoder"]
    assert build(folder, langs="kk,,mn", check=False).returncode == 2


def test_a_piece_that_fairseq_never_reads_keeps_its_row(build, folder, tmp_path):
    """XLM-R's vocabulary has one: the control character U+0085."""

    def edit(pieces):
        pieces[10] = pieces[10].__class__("\u0085", -1.0)

    edit_pieces(folder, edit)
    done = build(folder)
    assert "'\\x85'" in done.stderr
    dictionary, encoder = Dictionary.load(str(tmp_path / "dict.txt")), read_encoder(folder)
    assert [dictionary[4 + i] for i in range(len(encoder.pieces))] == encoder.pieces
    assert dictionary.index("<mask>") == encoder.config.vocab_size - 1


def test_encoder_without_vocabulary(build, folder):
    os.remove(os.path.join(folder, "sentencepiece.bpe.model"))
    done = build(folder, check=False)
    assert done.returncode == 1 and "no SentencePiece model" in done.stderr
