"""What fairseq's own tests ask of its transformer in decoding, asked of this model.

Samplers, diversity, prefixes, constraints, ensembles, limits of length, penalties, n-best lists,
reordered caches, scores of references, TorchScript.

Searches that have a plain definition are compared with a slow search that follows it.
"""

import itertools

import pytest
import torch
from fairseq import search
from fairseq.sequence_generator import SequenceGenerator
from fairseq.sequence_scorer import SequenceScorer

from swcm_fairseq.vocabulary.dictionary import symbols_that_are_no_text
from tests.support.toy import toy_dictionary, toy_model, toy_sources

PIECES = "abcd"

pytestmark = pytest.mark.usefixtures("patched")


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


def test_no_run_of_pieces_comes_twice(models, dictionary, sample):
    """--no-repeat-ngram-size; without it the same beams do repeat themselves."""

    def repeats(hypotheses):
        pairs = [list(zip(tokens, tokens[1:])) for row in hypotheses for tokens, _ in row]
        return sum(len(one) - len(set(one)) for one in pairs)

    assert repeats(generate(models[:1], dictionary, sample, 4, max_len=12, min_len=8)) > 0
    assert repeats(generate(models[:1], dictionary, sample, 4, max_len=12, min_len=8, no_repeat_ngram_size=2)) == 0


def test_scores_are_sums_or_means_and_a_penalty_on_unknown_pieces_counts(models, dictionary, sample):
    found = {
        name: generate(models[:1], dictionary, sample, 11, max_len=2, **options)
        for name, options in (("mean", {}), ("sum", {"normalize_scores": False}), ("two", {"len_penalty": 2.0}))
    }
    for row, rows in enumerate(zip(*found.values())):
        means = {tuple(tokens): score for tokens, score in every_ending(models[:1], dictionary, sample, row)}
        for name, hypotheses in zip(found, rows):
            for tokens, score in hypotheses:
                power = {"mean": 0, "sum": -1, "two": 1}[name]
                assert abs(score - means[tuple(tokens)] / len(tokens) ** power) < 1e-4
    banned = generate(models[:1], dictionary, sample, 4, max_len=6, unk_penalty=1e4)
    assert not any(dictionary.unk() in tokens for row in banned for tokens, _ in row)


@pytest.mark.parametrize("count", [1, 2], ids=["one model", "ensemble"])
def test_references_score_what_the_whole_model_says(models, dictionary, sample, count):
    """--score-reference, against the logarithms of the mean probabilities."""
    a, b, end, pad = (dictionary.index(symbol) for symbol in ("a", "b", "</s>", "<pad>"))
    target = torch.tensor([[a, b, end], [b, end, pad], [end, pad, pad]])
    inputs = torch.tensor([[dictionary.index("[kk]"), a, b], [dictionary.index("[kk]"), b, pad]])
    inputs = torch.cat([inputs, torch.tensor([[dictionary.index("[mn]"), pad, pad]])])
    batch = {"net_input": dict(sample["net_input"], prev_output_tokens=inputs), "target": target}
    found = SequenceScorer(dictionary).generate(models[:count], batch)
    source = sample["net_input"]["src_tokens"]
    with torch.no_grad():
        mean = torch.stack([model(source, None, inputs)[0].softmax(-1) for model in models[:count]]).mean(0)
    for row, (hypothesis,) in enumerate(found):
        real = target[row][target[row] != pad]
        assert hypothesis["tokens"].tolist() == real.tolist()
        expected = mean[row, range(len(real)), real].log()
        torch.testing.assert_close(hypothesis["positional_scores"], expected, atol=1e-5, rtol=1e-5)
        assert abs(float(hypothesis["score"]) - float(expected.mean())) < 1e-5


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


# ---------------------------------------------------------------------- TorchScript


def saved_and_loaded(module, folder):
    """``module`` compiled, as another process without this package would load it."""
    path = str(folder / "compiled.pt")
    torch.jit.script(module).save(path)
    return torch.jit.load(path)


@torch.no_grad()
@pytest.mark.skipif(
    not hasattr(torch, "compile"), reason="torch 1.12's TorchScript ends in an error of its own for a tied output layer"
)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"untie_output_projection": True, "inserted_layers": "duplicate"},
        {"cross_attention_memory": "same-layer"},
    ],
)
def test_the_model_can_be_compiled(dictionary, sample, settings, tmp_path):
    model = toy_model(dictionary, **settings)
    compiled = saved_and_loaded(model, tmp_path)
    source = sample["net_input"]["src_tokens"]
    for tokens in (source, source[1:, :4]):  # other shapes too, with and without padding
        expected = model(tokens, None, tokens)
        found = compiled(tokens, None, tokens)
        torch.testing.assert_close(found[0], expected[0])
        torch.testing.assert_close(found[1]["attn"][0], expected[1]["attn"][0])


@pytest.mark.parametrize("count", [1, 2, 3], ids=["one model", "ensemble", "layer by layer too"])
def test_the_whole_search_can_be_compiled(models, dictionary, sample, count, tmp_path):
    """fairseq's generator with the model in it; the target language is a number, one for the whole batch."""
    models = models + [toy_model(dictionary, cross_attention_memory="same-layer-input")]
    generator = SequenceGenerator(
        models[:count], dictionary, beam_size=3, max_len_b=6, tokens_to_suppress=symbols_that_are_no_text(dictionary)
    )
    compiled, texts = saved_and_loaded(generator, tmp_path), []
    for tag in (dictionary.index("[kk]"), dictionary.index("[mn]")):
        expected, found = generator.forward(sample, bos_token=tag), compiled.forward(sample, bos_token=tag)
        for row, other in zip(expected, found):
            assert [h["tokens"].tolist() for h in row] == [h["tokens"].tolist() for h in other]
            for one, same in zip(row, other):
                torch.testing.assert_close(one["positional_scores"], same["positional_scores"])
                torch.testing.assert_close(one["attention"], same["attention"])
        texts.append([row[0]["score"] for row in found])
    assert texts[0] != texts[1]


@torch.no_grad()
@pytest.mark.skipif(
    not hasattr(torch, "compile"), reason="torch 1.12's TorchScript ends in an error of its own for a tied output layer"
)
def test_a_compiled_model_can_be_trained_on(dictionary, sample):
    """Its dropout is torch's own, where the package has one that draws quicker on a CPU."""
    model = toy_model(dictionary, dropout=0.5)
    compiled = torch.jit.script(model).train()
    source = sample["net_input"]["src_tokens"]
    first, second = (compiled(source, None, source)[0] for _ in range(2))
    assert not torch.equal(first, second)
    compiled.eval()
    torch.testing.assert_close(compiled(source, None, source)[0], model(source, None, source)[0])
