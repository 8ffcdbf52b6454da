"""R-Drop against its formula in plain loops, in chunks and not."""

import math

import pytest
import torch
from torch.nn.functional import linear

from swcm_fairseq.criterions import SwcmCrossEntropy
from swcm_fairseq.criterions.rdrop import chunked_symmetric_kl, double_batch, symmetric_kl

from .test_swcm_cross_entropy import PAD, Model, Task, batch

TOKENS, WIDTH, VOCABULARY = 5, 6, 9


def by_hand(first, second):
    """Both divergences (arXiv 2106.14448, section 2), sentence for sentence, of logits (N, V)."""
    total = 0.0
    for one, other in zip(first.tolist(), second.tolist()):
        p, q = ([math.exp(x) / sum(map(math.exp, row)) for x in row] for row in (one, other))
        total += sum(a * math.log(a / b) + b * math.log(b / a) for a, b in zip(p, q))
    return total


def drawn(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("chunk_size", [-1, 1, 2, 5])
@pytest.mark.parametrize("with_bias", [True, False])
def test_disagreement_is_the_formulas(chunk_size, with_bias):
    torch.manual_seed(0)
    hidden, weight = drawn(2 * TOKENS, WIDTH), drawn(VOCABULARY, WIDTH)
    bias = drawn(VOCABULARY) if with_bias else None
    found = chunked_symmetric_kl(hidden, weight, bias, chunk_size)
    logits = linear(hidden, weight, bias)
    assert float(found) == pytest.approx(by_hand(logits[:TOKENS], logits[TOKENS:]), rel=1e-9)
    wanted = [one for one in (hidden, weight, bias) if one is not None]
    expected = torch.autograd.grad(symmetric_kl(*logits.log_softmax(-1).chunk(2)), wanted)
    for one, other in zip(torch.autograd.grad(found, wanted), expected):
        torch.testing.assert_close(one, other)


class Dropping(Model):
    """Drops a third of its features while training, reproducibly."""

    def forward(self, tokens, features_only=False):
        features, extra = super().forward(tokens, True)
        if self.training:
            drawn = torch.rand(features.shape, generator=torch.Generator().manual_seed(5))
            features = features * (drawn > 0.33)
        return (features if features_only else linear(features, self.embed.weight, self.bias)), extra


@pytest.mark.parametrize("chunk_tokens", [0, 3, -1])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_the_mean_of_both_runs_and_their_disagreement(chunk_tokens, smoothing):
    model, sample = Dropping().train(), batch()
    alone = SwcmCrossEntropy(Task(), False, smoothing, 0)
    loss, size, log = SwcmCrossEntropy(Task(), False, smoothing, chunk_tokens, rdrop_alpha=3.0)(model, sample)
    expected, _, expected_log = alone(model, double_batch(sample))
    logits, _ = model(**double_batch(sample)["net_input"])
    real = sample["target"].ne(PAD)
    apart = by_hand(*(half[real] for half in logits.chunk(2)))
    assert apart > 0.1
    assert float(loss) == pytest.approx(float(expected) / 2 + 3.0 * apart / 4, rel=1e-5)
    assert size == sample["ntokens"] and log["nsentences"] == 3
    assert float(log["nll_loss"]) == pytest.approx(float(expected_log["nll_loss"]) / 2, rel=1e-5)
    groups = sum(float(vector[2]) for name, vector in log.items() if name.startswith("group:"))
    assert groups == sample["ntokens"]
    loss.backward()
    assert model.embed.weight.grad.abs().sum() > 0


def test_without_dropout_nothing_is_added_and_validation_is_not_doubled():
    criterion, model, sample = SwcmCrossEntropy(Task(), False, rdrop_alpha=3.0), Model(), batch()
    expected = float(SwcmCrossEntropy(Task(), False)(model, sample)[0])
    assert float(criterion(model.train(), sample)[0]) == pytest.approx(expected, rel=1e-6)
    dropping = Dropping().eval()
    assert float(criterion(dropping, sample)[0]) == pytest.approx(expected, rel=1e-6)
    seen = []
    dropping.register_forward_hook(lambda module, inputs, output: seen.append(output[0].size(0)))
    criterion(dropping, sample)
    criterion(dropping.train(), sample)
    assert seen == [3, 6]
