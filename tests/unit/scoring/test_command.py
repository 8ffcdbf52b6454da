"""The command: what it prints, how it fails."""

import json
import re

import pytest

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.scoring import score
from swcm_fairseq.scoring.command import main

HYPOTHESES = ["бір сөз ғана бар", "екі кітап", "үш мектеп бар"]
REFERENCES = ["бір сөз ғана бар еді", "екі үлкен кітап", "төрт мектеп бар"]


@pytest.fixture
def files(tmp_path):
    def write(name, lines):
        (tmp_path / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        return str(tmp_path / name)

    generated = [
        "{}-{}\t{}▁{}".format(kind, number, "-0.5\t" if kind in "HD" else "", text.replace(" ", " ▁"))
        for number in (2, 0, 1)
        for kind, text in [("T", REFERENCES[number]), ("H", HYPOTHESES[number]), ("D", HYPOTHESES[number])]
    ]
    return {
        "hyp": write("out.kk", HYPOTHESES),
        "ref": write("test.kk", REFERENCES),
        "gen": write("gen.txt", generated),
        "short": write("short.kk", HYPOTHESES[:2]),
        "cut": write("cut.txt", generated[:-1]),
        "empty": write("empty.kk", []),
    }


def test_two_files_and_the_generate_output_score_the_same(files, capsys):
    assert main(["--lang", "kk", "--hyp", files["hyp"], "--ref", files["ref"], "--json"]) == 0
    from_files = json.loads(capsys.readouterr().out)
    assert main(["--lang", "kk", "--generate-output", files["gen"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == from_files == score(HYPOTHESES, REFERENCES, "kk", resamples=1000)


def test_several_systems_and_the_baseline_in_the_shape_of_the_scores_file(files, capsys):
    main(["--lang", "kk", "--hyp", files["hyp"], files["ref"], "--ref", files["ref"], "--shuffled", "--json"])
    systems = json.loads(capsys.readouterr().out)["systems"]
    assert list(systems) == [files["hyp"], files["ref"], "shuffled"]
    assert systems[files["ref"]]["kk"]["chrf"] == pytest.approx(100)
    assert systems["shuffled"]["kk"]["chrf"] < systems[files["hyp"]]["kk"]["chrf"] < 100


def test_the_table_is_aligned_and_names_what_it_shows(files, capsys):
    main(["--lang", "kk", "--hyp", files["hyp"], "--ref", files["ref"], "--shuffled", "--metrics", "chrf,rougeL"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["kk", "(3", "sentences)", "chrF", "ROUGE-L", "ROUGE-L", "P", "ROUGE-L", "R"]
    assert len({len(line) for line in lines[:3]}) == 1
    assert all(re.search(r"\d\.\d\d ±\d+\.\d\d$", line) for line in lines[1:3])
    assert lines[2].startswith("shuffled ")
    assert lines[4].startswith("chrF     norm:nmt_nfkc|nrefs:1|bs:1000|seed:")


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--lang", "kk", "--hyp", "{short}", "--ref", "{ref}"], "short.kk has 2 sentences, .*test.kk has 3"),
        (["--lang", "kk", "--hyp", "{empty}", "--ref", "{ref}"], "empty.kk is empty"),
        (["--lang", "kk", "--hyp", "{hyp}", "--ref", "{hyp}x"], "out.kkx: there is no such file"),
        (["--lang", "xx", "--hyp", "{hyp}", "--ref", "{ref}"], "unknown language 'xx'"),
        (["--lang", "kk", "--generate-output", "{hyp}"], "out.kk is no output of fairseq-generate"),
        (["--lang", "kk", "--generate-output", "{gen}", "--ref", "{short}"], "gen.txt has 3 sentences, .* has 2"),
        (["--lang", "kk", "--generate-output", "{cut}"], "cut.txt was cut"),
    ],
)
def test_bad_input_is_one_error_without_traceback(files, run, arguments, words):
    arguments = [argument.format(**files) for argument in arguments]
    done = run(["python", "-m", "swcm_fairseq.scoring.command", *arguments], check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: ") and done.stderr.count("error: ") == 1
    assert done.stderr.count("\n") <= 2 and "Traceback" not in done.stderr
    assert re.search(words, done.stderr)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--lang", "kk"],
        ["--lang", "kk", "--hyp", "{hyp}"],
        ["--hyp", "{hyp}", "--ref", "{ref}"],
        ["--lang", "kk", "--hyp", "{hyp}", "--ref", "{ref}", "--metrics", "meteor"],
    ],
)
def test_wrong_usage_exits_with_2(files, capsys, arguments):
    with pytest.raises(SystemExit) as error:
        main([argument.format(**files) for argument in arguments])
    assert error.value.code == 2
    assert "usage: swcm-score" in capsys.readouterr().err


def test_scoring_starts_without_torch_and_fairseq(run):
    code = (
        "import sys; from swcm_fairseq.scoring.command import main; "
        "print([name for name in ('torch', 'fairseq', 'nltk', 'transformers') if name in sys.modules])"
    )
    assert run(["python", "-c", code], quick=False).stdout.strip() == "[]"


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--hyp", "{hyp}", "--ref", "{ref}", "--copy"], "--copy needs the sources: give them with --src"),
        (["--hyp", "{hyp}", "--ref", "{ref}", "--src", "{short}"], "short.kk has 2 sources, .*test.kk has 3"),
        (["--hyp", "{hyp}", "--ref", "{ref}", "{short}"], "short.kk has 2 lines, .*test.kk has 3"),
        (["--hyp", "{hyp}", "{short}", "--ref", "{empty}"], "empty.kk is empty"),
        (["--generate-output", "{cut}"], "cut.txt was cut.*\n.*1 of 2 hypotheses as text \\(D lines\\) are missing: 0"),
    ],
)
def test_what_does_not_fit_together_is_said(files, tmp_path, arguments, words):
    files["cut"] = str(tmp_path / "cut.txt")
    text = (tmp_path / "gen.txt").read_text(encoding="utf-8").replace("-2\t", "-1\t", 3)
    (tmp_path / "cut.txt").write_text("\n".join(text.splitlines()[:5]) + "\n", encoding="utf-8")
    with pytest.raises(SwcmError, match=words):
        main(["--lang", "kk"] + [argument.format(**files) for argument in arguments])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--hyp", "{hyp}", "--names", "a", "b"],
        ["--hyp", "{hyp}", "{hyp}"],
        ["--hyp", "{hyp}", "--names", "shuffled"],
        ["--hyp", "{hyp}", "--lang", "kk", "ug"],
        ["--hyp", "{hyp}", "--model", "folder"],
        ["--hyp", "{hyp}", "--resamples", "-1"],
    ],
)
def test_more_wrong_usage_exits_with_2(files, capsys, arguments):
    with pytest.raises(SystemExit) as error:
        main(["--lang", "kk", "--ref", files["ref"]] + [argument.format(**files) for argument in arguments])
    assert error.value.code == 2
    assert "usage: swcm-score" in capsys.readouterr().err


