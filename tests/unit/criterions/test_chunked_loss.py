"""The chunked loss against the formula written out in float64, and what it may not do: hold all logits, or waste."""

import pytest
import torch
from fairseq.criterions.label_smoothed_cross_entropy import label_smoothed_nll_loss
from torch.nn.functional import linear

from swcm_fairseq.criterions import chunked_loss
from swcm_fairseq.criterions.chunked_loss import chunked_cross_entropy, default_chunk_size

N, C, V = 23, 8, 37


def inputs(dtype=torch.float32, bias=True, tokens=N, channels=C, vocabulary=V):
    torch.manual_seed(5)
    return (
        torch.randn(tokens, channels, dtype=dtype, requires_grad=True),
        torch.randn(vocabulary, channels, dtype=dtype, requires_grad=True),
        torch.randn(vocabulary, dtype=dtype, requires_grad=True) if bias else None,
        torch.randint(vocabulary, (tokens,)),
    )


def written_out(hidden, weight, bias, targets, smoothing):
    """Cross-entropy against the smoothed distribution itself, in float64."""
    leaves = [None if x is None else x.detach().double().requires_grad_() for x in (hidden, weight, bias)]
    log_probs = linear(*leaves).log_softmax(1)
    wanted = torch.full_like(log_probs, smoothing / (log_probs.size(1) - 1))
    wanted.scatter_(1, targets.unsqueeze(1), 1.0 - smoothing)
    nll = -log_probs.gather(1, targets.unsqueeze(1)).squeeze(1)
    return -(wanted * log_probs).sum(), nll, log_probs.argmax(1).eq(targets), leaves


def relative(found, expected):
    return float((found.double() - expected.double()).norm() / expected.double().norm())


def products(run):
    """Names and allocations of what ``run`` does."""
    with torch.autograd.profiler.profile(profile_memory=True) as profile:
        run()
    names = [event.name for event in profile.function_events]
    largest = max(event.cpu_memory_usage for event in profile.function_events)
    return sum(name in ("aten::mm", "aten::addmm", "aten::addmm_") for name in names), largest


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("chunk", [1, 7, N, 100, -1])
def test_value_and_gradients_are_those_of_the_formula(smoothing, bias, chunk):
    hidden, weight, bias, targets = inputs(bias=bias)
    loss, nll, correct = chunked_cross_entropy(hidden, weight, bias, targets, smoothing, chunk)
    (3.0 * loss).backward()
    expected, expected_nll, expected_correct, leaves = written_out(hidden, weight, bias, targets, smoothing)
    (3.0 * expected).backward()
    assert relative(loss.detach(), expected.detach()) < 1e-6
    assert relative(nll, expected_nll.detach()) < 1e-6
    assert torch.equal(correct, expected_correct)
    assert not nll.requires_grad and not correct.requires_grad
    for found, leaf in zip((hidden, weight, bias), leaves):
        if found is not None:
            assert found.grad.dtype == torch.float32
            assert relative(found.grad, leaf.grad) < 1e-6


def test_equals_fairseq_on_rows_without_padding():
    hidden, weight, _, targets = inputs()
    padded = torch.cat([targets, torch.ones(4, dtype=torch.long)])
    log_probs = linear(torch.cat([hidden, torch.randn(4, C)]), weight).log_softmax(1)
    targets = targets.masked_fill(targets == 1, 2)
    padded[:N] = targets
    expected, _ = label_smoothed_nll_loss(log_probs, padded, 0.1, ignore_index=1)
    found, _, _ = chunked_cross_entropy(hidden, weight, None, targets, 0.1, 5)
    assert relative(found.detach(), expected.detach()) < 1e-6


def test_a_tied_embedding_gets_the_gradients_of_both_uses():
    _, weight, _, targets = inputs()
    tokens = torch.randint(V, (N,))
    chunked_cross_entropy(torch.tanh(weight[tokens]), weight, None, targets, 0.1, 6)[0].backward()
    plain = weight.detach().double().requires_grad_()
    log_probs = linear(torch.tanh(plain[tokens]), plain).log_softmax(1)
    label_smoothed_nll_loss(log_probs, targets, 0.1)[0].backward()
    assert relative(weight.grad, plain.grad) < 1e-6


