"""What was tried against the paper's recipe, through fairseq-train: trained, stopped, resumed, decoded."""

from pathlib import Path

import pytest
import torch

from swcm_fairseq.torch_files import safe_load
from tests.support.trainings import make_data, read_probe, run_trainings, small_job

ROOT = Path(__file__).resolve().parent.parent.parent
FLAGS = (
    "--tie-decoder --inserted-layers identity --insert-normal-every 1 --drop-encoder-residual 1 --rdrop-alpha 5 "
    "--cross-attention-memory same-layer".split()
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of six updates straight through, of three and three more, and of one with the rate scaled."""
    folder = tmp_path_factory.mktemp("variants")
    data = make_data(folder / "data", lines=60)

    def job(name, updates, *more, probe=""):
        return small_job(folder, data, name, ["--lr", "0.01", "--max-update", str(updates), *FLAGS, *more], probe)

    scaled = ["--copied-lr-scale", "0.1"]
    jobs = [
        job("straight", 6, *scaled),
        job("resumed", 3, *scaled, probe="first half"),
        job("resumed", 6, *scaled),
        job("start", 1, "--lr", "0"),
        job("one", 1, *scaled),
        job("checkpointed", 4, *scaled, "--checkpoint-activations"),
        job("frugal", 3, "--memory-efficient-bf16", "--optimizer", "adam", "--checkpoint-activations"),
    ]
    codes = run_trainings(folder, jobs)
    assert codes == [0] * 7, [Path(one["log"]).read_text()[-2000:] for one in jobs]
    return folder, data


def weights(folder, name):
    return safe_load(str(folder / name / "checkpoint_last.pt"))["model"]


def test_tied_tensors_learn_and_stay_one(trained):
    folder, _ = trained
    before, after = weights(folder, "start"), weights(folder, "straight")
    name = "layers.{}.self_attn.in_proj.weight"
    for layer, place in ((0, 0), (1, 2)):
        encoder, decoder = "encoder." + name.format(layer), "decoder." + name.format(place)
        assert torch.equal(after[encoder], after[decoder]) and not torch.equal(after[encoder], before[encoder])
    assert not torch.equal(after["decoder.layers.1.ffn.fc2.weight"], before["decoder.layers.1.ffn.fc2.weight"])


def test_resumed_it_is_the_same_training(trained):
    folder, _ = trained
    straight, resumed = read_probe(folder / "straight.probe"), read_probe(folder / "resumed.probe")
    assert sorted(resumed) == [4, 5, 6]
    assert {update: straight[update] for update in resumed} == resumed


def test_with_activations_computed_again_it_is_the_same_training(trained):
    folder, _ = trained
    straight, checkpointed = read_probe(folder / "straight.probe"), read_probe(folder / "checkpointed.probe")
    assert sorted(checkpointed) == [1, 2, 3, 4]
    assert {update: straight[update] for update in checkpointed} == checkpointed


def test_it_learns_with_all_that_saves_memory(trained):
    folder, _ = trained
    before, after = weights(folder, "start"), weights(folder, "frugal")
    name = "decoder.layers.1.ffn.fc2.weight"
    assert not torch.equal(after[name], before[name])


def test_what_starts_from_the_encoder_takes_shorter_steps(trained):
    folder, _ = trained
    before, after = weights(folder, "start"), weights(folder, "one")

    def step(name):
        return float((after[name].float() - before[name].float()).abs().max())

    # Adam's first step is the rate, whatever the gradient; bf16 rounds it.
    assert step("encoder.layers.0.ffn.fc1.weight") == pytest.approx(0.001, rel=0.1)
    assert step("decoder.layers.1.ffn.fc2.weight") == pytest.approx(0.01, rel=0.1)


def test_it_decodes(trained, run):
    folder, data = trained
    done = run(
        ["fairseq-generate", data, "--user-dir", ROOT / "swcm_fairseq", "--task", "swcm_finetuning"]
        + ["--source-lang", "zh", "--target-lang", "kk", "--gen-subset", "valid"]
        + ["--path", folder / "straight/checkpoint_last.pt", "--cpu", "--max-tokens", "100", "--max-len-b", "8"]
    )
    assert done.stdout.count("\nH-") == 6
