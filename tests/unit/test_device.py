"""Training and decoding on a made-up device: nothing meets the CPU, and a GPU's host waits as seldom as can be."""

from argparse import Namespace

import pytest
import torch
from torch.utils import backend_registration

from swcm_fairseq.criterions import SwcmCrossEntropy, chunked_loss
from swcm_fairseq.fairseq_patches import applied
from swcm_fairseq.models.decoder import SwcmDecoder
from swcm_fairseq.models.encoder import SwcmEncoder
from swcm_fairseq.validation.scores import ValidationScores
from tests.support.toy import toy_dictionary, toy_model, toy_sources
from tests.support.trainings import make_data

if hasattr(backend_registration, "_setup_privateuseone_for_python_backend"):
    from tests.support.device import MadeUpDevice, cpu_values, sample_to_device, to_device
    from tests.support.device_training import make, weights
else:
    pytest.skip("this torch takes no device that is made of Python", allow_module_level=True)

FINETUNING = "--task swcm_finetuning --lang-pairs zh-kk,zh-mn"
PRETRAINING = "--task swcm_pretraining --dae-langs zh,kk --mt-pairs zh-kk --criterion swcm_cross_entropy"
OURS = " --criterion swcm_cross_entropy --label-smoothing 0.1"
#: Flags, and how often the host waits in an update: for fairseq's check of the norm, and for the log (the sums once,
#: and the norm, which fairseq compares and rounds).
LOGGED = 5
TRAININGS = {
    "finetuning": (FINETUNING + OURS, LOGGED),
    "bf16": (FINETUNING + OURS + " --bf16", LOGGED),
    "rdrop": (FINETUNING + OURS + " --rdrop-alpha 5", LOGGED),
    "chunks": (FINETUNING + OURS + " --loss-chunk-tokens 4", LOGGED),
    "untied": (FINETUNING + OURS + " --untie-output-projection", LOGGED),
    "same layer": (FINETUNING + OURS + " --cross-attention-memory same-layer --insert-normal-every 0", LOGGED),
    "pretraining": (PRETRAINING, LOGGED),
    "sampling": (
        PRETRAINING + " --scheduled-sampling linear --sampling-half-life 2 --sampling-floor 0.5",
        LOGGED,
    ),
    # fairseq's own look at values, once for each number that they log.
    "cross_entropy": (FINETUNING + " --criterion cross_entropy", 12),
    "label_smoothed": (FINETUNING + " --criterion label_smoothed_cross_entropy --label-smoothing 0.1", 12),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("device") / "data", 60)


@pytest.fixture
def device():
    with MadeUpDevice() as device:
        yield device


def close(found, expected, tolerance=1e-3):
    return all(
        torch.allclose(one.float(), other.float(), atol=tolerance, rtol=tolerance)
        for one, other in zip(found, expected)
    )


# ---------------------------------------------------------------------- training


@pytest.mark.parametrize("name", TRAININGS)
def test_a_training_is_that_of_a_cpu_and_waits_for_the_log_alone(data, name):
    flags, most = TRAININGS[name]
    expected = make(data, flags, None)
    losses = expected.train(4)
    with MadeUpDevice() as device:
        found = make(data, flags, device)
        assert found.train(4, device=device) == pytest.approx(losses, abs=0.02 if "bf16" in flags else 2e-3)
        _, _, waits = device.counts()
    assert waits <= most, device.waits
    assert close(weights(found.model), weights(expected.model), 0.1 if "bf16" in flags else 0.02)


@pytest.mark.parametrize("name", ["finetuning", "bf16", "rdrop", "sampling"])
def test_what_is_ours_of_an_update_waits_for_nothing(data, device, name):
    training = make(data, TRAININGS[name][0], device)
    training.train(3)
    [sample] = [sample_to_device(one) for one in list(training.batches())[3:4]]
    trainer = training.trainer
    with applied():
        trainer.model.train()
        trainer.zero_grad()
        device.reset()
        training.task.train_step(sample, trainer.model, trainer.criterion, trainer.optimizer, 3)
        trainer.optimizer.multiply_grads(0.1)
        trainer.optimizer.clip_grad_norm(1.0)
        trainer.optimizer.step()
    assert not device.waits
    # What scheduled sampling draws, and what it must not predict.
    assert sum(device.transfers.values()) == (3 if name == "sampling" else 0)


@pytest.mark.parametrize("precision", ["", " --bf16"])
def test_an_optimizers_kernels_are_not_one_for_each_tensor(data, device, precision):
    training = make(data, FINETUNING + OURS + precision, device)
    training.train(2)
    tensors = len(list(training.model.parameters()))
    optimizer = training.trainer.optimizer
    with applied():
        for parameter in training.model.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimizer._needs_sync = True
        device.reset()
        optimizer.multiply_grads(0.1)
        optimizer.clip_grad_norm(1.0)
        optimizer.step()
        optimizer.zero_grad()
    assert tensors > 50
    assert device.counts()[0] < 20, device.kernels


