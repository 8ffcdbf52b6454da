"""The comparison's table names what can be trained, and its results are those of the trainings."""

import json
import random
import statistics
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from fairseq import options

from recipes.lib import reproduce_ledger as ledger
from recipes.lib import reproduce_plan as planned
from recipes.lib import reproduce_report as report
from recipes.lib import reproduce_speed as speed
from recipes.lib import reproduce_tables as tables
from recipes.lib import reproduce_training as training
from swcm_fairseq import criterions  # noqa: F401  (registered, as --user-dir does)
from swcm_fairseq.errors import SwcmError
from swcm_fairseq.models import freezing, xlm_swcm  # noqa: F401
from swcm_fairseq.scoring import measure, score
from swcm_fairseq.tasks import swcm_finetuning  # noqa: F401

ROOT = Path(__file__).resolve().parent.parent.parent.parent
TABLE = ROOT / "recipes" / "lib" / "reproduce_rows.tsv"
ROWS = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
REFERENCES = ["қара мысық", "ақ ит жүр", "үлкен үй", "кітап оқы"]


@pytest.mark.parametrize("row, group, layers, pretrain, flags, paper", ROWS, ids=[row[0] for row in ROWS])
def test_every_rows_flags_are_flags(row, group, layers, pretrain, flags, paper, tmp_path):
    assert layers == "-" or [int(one) for one in layers.split(",")]
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


def test_names_of_rows_are_names_of_folders_and_the_plan_names_rows():
    names = [row[0] for row in ROWS]
    assert len(set(names)) == len(names)
    planned.check(planned.read_plan(), planned.read_rows())
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
    found = tables.holm(dict(enumerate(given)))
    assert [found[place] for place in range(len(given))] == pytest.approx(expected)


SETTING = planned.Setting("small", ["kk", "mn"])
PLAN = [
    planned.Experiment("core", "2000", 800, ["5e-4", "1e-3"], [1, 2], ["shared", "random"]),
    planned.Experiment("curves", "all", 3000, ["1e-3"], [1], ["shared"]),
]
OTHER = "жоқ"


def entry(job, chosen, outputs):
    """What the ledger has of a training whose validation chrF++ was ``chosen`` and that wrote ``outputs``."""
    measured = measure(outputs, [[one] for one in REFERENCES], "kk", ["chrfpp"])["chrfpp"]
    test = {
        "sentences": len(REFERENCES),
        "digest": "the same",
        "chrfpp": measured.values()["chrfpp"],
        "counts": ledger.pack_counts(measured.rows, kinds=3),
        "nearness": "2200",
    }
    return {
        "kind": "training",
        "size": SETTING.size,
        "langs": SETTING.langs,
        **job._asdict(),
        "seconds": 600,
        "validation": [{"update": 400, "chrfpp": chosen / 2}, {"update": 800, "chrfpp": chosen}],
        "chosen": {"update": 800, "chrfpp": chosen},
        "signatures": {"chrfpp": measured.signature},
        "test": {"kk": test, "mn": test},
    }


def job(row, rate, seed, pairs="2000", updates=800):
    return planned.Job(pairs, row, updates, rate, seed)


@pytest.fixture
def folder(tmp_path):
    """A ledger with the baseline whole, and of the other row the rates and one seed."""
    for one, chosen, outputs in (
        (job("shared", "5e-4", 1), 10.0, REFERENCES),
        (job("shared", "1e-3", 1), 9.0, REFERENCES[:1] + [OTHER] * 3),
        (job("shared", "5e-4", 2), 10.0, REFERENCES[:3] + [OTHER]),
        (job("random", "5e-4", 1), 3.0, [OTHER] * 4),
        (job("random", "1e-3", 1), 4.0, ["иә"] * 4),
    ):
        ledger.write(str(tmp_path), SETTING.name(one), entry(one, chosen, outputs))
    return str(tmp_path)


# ---------------------------------------------------------------------- the ledger


def test_counts_come_back_as_they_were():
    rows = np.random.default_rng(0).integers(0, 30000, (7, 24)).astype(float)
    assert np.array_equal(ledger.unpack_counts(ledger.pack_counts(rows, kinds=3)), rows)
    assert np.array_equal(ledger.unpack_counts(ledger.pack_counts(rows[:, :5])), rows[:, :5])
    for value in (0.5, 40000):
        with pytest.raises(ValueError):
            ledger.pack_counts(np.full((2, 3), value))


