import json
import random

from swcm_preprocess import split as split_command
from swcm_preprocess.overlap import fingerprint, ngrams, overlap

import pytest

from tests.support.in_process import assert_fails

PARTS = ("train", "valid", "test")
# Syllables that give strings which are often, but not always, near each other.
SIGNS = "文件打开保存关闭编辑视图插入格式工具表格窗口帮助"


def make_pairs(folder, seed=1, lines=400):
    """Two pairs zh-kk and zh-mn whose Chinese sides overlap, with twins, repetitions and other translations."""
    rng = random.Random(seed)
    pool = ["".join(rng.choice(SIGNS) for _ in range(rng.randint(1, 12))) for _ in range(lines)]
    pool += [text + rng.choice("。吗 1") for text in rng.sample(pool, lines // 4)]
    folder.mkdir(exist_ok=True)
    for code in ("kk", "mn"):
        chosen = rng.sample(pool, len(pool) * 3 // 4) + rng.sample(pool, 20)
        for suffix, texts in (("zh", chosen), (code, [f"{code} {i}" for i in range(len(chosen))])):
            (folder / f"zh-{code}.{suffix}").write_text("".join(t + "\n" for t in texts), encoding="utf-8")
    return [folder / "zh-kk", folder / "zh-mn"]


def read(path):
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def rows(folder, part, code):
    sides = [read(folder / f"{part}.zh-{code}.{side}") for side in ("zh", code)]
    assert len(sides[0]) == len(sides[1])
    return list(zip(*sides))


@pytest.fixture(scope="module")
def split_run(run, repo):
    def split(pairs, out, *arguments, **options):
        command = ["python", repo / "preprocess" / "split.py", "--pairs", *pairs, "--pivot", "zh", "--out", out]
        return run([*command, "--valid", "10", "--test", "20", *arguments], **options)

    return split


@pytest.fixture(scope="module")
def split(split_run, tmp_path_factory):
    """A finished split: (folder with the pairs, folder with the parts)."""
    folder = tmp_path_factory.mktemp("split")
    pairs = make_pairs(folder / "clean")
    split_run(pairs, folder / "out")
    return folder / "clean", folder / "out"


def test_each_pair_has_its_lines_and_nothing_is_invented(split):
    clean, out = split
    counts = json.loads((out / "split.counts.json").read_text(encoding="utf-8"))
    for code in ("kk", "mn"):
        parts = {part: rows(out, part, code) for part in PARTS}
        assert len(parts["test"]) == 20 and len(parts["valid"]) == 10
        everything = [row for part in PARTS for row in parts[part]]
        given = list(zip(read(clean / f"zh-{code}.zh"), read(clean / f"zh-{code}.{code}")))
        assert len(set(everything)) == len(everything)  # targets are numbered
        assert set(everything) <= set(given)
        count = counts["pairs"]["zh-" + code]
        assert count["read"] == len(given) == len(everything) + count["left_out"]
        for part in ("test", "valid"):
            sources = [source for source, _ in parts[part]]
            assert len(set(sources)) == len(sources)


def greatest_overlap(out):
    train = {fingerprint(source) for code in ("kk", "mn") for source, _ in rows(out, "train", code)}
    held = {fingerprint(s) for part in ("test", "valid") for code in ("kk", "mn") for s, _ in rows(out, part, code)}
    return max(overlap(ngrams(a, 2), ngrams(b, 2)) for a in held for b in train)


def test_no_held_out_sentence_has_a_twin_in_any_pairs_train(split):
    _, out = split
    greatest = greatest_overlap(out)
    assert greatest < 0.7
    counts = json.loads((out / "split.counts.json").read_text(encoding="utf-8"))
    reported = max(counts["closest_in_train"][part]["closest"]["ngrams"]["greatest"] for part in ("test", "valid"))
    assert reported == round(greatest, 4)


def test_test_and_valid_have_no_twins_of_each_other(split):
    _, out = split
    sides = [
        {ngrams(fingerprint(s), 2) for code in ("kk", "mn") for s, _ in rows(out, part, code)}
        for part in ("test", "valid")
    ]
    assert max(overlap(a, b) for a in sides[0] for b in sides[1]) < 0.7


def test_the_result_depends_on_files_and_seed_alone(split, split_run, tmp_path):
    clean, out = split
    contents = {path.name: path.read_bytes() for path in out.iterdir()}
    # Another order of the pairs, another hash seed of Python.
    split_run([clean / "zh-mn", clean / "zh-kk"], tmp_path / "again", env={"PYTHONHASHSEED": "7"})
    for name, content in contents.items():
        if name != "split.counts.json":
            assert (tmp_path / "again" / name).read_bytes() == content
    split_run([clean / "zh-kk", clean / "zh-mn"], tmp_path / "other", "--seed", "2")
    assert (tmp_path / "other" / "test.zh-kk.zh").read_bytes() != contents["test.zh-kk.zh"]


def test_max_train_is_per_pair_and_keeps_the_order(split, split_run, tmp_path):
    clean, out = split
    split_run([clean / "zh-kk", clean / "zh-mn"], tmp_path / "out", "--max-train", "50")
    for code in ("kk", "mn"):
        chosen, all_rows = rows(tmp_path / "out", "train", code), rows(out, "train", code)
        assert len(chosen) == 50
        assert [row for row in all_rows if row in set(chosen)] == chosen
        assert rows(tmp_path / "out", "test", code) == rows(out, "test", code)


def test_pieces_count_too_where_a_model_is_given(split, split_run, tmp_path):
    import sentencepiece

    clean, out = split
    text = tmp_path / "text"
    text.write_text(
        "".join(line + "\n" for line in read(clean / "zh-kk.zh") + read(clean / "zh-mn.zh")), encoding="utf-8"
    )
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(tmp_path / "spm"), vocab_size=60, character_coverage=1.0, minloglevel=2
    )
    model = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "spm.model"))

    def closest(folder):
        held = {frozenset(model.encode(s, out_type=str)) for c in ("kk", "mn") for s, _ in rows(folder, "test", c)}
        train = {frozenset(model.encode(s, out_type=str)) for c in ("kk", "mn") for s, _ in rows(folder, "train", c)}
        return max(overlap(a, b, max) for a in held for b in train)

    split_run([clean / "zh-kk", clean / "zh-mn"], tmp_path / "out", "--spm", tmp_path / "spm.model")
    assert closest(tmp_path / "out") < 0.7 <= closest(out)
    assert greatest_overlap(tmp_path / "out") < 0.7


