"""The optimizer against AdamW written out in float64, and its state through a checkpoint."""

import copy
import io
from argparse import Namespace

import pytest
import torch
from fairseq import options
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.optim import FP16Optimizer, MemoryEfficientFP16Optimizer, build_optimizer

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.optim import SwcmAdamW, adamw

SHAPES = [(5, 3), (7,), (2, 2, 2)]


def settings(lr=0.02, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1):
    return Namespace(lr=[lr], adam_betas=betas, adam_eps=eps, weight_decay=weight_decay)


def parameters(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]


def gradients(step):
    generator = torch.Generator().manual_seed(100 + step)
    return [torch.randn(shape, generator=generator) for shape in SHAPES]


def take_steps(optimizer, params, steps):
    for step in steps:
        optimizer.zero_grad()
        for param, grad in zip(params, gradients(step)):
            param.grad = grad.clone()
        optimizer.step()


def written_out(params, steps, lr, betas, eps, weight_decay):
    """Loshchilov and Hutter (2019), algorithm 2, in float64."""
    values = [param.detach().double() for param in params]
    first = [torch.zeros_like(value) for value in values]
    second = [torch.zeros_like(value) for value in values]
    for count, step in enumerate(steps, 1):
        for i, grad in enumerate(gradients(step)):
            grad = grad.double()
            first[i] = betas[0] * first[i] + (1 - betas[0]) * grad
            second[i] = betas[1] * second[i] + (1 - betas[1]) * grad**2
            rate = (first[i] / (1 - betas[0] ** count)) / ((second[i] / (1 - betas[1] ** count)).sqrt() + eps)
            values[i] = values[i] - lr * (rate + weight_decay * values[i])
    return values


@pytest.fixture(params=["quickest", "plain"])
def kernel(request, monkeypatch):
    """Both ways through torch's AdamW, whichever this torch would choose."""
    if request.param == "plain":
        monkeypatch.setattr(adamw, "_kernel", lambda params: {})


def test_steps_are_those_of_the_formula(kernel):
    params = parameters()
    expected = written_out(params, range(6), 0.02, (0.8, 0.95), 1e-3, 0.1)
    take_steps(SwcmAdamW(settings(), params), params, range(6))
    for param, value in zip(params, expected):
        assert torch.allclose(param.detach().double(), value, rtol=1e-5, atol=1e-6)


def test_a_new_learning_rate_takes_effect(kernel):
    params = parameters()
    optimizer = SwcmAdamW(settings(), params)
    optimizer.set_lr(0.0)
    before = copy.deepcopy(params)
    take_steps(optimizer, params, range(2))
    assert all(torch.equal(a, b) for a, b in zip(params, before))
    assert optimizer.get_lr() == 0.0


def test_scaled_rates_are_shares_of_the_rate(kernel):
    params = parameters()
    params[0].param_group = adamw.ScaledRate(0.5)
    params[1].param_group = "of no meaning here"
    optimizer = SwcmAdamW(settings(lr=0.3), params)
    assert optimizer.get_lr() == 0.3 and optimizer.param_groups[0]["lr"] == 0.15
    optimizer.set_lr(0.02)
    assert optimizer.get_lr() == 0.02
    plain = [written_out(parameters(), range(4), lr, (0.8, 0.95), 1e-3, 0.1) for lr in (0.01, 0.02)]
    take_steps(optimizer, params, range(4))
    for param, value in zip(params, [plain[0][0], plain[1][1], plain[1][2]]):
        assert torch.allclose(param.detach().double(), value, rtol=1e-5, atol=1e-6)


def test_the_scale_is_the_command_lines_after_resuming(kernel):
    params, restored = parameters(), parameters()
    for some, scale in ((params, 0.5), (restored, 0.25)):
        some[0].param_group = adamw.ScaledRate(scale)
    optimizer, other = SwcmAdamW(settings(), params), SwcmAdamW(settings(), restored)
    take_steps(optimizer, params, range(2))
    other.load_state_dict(optimizer.state_dict())
    other.set_lr(0.02)
    assert [group["lr"] for group in other.param_groups] == [0.005, 0.02] and other.get_lr() == 0.02


