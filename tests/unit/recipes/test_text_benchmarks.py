"""The benchmarks of cleaning and encoding: both ways do the same job, and what is printed adds up."""

import json

import pytest

from recipes.benchmark import clean, encode, sample_text
from tests.support.tiny_encoder import CORPUS, train_sentencepiece


@pytest.fixture
def spm(tmp_path):
    path = tmp_path / "spm"
    path.write_bytes(train_sentencepiece())
    return str(path)


@pytest.mark.parametrize("workers", [1, 2])
def test_both_ways_of_encoding_write_the_same_bytes(spm, tmp_path, workers):
    # Unknown text in angle brackets is guarded, which SentencePiece alone does not do.
    text = [line for line in sample_text.lines("kk", 400000) if "<" not in line]
    paths = []
    for number, lines in enumerate([list(CORPUS) * 20, ["", " a  b ", CORPUS[3]], text]):
        path = tmp_path / str(number)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        paths.append(str(path))
    mine = encode.ours(spm, paths, str(tmp_path / "ours"), workers)
    whole, call = encode.theirs(spm, paths, str(tmp_path / "theirs"), workers)
    written = b"".join((tmp_path / f"ours.{number}").read_bytes() for number in range(len(paths)))
    assert written == (tmp_path / "theirs").read_bytes() and written.count(b"\n") > 400
    assert 0 < call.clock < whole.clock and 0 < call.processor <= whole.processor
    assert mine.clock > 0 and mine.processor > 0


def test_ratios_are_medians_of_theirs_to_ours():
    ours, theirs = ([encode.Taken(clock, 1.0) for clock in clocks] for clocks in ((1.0, 2.0, 4.0), (2.0, 2.0, 1.0)))
    assert encode.ratio(ours, theirs, "clock") == 1.0 and encode.ratio(ours, theirs, "processor") == 1.0
    assert encode.ratio(ours[:1], theirs[:1], "clock") == 2.0  # twice as fast


def test_the_commands_print_what_they_found(spm, capsys):
    assert encode.main(["--spm", spm, "--megabytes", "0.2", "--langs", "kk", "--workers", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["workers"] == 1 and found["megabytes"] == 0.2 and found["ratio"] > 0
    assert clean.main(["--megabytes", "0.3", "--langs", "kk", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["languages"]["kk"]
    assert found["megabytes"] == 0.3 and 0 < found["kept"] < found["lines"]
    assert found["hashes_mib"] == round(8 * found["kept"] / 2**20, 1)


def test_sample_text_is_the_same_every_time():
    lines = list(sample_text.lines("bo", 20000))
    assert lines == list(sample_text.lines("bo", 20000)) and len(set(lines)) < len(lines)
    assert 20000 <= sum(len(line.encode("utf-8")) + 1 for line in lines) < 25000


def test_big_files_count_every_line(run, repo, tmp_path):
    command = ["bash", repo / "recipes" / "benchmark" / "big_files.sh", tmp_path / "out"]
    done = run(command, env={"MEGABYTES": 1, "WORKERS": 2, "METRICS": "length_ratio"})
    number = int(done.stdout.split(" lines, ")[0].split()[-1])
    assert number > 1000
    assert done.stdout.count(f"read {number}, kept ") == 2
    rows = [line.split() for line in done.stdout.splitlines() if "largest process" in line]
    assert [row[0] for row in rows] == ["read", "clean", "encode", "score"]
    assert all(10 < float(row[-2]) < 500 for row in rows)
