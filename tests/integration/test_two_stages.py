"""Training in two stages: with parts frozen, then with everything, handed over from checkpoint to training."""

from pathlib import Path

import pytest
import torch

from swcm_fairseq.torch_files import safe_load
from tests.support.trainings import make_data, run_trainings, small_job


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    """Models by stage: after one update of learning rate 0, after five with parts frozen, after five more with all."""
    folder = tmp_path_factory.mktemp("stages")
    data = make_data(folder / "data", lines=60)

    def job(name, *more):
        return small_job(folder, data, name, more)

    frozen = ["--freeze", "embeddings,encoder"]
    jobs = [
        job("start", "--max-update", "1", "--lr", "0"),
        job("first", "--max-update", "5", "--lr", "0.01", *frozen),
        job(
            "second",
            *("--max-update", "5", "--lr", "0.01"),
            *("--finetune-from-model", str(folder / "first" / "checkpoint_last.pt")),
        ),
    ]
    codes = run_trainings(folder, jobs)
    assert codes == [0, 0, 0], [Path(one["log"]).read_text()[-2000:] for one in jobs]
    models = {
        name: safe_load(str(folder / name / "checkpoint_last.pt"))["model"] for name in ("start", "first", "second")
    }
    return models, (folder / "first.log").read_text()


def changed(before, after):
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_the_first_stage_leaves_the_frozen_parts_as_they_were(stages):
    models, log = stages
    learned = changed(models["start"], models["first"])
    assert learned and all(name.startswith("decoder.layers.") for name in learned)
    assert "frozen: embeddings,encoder" in log


def test_the_second_stage_starts_from_the_first_and_teaches_everything(stages):
    models, _ = stages
    learned = changed(models["first"], models["second"])
    assert any(name.startswith("encoder.layers.") for name in learned)
    assert "encoder.embeddings.tokens.weight" in learned
    moved = models["second"]["decoder.layers.0.ffn1.fc1.weight"] - models["first"]["decoder.layers.0.ffn1.fc1.weight"]
    assert float(moved.float().abs().max()) < 0.1  # five steps of 0.01, not another draw
