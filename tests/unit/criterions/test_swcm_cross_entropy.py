"""The criterion: the same numbers on its two ways, and a log that is right per group, over batches and processes."""

import math
from argparse import Namespace

import numpy as np
import pytest
import torch
from fairseq.criterions.label_smoothed_cross_entropy import LabelSmoothedCrossEntropyCriterion
from fairseq.data import Dictionary
from fairseq.logging import metrics
from fairseq.models import BaseFairseqModel
from fairseq.models.transformer import TransformerModel, tiny_architecture
from torch.nn.functional import linear

from swcm_fairseq.criterions import SwcmCrossEntropy

PAD, V, C = 1, 30, 8
GROUPS = ["mt.zh-kk", "mt.zh-ug", "dae.bo"]


class Task:
    def __init__(self, groups=GROUPS):
        self.target_dictionary = self.source_dictionary = Dictionary()
        for number in range(V - 4):
            self.target_dictionary.add_symbol(str(number))
        self.loss_groups = groups


class Model(BaseFairseqModel):
    """Embeds the input and puts it out again, tied."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.embed = torch.nn.Embedding(V, C)
        self.bias = torch.nn.Parameter(torch.randn(V))
        self.asked_for_features = None

    def forward(self, tokens, features_only=False):
        self.asked_for_features = features_only
        features = torch.tanh(self.embed(tokens))
        return (features if features_only else linear(features, self.embed.weight, self.bias)), {}

    def output_parameters(self):
        return self.embed.weight, self.bias

    def get_normalized_probs(self, net_output, log_probs, sample=None):
        return net_output[0].log_softmax(-1)

    def get_targets(self, sample, net_output):
        return sample["target"]


def batch(seed=0, groups=(0, 1, 2), lengths=(3, 5, 2)):
    generator = torch.Generator().manual_seed(seed)
    target = torch.full((len(lengths), max(lengths)), PAD)
    for row, length in zip(target, lengths):
        row[:length] = torch.randint(4, V, (length,), generator=generator)
    return {
        "net_input": {"tokens": torch.randint(4, V, target.shape, generator=generator)},
        "target": target,
        "ntokens": sum(lengths),
        "nsentences": len(lengths),
        "group": torch.tensor(groups),
    }


def logged(*logging_outputs):
    metrics.reset()
    with metrics.aggregate() as aggregator:
        SwcmCrossEntropy.reduce_metrics(list(logging_outputs))
    return aggregator.get_smoothed_values()


@pytest.fixture(autouse=True)
def clean_metrics():
    yield
    metrics.reset()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("chunk", [-1, 0, 3])
def test_loss_gradients_and_log_are_those_of_fairseq(smoothing, chunk):
    task, model, sample = Task(), Model(), batch()
    ours = SwcmCrossEntropy(task, False, smoothing, chunk)
    loss, size, log = ours(model, sample)
    assert model.asked_for_features == (chunk != 0)
    loss.backward()
    gradients = [parameter.grad for parameter in model.parameters()]

    model.zero_grad(set_to_none=True)
    fairseqs = LabelSmoothedCrossEntropyCriterion(task, False, smoothing, report_accuracy=True)
    expected, expected_size, expected_log = fairseqs(model, sample)
    expected.backward()
    assert size == expected_size == 10
    assert torch.allclose(loss, expected, rtol=1e-6)
    for found, parameter in zip(gradients, model.parameters()):
        assert torch.allclose(found, parameter.grad, atol=1e-6)

    metrics.reset()
    with metrics.aggregate() as aggregator:
        LabelSmoothedCrossEntropyCriterion.reduce_metrics([expected_log])
    wanted = aggregator.get_smoothed_values()
    found = logged(log)
    for key in ("loss", "nll_loss", "ppl", "accuracy"):
        assert found[key] == pytest.approx(wanted[key], abs=2e-3)


def test_groups_and_objectives_are_what_the_same_sentences_give_alone():
    model, criterion = Model(), SwcmCrossEntropy(Task(), False, 0.1, 4)
    together = logged(criterion(model, batch())[2])
    for number, name in enumerate(GROUPS):
        one = batch()
        only = [row for row in range(3) if row == number]
        alone = {
            "net_input": {"tokens": one["net_input"]["tokens"][only]},
            "target": one["target"][only],
            "ntokens": (3, 5, 2)[number],
            "group": one["group"][only],
        }
        values = logged(criterion(model, alone)[2])
        assert together[name + "_nll"] == values["nll_loss"]
        assert together[name + "_ppl"] == values["ppl"]
        assert together[name + "_acc"] == values["accuracy"]
    translation = (3 * together["mt.zh-kk_nll"] + 5 * together["mt.zh-ug_nll"]) / 8
    assert together["mt_nll"] == pytest.approx(translation, abs=1e-3)
    assert together["dae_nll"] == together["dae.bo_nll"]


def test_objectives_are_not_repeated_where_there_is_one():
    criterion = SwcmCrossEntropy(Task(["mt.zh-kk", "mt.zh-ug"]), False)
    values = logged(criterion(Model(), batch(groups=(0, 1, 1)))[2])
    assert "mt.zh-ug_acc" in values and "mt_nll" not in values


def test_a_group_that_does_not_occur_has_its_key_and_logs_nothing():
    model, criterion = Model(), SwcmCrossEntropy(Task(), False)
    full, partial = criterion(model, batch())[2], criterion(model, batch(groups=(0, 0, 0)))[2]
    assert list(full) == list(partial)  # added up by position between processes
    values = logged(partial)
    assert "mt.zh-kk_nll" in values and "mt.zh-ug_nll" not in values and "dae_nll" not in values
    assert all(math.isfinite(value) for value in values.values())
    metrics.reset()
    with metrics.aggregate("interval"):
        SwcmCrossEntropy.reduce_metrics([full])
    metrics.reset_meters("interval")
    with metrics.aggregate("interval"):
        SwcmCrossEntropy.reduce_metrics([partial])
    values = metrics.get_smoothed_values("interval")
    assert values["dae.bo_nll"] is None and values["dae.bo_ppl"] is None and values["mt.zh-kk_nll"] > 0


def test_batches_of_one_update_are_averaged_over_their_tokens():
    model, criterion = Model(), SwcmCrossEntropy(Task(), False, 0.1)
    logs = [criterion(model, batch(seed, lengths=lengths))[2] for seed, lengths in enumerate([(9, 1, 2), (1, 4, 30)])]
    values = logged(*logs)
    loss = sum(float(log["loss"]) for log in logs) / (12 + 35) / math.log(2)
    kazakh = sum(float(log["group:mt.zh-kk"][0]) for log in logs) / (9 + 1) / math.log(2)
    assert values["loss"] == pytest.approx(loss, abs=1e-3)
    assert values["mt.zh-kk_nll"] == pytest.approx(kazakh, abs=1e-3)
    # What fairseq's all-reduce makes of it: tensors of float64, counts too.
    reduced = {key: torch.as_tensor(logs[0][key]).double() + torch.as_tensor(logs[1][key]) for key in logs[0]}
    assert logged(reduced) == pytest.approx(values, abs=0.011)


def test_sentence_average():
    criterion = SwcmCrossEntropy(Task(), True)
    loss, size, log = criterion(Model(), batch())
    assert size == 3
    assert logged(log)["loss"] == pytest.approx(float(loss.detach()) / 3 / math.log(2), abs=1e-3)


def test_padding_does_not_matter():
    model, criterion = Model(), SwcmCrossEntropy(Task(), False, 0.1)
    sample = batch()
    loss = criterion(model, sample)[0]
    wider = torch.full((3, 4), PAD)
    sample["target"] = torch.cat([sample["target"], wider], dim=1)
    sample["net_input"]["tokens"] = torch.cat([sample["net_input"]["tokens"], wider + 5], dim=1)
    assert torch.allclose(criterion(model, sample)[0], loss, rtol=1e-6)


def test_meters_hold_python_numbers():
    # They go into checkpoints, and safe loading refuses NumPy's.
    log = SwcmCrossEntropy(Task(), False)(Model(), batch())[2]
    log["ntokens"] = log["sample_size"] = np.int64(10)
    metrics.reset()
    with metrics.aggregate() as aggregator:
        SwcmCrossEntropy.reduce_metrics([log])
    for _, key, _, state in aggregator.state_dict():
        assert all(value is None or type(value) in (int, float) for value in state.values()), key


def test_tasks_without_groups_log_totals():
    sample = batch()
    del sample["group"]
    values = logged(SwcmCrossEntropy(Task(groups=[]), False)(Model(), sample)[2])
    assert set(values) == {"loss", "nll_loss", "ppl", "accuracy"}


def test_any_other_model_takes_the_plain_way():
    arguments = Namespace(encoder_layers=1, decoder_layers=1, dropout=0.0)
    arguments.max_source_positions = arguments.max_target_positions = 20
    tiny_architecture(arguments)
    task = Task()
    torch.manual_seed(3)
    model = TransformerModel.build_model(arguments, task).eval()
    assert not hasattr(model, "output_parameters")
    sample = batch()
    tokens = sample["net_input"].pop("tokens")
    sample["net_input"] = {
        "src_tokens": tokens,
        "src_lengths": torch.full((3,), tokens.size(1)),
        "prev_output_tokens": tokens,
    }
    loss, _, log = SwcmCrossEntropy(task, False, 0.1)(model, sample)
    expected, _, expected_log = LabelSmoothedCrossEntropyCriterion(task, False, 0.1)(model, sample)
    assert torch.allclose(loss, expected, rtol=1e-6)
    assert torch.allclose(log["nll_loss"], expected_log["nll_loss"], rtol=1e-6)
    loss.backward()


def test_its_sums_can_be_added_up():
    assert SwcmCrossEntropy.logging_outputs_can_be_summed() is True