@pytest.mark.parametrize("precision", ["", " --bf16"])
def test_a_resumed_training_goes_on_as_if_it_had_not_stopped(data, device, tmp_path, precision):
    straight = make(data, FINETUNING + OURS + precision, device)
    straight.train(4)
    first = make(data, FINETUNING + OURS + precision, device)
    first.train(2)
    position = {"epoch": 1, "iterations_in_epoch": 2, "shuffle": False, "version": 2}
    saved = str(tmp_path / "checkpoint_last.pt")
    with applied():
        first.trainer.consolidate_optimizer()
        first.trainer.save_checkpoint(saved, {"train_iterator": position})
        again = make(data, FINETUNING + OURS + precision, device)
        again.trainer.load_checkpoint(saved)
    again.train(2, start=2)
    assert close(weights(again.model), weights(straight.model), 1e-6)


# ---------------------------------------------------------------------- the loss


def batch(dictionary):
    source, target = toy_sources(dictionary, [4, 6, 5]), toy_sources(dictionary, [5, 3, 7], seed=1)
    net_input = {"src_tokens": source, "src_lengths": torch.tensor([4, 6, 5]), "prev_output_tokens": target}
    return {"net_input": net_input, "target": target, "ntokens": 15, "group": torch.tensor([0, 1, 0])}


def criterion(dictionary, **settings):
    task = Namespace(target_dictionary=dictionary, source_dictionary=dictionary, loss_groups=["mt.zh-kk", "mt.zh-mn"])
    return SwcmCrossEntropy(task, sentence_avg=False, label_smoothing=0.1, **settings)


@pytest.mark.parametrize("settings", [{}, {"rdrop_alpha": 5.0}, {"loss_chunk_tokens": 4}])
def test_losses_gradients_and_log_are_those_of_a_cpu(device, settings):
    dictionary = toy_dictionary()
    model, sample, loss_of = toy_model(dictionary).train(), batch(dictionary), criterion(dictionary, **settings)
    loss, _, log = loss_of(model, sample)
    loss.backward()
    expected = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    to_device(model)
    sample = sample_to_device(sample)
    device.reset()
    found, _, found_log = loss_of(model, sample)
    found.backward()
    assert not device.waits and not device.transfers
    assert torch.allclose(cpu_values(found), loss, rtol=1e-5)
    for name, parameter in model.named_parameters():
        assert torch.allclose(cpu_values(parameter.grad), expected[name], atol=1e-4, rtol=1e-4), name
    for name, value in log.items():
        found_value = torch.as_tensor(cpu_values(found_log[name])).float()
        assert torch.allclose(found_value, torch.as_tensor(value).float(), rtol=1e-4)


def test_a_log_waits_once(device):
    dictionary = toy_dictionary()
    _, _, log = criterion(dictionary)(to_device(toy_model(dictionary)), sample_to_device(batch(dictionary)))
    device.reset()
    SwcmCrossEntropy.reduce_metrics([log, log])
    assert device.waits == {"from the device": 1}


def test_attention_is_one_kernel_and_leaves_the_future_out_by_itself(device):
    dictionary = toy_dictionary()
    model, sample = to_device(toy_model(dictionary)).train(), sample_to_device(batch(dictionary))
    model.decoder.may_pad_left = False
    device.reset()
    model(**sample["net_input"], features_only=True)
    attentions = sum(name.endswith("attn") for name, _ in model.named_modules())
    assert device.kernels["attention"] == attentions
    assert "_softmax" not in device.kernels and "triu" not in device.kernels
    # The source's mask, as numbers, once for the encoder and once for the decoder.
    assert device.kernels["mul_"] == 2


def test_targets_padded_on_the_left_are_masked_where_a_task_has_such(device):
    dictionary = toy_dictionary()
    model = toy_model(dictionary).train()
    source = toy_sources(dictionary, [6, 4])
    inputs = toy_sources(dictionary, [6, 3], left=True, seed=1)
    expected = model.eval()(source, None, inputs, features_only=True)[0]
    model = to_device(model.train())
    found = cpu_values(model(*sample_to_device([source, None, inputs]), features_only=True)[0])
    real = inputs.ne(dictionary.pad())
    assert torch.allclose(found[real], expected[real], atol=1e-4)


@pytest.mark.parametrize("vocabulary, chunk", [(37, 4), (40, 1000)])
def test_rows_of_half_precision_logits_begin_at_multiples_of_16_bytes(device, monkeypatch, vocabulary, chunk):
    made = []
    stock = chunked_loss._softmax_errors
    monkeypatch.setattr(
        chunked_loss, "_softmax_errors", lambda logits, *rest: made.append(logits.stride()) or stock(logits, *rest)
    )
    hidden, weight = (torch.randn(rows, 8).to(torch.bfloat16).to(device.device) for rows in (11, vocabulary))
    targets = torch.arange(11).to(device.device)
    chunked_loss.chunked_cross_entropy(hidden, weight, None, targets, 0.1, chunk)
    assert made and all(stride == (40, 1) for stride in made)


# ---------------------------------------------------------------------- decoding


