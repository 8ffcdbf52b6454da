"""The benchmark of exports, on a toy: it finds equal what is equal, and what is not."""

import os
import re
import sys
from types import SimpleNamespace

import pytest

from recipes.benchmark.exports import equality, speed
from swcm_fairseq.decoding.packing import pack
from swcm_fairseq.export.writing import export
from tests.support.toy import toy_checkpoint

SENTENCES = ["打开文件", "今天天气很好，我们去山上看羊。", "学校"]
REFERENCES = ["Файлды ашу", "Бүгін ауа райы жақсы.", "Мектеп"]


@pytest.fixture
def tests(tmp_path, monkeypatch):
    """Test sets; outputs of a toy are long, which takes time and says nothing."""
    monkeypatch.setattr(equality, "MAX_LEN", 8)
    for name, lines in (("zh", SENTENCES), ("kk", REFERENCES)):
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"kk={tmp_path / 'zh'}={tmp_path / 'kk'}"


def test_the_table_tells_equal_models_from_others(tests, tmp_path, capsys):
    checkpoint = toy_checkpoint(tmp_path, lang_pairs="zh-kk,zh-mn")
    pack(checkpoint, str(tmp_path / "packed"))
    forms = {"hf": "none", "ct2": "none", "onnx": "none", "ct2-int8": "int8", "onnx-int8": "int8"}
    for name, quantization in forms.items():
        export(checkpoint, str(tmp_path / "exports" / name), name.split("-")[0], quantization)
    capsys.readouterr()
    equality.main(["--packed", str(tmp_path / "packed"), "--exports", str(tmp_path / "exports"), "--tests", tests])
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in capsys.readouterr().out.splitlines()]
    found = {row[0]: row for row in rows if row[0] in forms}
    assert list(found) == list(forms) and all(float(row[3]) >= 0 for row in found.values())
    for name in ("hf", "ct2", "onnx"):
        assert float(found[name][1]) < 1e-4 and found[name][4].endswith("(+0.00, p = 1.00)"), found[name]
        assert found[name][2] == "3", found[name]
    for name in ("ct2-int8", "onnx-int8"):
        assert float(found[name][1]) > 1e-3, found[name]
    assert os.path.exists(str(tmp_path / "exports" / "ours.json"))


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_speed_counts_sentences_and_memory(tests, tmp_path):
    export(toy_checkpoint(tmp_path, lang_pairs="zh-kk"), str(tmp_path / "onnx"), "onnx", "int8", targets=["kk"])
    args = SimpleNamespace(threads=1, tests=[tests.rsplit("=", 1)[0]])
    found = speed._measure(args, str(tmp_path / "onnx"), {}, batch=2, sentences=2)
    assert found["speed"] > 0 and found["work"] > 0 and found["memory"] > 10
    assert re.match(r".+ \(.*\)$", speed._processor())
