"""Numbers that must not depend on how they are computed: gradients by parts of a batch, losses in half precision."""

import json

import pytest
import torch
from fairseq import options, tasks, utils
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.trainer import Trainer

import swcm_fairseq.models
import swcm_fairseq.tasks.swcm_finetuning
import swcm_fairseq.tasks.swcm_pretraining  # noqa: F401  (registered, as --user-dir does for the commands)
from tests.support.toy import toy_dictionary, write_data_bin

# Of unlike lengths, so that the halves of a batch have neither as many pieces nor as many of each language.
LINES = ["a b c d e f g h", "b", "c d e", "d e f g h i j k l", "a c", "f g h i", "k l m n o", "s t"]
TRAINING = """--arch xlm_swcm_tiny --criterion swcm_cross_entropy --label-smoothing 0.1 --optimizer adamw --lr 1e-2
    --adam-eps 1e-3 --weight-decay 0.01 --clip-norm 0.5 --max-tokens 1000 --cpu --seed 1 --dropout 0
    --attention-dropout 0 --max-update 2""".split()
TASKS = {
    "finetuning": ["--task", "swcm_finetuning", "--lang-pairs", "zh-kk,zh-mn"],
    "pretraining": ["--task", "swcm_pretraining", "--dae-langs", "zh,kk", "--mt-pairs", "zh-kk", "--mt-share", "0.5"],
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    sides = {}
    for split in ("train", "valid"):
        for pair in ("zh-kk", "zh-mn"):
            sides.update({f"{split}.{pair}.{side}": LINES for side in pair.split("-")})
        sides.update({f"{split}.{code}-None.{code}": LINES for code in ("zh", "kk")})
    return write_data_bin(tmp_path_factory.mktemp("data"), toy_dictionary(), sides)


def trainer_for(data, task):
    """A trainer as fairseq-train makes it, and all examples of its training set."""
    parser = options.get_training_parser()
    args = options.parse_args_and_arch(parser, [data, "--save-dir", data + "-model", *TASKS[task], *TRAINING])
    cfg = convert_namespace_to_omegaconf(args)
    utils.set_torch_seed(1)
    task = tasks.setup_task(cfg.task)
    task.load_dataset("train")
    model, criterion = task.build_model(cfg.model), task.build_criterion(cfg.criterion)
    dataset = task.datasets["train"]
    return Trainer(cfg, task, model, criterion), dataset, [dataset[i] for i in range(len(dataset))]


@pytest.mark.parametrize("task", TASKS)
def test_two_halves_with_update_freq_are_one_batch(data, task):
    """--update-freq 2: the same weights and the same log, however the examples are spread over the batches."""
    found = []
    for cuts in ([], [5], [3, 4, 9]):
        trainer, dataset, examples = trainer_for(data, task)
        edges = [0, *cuts, len(examples)]
        parts = [dataset.collater(examples[start:end]) for start, end in zip(edges, edges[1:])]
        assert not cuts or len({part["ntokens"] / part["nsentences"] for part in parts}) > 1
        for _ in range(2):
            log = trainer.train_step(parts)
        state = {name: tensor.clone() for name, tensor in trainer.get_model().state_dict().items()}
        found.append((state, {name: value for name, value in log.items() if "loss" in name or "nll" in name}))
    start = {name: tensor.clone() for name, tensor in trainer_for(data, task)[0].get_model().state_dict().items()}
    (whole, log), *others = found
    assert any(float((whole[name] - start[name]).abs().max()) > 1e-3 for name in whole)
    for state, other_log in others:
        for name, tensor in state.items():
            torch.testing.assert_close(tensor, whole[name], atol=2e-6, rtol=1e-5, msg=name)
        assert other_log == pytest.approx(log, abs=2e-3)


# ---------------------------------------------------------------------- recipes/benchmark/numbers.sh


def write_run(folder, losses, valid, extra=(), weight=1.0):
    """What a training of so many updates leaves, as far as the report reads it."""
    folder.mkdir(parents=True)
    inner = "x | INFO | train_inner | epoch 001:   {0} / 9 loss={1}, nll_loss={1}, gnorm=1.5, num_updates={0}"
    lines = [inner.format(update, loss) for update, loss in enumerate(losses, 1)]
    outer = "x | INFO | valid | epoch 001 | valid on 'valid' subset | loss 7 | nll_loss {} | num_updates {}"
    lines.append(outer.format(valid, len(losses)))
    (folder / "train.log").write_text("\n".join([*lines, *extra]) + "\n")
    torch.save({"model": {"weight": torch.full((2, 2), weight)}}, str(folder / "checkpoint_last.pt"))


@pytest.fixture
def report(run, repo, tmp_path):
    def make(**half):
        write_run(tmp_path / "fp32", [9.0] * 18 + [6.0, 4.0], 5.0)
        write_run(tmp_path / "bf16", **{"losses": [9.5] * 18 + [6.08, 4.08], "valid": 5.05, **half})
        return run(
            ["python", repo / "recipes" / "benchmark" / "numbers_report.py", "--out", tmp_path, "--updates", "20"]
            + ["fp32", "bf16"],
            check=False,
        )

    return make


def test_losses_within_two_percent_pass(report, tmp_path):
    done = report()
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "numbers.json").read_text())["precisions"]
    # By hand: the last two of 20 updates; 5.08 / 5.0 is 1.6% off, 5.05 / 5.0 is 1%.
    assert (rows["fp32"]["train"], rows["bf16"]["train"]) == (5.0, pytest.approx(5.08))
    assert rows["bf16"]["off"] == pytest.approx(0.016)


def test_another_seed_is_shown_and_not_judged(report, run, repo, tmp_path):
    report()
    write_run(tmp_path / "fp32.2", [9.0] * 18 + [6.5, 4.5], 5.5)
    script = ["python", repo / "recipes" / "benchmark" / "numbers_report.py", "--out", tmp_path, "--updates", "20"]
    done = run(script + ["fp32", "fp32.2", "bf16"])
    assert "10.00%" in done.stdout
    assert run(script + ["fp32", "bf16", "fp32.2"]).stdout.count("%") == 3


@pytest.mark.parametrize(
    "half, message",
    [
        ({"valid": 5.2}, "4.00% off fp32's"),
        ({"losses": [9.0] * 18 + [4.5, 4.5]}, "10.00% off"),
        (
            {"extra": ["2026 | INFO | fairseq.trainer | NOTE: gradient overflow detected, ignoring gradient"]},
            "1 overflows",
        ),
        ({"extra": ["x | train_inner | epoch 1: 9 / 9 loss=5, gnorm=nan, num_updates=9"]}, "1 numbers not finite"),
        ({"weight": float("inf")}, "1 numbers not finite"),
        ({"losses": [9.0] * 19}, "logs 19 of 20 updates"),
    ],
)
def test_what_does_not_hold_is_said(report, half, message):
    done = report(**half)
    assert done.returncode == 1 and message in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