def generated(training, beam, sample):
    settings = Namespace(beam=beam, max_len_a=0, max_len_b=8)
    generator = training.task.build_generator([training.trainer.model], settings)
    training.trainer.model.eval()
    return training.task.inference_step(generator, [training.trainer.model], sample)


@pytest.mark.parametrize("beam", [1, 3])
def test_decoding_writes_what_a_cpu_writes(data, beam):
    trained = make(data, FINETUNING + OURS, None)
    trained.train(4)
    sample = next(iter(trained.batches()))
    expected = generated(trained, beam, sample)
    with MadeUpDevice():
        to_device(trained.model)
        found = generated(trained, beam, sample_to_device(sample))
        for one, other in zip(found, expected):
            assert [cpu_values(h["tokens"]).tolist() for h in one] == [h["tokens"].tolist() for h in other]
            assert [float(h["score"]) for h in one] == pytest.approx([float(h["score"]) for h in other], abs=1e-4)


@pytest.mark.parametrize("order, most", [([0, 1, 2, 3], 1), ([1, 0, 3, 3], 1), ([2, 3], 4)])
def test_a_decoding_step_waits_once_unless_sentences_have_ended(device, order, most):
    dictionary = toy_dictionary()
    model = to_device(toy_model(dictionary).eval())
    source, tokens = sample_to_device([toy_sources(dictionary, [5, 4]), torch.full((4, 1), dictionary.index("[kk]"))])
    rows, order = sample_to_device([torch.tensor([0, 0, 1, 1]), torch.tensor(order)])
    with torch.no_grad():
        memory = model.encoder.reorder_encoder_out(model.encoder(source), rows)
        state = {}
        model.decoder(tokens, memory, incremental_state=state)
        tokens = torch.cat([tokens, tokens], dim=1)[order]
        device.reset()
        model.decoder.reorder_incremental_state_scripting(state, order)
        model.decoder(tokens, memory, incremental_state=state)
    assert device.counts()[2] <= most, device.waits
    assert not device.transfers


def test_validation_scores_are_those_of_a_cpu(data):
    trained = make(data, FINETUNING + OURS, None)
    trained.train(4)
    sample = next(iter(trained.batches()))
    rows = sample["id"].numel()
    sample["scored"], sample["shown"] = torch.arange(rows) % 3 != 1, torch.zeros(rows, dtype=torch.bool)
    cfg = Namespace(validation_beam=1, validation_max_len_a=0, validation_max_len_b=8, validation_print_samples=False)

    def measured(sample):
        same = Namespace(decode=lambda text: text)
        return ValidationScores(trained.task, cfg, ["chrf"], ["kk", "mn"], same).measure(trained.model.eval(), sample)

    expected = measured(sample)
    assert sum(float(sums[-1]) for sums in expected.values()) == int(sample["scored"].sum())
    with MadeUpDevice():
        to_device(trained.model)
        found = measured(sample_to_device(sample))
        assert {name: sums.tolist() for name, sums in found.items()} == {
            name: sums.tolist() for name, sums in expected.items()
        }


# ---------------------------------------------------------------------- what the device finds


def step(device):
    dictionary = toy_dictionary()
    model, sample = to_device(toy_model(dictionary)).train(), sample_to_device(batch(dictionary))
    device.reset()
    loss, _, _ = criterion(dictionary)(model, sample)
    loss.backward()
    return device


def test_a_tensor_that_was_left_on_the_cpu_is_refused(device, monkeypatch):
    monkeypatch.setattr(
        SwcmDecoder, "_after_start", lambda self, tokens: torch.cat([torch.full((3, 1), self.bos_idx), tokens], dim=1)
    )
    with pytest.raises(RuntimeError, match="on one device"):
        step(device)


def test_a_mask_on_the_cpu_is_refused(device, monkeypatch):
    forward = SwcmEncoder.forward

    def masked(self, src_tokens, *rest, **options):
        found = forward(self, src_tokens, *rest, **options)
        found["encoder_out"][0] = found["encoder_out"][0].masked_fill(torch.zeros(6, 3, 1, dtype=torch.bool), 0.0)
        return found

    monkeypatch.setattr(SwcmEncoder, "forward", masked)
    with pytest.raises(RuntimeError, match="on one device"):
        step(device)


def test_a_look_at_a_value_is_counted(device, monkeypatch):
    forward = SwcmCrossEntropy.forward

    def looking(self, model, sample, reduce=True):
        found = forward(self, model, sample, reduce)
        assert found[0].item() > 0
        return found

    monkeypatch.setattr(SwcmCrossEntropy, "forward", looking)
    assert step(device).counts()[2] == 1


def test_the_device_sees_what_waits(device):
    x = torch.tensor([1.0, 0.0, 2.0]).to(device.device, non_blocking=True)
    assert device.counts() == (0, 1, 0)
    x.sum().item()
    bool(x.any())
    x.nonzero()
    x[x > 0]
    torch.equal(x, x)
    x.tolist()
    x[torch.tensor([0, 2])]
    torch.tensor([1.0]).to(device.device)
    assert device.counts()[2] == 8
    device.reset()
    (x + 1).view(3, 1).t()
    assert device.kernels == {"add": 1} and not device.waits
