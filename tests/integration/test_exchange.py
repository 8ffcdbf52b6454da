"""Checkpoints and packed folders go from one environment to another: trained in one, decoded alike in the next.

``SWCM_EXCHANGE`` names the folder where environments meet, each with what it has trained in a folder of its own; see
recipes/test_compat.sh. Without it the one environment there is exchanges with itself.
"""

import json
import os
import platform
import shutil
from pathlib import Path

import pytest
import torch

import swcm_fairseq
from swcm_fairseq.decoding.packing import pack
from swcm_fairseq.pretrained import read_encoder
from tests.support.generation import hypotheses
from tests.support.tiny_encoder import make_encoder_folder
from tests.support.toy import toy_dictionary, write_data_bin

SENTENCES = ["打开文件", "今天天气很好", "孩子们在学校里学习数学和历史。"]
TRAINING = """--task swcm_finetuning --lang-pairs zh-kk --arch xlm_swcm --criterion swcm_cross_entropy --optimizer adamw
    --lr 5e-3 --max-tokens 200 --max-update 6 --cpu --seed 1 --no-epoch-checkpoints --disable-validation""".split()
DECODING = ["--task", "swcm_finetuning", "-s", "zh", "-t", "kk", "--beam", "3", "--max-len-b", "12", "--cpu"]


@pytest.fixture(scope="module")
def meeting(tmp_path_factory):
    """The folder where environments meet."""
    return Path(os.environ.get("SWCM_EXCHANGE") or str(tmp_path_factory.mktemp("exchange")))


def decode(run, repo, folder):
    """The test set's hypotheses from fairseq-generate, and texts from Python."""
    plugin = ["--user-dir", repo / "swcm_fairseq", "--path", folder / "model" / "checkpoint_last.pt"]
    output = run(["fairseq-generate", folder / "data", *plugin, *DECODING]).stdout
    texts = swcm_fairseq.from_pretrained(str(folder / "packed")).translate(SENTENCES, target="kk", beam=3, max_len=12)
    return [[row[0].pieces, row[0].score] for row in hypotheses(output)], texts


def test_train(run, repo, meeting):
    folder = meeting / f"python{platform.python_version()}-torch{torch.__version__}"
    encoder = read_encoder(make_encoder_folder(meeting / ("encoder-" + folder.name), layers=3, width=32, ffn=48))
    pieces = [piece for piece in encoder.pieces if piece != "▁"]
    lines = [" ".join(pieces[i : i + 5]) for i in range(0, 60, 2)]
    sides = {f"{s}.zh-kk.{side}": lines for s in ("train", "valid", "test") for side in ("zh", "kk")}
    data = write_data_bin(folder / "data", toy_dictionary(encoder.pieces), sides)
    shutil.copy(encoder.sentencepiece_model, data)
    flags = ["--user-dir", repo / "swcm_fairseq", "--pretrained-encoder", encoder.path, "--save-dir", folder / "model"]
    run(["fairseq-train", data, *flags, *TRAINING])
    pack(str(folder / "model" / "checkpoint_last.pt"), str(folder / "packed"))
    shutil.rmtree(encoder.path)
    found, texts = decode(run, repo, folder)
    assert len(found) == len(lines) and any(pieces for pieces, _ in found)
    (folder / "decoded.json").write_text(json.dumps([found, texts]), encoding="utf-8")


def test_decode(run, repo, meeting):
    folders = [path for path in sorted(meeting.iterdir()) if (path / "decoded.json").exists()]
    assert folders
    for folder in folders:
        expected, expected_texts = json.loads((folder / "decoded.json").read_text(encoding="utf-8"))
        found, texts = decode(run, repo, folder)
        assert texts == expected_texts, folder.name
        assert [pieces for pieces, _ in found] == [pieces for pieces, _ in expected], folder.name
        for (_, score), (_, other) in zip(found, expected):
            assert abs(score - other) < 1e-3, folder.name
