"""Reading files and fairseq-generate's output: whole, or refused."""

import pytest

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.scoring.corpus import read_generated, read_lines

# Three sentences out of order, as fairseq sorts by length; two hypotheses each, the better one first.
PIECES = """\
2026-01-01 00:00:00 | INFO | fairseq_cli.generate | loading model(s) from checkpoint.pt
S-2\t▁三 句
T-2\t▁үшін ші ▁сөз
H-2\t-0.25\t▁үшін ші
D-2\t-0.25\t▁үшін ші
P-2\t-0.2 -0.3
H-2\t-0.75\t▁жа ман
D-2\t-0.75\t▁жа ман
P-2\t-0.7 -0.8
S-0\t▁一
T-0\t▁бір
H-0\t-0.5\t▁бір
D-0\t-0.5\t▁бір
P-0\t-0.5 -0.5
S-1\t▁二
T-1\t▁екі
H-1\t-0.5\t
D-1\t-0.5\t
P-1\t-0.5
2026-01-01 00:00:01 | INFO | fairseq_cli.generate | Translated 3 sentences (9 tokens) in 0.1s (30.00 sentences/s)
Generate test with beam=5: BLEU4 = 0.00
"""
HYPOTHESES = ["бір", "", "үшінші"]
REFERENCES = ["бір", "екі", "үшінші сөз"]
SOURCES = ["一", "二", "三句"]


def write(folder, text, name="gen.txt"):
    path = folder / name
    path.write_bytes(text.encode("utf-8"))
    return str(path)


def test_order_is_restored_pieces_are_joined_and_the_best_hypothesis_counts(tmp_path):
    assert read_generated(write(tmp_path, PIECES)) == (HYPOTHESES, REFERENCES, SOURCES)


def test_text_that_fairseq_already_joined_is_left_alone(tmp_path):
    text = PIECES.replace("D-2\t-0.25\t▁үшін ші", "D-2\t-0.25\tүшінші").replace("D-0\t-0.5\t▁бір", "D-0\t-0.5\tбір")
    text = text.replace("▁үшін ші ▁сөз", "үшінші сөз").replace("T-0\t▁бір", "T-0\tбір").replace("▁екі", "екі")
    text = text.replace("D-2\t-0.75\t▁жа ман", "D-2\t-0.75\tжаман")
    assert read_generated(write(tmp_path, text)) == (HYPOTHESES, REFERENCES, SOURCES)


def test_no_cut_goes_unseen(tmp_path):
    """Cut anywhere, the output is refused, or nothing that counts was lost."""
    data = PIECES.encode("utf-8")
    whole = data.index(b"Generate test")
    for length in range(1, len(data)):
        path = tmp_path / "cut.txt"
        path.write_bytes(data[:length])
        try:
            result = read_generated(str(path))
        except SwcmError:
            continue
        assert length >= whole - len(" (9 tokens) in 0.1s (30.00 sentences/s)\n"), data[:length].decode(
            errors="replace"
        )
        assert result == (HYPOTHESES, REFERENCES, SOURCES)


def test_no_cut_goes_unseen_without_the_log_around_it(tmp_path):
    """With the lines picked by grep, whatever the numbering shows."""
    lines = [line for line in PIECES.splitlines(True) if line[:2] in ("S-", "T-", "H-", "D-", "P-")]
    last_that_counts = max(number for number, line in enumerate(lines) if line.startswith("D-"))
    for count in range(1, len(lines)):
        path = write(tmp_path, "".join(lines[:count]))
        if count > last_that_counts:
            assert read_generated(path) == (HYPOTHESES, REFERENCES, SOURCES)
        else:
            with pytest.raises(SwcmError):
                read_generated(path)


def test_no_cut_goes_unseen_in_the_least_that_can_be_scored(tmp_path):
    """Text and reference lines alone, cut anywhere: inside the last line too."""
    data = "".join(line for line in PIECES.splitlines(True) if line[:2] in ("T-", "D-")).encode("utf-8")
    for length in range(1, len(data)):
        path = tmp_path / "cut.txt"
        path.write_bytes(data[:length])
        with pytest.raises(SwcmError):
            read_generated(str(path))


