import math

import pytest
import torch
from torch import nn

from swcm_fairseq.modules.attention import AttentionSublayer
from swcm_fairseq.modules.sublayer import LayerSizes

WIDTH, HEADS = 12, 3


@pytest.fixture
def sublayer():
    torch.manual_seed(0)
    sizes = LayerSizes(WIDTH, HEADS, 6, "gelu", 1e-5, dropout=0.0, attention_dropout=0.0, activation_dropout=0.0)
    module = AttentionSublayer(sizes).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.4 * torch.randn_like(parameter))
    return module


@torch.no_grad()
def plain(module, x, memory, mask):
    """One query, one head at a time. x [T, C], memory [S, C], mask [T][S] of Python bools."""
    query_weight, key_weight, value_weight = module.in_proj.weight.split(WIDTH)
    query_bias, key_bias, value_bias = module.in_proj.bias.split(WIDTH)
    size = WIDTH // HEADS
    outputs = []
    for t, one in enumerate(x):
        heads = []
        for head in range(HEADS):
            rows = slice(head * size, (head + 1) * size)
            query = query_weight[rows] @ one + query_bias[rows]
            powers, values = [], []
            for s, other in enumerate(memory):
                if not mask[t][s]:
                    key = key_weight[rows] @ other + key_bias[rows]
                    powers.append(math.exp(float(query @ key) / math.sqrt(size)))
                    values.append(value_weight[rows] @ other + value_bias[rows])
            heads.append(sum(power * value for power, value in zip(powers, values)) / sum(powers))
        attended = module.out_proj.weight @ torch.cat(heads) + module.out_proj.bias
        total = one + attended
        centred = total - total.mean()
        normal = centred / torch.sqrt((centred**2).mean() + 1e-5)
        outputs.append(normal * module.layer_norm.weight + module.layer_norm.bias)
    return torch.stack(outputs)


def test_self_attention_equals_the_formula(sublayer):
    x = torch.randn(2, 4, WIDTH)
    mask = torch.rand(2, 1, 4, 4) < 0.4
    mask[:, :, :, 0] = False
    output, _ = sublayer(x, mask=mask)
    for row in range(2):
        expected = plain(sublayer, x[row], x[row], mask[row, 0].tolist())
        torch.testing.assert_close(output[row], expected, atol=1e-5, rtol=0)


def test_cross_attention_equals_the_formula(sublayer):
    x, memory = torch.randn(2, 3, WIDTH), torch.randn(2, 5, WIDTH)
    mask = torch.tensor([[False] * 5, [True, False, False, True, False]])[:, None, None]
    output, _ = sublayer(x, memory, mask)
    for row in range(2):
        expected = plain(sublayer, x[row], memory[row], mask[row, 0].expand(3, 5).tolist())
        torch.testing.assert_close(output[row], expected, atol=1e-5, rtol=0)


def test_weights_are_those_of_torchs_attention_and_sum_to_one(sublayer):
    theirs = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True).eval()
    with torch.no_grad():
        theirs.in_proj_weight.copy_(sublayer.in_proj.weight)
        theirs.in_proj_bias.copy_(sublayer.in_proj.bias)
    x, memory = torch.randn(2, 3, WIDTH), torch.randn(2, 5, WIDTH)
    padding = torch.tensor([[False] * 5, [False, False, False, True, True]])
    _, weights = sublayer(x, memory, padding[:, None, None], need_weights=True)
    _, expected = theirs(x, memory, memory, key_padding_mask=padding)
    torch.testing.assert_close(weights, expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3))
    assert sublayer(x, memory)[1] is None


def test_a_row_with_nothing_to_attend_to_is_finite_and_spares_its_neighbours(sublayer):
    x, memory = torch.randn(2, 3, WIDTH), torch.randn(2, 5, WIDTH)
    mask = torch.tensor([[True] * 5, [False] * 5])[:, None, None]
    output, _ = sublayer(x, memory, mask)
    assert bool(torch.isfinite(output).all())
    torch.testing.assert_close(output[1:], sublayer(x[1:], memory[1:])[0])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_masked_positions_have_no_weight_in_half_precision(sublayer, dtype):
    if dtype == torch.float16 and torch.__version__.startswith("1."):
        pytest.skip("torch 1 has no float16 products on CPUs")
    mask = torch.tensor([False, False, True])[None, None, None]
    sublayer = sublayer.to(dtype)
    _, weights = sublayer(
        torch.randn(1, 3, WIDTH, dtype=dtype), torch.randn(1, 3, WIDTH, dtype=dtype), mask, None, True
    )
    assert float(weights[..., 2].max()) == 0.0


def test_step_by_step_equals_all_at_once_after_reordering(sublayer):
    x, memory = torch.randn(3, 5, WIDTH), torch.randn(3, 4, WIDTH)
    future = torch.ones(5, 5, dtype=torch.bool).triu(1)
    order = torch.tensor([2, 0, 2, 1])
    for mask, other in ((future, None), (None, memory)):
        state = {}
        for t in range(3):
            sublayer(x[:, t : t + 1], other, incremental_state=state)
        sublayer.reorder_cache(state, order)
        moved = x[order]
        moved_memory = None if other is None else other[order]
        for t in range(3, 5):
            output, _ = sublayer(moved[:, t : t + 1], moved_memory, incremental_state=state)
            expected, _ = sublayer(moved[:, : t + 1], moved_memory, None if mask is None else mask[: t + 1, : t + 1])
            torch.testing.assert_close(output, expected[:, -1:], atol=1e-6, rtol=1e-5)


def test_the_memory_is_projected_once(sublayer):
    x, memory = torch.randn(2, 1, WIDTH), torch.randn(2, 4, WIDTH)
    state = {}
    first, _ = sublayer(x, memory, incremental_state=state)
    # What is cached counts from then on: a second projection would take time at every step of decoding.
    second, _ = sublayer(x, torch.full_like(memory, float("nan")), incremental_state=state)
    torch.testing.assert_close(first, second)
