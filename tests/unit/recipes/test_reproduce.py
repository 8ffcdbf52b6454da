"""The comparison's table names what can be trained, and its results are those of the trainings."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fairseq import options

from recipes.lib import reproduce_report as report
from swcm_fairseq import criterions  # noqa: F401  (registered, as --user-dir does)
from swcm_fairseq.models import freezing, xlm_swcm  # noqa: F401
from swcm_fairseq.scoring import score
from swcm_fairseq.tasks import swcm_finetuning  # noqa: F401

ROOT = Path(__file__).resolve().parent.parent.parent.parent
TABLE = ROOT / "recipes" / "lib" / "reproduce_rows.tsv"
ROWS = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
REFERENCES = ["қара мысық", "ақ ит жүр", "үлкен үй", "кітап оқы"]


@pytest.mark.parametrize("row, group, pretrain, flags, paper", ROWS, ids=[row[0] for row in ROWS])
def test_every_rows_flags_are_flags(row, group, pretrain, flags, paper, tmp_path):
    config = {"num_hidden_layers": 3, "hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2}
    (tmp_path / "config.json").write_text(json.dumps(config))
    given = [] if flags == "-" else report.with_sizes(flags, str(tmp_path)).split()
    if pretrain.startswith("stage "):
        given += pretrain[len("stage ") :].split()
    else:
        assert pretrain in ("none", "dae", "mt", "dae+mt")
    base = ["data", "--task", "swcm_finetuning", "--arch", "xlm_swcm", "--pretrained-encoder", "folder"]
    base += ["--criterion", "swcm_cross_entropy", "--optimizer", "adamw"]
    parser = options.get_training_parser("swcm_finetuning")
    parsed = options.parse_args_and_arch(parser, input_args=base + given)
    freezing.parts_of(getattr(parsed, "freeze", ""))
    assert row != "scratch" or (parsed.pretrained_encoder == "" and parsed.encoder_layers == 3)


def test_names_of_rows_are_names_of_folders_and_one_is_the_baseline():
    names = [row[0] for row in ROWS]
    assert len(set(names)) == len(names) and report.BASELINE in names
    assert not [name for name in names if "/" in name or "." in name]


@pytest.mark.parametrize(
    "given, expected",
    [
        ([0.01], [0.01]),
        ([0.04, 0.01, 0.03], [0.06, 0.03, 0.06]),  # 0.01 * 3, 0.03 * 2, and 0.04 * 1 is no less than the one before
        ([0.9, 0.6], [1.0, 1.0]),
    ],
)
def test_holms_correction_by_hand(given, expected):
    found = report.holm(dict(enumerate(given)))
    assert [found[place] for place in range(len(given))] == pytest.approx(expected)


def generated(outputs):
    """What fairseq-generate prints of them, in another order."""
    lines = []
    for place in reversed(range(len(outputs))):
        pieces = " ".join("▁" + word for word in outputs[place].split())
        lines += ["S-{}\ta".format(place), "T-{}\tb".format(place), "H-{}\t-0.5\t{}".format(place, pieces)]
        lines += ["D-{}\t-0.5\t{}".format(place, outputs[place])]
    return "\n".join(lines + ["Generate test with beam=5: BLEU4 = 1.0", ""])


def make_training(folder, rate, seed, loss, outputs=None):
    folder = folder / "{}.{}".format(rate, seed)
    (folder / "test").mkdir(parents=True)
    row = folder.parent.name
    result = {"row": row, "pairs": 500, "rate": rate, "seed": seed, "valid_loss": loss}
    (folder / "result.json").write_text(json.dumps(result))
    if outputs is not None:
        (folder / "test" / "zh-kk.txt").write_text(generated(outputs), encoding="utf-8")
        (folder / "test" / "done").write_text("")


@pytest.fixture
def out(tmp_path):
    split = tmp_path / "500" / "split"
    split.mkdir(parents=True)
    (split / "test.zh-kk.kk").write_text("\n".join(REFERENCES) + "\n", encoding="utf-8")
    (split / "test.zh-kk.zh").write_text("黑色的猫\n白狗在跑\n大房子\n读一本书\n", encoding="utf-8")
    (split / "train.zh-kk.zh").write_text("黑色的猫\n房子\n", encoding="utf-8")
    shared, other = tmp_path / "500" / "shared", tmp_path / "500" / "random"
    make_training(shared, "1e-3", 1, 5.0)
    make_training(shared, "5e-4", 1, 4.0, REFERENCES)
    make_training(shared, "5e-4", 2, 4.1, REFERENCES[:3] + ["жоқ"])
    make_training(other, "5e-4", 1, 6.0, ["жоқ"] * 4)
    make_training(other, "5e-4", 2, 6.0, ["иә"] * 4)
    return tmp_path


def test_the_best_rate_has_the_lowest_loss(out):
    assert report.best_rate(str(out / "500" / "shared"), ["1e-3", "5e-4"], 1) == "5e-4"


def test_results_are_of_the_decoded_trainings_against_the_baseline(out):
    command = [sys.executable, str(ROOT / "recipes" / "lib" / "reproduce_report.py"), "collect"]
    command += ["--out", str(out), "--langs", "kk", "--table", str(TABLE)]
    shown = subprocess.run(command, check=True, stdout=subprocess.PIPE, universal_newlines=True).stdout
    rows = {row["row"]: row for row in json.loads((out / "results.json").read_text(encoding="utf-8"))["rows"]}
    found = rows["shared"]["langs"]["kk"]
    assert found["by_seed"][0] == pytest.approx(100)
    second = score(REFERENCES[:3] + ["жоқ"], REFERENCES, "kk")["chrfpp"]
    assert found["by_seed"][1] == pytest.approx(second)
    assert second < found["scores"]["chrfpp"] < 100
    assert "to_baseline" not in found
    other = rows["random"]["langs"]["kk"]
    assert other["to_baseline"]["difference"] == pytest.approx(other["scores"]["chrfpp"] - found["scores"]["chrfpp"])
    assert other["to_baseline"]["p_holm"] == other["to_baseline"]["p"]  # one test
    # The first source stands in training; the third shares half of its runs with 房子; the others share nothing.
    assert [one["sentences"] for one in found["by_nearness"]] == [2, 0, 2]
    assert "| 500 | shared | 5e-4 | 2 |" in shown and "| 16.5 |" in shown