def test_five_hundred_sentences_in_three_languages_fit_a_file():
    chance = random.Random(1)
    letters = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
    words = ["".join(chance.choices(letters, k=chance.randint(2, 12))) for _ in range(400)]
    size = 0
    for _ in range(3):
        references = [" ".join(chance.choices(words, k=chance.randint(1, 12))) for _ in range(500)]
        outputs = [
            " ".join(word if chance.random() < 0.4 else chance.choice(words) for word in one.split())
            for one in references
        ]
        rows = measure(outputs, [[one] for one in references], "kk", ["chrfpp"])["chrfpp"].rows
        size += len(ledger.pack_counts(rows, kinds=3))
    assert size < ledger.MOST_BYTES - 4000  # the rest of a file


def test_a_file_is_read_as_it_was_written_and_hidden_ones_are_left_alone(tmp_path):
    ledger.write(str(tmp_path), "a", {"kind": "training", "text": "қ"})
    (tmp_path / ".b.json.tmp").write_text("{")
    assert ledger.read(str(tmp_path)) == {"a": {"format": 1, "kind": "training", "text": "қ"}}
    assert ledger.read(str(tmp_path / "none")) == {}


def test_an_entry_that_is_too_large_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(SwcmError, match="20000 at most"):
        ledger.write(str(tmp_path), "a", {"kind": "training", "text": "x" * 20000})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["{", "[]", "3", '{"format": 2, "kind": "training"}', '{"format": 1}'])
def test_a_damaged_file_is_named(tmp_path, text):
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(SwcmError, match="bad.json"):
        ledger.read(str(tmp_path))


def test_trainings_with_other_test_sentences_do_not_mix(folder):
    one = job("random", "1e-3", 2)
    other = entry(one, 3.0, REFERENCES)
    other["test"]["mn"] = dict(other["test"]["mn"], digest="another")
    ledger.write(folder, SETTING.name(one), other)
    with pytest.raises(SwcmError, match="other test sentences than others have: mn"):
        planned.read_ledger(folder, SETTING)


# ---------------------------------------------------------------------- what is to do


def test_the_first_seed_comes_with_all_rates_and_the_others_at_the_best():
    nothing = planned.missing(PLAN, SETTING, {})
    assert [(one.row, one.rate, one.seed) for one in nothing] == [
        ("shared", "5e-4", 1), ("random", "5e-4", 1), ("shared", "1e-3", 1), ("random", "1e-3", 1),
        ("shared", None, 2), ("random", None, 2), ("shared", "1e-3", 1),
    ]  # fmt: skip


def test_what_the_ledger_has_is_not_to_do_again(folder):
    left = planned.missing(PLAN, SETTING, planned.read_ledger(folder, SETTING))
    assert left == [job("random", "1e-3", 2), job("shared", "1e-3", 1, "all", 3000)]


def test_the_best_rate_has_the_highest_validation_score_of_equals_the_first(folder):
    entries = planned.read_ledger(folder, SETTING)
    assert planned.best_rate(PLAN[0], "shared", SETTING, entries) == "5e-4"
    assert planned.best_rate(PLAN[0], "random", SETTING, entries) == "1e-3"
    entries[SETTING.name(job("shared", "1e-3", 1))]["chosen"]["chrfpp"] = 10.0
    assert planned.best_rate(PLAN[0], "shared", SETTING, entries) == "5e-4"
    del entries[SETTING.name(job("shared", "1e-3", 1))]
    assert planned.best_rate(PLAN[0], "shared", SETTING, entries) is None


# ---------------------------------------------------------------------- tables


def test_a_table_has_what_is_there_and_says_what_is_missing(folder):
    entries = planned.read_ledger(folder, SETTING)
    lines = tables.table(PLAN[:1], SETTING, entries, planned.read_rows())
    shared, other = lines[2], lines[3]
    both = [score(outputs, REFERENCES, "kk")["chrfpp"] for outputs in (REFERENCES, REFERENCES[:3] + [OTHER])]
    spread = statistics.stdev(both)
    assert shared.startswith("| 2000 | 800 | `shared` | 5e-4 | 2 | ") and f" ± {spread:.1f} | " in shared
    assert other.startswith("| 2000 | 800 | `random` | 1e-3 | 1 | ") and "±" not in other
    # Tested with the one seed that both have, of which the baseline made no mistake.
    alone = score(["иә"] * 4, REFERENCES, "kk")["chrfpp"]
    assert f"| {alone - 100:+.1f}, {alone - 100:+.1f} |" in other
    assert lines[-1] == "Not measured yet: 1 of 6 trainings."


def test_seeds_are_taken_together_sentence_by_sentence(folder):
    entries = planned.read_ledger(folder, SETTING)
    row = tables.measured_rows(PLAN, SETTING, entries)[0]
    found = tables.together(row, "kk").values()["chrfpp"]
    twice = score(REFERENCES + REFERENCES[:3] + [OTHER], REFERENCES * 2, "kk")["chrfpp"]
    assert found == pytest.approx(twice)


