"""recipes/binarize.sh: whole data or none, and only from files that fit together."""

import pytest


@pytest.fixture
def pieces(tmp_path):
    folder = tmp_path / "the pieces"
    folder.mkdir()
    (folder / "sentencepiece.bpe.model").write_bytes(b"model")
    (tmp_path / "dict.txt").write_text("▁a 1\nb 1\n▁c 1\n<mask> 1\n[kk] 1\n[mn] 1\n", encoding="utf-8")
    for split, count in [("train", 5), ("valid", 2)]:
        for pair in ("zh-kk", "zh-mn"):
            for lang in pair.split("-"):
                text = "".join("▁a b ▁c\n" if line % 2 else "▁c zz\n" for line in range(count))
                (folder / f"{split}.{pair}.{lang}").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def binarize(run, repo, tmp_path, pieces):
    def call(*pairs, out="data bin", dictionary="dict.txt", **env):
        command = ["bash", repo / "recipes" / "binarize.sh", pieces, tmp_path / dictionary, tmp_path / out, *pairs]
        return run(command, check=False, env=dict({"WORKERS": 1}, **env))

    return call


def test_pairs_are_put_into_one_folder_that_fairseq_reads(binarize, tmp_path, run):
    done = binarize("zh-kk", "zh-mn")
    assert done.returncode == 0, done.stderr
    # Of the training text's 12 + 5 line ends one piece in three short lines is unknown: 3 of 17 tokens.
    assert "train.zh-kk.zh: 5 sents, 17 tokens, 17.6% replaced" in done.stdout
    out = tmp_path / "data bin"
    names = {path.name for path in out.iterdir()}
    assert names == {"sentencepiece.bpe.model", "preprocess.zh-kk.log", "preprocess.zh-mn.log"} | {
        f"dict.{lang}.txt" for lang in ("zh", "kk", "mn")
    } | {
        f"{split}.{pair}.{lang}.{kind}"
        for split in ("train", "valid")
        for pair in ("zh-kk", "zh-mn")
        for lang in pair.split("-")
        for kind in ("bin", "idx")
    }
    assert (out / "dict.kk.txt").read_text(encoding="utf-8") == (tmp_path / "dict.txt").read_text(encoding="utf-8")
    read = (
        "import sys; from fairseq.data import data_utils, Dictionary; "
        "d = Dictionary.load(sys.argv[1] + '/dict.mn.txt'); "
        "data = data_utils.load_indexed_dataset(sys.argv[1] + '/train.zh-mn.mn', d); "
        "print(len(data), data[0].tolist(), data[1].tolist())"
    )
    # Specials are 0..3, so the pieces start at 4; 3 is unknown, 2 the end.
    assert run(["python", "-c", read, out]).stdout.strip().endswith("5 [6, 3, 2] [4, 5, 6, 2]")
    again = binarize("zh-kk")
    assert again.returncode == 0 and "there already" in again.stdout
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")], "nothing half-made stays"


def test_text_to_denoise_keeps_its_sentence_ends(binarize, pieces, tmp_path, run):
    (pieces / "train.kk").write_text("▁a </s> b ▁c\nb\n", encoding="utf-8")
    assert binarize("kk", "zh-kk").returncode == 0
    read = (
        "import sys; from fairseq.data import Dictionary; from swcm_fairseq.data.data_bin import load_documents; "
        "d = Dictionary.load(sys.argv[1] + '/dict.kk.txt'); "
        "print([one.tolist() for one in load_documents(sys.argv[1], 'train', 'kk', d, None)])"
    )
    assert run(["python", "-c", read, tmp_path / "data bin"]).stdout.strip().endswith("[[4, 2, 5, 6, 2], [5, 2]]")
    assert binarize("mn", out="other").stderr.count("has no {train,valid,test}.mn") == 1


def test_all_problems_are_named_and_nothing_is_left(binarize, pieces, tmp_path):
    with open(str(pieces / "valid.zh-kk.kk"), "a") as stream:
        stream.write("one more, without a line end")
    (pieces / "train.zh-mn.mn").unlink()
    (pieces / "sentencepiece.bpe.model").unlink()
    done = binarize("zh-kk", "zh-mn", "zh-ug", dictionary="no.txt")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    for words in [
        "no.txt, the dictionary, is missing",
        "sentencepiece.bpe.model is missing",
        "valid.zh-kk.zh has 2 lines",
        "valid.zh-kk.kk has 3",
        "train.zh-mn.mn is missing",
        "no {train,valid,test}.zh-ug.{zh,ug}",
    ]:
        assert words in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dict.txt", "the pieces"]


def test_a_failure_of_fairseq_leaves_nothing(binarize, tmp_path):
    (tmp_path / "dict.txt").write_text("a line without a count\n")
    done = binarize("zh-kk")
    assert done.returncode == 1
    assert "fairseq-preprocess failed for zh-kk" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dict.txt", "the pieces"]


def test_a_finished_folder_without_the_pair_is_not_taken_for_done(binarize, tmp_path):
    out = tmp_path / "data bin"
    out.mkdir()
    (out / "preprocess.zh-mn.log").write_text("")
    done = binarize("zh-mn", "zh-kk")
    assert done.returncode == 1 and "does not hold zh-kk" in done.stderr
    assert [path.name for path in out.iterdir()] == ["preprocess.zh-mn.log"]


@pytest.mark.parametrize("pairs", [(), ("zh+kk",), ("zh-kk-mn",)])
def test_wrong_usage(binarize, pairs):
    assert binarize(*pairs).returncode == 2


def test_blank_lines_of_held_out_sets_are_counted(binarize, pieces):
    (pieces / "valid.zh-kk.kk").write_text("\n▁a b\n", encoding="utf-8")
    done = binarize("zh-kk")
    assert done.returncode == 0, done.stderr
    assert "valid.zh-kk.kk has 1 blank lines of 2" in done.stdout and done.stdout.count(" blank lines of ") == 1
