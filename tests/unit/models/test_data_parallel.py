"""The model under torch's DistributedDataParallel, as fairseq wraps it for several processes."""

import socket
from argparse import Namespace

import pytest
import torch
from fairseq.models import DistributedFairseqModel

from swcm_fairseq.criterions import SwcmCrossEntropy
from tests.support.toy import toy_dictionary, toy_model, toy_sources

pytestmark = pytest.mark.usefixtures("patched")


@pytest.fixture
def group():
    """A group of one process; that is enough for all that the wrapper checks."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"tcp://localhost:{free.getsockname()[1]}"
    torch.distributed.init_process_group("gloo", init_method=address, rank=0, world_size=1)
    yield torch.distributed.group.WORLD
    torch.distributed.destroy_process_group()


def wrapped(model, group, **flags):
    settings = {"bucket_cap_mb": 25, "broadcast_buffers": False, "find_unused_parameters": False}
    settings.update(gradient_as_bucket_view=False, ddp_comm_hook="none", device_id=0, tpu=False, heartbeat_timeout=-1)
    args = Namespace(ddp_backend="pytorch_ddp", **{**settings, **flags})
    return DistributedFairseqModel(args, model, group, torch.device("cpu"))


def gradients(model, sample, criterion):
    model.zero_grad()
    criterion(model, sample)[0].backward()
    return {name.replace("module.", ""): p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("find_unused", [False, True])
@pytest.mark.parametrize("untied", [False, True])
@pytest.mark.parametrize("chunk", [-1, 0])
def test_gradients_are_those_without_the_wrapper(group, find_unused, untied, chunk):
    dictionary = toy_dictionary()
    model = toy_model(dictionary, untie_output_projection=untied).train()
    source, target = toy_sources(dictionary, [4, 6]), toy_sources(dictionary, [5, 3], seed=1)
    net_input = {"src_tokens": source, "src_lengths": torch.tensor([4, 6]), "prev_output_tokens": target}
    sample = {"net_input": net_input, "target": target, "ntokens": 8}
    task = Namespace(target_dictionary=dictionary, source_dictionary=dictionary, loss_groups=[])
    criterion = SwcmCrossEntropy(task, sentence_avg=False, loss_chunk_tokens=chunk)
    alone = gradients(model, sample, criterion)
    parallel = wrapped(model, group, find_unused_parameters=find_unused)
    for _ in range(2):  # the second step fails where the first one did not find all that it waits for
        found = gradients(parallel, sample, criterion)
    assert set(found) == set(alone) and ("decoder.output_projection.weight" in found) == untied
    assert all(torch.equal(found[name], alone[name]) for name in alone)