def test_curves_are_a_figure_and_a_table(folder):
    plan = [planned.Experiment("curves", "2000", 800, ["5e-4"], [1], ["shared", "random"])]
    entries = planned.read_ledger(folder, SETTING)
    figure = tables.curve_figure(plan, SETTING, entries)
    assert ElementTree.fromstring(figure).tag == "{http://www.w3.org/2000/svg}svg"
    assert tables.curve_table(plan, SETTING, entries)[2:] == [
        "| 400 | 5.0 (5) | 1.5 (5) |",
        "| 800 | 10.0 (10) | 3.0 (10) |",
    ]
    assert tables.curve_figure(PLAN[1:], SETTING, {}) is None and tables.curve_table(PLAN[1:], SETTING, {}) == []


def test_the_same_ledger_gives_the_same_bytes_between_the_markers(folder, tmp_path, run):
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- ledger: core -->\nold\n<!-- /ledger -->\nbehind\n", encoding="utf-8")
    command = ["bash", ROOT / "recipes" / "results.sh", "--write", readme]
    for _ in range(2):
        run(command, env={"LEDGER": folder, "LANGS": "kk mn"})
        text = readme.read_text(encoding="utf-8")
        assert text.startswith("before\n<!-- ledger: core -->\n| pairs |") and "old" not in text
        assert text.endswith("\n<!-- /ledger -->\nbehind\n")
    first = text
    run(command, env={"LEDGER": folder, "LANGS": "kk mn"})
    assert readme.read_text(encoding="utf-8") == first
    readme.write_text("<!-- ledger: nothing -->\n<!-- /ledger -->\n")
    done = run(command, env={"LEDGER": folder, "LANGS": "kk mn"}, check=False)
    assert done.returncode == 1 and "no table of the ledger is called nothing" in done.stderr


