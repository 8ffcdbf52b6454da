import os

import pytest
import torch
from fairseq.data import indexed_dataset

from swcm_fairseq.data.data_bin import (
    load_dictionary,
    load_documents,
    load_pair,
    other_kind,
    read_dictionary,
    sentencepiece_model,
)
from swcm_fairseq.errors import SwcmError
from tests.support.toy import toy_dictionary, write_data_bin

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


def write(folder, name, lines, impl):
    """Write ``lines`` of pieces as ``fairseq-preprocess --dataset-impl`` does."""
    path = os.path.join(str(folder), name)
    encoded = [DICTIONARY.encode_line(line, add_if_not_exist=False) for line in lines]
    if impl == "raw":
        with open(path, "w", encoding="utf-8") as stream:
            stream.writelines(line + "\n" for line in lines)
        return
    builder = indexed_dataset.make_builder(path + ".bin", impl=impl, vocab_size=len(DICTIONARY))
    for line in encoded:
        builder.add_item(line)
    builder.finalize(path + ".idx")


@pytest.mark.parametrize("impl", ["mmap", "cached", "lazy", "raw"])
@pytest.mark.parametrize("said", [True, False])
def test_every_kind_of_file_gives_the_same_pieces_in_any_order(tmp_path, impl, said):
    lines = ["a b c", "", "d e", "f"]
    for side in ("zh", "kk"):
        write(tmp_path, "train.zh-kk." + side, lines, impl)
    flag = impl if said or impl == "raw" else None
    sides = load_pair(str(tmp_path), "train", "zh", "kk", DICTIONARY, flag)
    for dataset in sides.values():
        assert dataset.sizes.tolist() == [4, 1, 3, 2]
        for place in (3, 0, 2, 1, 0):
            assert dataset[place].dtype == torch.int64 or impl == "raw"
            assert dataset[place].tolist() == DICTIONARY.encode_line(lines[place], add_if_not_exist=False).tolist()
        assert not getattr(dataset, "supports_prefetch", False)  # nobody prefetches in a mixture


def test_old_files_are_read_by_several_processes_at_once(tmp_path):
    lines = [" ".join("abcdef"[: 1 + i % 6]) for i in range(300)]
    write(tmp_path, "train.kk-None.kk", lines, "cached")
    dataset = load_documents(str(tmp_path), "train", "kk", DICTIONARY, None)
    dataset[0]  # what is open before the processes are forked is open in all of them
    loader = torch.utils.data.DataLoader(dataset, batch_size=1, num_workers=2, collate_fn=lambda rows: rows[0])
    assert [DICTIONARY.string(row) for row in loader] == lines


@pytest.mark.parametrize("impl", ["mmap", "cached", "raw"])
def test_parts_are_joined_in_order_where_fairseq_joins_them(tmp_path, impl):
    for part, lines in (("train", ["a", "b"]), ("train1", ["c"]), ("train2", ["d", "e"]), ("train4", ["f"])):
        # A part may lie in the other direction.
        pair = "kk-zh" if part == "train1" else "zh-kk"
        write(tmp_path, f"{part}.{pair}.zh", lines, impl)
        write(tmp_path, f"{part}.{pair}.kk", lines, impl)
        write(tmp_path, f"{part}.kk-None.kk", lines, impl)
    for combine, expected in ((True, list("abcde")), (False, list("ab"))):
        sides = load_pair(str(tmp_path), "train", "zh", "kk", DICTIONARY, impl, combine)
        documents = load_documents(str(tmp_path), "train", "kk", DICTIONARY, impl, combine)
        for dataset in (sides["source"], sides["target"], documents):
            assert [DICTIONARY.string(dataset[i]) for i in range(len(dataset))] == expected
            assert dataset.sizes.tolist() == [2] * len(expected)


def test_sides_of_a_later_part_are_compared_too(folder):
    write_data_bin(folder, DICTIONARY, {"train1.zh-kk.zh": ["a"], "train1.zh-kk.kk": ["b", "c"]})
    with pytest.raises(SwcmError, match="train1.zh-kk.zh has 1 lines, .*train1.zh-kk.kk has 2"):
        load_pair(folder, "train", "zh", "kk", DICTIONARY, None, combine=True)
    os.remove(os.path.join(folder, "train1.zh-kk.kk.idx"))
    with pytest.raises(SwcmError, match="train1.zh-kk.zh.idx is there but .*train1.zh-kk.kk.idx is not"):
        load_pair(folder, "train", "zh", "kk", DICTIONARY, None, combine=True)


@pytest.mark.parametrize("content", [b"", b"something else altogether", b"MMIDIDX\x00\x00\x09"])
def test_a_damaged_file_is_named(folder, content):
    with open(os.path.join(folder, "train.zh-kk.kk.idx"), "wb") as stream:
        stream.write(content)
    with pytest.raises(SwcmError, match=r"train.zh-kk.kk.idx and .bin cannot be read: .*binarize"):
        load_pair(folder, "train", "zh", "kk", DICTIONARY, None)


def test_kinds_that_are_not_there_or_hold_no_text_are_told_apart(folder, tmp_path):
    with pytest.raises(SwcmError, match="--dataset-impl fasta is not for text; there are: mmap, cached"):
        load_pair(folder, "train", "zh", "kk", DICTIONARY, "fasta")
    assert other_kind(folder, None) == "" and "leave --dataset-impl raw out" in other_kind(folder, "raw")
    (tmp_path / "text").mkdir()
    write(tmp_path / "text", "train.zh-kk.zh", ["a"], "raw")
    assert "wants that flag here too" in other_kind(str(tmp_path / "text"), None)


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
