"""What fairseq's own tests ask of its transformer in decoding, asked of this model.

Samplers, diversity, prefixes, constraints, ensembles, limits of length, n-best lists, reordered caches, tracing.

Searches that have a plain definition are compared with a slow search that follows it.
"""

import itertools

import pytest
import torch
from fairseq import search
from fairseq.sequence_generator import SequenceGenerator

from swcm_fairseq.data.dictionary import symbols_that_are_no_text
from tests.toy import toy_dictionary, toy_model, toy_sources

PIECES = "abcd"


@pytest.fixture(scope="module")
def dictionary():
    return toy_dictionary(PIECES)


@pytest.fixture(scope="module")
def models(dictionary):
    return [toy_model(dictionary, seed=seed) for seed in (1, 2)]


@pytest.fixture(scope="module")
def sample(dictionary):
    source = toy_sources(dictionary, [5, 3, 7])
    return {"net_input": {"src_tokens": source, "src_lengths": source.ne(dictionary.pad()).sum(1)}}


def generate(models, dictionary, sample, beam=2, strategy=None, prefix=None, max_len=3, constraints=None, **options):
    """Hypotheses of every sentence as [(pieces' ids, score)], the language forced to Kazakh."""
    generator = SequenceGenerator(
        models,
        dictionary,
        beam_size=beam,
        max_len_b=max_len,
        search_strategy=strategy,
        tokens_to_suppress=symbols_that_are_no_text(dictionary),
        **options,
    )
    tag = torch.full((len(sample["net_input"]["src_tokens"]) * beam,), dictionary.index("[kk]"))
    found = generator.generate(models, sample, prefix_tokens=prefix, constraints=constraints, bos_token=tag)
    return [[(h["tokens"].tolist(), float(h["score"])) for h in hypotheses] for hypotheses in found]


@torch.no_grad()
def every_ending(models, dictionary, sample, row, max_len=2):
    """(ids, mean log probability) of every text of up to ``max_len`` pieces: each scored whole, without any cache."""
    pieces = [dictionary.index(piece) for piece in PIECES] + [dictionary.unk()]
    banned = [dictionary.index(symbol) for symbol in symbols_that_are_no_text(dictionary)] + [dictionary.pad()]
    source = sample["net_input"]["src_tokens"][row : row + 1]
    source = source[source.ne(dictionary.pad())][None]
    scored = []
    for length in range(1, max_len + 1):
        for text in itertools.product(pieces, repeat=length):
            tokens = torch.tensor([dictionary.index("[kk]"), *text])[None]
            logits = [model(source, None, tokens)[0].log_softmax(-1)[0] for model in models]
            mean = torch.stack(logits).logsumexp(0) - torch.tensor(float(len(models))).log()
            target = [*text, dictionary.eos()]
            assert not set(target) & set(banned)
            scored.append((target, float(mean[range(len(target)), target].sum()) / len(target)))
    return sorted(scored, key=lambda one: -one[1])


@pytest.mark.parametrize("count", [1, 2], ids=["one model", "ensemble"])
def test_a_wide_beam_finds_the_best_of_all_texts(models, dictionary, sample, count):
    found = generate(models[:count], dictionary, sample, beam=11, max_len=2)
    for row, hypotheses in enumerate(found):
        best = every_ending(models[:count], dictionary, sample, row)
        assert hypotheses[0][0] == best[0][0]
        assert abs(hypotheses[0][1] - best[0][1]) < 1e-4
        assert [h[1] for h in hypotheses] == sorted((h[1] for h in hypotheses), reverse=True)


def test_sampling_from_the_best_piece_alone_is_greedy(models, dictionary, sample):
    greedy = generate(models[:1], dictionary, sample, beam=1)
    top = search.Sampling(dictionary, sampling_topk=1)
    assert [row[0][0] for row in generate(models[:1], dictionary, sample, 1, top)] == [row[0][0] for row in greedy]
    nucleus = search.Sampling(dictionary, sampling_topp=1e-6)
    assert [row[0][0] for row in generate(models[:1], dictionary, sample, 1, nucleus)] == [row[0][0] for row in greedy]


