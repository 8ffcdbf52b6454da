import os

import pytest

from swcm_fairseq.data.data_bin import load_dictionary, load_pair, read_dictionary, sentencepiece_model
from swcm_fairseq.errors import SwcmError
from tests.toy import toy_dictionary, write_data_bin

DICTIONARY = toy_dictionary()


@pytest.fixture
def folder(tmp_path):
    return write_data_bin(tmp_path, DICTIONARY, {"train.zh-kk.zh": ["a b", "c"], "train.zh-kk.kk": ["d", "e f"]})


@pytest.mark.parametrize("source, target", [("zh", "kk"), ("kk", "zh")])
def test_a_pair_is_read_in_either_direction(folder, source, target):
    sides = load_pair(folder, "train", source, target, DICTIONARY, None)
    texts = {"zh": ["a b", "c"], "kk": ["d", "e f"]}
    for side, suffix in (("source", source), ("target", target)):
        assert [DICTIONARY.string(line) for line in sides[side]] == texts[suffix]


def test_no_files_are_no_pair(folder):
    assert load_pair(folder, "valid", "zh", "kk", DICTIONARY, None) == {}
    assert load_pair(folder, "train", "zh", "mn", DICTIONARY, None) == {}


def test_a_side_without_the_other_is_named(folder):
    os.remove(os.path.join(folder, "train.zh-kk.kk.idx"))
    with pytest.raises(SwcmError, match=r"train.zh-kk.zh.idx is there but .*train.zh-kk.kk.idx is not"):
        load_pair(folder, "train", "zh", "kk", DICTIONARY, None)


def test_sides_of_different_length_are_named_with_their_lines(folder):
    write_data_bin(folder, DICTIONARY, {"train.zh-kk.kk": ["d"]})
    with pytest.raises(SwcmError, match=r"train.zh-kk.zh has 2 lines, .*train.zh-kk.kk has 1;"):
        load_pair(folder, "train", "zh", "kk", DICTIONARY, None)


def test_one_dictionary_under_any_of_its_names(tmp_path):
    DICTIONARY.save(str(tmp_path / "dict.kk.txt"))
    assert load_dictionary([str(tmp_path)], ["zh", "kk"]) == DICTIONARY
    assert load_dictionary([str(tmp_path), str(tmp_path / "none")], ["kk"]).symbols == DICTIONARY.symbols


@pytest.mark.parametrize("content", [b"a\nb\n", b"a 1\na 1\n", b"a one\n", b"\xff\xfe 1\n"], ids=repr)
def test_a_file_that_is_no_dictionary_is_named(tmp_path, content):
    (tmp_path / "dict.txt").write_bytes(content)
    with pytest.raises(SwcmError, match="dict.txt is not a fairseq dictionary"):
        read_dictionary(str(tmp_path / "dict.txt"))


def test_the_first_folder_with_a_sentencepiece_model_counts(tmp_path):
    folders = [str(tmp_path / name) for name in ("one", "two")]
    for folder in folders:
        os.makedirs(folder)
    assert sentencepiece_model(folders) is None
    open(os.path.join(folders[1], "sentencepiece.bpe.model"), "wb").close()
    assert sentencepiece_model(folders) == os.path.join(folders[1], "sentencepiece.bpe.model")
