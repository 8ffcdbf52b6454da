"""Records for transfer between languages: what is blank or stands twice is counted, and nothing else is lost."""

import json
import sys

import pytest

from recipes.lib import transfer_text
from swcm_fairseq.errors import SwcmError


def write(folder, part, records):
    folder.mkdir(parents=True, exist_ok=True)
    for place, name in enumerate(("packages", "text-summary.text", "text-summary.summary")):
        lines = "".join(record[place] + "\n" for record in records)
        (folder / f"{part}.{name}").write_text(lines, encoding="utf-8")


def test_records_are_kept_or_counted(tmp_path):
    records = [
        ("foo", "a text", "a summary"),
        ("bar", "another text", " \u200b "),  # invisible signs alone
        ("baz", "", "a summary"),
        ("foo", "a second text", "a second summary"),
        ("qux", "the last text", "the last summary"),
    ]
    write(tmp_path, "train", records)
    kept, counts = transfer_text.read_part(str(tmp_path), "train")
    assert kept == {name: (text, summary) for name, text, summary in (records[0], records[4])}
    assert counts == {"read": 5, "kept": 2, "blank": 2, "duplicate": 1}


def test_nothing_but_blank_records_is_an_error(tmp_path):
    write(tmp_path, "test", [("foo", "a text", ""), ("bar", " ", "a summary")])
    with pytest.raises(SwcmError, match="test.text-summary.text: none of 2 records"):
        transfer_text.read_part(str(tmp_path), "test")


def test_the_counts_lie_beside_what_is_written(tmp_path, monkeypatch, capsys):
    for code in ("en", "ru"):
        for part in ("train", "valid", "test"):
            records = [(f"p{i}", f"{code} text {i}. More.", f"{code} summary {i}") for i in range(4)]
            write(tmp_path / code, part, records + [("blank", "text", "")] * (code == "ru"))
    out = tmp_path / "out"
    flags = ["--data", str(tmp_path), "--source", "en", "--targets", "ru", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["transfer_text.py", *flags])
    transfer_text.main()
    counts = json.loads((out / "counts.json").read_text(encoding="utf-8"))
    assert counts["ru"]["test"] == {"read": 5, "kept": 4, "blank": 1, "duplicate": 0}
    assert counts["en"]["test"] == {"read": 4, "kept": 4, "blank": 0, "duplicate": 0}
    assert len((out / "test.text_ru-ru.ru").read_text(encoding="utf-8").splitlines()) == 4
    assert capsys.readouterr().err.splitlines()[0] == (
        "ru, train: kept 4 of 5 records, 1 blank, 0 with the name of another"
    )
