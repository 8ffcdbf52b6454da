"""How often a GPU's host would wait in a step, counted on a made-up device."""

import sys
from argparse import Namespace

import pytest
import torch

from swcm_fairseq.criterions import SwcmCrossEntropy
from tests.support.toy import toy_dictionary, toy_model, toy_sources

pytestmark = pytest.mark.skipif(sys.version_info < (3, 9), reason="torch 1.12 has no mode to count operations with")


@pytest.fixture
def device(monkeypatch):
    from tests.support.device import made_up_device

    return lambda: made_up_device(monkeypatch)


def batch(dictionary):
    source, target = toy_sources(dictionary, [4, 6, 5]), toy_sources(dictionary, [5, 3, 7], seed=1)
    net_input = {"src_tokens": source, "src_lengths": torch.tensor([4, 6, 5]), "prev_output_tokens": target}
    return {"net_input": net_input, "target": target, "ntokens": 15, "group": torch.tensor([0, 1, 0])}


def criterion(dictionary, **settings):
    task = Namespace(target_dictionary=dictionary, source_dictionary=dictionary, loss_groups=["mt.zh-kk", "mt.zh-mn"])
    return SwcmCrossEntropy(task, sentence_avg=False, label_smoothing=0.1, **settings)


@pytest.mark.parametrize("settings", [{}, {"rdrop_alpha": 5.0}, {"loss_chunk_tokens": 4}])
def test_a_training_step_waits_for_nothing_and_learns_the_same(device, settings):
    dictionary = toy_dictionary()
    model, sample, loss_of = toy_model(dictionary).train(), batch(dictionary), criterion(dictionary, **settings)
    loss, _, log = loss_of(model, sample)
    loss.backward()
    expected = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    with device() as counts:
        found, _, found_log = loss_of(model, sample)
        found.backward()
    assert not counts.waits
    assert torch.allclose(found, loss, rtol=1e-5)
    for name, parameter in model.named_parameters():
        assert torch.allclose(parameter.grad, expected[name], atol=1e-4, rtol=1e-4), name
    for name, value in log.items():
        assert torch.allclose(torch.as_tensor(found_log[name]).float(), torch.as_tensor(value).float(), rtol=1e-4)


def test_a_log_waits_once(device):
    dictionary = toy_dictionary()
    _, _, log = criterion(dictionary)(toy_model(dictionary), batch(dictionary))
    with device() as counts:
        SwcmCrossEntropy.reduce_metrics([log, log])
    assert counts.waits == {"tolist": 1}


@pytest.mark.parametrize("order, most", [([0, 1, 2, 3], 1), ([1, 0, 3, 3], 1), ([2, 3], 4)])
def test_a_decoding_step_waits_once_unless_sentences_have_ended(device, order, most):
    dictionary = toy_dictionary()
    model = toy_model(dictionary).eval()
    source = toy_sources(dictionary, [5, 4])
    with torch.no_grad():
        memory = model.encoder(source)
        memory = model.encoder.reorder_encoder_out(memory, torch.tensor([0, 0, 1, 1]))
        tokens, state = torch.full((4, 1), dictionary.index("[kk]")), {}
        model.decoder(tokens, memory, incremental_state=state)
        tokens = torch.cat([tokens, tokens], dim=1)[torch.tensor(order)]
        with device() as counts:
            model.decoder.reorder_incremental_state_scripting(state, torch.tensor(order))
            model.decoder(tokens, memory, incremental_state=state)
    assert sum(counts.waits.values()) <= most, counts.waits


def test_the_made_up_device_sees_what_waits(device):
    x = torch.tensor([1.0, 0.0, 2.0])
    with device() as counts:
        x.sum().item()
        bool(x.any())
        x.nonzero()
        x[x > 0]
        torch.equal(x, x)
        x.tolist()
        (x + 1).view(3, 1).t()
    assert sum(counts.waits.values()) == 6
    assert counts.kernels["add"] == 1 and "t" not in counts.kernels