def test_chains_of_twins_stay_in_train(split_run, tmp_path):
    # A chain: each string shares 10 of its 13 bigrams with the next, marked ends included, and few with the last.
    chain = [SIGNS[i : i + 12] for i in range(len(SIGNS) - 12)]
    # And strings that share nothing with any other.
    others = ["{0}{1}{0}{1}".format(chr(0x4E10 + 2 * i), chr(0x4E11 + 2 * i)) for i in range(40)]
    for suffix, texts in (("zh", chain + others), ("kk", [f"ф{i}" for i in range(len(chain + others))])):
        (tmp_path / ("zh-kk." + suffix)).write_text("".join(t + "\n" for t in texts), encoding="utf-8")
    split_run([tmp_path / "zh-kk"], tmp_path / "out")
    train = {source for source, _ in rows(tmp_path / "out", "train", "kk")}
    assert set(chain) <= train
    counts = json.loads((tmp_path / "out" / "split.counts.json").read_text(encoding="utf-8"))
    assert counts["clusters"]["largest"][:2] == [len(chain), 1]


def test_errors_name_all_that_is_wrong(split, split_run, tmp_path):
    clean, _ = split
    (tmp_path / "kk-mn.kk").touch()
    assert_fails(
        split_run([clean / "zh-ug", tmp_path / "kk-mn", tmp_path / "text"], tmp_path / "out", check=False),
        clean / "zh-ug.zh",
        clean / "zh-ug.ug",
        "kk-mn: the name",
        "text: the name",
    )
    assert_fails(
        split_run([clean / "zh-kk", clean / "zh-mn"], tmp_path / "out", "--test", "5000", check=False),
        "zh-kk: ",
        "zh-mn: ",
        "for test are missing",
        "--max-cluster",
    )
    assert not (tmp_path / "out").exists()
    assert split_run([clean / "zh-kk"], tmp_path / "out", "--similarity", "7", check=False).returncode == 2
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    assert_fails(split_run([clean / "zh-kk"], tmp_path / "full", check=False), "--force")


def test_blank_lines_and_halves_go_nowhere_and_are_counted(split_run, tmp_path):
    rng = random.Random(4)
    texts = ["".join(chr(0x4E00 + rng.randrange(2000)) for _ in range(8)) for _ in range(60)]
    lines = [(text, f"ф{number}") for number, text in enumerate(texts)]
    lines[3] = lines[7] = ("", "")
    lines[5], lines[6], lines[8] = (lines[5][0], " "), ("\u3000", "ф"), (lines[8][0], "\u200b\u2060")
    for side, suffix in enumerate(("zh", "kk")):
        (tmp_path / ("zh-kk." + suffix)).write_text("".join(row[side] + "\n" for row in lines), encoding="utf-8")
    split_run([tmp_path / "zh-kk"], tmp_path / "out")
    parts = {part: rows(tmp_path / "out", part, "kk") for part in PARTS}
    assert sorted(row for part in parts.values() for row in part) == sorted(
        row for number, row in enumerate(lines) if number not in (3, 5, 6, 7, 8)
    )
    counts = json.loads((tmp_path / "out" / "split.counts.json").read_text(encoding="utf-8"))["pairs"]["zh-kk"]
    assert counts == {"train": 25, "valid": 10, "test": 20, "left_out": 5, "read": 60, "blank": 5}


def test_clusters_on_demand_are_held_out_as_whole_as_those_found_before(split, tmp_path, monkeypatch):
    """A large corpus: only the clusters of what is held out are looked for."""
    monkeypatch.setattr("swcm_preprocess.split.MOST_WORK", 0)
    clean, _ = split
    pairs = ["--pairs", str(clean / "zh-kk"), str(clean / "zh-mn"), "--pivot", "zh"]
    split_command.main([*pairs, "--out", str(tmp_path / "a"), "--valid", "10", "--test", "20"])
    assert greatest_overlap(tmp_path / "a") < 0.7
    counts = json.loads((tmp_path / "a" / "split.counts.json").read_text(encoding="utf-8"))
    assert 0 < counts["clusters"]["sentences_looked_at"] < counts["clusters"]["pivot_sentences"]
    sides = [
        {ngrams(fingerprint(s), 2) for code in ("kk", "mn") for s, _ in rows(tmp_path / "a", part, code)}
        for part in ("test", "valid")
    ]
    assert max(overlap(a, b) for a in sides[0] for b in sides[1]) < 0.7
    for code in ("kk", "mn"):
        assert [len(rows(tmp_path / "a", part, code)) for part in ("test", "valid")] == [20, 10]