def test_a_cut_at_the_start_of_the_last_sentence(tmp_path):
    for start in ["S", "S-", "S-1"]:
        with pytest.raises(SwcmError, match="line 4: cut in the middle"):
            read_generated(write(tmp_path, "S-0\ta\nT-0\ta\nD-0\t-1\ta\n" + start))


def test_all_that_is_missing_is_named_at_once(tmp_path):
    text = "S-0\ta\nT-0\ta\nH-0\t-1\ta\nS-3\ta\nH-3\t-1\ta\nD-3\t-1\ta\n"
    with pytest.raises(SwcmError) as error:
        read_generated(write(tmp_path, text))
    message = str(error.value)
    assert "gen.txt" in message
    assert "2 of 4 sentences are missing: 1, 2" in message
    assert "1 of 2 hypotheses as text (D lines) are missing: 0" in message
    assert "1 of 2 references (T lines) are missing: 3" in message


def test_a_log_that_tells_of_more_sentences(tmp_path):
    with pytest.raises(SwcmError, match="tells of 4 sentences, 3 are there"):
        read_generated(write(tmp_path, PIECES.replace("Translated 3", "Translated 4")))


def test_interactive_output_has_no_references(tmp_path):
    text = "S-0\ta\nW-0\t0.1\tseconds\nH-0\t-1\tb\nD-0\t-1\tb c\nP-0\t-1\n"
    assert read_generated(write(tmp_path, text)) == (["b c"], None, ["a"])


def test_a_text_file_is_not_taken_for_generate_output(tmp_path):
    with pytest.raises(SwcmError, match="no output of fairseq-generate"):
        read_generated(write(tmp_path, "just\ntext\n"))


def test_only_the_line_feed_ends_a_line(tmp_path):
    # U+2028 and U+0085 stand inside sentences; a Windows line end and a byte order mark are no text.
    path = write(tmp_path, "\ufeffa\u2028b\r\n\nc\x85d\n")
    assert read_lines(path) == ["a\u2028b", "", "c\x85d"]
    assert read_lines(write(tmp_path, "a\nb")) == ["a", "b"]


@pytest.mark.parametrize("text", ["", "\n", " \n\n"])
def test_an_empty_file_is_refused(tmp_path, text):
    with pytest.raises(SwcmError, match="gen.txt is empty"):
        read_lines(write(tmp_path, text))


def test_a_file_that_is_not_utf8_is_named_with_its_line(tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes(b"good\nalso\nna\xefve\n")
    with pytest.raises(SwcmError, match="latin.txt, line 3: not UTF-8"):
        read_lines(str(path))


def test_sentences_that_generation_left_out_are_told_from_a_cut(tmp_path):
    """Its own log tells of as many as are there: generating again would end the same way."""
    lines = [line for line in PIECES.splitlines(True) if line[:4] not in ("S-1\t", "T-1\t", "H-1\t", "D-1\t", "P-1\t")]
    with pytest.raises(SwcmError, match="too long.*--truncate-source") as error:
        read_generated(write(tmp_path, "".join(lines).replace("Translated 3", "Translated 2")))
    assert "1 of 3 sentences are missing: 1" in str(error.value) and "generate again" not in str(error.value)


def test_a_number_that_no_sentence_has_takes_no_memory(tmp_path):
    with pytest.raises(SwcmError, match="sentences are missing: 1, 2, 3, 4, 5, ..."):
        read_generated(write(tmp_path, "T-0\ta\nD-0\t-1\ta\nT-999999999999999\ta\nD-999999999999999\t-1\ta\n"))


def test_references_in_any_order_of_files(tmp_path):
    from swcm_fairseq.scoring.corpus import read_references

    first, second = write(tmp_path, "b\n\nc\n \n", "r1"), write(tmp_path, "a\nx\n\n\n", "r2")
    expected = [["a", "b"], ["x"], ["c"]]
    assert read_references([first, second])[:3] == read_references([second, first])[:3] == expected
    assert list(read_references([second, first]))[:3] == expected