def test_bfloat16_follows_the_formula_within_its_rounding():
    hidden, weight, bias, targets = inputs(torch.bfloat16)
    loss, nll, _ = chunked_cross_entropy(hidden, weight, bias, targets, 0.1, 7)
    loss.backward()
    expected, expected_nll, _, leaves = written_out(hidden, weight, bias, targets, 0.1)
    expected.backward()
    assert loss.dtype == nll.dtype == torch.float32
    assert relative(loss.detach(), expected.detach()) < 5e-3
    for found, leaf in zip((hidden, weight, bias), leaves):
        assert found.grad.dtype == torch.bfloat16
        assert relative(found.grad, leaf.grad) < 1e-2


def test_softmax_of_bfloat16_is_taken_in_float32():
    # All logits are 1, which bfloat16 holds; log(V) and the sum of exponentials it does not.
    hidden, weight = torch.ones(1, 1).bfloat16(), torch.ones(1001, 1).bfloat16()
    _, nll, _ = chunked_cross_entropy(hidden, weight, None, torch.tensor([3]))
    assert abs(float(nll) - 6.908754779315221) < 1e-6  # log(1001)


def test_sums_over_chunks_in_float32():
    # In bfloat16, a sum of equal parts stands still at 256 times the part.
    hidden, weight, _, _ = inputs(torch.bfloat16, bias=False, tokens=1)
    one = chunked_cross_entropy(hidden, weight, None, torch.tensor([4]), 0.0, 1)[0]
    one.backward()
    single = weight.grad.double()
    weight.grad = None
    many = hidden.detach().expand(1000, C)
    chunked_cross_entropy(many, weight, None, torch.full((1000,), 4), 0.0, 1)[0].backward()
    assert relative(weight.grad, 1000 * single) < 1e-2


def test_float16_gradients_survive_until_the_loss_scale_comes():
    try:
        torch.ones(2, 2).half().mm(torch.ones(2, 2).half())
    except RuntimeError:
        pytest.skip("this torch multiplies no float16 matrices on a CPU")
    hidden, weight, _, _ = inputs(torch.float16, bias=False, tokens=4)
    weight.data[0] = 0.0
    weight.data[0, 0] = 20.0
    hidden.data.zero_()
    hidden.data[:, 0] = 1.0
    targets = torch.zeros(4, dtype=torch.long)  # all but certain: the others' probability is about 1e-8
    loss = chunked_cross_entropy(hidden, weight, None, targets)[0]
    (loss * 2.0**20).backward()
    expected, _, _, leaves = written_out(hidden, weight, None, targets, 0.0)
    (expected * 2.0**20).backward()
    assert relative(weight.grad[1:], leaves[1].grad[1:]) < 1e-2


def test_a_target_without_any_probability_has_a_finite_loss():
    hidden, weight = torch.tensor([[200.0]], requires_grad=True), torch.tensor([[1.0], [0.0]], requires_grad=True)
    loss, nll, correct = chunked_cross_entropy(hidden, weight, None, torch.tensor([1]))
    loss.backward()
    assert float(nll) == 200.0 and not correct.any()
    assert hidden.grad.tolist() == [[1.0]] and weight.grad.tolist() == [[200.0], [-200.0]]


def test_of_equally_likely_pieces_the_first_is_the_prediction():
    zero = torch.zeros(2, 3)
    _, _, correct = chunked_cross_entropy(zero, torch.zeros(5, 3), None, torch.tensor([0, 1]))
    assert correct.tolist() == [True, False]