@pytest.mark.parametrize("to", ["quickest", "plain"])
def test_resuming_is_exact(kernel, monkeypatch, to):
    straight = parameters()
    take_steps(SwcmAdamW(settings(), straight), straight, range(5))

    params = parameters()
    optimizer = SwcmAdamW(settings(), params)
    take_steps(optimizer, params, range(3))
    stream = io.BytesIO()
    torch.save(optimizer.state_dict(), stream)
    stream.seek(0)
    state = torch.load(stream)

    if to == "plain":
        monkeypatch.setattr(adamw, "_kernel", lambda params: {})
    restored = [torch.nn.Parameter(param.detach().clone()) for param in params]
    other = SwcmAdamW(settings(), restored)
    other.load_state_dict(state)
    for group in other.param_groups:
        assert bool(group.get("fused")) == bool(other.kernel.get("fused"))
    take_steps(other, restored, range(3, 5))
    same_kernel = optimizer.kernel == other.kernel
    for a, b in zip(straight, restored):
        assert torch.equal(a, b) if same_kernel else torch.allclose(a, b, rtol=1e-5)


def test_takes_over_the_state_of_fairseqs_adam():
    # eps all but zero: fairseq adds it before the correction for the start, torch after.
    cfg = settings(eps=1e-9)
    cfg.use_old_adam = True
    cfg.fp16_adam_stats = cfg.tpu = False
    cfg.adam_betas = str(cfg.adam_betas)
    cfg.optimizer = "adam"
    params = parameters()
    expected = written_out(params, range(5), 0.02, (0.8, 0.95), 1e-9, 0.1)
    first = build_optimizer(cfg, params)
    take_steps(first, params, range(3))
    second = SwcmAdamW(settings(eps=1e-9), params)
    second.load_state_dict(first.state_dict())
    take_steps(second, params, range(3, 5))
    for param, value in zip(params, expected):
        assert torch.allclose(param.detach().double(), value, rtol=1e-5, atol=1e-6)


def command_line(*extra):
    parser = options.get_training_parser()
    arguments = ["data", "--optimizer", "adamw", "--arch", "transformer_tiny", "--lr", "0.02"] + list(extra)
    return convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, arguments))


def test_the_command_lines_options_arrive():
    cfg = command_line("--adam-betas", "(0.7, 0.9)", "--adam-eps", "1e-4", "--weight-decay", "0.3")
    optimizer = build_optimizer(cfg.optimizer, parameters())
    assert isinstance(optimizer, SwcmAdamW)
    (group,) = optimizer.param_groups
    assert (group["lr"], group["betas"], group["eps"], group["weight_decay"]) == (0.02, (0.7, 0.9), 1e-4, 0.3)
    (group,) = build_optimizer(command_line().optimizer, parameters()).param_groups
    assert (group["betas"], group["eps"], group["weight_decay"]) == ((0.9, 0.999), 1e-8, 0.0)


@pytest.mark.parametrize("betas", ["0.9", "(0.9, 1.0)", "(0.9, 0.98, 0.99)", "nonsense(", None])
def test_betas_that_are_none_are_named(betas):
    with pytest.raises(SwcmError, match="--adam-betas"):
        SwcmAdamW(settings(betas=betas), parameters())


def test_bfloat16_weights_have_float32_masters():
    # A step far below bfloat16's resolution must add up in the masters.
    params = [torch.nn.Parameter(torch.ones(4, dtype=torch.bfloat16))]
    cfg = command_line("--bf16")
    optimizer = FP16Optimizer.build_optimizer(cfg, params)
    optimizer.set_lr(1e-4)
    for _ in range(100):
        optimizer.zero_grad()
        optimizer.backward(params[0].float().sum())
        optimizer.step()
    assert optimizer.fp32_params[0].dtype == torch.float32
    assert params[0].tolist() == pytest.approx([0.99] * 4, abs=2**-8)
    assert optimizer.fp32_params[0].tolist() == pytest.approx([0.99] * 4, abs=1e-4)


def test_fused_where_this_torch_has_it():
    try:
        probe = torch.nn.Parameter(torch.zeros(2))
        probe.grad = torch.ones(2)
        torch.optim.AdamW([probe], fused=True).step()
        fused = True
    except (TypeError, RuntimeError):
        fused = False
    assert bool(SwcmAdamW(settings(), parameters()).kernel.get("fused")) == fused


@pytest.mark.parametrize(
    "flag, dtype", [("--memory-efficient-fp16", "float16"), ("--memory-efficient-bf16", "bfloat16")]
)
def test_runs_that_keep_no_float32_weights_are_refused_in_one_line(flag, dtype):
    params = [torch.nn.Parameter(param.detach().to(getattr(torch, dtype))) for param in parameters()]
    with pytest.raises(SwcmError, match="or take --optimizer adam") as caught:
        MemoryEfficientFP16Optimizer.build_optimizer(command_line("--cpu", flag), params)
    assert flag in str(caught.value) and "\n" not in str(caught.value)