def test_an_empty_line_in_a_further_file_of_references_is_none(files, tmp_path, capsys):
    (tmp_path / "more.kk").write_text(HYPOTHESES[0] + "\n\n\n", encoding="utf-8")
    more = str(tmp_path / "more.kk")
    main(["--lang", "kk", "--hyp", files["hyp"], "--ref", files["ref"], more, "--metrics", "exact_match", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["exact_match"] == pytest.approx(100 / 3)
    assert "|nrefs:var|" in found["signatures"]["exact_match"]


def test_baselines_from_the_sources(files, tmp_path, capsys):
    (tmp_path / "src").write_text("бір сөз ғана бар еді. Соңы.\nекі үлкен кітап\nүш\n", encoding="utf-8")
    command = ["--lang", "kk", "--hyp", files["hyp"], "--ref", files["ref"], "--src", str(tmp_path / "src"), "--json"]
    main(command + ["--copy", "--first-sentence", "--first-words", "--metrics", "exact_match", "--resamples", "0"])
    systems = json.loads(capsys.readouterr().out)["systems"]
    assert systems["first-words"]["kk"]["exact_match"] == pytest.approx(100 / 3)  # three words, the median
    assert systems["first-sentence"]["kk"]["exact_match"] == pytest.approx(200 / 3)
    assert systems["copy"]["kk"]["exact_match"] == pytest.approx(100 / 3)
    assert "intervals" not in systems["copy"]["kk"]


def test_the_table_marks_what_differs_from_the_first_system(files, tmp_path, capsys):
    lines = [f"сөз {number} бар" for number in range(40)]
    for name, content in (("r", lines), ("a", ["сөз"] * 40), ("b", lines)):
        (tmp_path / name).write_text("".join(line + "\n" for line in content), encoding="utf-8")
    paths = [str(tmp_path / name) for name in "abr"]
    main(["--lang", "kk", "--hyp", *paths[:2], "--ref", paths[2], "--names", "a", "b", "--metrics", "chrf,empty"])
    printed = capsys.readouterr().out
    assert re.search(r"^less a +chrF +empty$", printed, re.MULTILINE)
    assert re.search(r"^b +\+\d+\.\d\d\* +\+0\.00 *$", printed, re.MULTILINE)
    assert "* p < 0.05 (bs:1000|ar:10000|seed:" in printed