@pytest.mark.parametrize("readme", ["README.md", "recipes/benchmark/README.md"])
def test_the_readmes_tables_are_the_ledgers(readme):
    """bash recipes/results.sh --write README.md recipes/benchmark/README.md has been run since the last file came."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    args = report.arguments(["tables", "--ledger", str(ROOT / "recipes" / "results")])
    assert "<!-- ledger: " in text and report.filled(text, report.sections(args)) == text


def test_languages_are_a_line_each_shared_against_random():
    same = {"experiment": "languages", "train": {"kk": 70, "mn": 60}}
    shared = {**entry(job("shared", "5e-4", 1), 1.0, REFERENCES[:3] + [OTHER]), **same}
    drawn = {**entry(job("random", "5e-4", 1), 1.0, [OTHER] * 4), **same}
    lines = tables.languages_table([shared, drawn, entry(job("hf", "5e-4", 1), 1.0, REFERENCES)])
    scores = [score(outputs, REFERENCES, "kk")["chrfpp"] for outputs in (REFERENCES[:3] + [OTHER], [OTHER] * 4)]
    assert lines[2].startswith(f"| kk | 70 | {scores[0]:.1f} | {scores[1]:.1f} | {scores[0] - scores[1]:+.1f} (")
    assert lines[3].startswith("| mn | 60 | ") and len(lines) == 4
    assert tables.languages_table([shared]) == []


# ---------------------------------------------------------------------- from a training's folder

TRAIN = "2026-01-01 00:00:00 | INFO | train_inner | epoch 001: 50 / 99 loss=9.0, nll_loss=8.5, "
VALID = "2026-01-01 00:00:00 | INFO | valid | epoch 001 | valid on 'valid' subset | loss 8 | "
LOG = f"""\
{TRAIN}num_updates=50, train_wall=30, wall=40
{VALID}nll_loss 7.5 | chrfpp 4.25 | num_updates 50
{TRAIN}num_updates=100, train_wall=99, wall=80
{TRAIN}num_updates=100, train_wall=31, wall=80
{VALID}nll_loss 7 | chrfpp 4.125 | num_updates 100
{VALID}nll_loss 7 | num_updates 150
"""


def generated(outputs):
    """What fairseq-generate prints of them, in another order."""
    lines = []
    for place in reversed(range(len(outputs))):
        pieces = " ".join("▁" + word for word in outputs[place].split())
        lines += [f"S-{place}\ta", f"T-{place}\tb", f"H-{place}\t-0.5\t{pieces}"]
        lines += [f"D-{place}\t-0.5\t{outputs[place]}"]
    return "\n".join(lines + ["Generate test with beam=5: BLEU4 = 1.0", ""])


@pytest.fixture
def trained(tmp_path):
    split, folder = tmp_path / "split", tmp_path / "training"
    split.mkdir()
    (folder / "test").mkdir(parents=True)
    (split / "test.zh-kk.kk").write_text("\n".join(REFERENCES) + "\n", encoding="utf-8")
    (split / "test.zh-kk.zh").write_text("黑色的猫\n白狗在跑\n大房子\n读一本书\n", encoding="utf-8")
    (split / "train.zh-kk.zh").write_text("黑色的猫\n房子\n", encoding="utf-8")
    (split / "train.zh-kk.kk").write_text("а\nә\n", encoding="utf-8")
    (folder / "train.log").write_text(LOG, encoding="utf-8")
    (folder / "command.txt").write_text("# precision: bf16 (quick)\nfairseq-train x --bf16", encoding="utf-8")
    (folder / "test" / "zh-kk.txt").write_text(generated(REFERENCES[:3] + [OTHER]), encoding="utf-8")
    return folder, split


def test_an_entry_tells_of_validation_test_and_machine(trained):
    folder, split = trained
    found = training.entry_of(str(folder), str(split), ["kk"], {"row": "shared"})
    assert found["row"] == "shared" and found["train"] == {"kk": 2} and found["seconds"] == 61
    assert found["validation"] == [
        {"update": 50, "nll": 7.5, "chrfpp": 4.25},
        {"update": 100, "nll": 7.0, "chrfpp": 4.125},
    ]
    assert found["chosen"]["update"] == 50
    assert found["machine"]["precision"] == "bf16" and found["machine"]["cpu"] and found["versions"]["torch"]
    test = found["test"]["kk"]
    assert test["chrfpp"] == pytest.approx(score(REFERENCES[:3] + [OTHER], REFERENCES, "kk")["chrfpp"], abs=1e-4)
    assert tables.counted(found, "kk").values()["chrfpp"] == pytest.approx(test["chrfpp"], abs=1e-4)
    # The first source stands in training; the third shares half of its runs with 房子; the others share nothing.
    assert test["nearness"] == "2020"


def test_a_training_without_validation_scores_is_refused(trained):
    folder, split = trained
    (folder / "train.log").write_text("| valid on 'valid' subset | loss 8 | num_updates 150\n")
    with pytest.raises(SwcmError, match="no validation with chrF"):
        training.entry_of(str(folder), str(split), ["kk"], {})


# ---------------------------------------------------------------------- speed


def test_speed_is_a_file_a_measurement_and_a_line_each(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "_cpu", lambda: "A CPU avx2")
    case = {"device": "cpu", "vocabulary": 12500, "dtype": "float32", "threads": 2}
    ours = {"step_seconds": 0.783, "matrix_share": 0.52, "target_pieces_per_second": 60.0, "memory_share": 0.2}
    systems = {"ours": ours, "hf": {"times_ours": 1.29}, "fairseq": {"times_ours": 1.32}}
    speed.record(str(tmp_path), "train", case, {"systems": systems, "batches": [[1] * 9999]}, "abc")
    speed.record(str(tmp_path), "generate", case, {"systems": systems, "beam": 5, "size": 1}, "abc")
    speed.record(str(tmp_path), "memory", case, {"systems": {"ours": {"above": 3e8}, "hf": {"times_ours": 1.2}}}, "abc")
    entries = ledger.read(str(tmp_path))
    assert sorted(entries) == [
        "speed.generate.avx2.12500.float32.threads2.beam5.batch1",
        "speed.memory.avx2.12500.float32.threads2",
        "speed.train.avx2.12500.float32.threads2",
    ]
    generate, memory, train = [line.split(" | ")[:-1] for line in speed.table(entries)[2:]]
    assert train == ["| training", "12500", "float32", "0.783 s a step", "1.29", "1.32", "52%"]
    assert generate[0] == "| beam 5, batches of 1" and generate[3] == "60.0 pieces/s"
    assert memory[3:6] == ["300 MB", "1.20", ""]

    speed.record(str(tmp_path), "train", dict(case, vocabulary=9), {"systems": systems}, "abc")
    monkeypatch.setattr(training, "_cpu", lambda: "Another CPU avx512")
    speed.record(str(tmp_path), "train", case, {"systems": systems}, "abc")
    assert speed.short_table(ledger.read(str(tmp_path))) == [
        "| | float32, 9 pieces | float32, 12500 pieces |",
        "|---|---|---|",
        "| training | 1.29, 1.32 | 1.29, 1.32 |",
        "| memory of a step |  | 1.20 |",
        "| beam 5, batches of 1 |  | 1.29, 1.32 |",
        "",
        "The first number is Hugging Face's, the second fairseq's. CPU: A CPU avx2.",
    ]
    assert speed.short_table({}) == []