@pytest.mark.parametrize("options", [{}, {"sampling_topk": 3}, {"sampling_topp": 0.8}], ids=["all", "topk", "topp"])
def test_samples_are_text_and_repeat_with_their_seed(models, dictionary, sample, options):
    runs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        runs.append(generate(models[:1], dictionary, sample, 5, search.Sampling(dictionary, **options), max_len=6))
    assert runs[0] == runs[1] != runs[2]
    no_text = {dictionary.index(symbol) for symbol in symbols_that_are_no_text(dictionary)}
    for tokens, _ in itertools.chain(*runs[0]):
        assert not set(tokens) & no_text


def test_diverse_beams_begin_differently(models, dictionary, sample):
    groups = search.DiverseBeamSearch(dictionary, num_groups=2, diversity_strength=100.0)
    for hypotheses in generate(models[:1], dictionary, sample, 2, groups):
        assert len({tokens[0] for tokens, _ in hypotheses}) == 2
    siblings = search.DiverseSiblingsSearch(dictionary, diversity_rate=0.0)
    plain = generate(models[:1], dictionary, sample, 3)
    assert [[t for t, _ in row] for row in generate(models[:1], dictionary, sample, 3, siblings)] == [
        [t for t, _ in row] for row in plain
    ]


def test_prefixes_stand_at_the_beginning_and_may_be_of_different_length(models, dictionary, sample):
    a, b = dictionary.index("a"), dictionary.index("b")
    prefix = torch.tensor([[a, b], [b, dictionary.pad()], [a, a]])
    for wanted, hypotheses in zip(prefix.tolist(), generate(models[:1], dictionary, sample, 3, prefix=prefix)):
        wanted = [piece for piece in wanted if piece != dictionary.pad()]
        for tokens, _ in hypotheses:
            assert tokens[: len(wanted)] == wanted


@pytest.mark.parametrize("ordered", [True, False])
def test_constraints_are_met(models, dictionary, sample, ordered):
    from fairseq.token_generation_constraints import pack_constraints

    a, d = torch.tensor([dictionary.index("a")]), torch.tensor([dictionary.index("d")])
    constraints = pack_constraints([[d, a], [a], []])
    strategy = search.LexicallyConstrainedBeamSearch(dictionary, "ordered" if ordered else "unordered")
    found = generate(models[:1], dictionary, sample, 5, strategy, constraints=constraints, max_len=6)
    best = [hypotheses[0][0] for hypotheses in found]
    assert int(a) in best[0] and int(d) in best[0] and int(a) in best[1]
    if ordered:
        assert int(a) in best[0][best[0].index(int(d)) :]


def test_longer_outputs_follow_the_limits(models, dictionary, sample):
    for low, high in ((1, 2), (3, 4)):
        found = generate(models[:1], dictionary, sample, 4, max_len=high, min_len=low)
        for tokens, _ in itertools.chain(*found):
            assert low <= len(tokens) - 1 <= high


def test_batches_and_single_sentences_decode_alike(models, dictionary, sample):
    together = generate(models[:1], dictionary, sample, 4)
    source = sample["net_input"]["src_tokens"]
    for row, expected in enumerate(together):
        own = source[row][source[row].ne(dictionary.pad())][None]
        alone = {"net_input": {"src_tokens": own, "src_lengths": torch.tensor([own.size(1)])}}
        found = generate(models[:1], dictionary, alone, 4)[0]
        assert [tokens for tokens, _ in found] == [tokens for tokens, _ in expected]
        assert all(abs(a - b) < 1e-5 for (_, a), (_, b) in zip(found, expected))


@torch.no_grad()
def test_the_model_can_be_traced(models, dictionary, sample):
    """TorchScript: tracing the whole model works, for inputs of the traced shape; compiling its code does not."""
    model, source = models[0], sample["net_input"]["src_tokens"][:1, :5]
    target = source[:, :3]

    class Whole(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, source, target):
            return self.model(source, None, target)[0]

    traced = torch.jit.trace(Whole(), (source, target), check_trace=False)
    other = source.flip(1)
    torch.testing.assert_close(traced(other, target), model(other, None, target)[0])