def test_three_products_a_chunk_and_one_without_gradients():
    hidden, weight, _, targets = inputs(bias=False)
    chunks = 4  # of 6 tokens
    trained, _ = products(lambda: chunked_cross_entropy(hidden, weight, None, targets, 0.0, 6)[0].backward())
    assert trained == 3 * chunks
    with torch.no_grad():
        loss, _, _ = chunked_cross_entropy(hidden, weight, None, targets, 0.0, 6)
        assert not loss.requires_grad
        validated, _ = products(lambda: chunked_cross_entropy(hidden, weight, None, targets, 0.0, 6))
    assert validated == chunks
    frozen, _ = products(lambda: chunked_cross_entropy(hidden, weight.detach(), None, targets, 0.0, 6)[0].backward())
    assert frozen == 2 * chunks


def test_never_holds_all_logits():
    hidden, weight, _, targets = inputs(bias=False, tokens=400, vocabulary=1000)
    _, largest = products(lambda: chunked_cross_entropy(hidden, weight, None, targets, 0.1, 20)[0].backward())
    assert 0 < largest <= 20 * 1000 * 4 + 1000 * C * 4 + 400 * 100


def test_backward_gives_the_gradients_away():
    hidden, weight, _, targets = inputs()
    loss, _, _ = chunked_cross_entropy(hidden, weight, None, targets)
    loss.backward()
    with pytest.raises(RuntimeError, match="first backward"):
        loss.backward()


def test_a_loss_ignored_in_place_gives_no_gradient():
    # fairseq multiplies the loss of a dummy batch by zero.
    hidden, weight, _, targets = inputs()
    loss, _, _ = chunked_cross_entropy(hidden, weight, None, targets)
    loss *= 0
    loss.backward()
    assert not hidden.grad.any() and not weight.grad.any()


def test_no_tokens_no_loss():
    hidden, weight, bias, targets = inputs(tokens=0)
    loss, nll, _ = chunked_cross_entropy(hidden, weight, bias, targets, 0.1)
    loss.backward()
    assert float(loss.detach()) == 0.0 and nll.numel() == 0 and not weight.grad.any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_of_equally_likely_pieces_the_first_counts_as_argmax_has_it(dtype):
    hidden = torch.ones(4, C, dtype=dtype)
    weight = torch.zeros(V, C, dtype=dtype)
    weight[[3, 9, 20]] = 1.0  # the same logit three times
    targets = torch.tensor([3, 9, 20, 5])
    _, _, correct = chunked_cross_entropy(hidden, weight, None, targets)
    assert correct.tolist() == [True, False, False, False]


def test_chunks_are_alike(monkeypatch):
    """600 tokens where 512 fit into a chunk are two chunks of 300, not one of 512 and one of 88."""
    seen = []
    real = chunked_loss._softmax_errors
    monkeypatch.setattr(
        chunked_loss, "_softmax_errors", lambda logits, *rest: (seen.append(logits.size(0)), real(logits, *rest))
    )
    monkeypatch.setattr(chunked_loss, "default_chunk_size", lambda vocabulary, hidden: 512)
    for tokens, expected in ((600, [300, 300]), (512, [512]), (513, [257, 256]), (0, [])):
        seen.clear()
        chunked_cross_entropy(*inputs(tokens=tokens))
        assert seen == expected


def test_chunk_sizes():
    assert default_chunk_size(250000, torch.empty(1)) == 512
    assert default_chunk_size(250000, torch.empty(1).bfloat16()) == 1024
    assert default_chunk_size(12500, torch.empty(1)) == 1342  # 64 MiB of float32
    with pytest.raises(ValueError, match="chunk_size"):
        chunked_cross_entropy(*inputs(), chunk_size=0)


def test_logits_of_batches_of_any_size_lie_in_few_sizes_of_memory(monkeypatch):
    """An allocator uses memory again only for what fits; a batch's tokens are a new number each time."""
    sizes = set()
    real = chunked_loss._softmax_errors

    def watched(logits, *rest):
        sizes.add((logits if logits._base is None else logits._base).numel())
        return real(logits, *rest)

    monkeypatch.setattr(chunked_loss, "_softmax_errors", watched)
    for tokens in range(300, 601, 7):
        chunked_cross_entropy(*inputs(tokens=tokens))
    assert len(sizes) <= 6
    for rows in range(1, 3000):
        assert rows <= chunked_loss._rounded(rows) <= rows + max(15, rows / 4)
