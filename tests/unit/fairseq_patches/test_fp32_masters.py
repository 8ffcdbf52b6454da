import logging
from types import SimpleNamespace

import pytest
import torch

from swcm_fairseq.fairseq_patches.fp32_masters import KEY, parameters_and_masters, restore

SHAPES = ((2, 3), (4,), (1, 5))


def half_precision(seed: int, dtype=torch.bfloat16):
    """What masters know of an ``FP16Optimizer``: masters, and the parameters that they round to."""
    generator = torch.Generator().manual_seed(seed)
    masters = [torch.nn.Parameter(torch.randn(*shape, generator=generator)) for shape in SHAPES]
    parameters = [torch.nn.Parameter(master.data.to(dtype)) for master in masters]
    return SimpleNamespace(fp16_params=parameters, fp32_params=masters, has_flat_params=False)


def rounded(optimizer):
    """The optimizer as fairseq rebuilds it from a checkpoint: masters made of the rounded parameters."""
    masters = [torch.nn.Parameter(parameter.data.float()) for parameter in optimizer.fp16_params]
    return SimpleNamespace(fp16_params=optimizer.fp16_params, fp32_params=masters, has_flat_params=False)


def flat(optimizer):
    """The layout of --fp16 on a GPU: one vector of all masters, by the device's number (None on a CPU)."""
    vector = torch.cat([master.data.view(-1) for master in optimizer.fp32_params])
    fp32 = {None: torch.nn.Parameter(vector)}
    return SimpleNamespace(fp16_params=optimizer.fp16_params, fp32_params=fp32, has_flat_params=True)


def masters_of(optimizer):
    return [master.clone() for _, master in parameters_and_masters(optimizer)]


@pytest.mark.parametrize("layout", [lambda same: same, flat])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_restored_masters_are_the_saved_ones(layout, dtype):
    whole = half_precision(1, dtype)
    resumed = layout(rounded(whole))
    before = masters_of(resumed)
    restore(resumed, masters_of(whole))
    after = masters_of(resumed)
    assert all(torch.equal(one, master.data) for one, master in zip(after, whole.fp32_params))
    assert not any(torch.equal(one, other) for one, other in zip(before, after))


def test_flat_layout_writes_into_the_vector():
    whole = half_precision(1)
    resumed = flat(rounded(whole))
    restore(resumed, masters_of(whole))
    expected = torch.cat([master.data.view(-1) for master in whole.fp32_params])
    assert torch.equal(resumed.fp32_params[None].data, expected)


def test_weights_that_somebody_changed_count_more_than_masters(caplog):
    whole = half_precision(1)
    resumed = rounded(whole)
    with torch.no_grad():
        resumed.fp16_params[1].mul_(2)
        resumed.fp32_params[1].copy_(resumed.fp16_params[1])
    restore(resumed, masters_of(whole))
    after = masters_of(resumed)
    assert torch.equal(after[0], whole.fp32_params[0].data)
    assert torch.equal(after[1], resumed.fp16_params[1].data.float())
    assert "1 of 3 parameters" in caplog.text


def test_other_number_of_parameters_is_said_and_changes_nothing(caplog):
    whole = half_precision(1)
    resumed = rounded(whole)
    before = masters_of(resumed)
    restore(resumed, masters_of(whole)[:2])
    assert all(torch.equal(one, other) for one, other in zip(masters_of(resumed), before))
    assert "2 parameters for a model of 3" in caplog.text


@pytest.fixture
def fairseq_optimizer(patched):
    """fairseq's own ``FP16Optimizer`` over one parameter, with Adam, after some updates."""
    from fairseq.dataclass.configs import FairseqConfig
    from fairseq.optim import FP16Optimizer
    from fairseq.optim.adam import FairseqAdamConfig
    from omegaconf import OmegaConf, open_dict

    def build(parameter):
        cfg = OmegaConf.structured(FairseqConfig)
        with open_dict(cfg):
            cfg.optimizer = OmegaConf.structured(FairseqAdamConfig)
            cfg.optimizer._name = "adam"
            cfg.optimizer.lr = [0.01]
        cfg.common.bf16 = True
        return FP16Optimizer.build_optimizer(cfg, [parameter])

    return build


def step(optimizer, parameter, number):
    optimizer.zero_grad()
    target = torch.arange(6.0).view(2, 3) * number
    optimizer.backward(((parameter.float() - target) ** 2).sum())
    optimizer.step()


def test_saved_and_loaded_fp16_optimizer_goes_on_exactly(fairseq_optimizer, tmp_path):
    parameter = torch.nn.Parameter(torch.ones(2, 3, dtype=torch.bfloat16))
    optimizer = fairseq_optimizer(parameter)
    for number in range(5):
        step(optimizer, parameter, number)
    state = optimizer.state_dict()
    assert state[KEY][0].dtype == torch.float32
    torch.save({"optimizer": state, "weight": parameter.data}, str(tmp_path / "a.pt"))
    for number in range(5, 10):
        step(optimizer, parameter, number)

    options = {"weights_only": True} if hasattr(torch.serialization, "safe_globals") else {}
    saved = torch.load(str(tmp_path / "a.pt"), **options)
    again = torch.nn.Parameter(saved["weight"])
    resumed = fairseq_optimizer(again)
    resumed.load_state_dict(saved["optimizer"])
    for number in range(5, 10):
        step(resumed, again, number)
    assert torch.equal(again, parameter)
    assert torch.equal(resumed.fp32_params[0], optimizer.fp32_params[0])


def test_checkpoint_without_masters_is_said(fairseq_optimizer, caplog):
    parameter = torch.nn.Parameter(torch.ones(2, 3, dtype=torch.bfloat16))
    optimizer = fairseq_optimizer(parameter)
    step(optimizer, parameter, 1)
    state = optimizer.state_dict()
    del state[KEY]
    with caplog.at_level(logging.WARNING):
        fairseq_optimizer(parameter).load_state_dict(state)
    assert "no float32 masters" in caplog.text
