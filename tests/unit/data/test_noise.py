"""The noise: how much, where, and what it leaves alone."""

import math

import numpy as np
import pytest

from swcm_fairseq.data.noise import (
    NoiseSettings,
    add_noise,
    draw_span_lengths,
    mask_spans,
    noise_generator,
    permute_sentences,
    place_spans,
    round_at_random,
    truncate,
)
from swcm_fairseq.errors import SwcmError
from swcm_fairseq.vocabulary.whole_words import WholeWords

EOS, UNK = 2, 3
# Pieces 4..53 open a word, 54..103 go on with it.
SYMBOLS = ["<s>", "<pad>", "</s>", "<unk>"]
SYMBOLS += [f"▁w{i}" for i in range(50)] + [f"c{i}" for i in range(50)] + ["<mask>", "[kk]"]
MASK = SYMBOLS.index("<mask>")
TAG = SYMBOLS.index("[kk]")
UNITS = WholeWords(SYMBOLS, "kk")


def text(random, sentences, words):
    """Sentences of up to ``words`` words of one to three pieces, closed by </s>."""
    pieces = []
    for _ in range(sentences):
        for _ in range(random.integers(1, words + 1)):
            pieces.append(random.integers(4, 54))
            pieces.extend(random.integers(54, 104, random.integers(0, 3)))
        pieces.append(EOS)
    return np.array(pieces)


def noised(pieces, index=0, max_length=10**6, **settings):
    return add_noise(pieces, UNITS, EOS, MASK, NoiseSettings(**settings), noise_generator(1, 1, index), max_length)


@pytest.mark.parametrize("ratio, words", [(0.35, 3), (0.35, 30), (0.15, 3)])
def test_the_share_of_masked_words_is_the_flag(ratio, words):
    """Over 10,000 sentences, short ones too; without zero-length spans counted, since those mask nothing."""
    random = np.random.default_rng(0)
    total = left = 0
    for index in range(10000):
        pieces = text(random, 1, words)
        result = noised(pieces, index, mask_ratio=ratio)
        total += UNITS.starts(pieces).sum()
        left += ((result >= 4) & (result < 54)).sum()  # pieces that open a word
    assert abs(1 - left / total - ratio) < 0.01


def poisson(length, mean):
    return math.exp(-mean) * mean**length / math.factorial(length)


def chi_square(observed, expected):
    """The statistic, and the 99.9% quantile of its distribution (Wilson and Hilferty's approximation)."""
    observed, expected = np.array(observed, dtype=float), np.array(expected, dtype=float)
    assert expected.min() > 5
    degrees = len(observed) - 1
    limit = degrees * (1 - 2 / (9 * degrees) + 3.0902 * math.sqrt(2 / (9 * degrees))) ** 3
    return ((observed - expected) ** 2 / expected).sum(), limit


def test_lengths_as_drawn_are_poisson():
    # The stopping rule looks only at earlier lengths, so each length is Poisson given those before it.
    random = np.random.default_rng(0)
    drawn = np.concatenate([draw_span_lengths(int(random.integers(1, 60)), 3.5, random) for _ in range(10000)])
    shares = [poisson(length, 3.5) for length in range(11)]
    shares.append(1 - sum(shares))
    counts = np.bincount(np.minimum(drawn, 11), minlength=12)
    statistic, limit = chi_square(counts, np.array(shares) * len(drawn))
    assert statistic < limit


@pytest.mark.parametrize("budget", [1, 5, 20])
def test_realized_lengths_are_poisson_cut_at_the_budget(budget):
    """By hand: with s units covered, the next length is l < budget - s with Poisson's probability, and what is left
    with that of all longer ones; s itself is visited as often as lengths lead there, and zero stays at s."""
    chance = [poisson(length, 3.5) for length in range(budget + 1)]
    visits = np.zeros(budget)
    expected = np.zeros(budget + 1)
    for s in range(budget):
        arrivals = (s == 0) + sum(visits[s - length] * chance[length] for length in range(1, s + 1))
        visits[s] = arrivals / (1 - chance[0])
        for length in range(budget - s):
            expected[length] += visits[s] * chance[length]
        expected[budget - s] += visits[s] * (1 - sum(chance[: budget - s]))
    random = np.random.default_rng(1)
    runs = 10000
    realized = [truncate(draw_span_lengths(budget, 3.5, random), budget) for _ in range(runs)]
    assert all(lengths.sum() == budget for lengths in realized)
    counts = np.bincount(np.concatenate(realized), minlength=budget + 1)
    # Lengths that hardly occur are counted together.
    rare = expected * runs < 10
    counts = np.append(counts[~rare], counts[rare].sum()) if rare.any() else counts
    expected = np.append(expected[~rare], expected[rare].sum()) if rare.any() else expected
    if rare.any() and expected[-1] * runs <= 5:
        counts, expected = counts[:-1], expected[:-1]
    # The number of spans of a run is itself random but for the last, so this is tighter than multinomial.
    statistic, limit = chi_square(counts, expected * runs)
    assert statistic < limit


def test_every_arrangement_of_spans_is_equally_likely():
    # Five units, spans of 2 and 1: two uncovered units and two spans make 4 * 3 = 12 arrangements.
    random = np.random.default_rng(0)
    counts = {}
    for _ in range(6000):
        begins, lengths = place_spans(np.array([2, 1]), 5, random)
        ends = begins + lengths
        assert begins[0] >= 0 and ends[0] <= begins[1] and ends[1] <= 5
        key = tuple(zip(begins, lengths))
        counts[key] = counts.get(key, 0) + 1
    assert len(counts) == 12
    statistic, limit = chi_square(list(counts.values()), [500] * 12)
    assert statistic < limit


def mask_by_hand(pieces, begins, lengths, max_length=100):
    pieces = np.array(pieces)
    starts = UNITS.starts(pieces)
    result = mask_spans(pieces, starts, UNITS.protected[pieces], np.array(begins), np.array(lengths), MASK, max_length)
    return result.tolist()


def test_a_span_gives_way_to_one_mask():
    assert mask_by_hand([4, 60, 5, 6, 61, 62, 7, EOS], [1], [2]) == [4, 60, MASK, 7, EOS]


def test_a_span_of_no_length_inserts_a_mask():
    assert mask_by_hand([4, 60, 5, EOS], [0, 1, 2], [0, 0, 0]) == [MASK, 4, 60, MASK, 5, MASK, EOS]


def test_a_span_across_sentences_leaves_their_ends():
    assert mask_by_hand([4, 5, EOS, 6, 60, 7, EOS], [1], [2]) == [4, MASK, EOS, 7, EOS]


def test_spans_may_touch():
    assert mask_by_hand([4, 5, 6, EOS], [0, 1, 1], [1, 0, 2]) == [MASK, MASK, MASK, EOS]


def test_insertions_beyond_the_limit_are_left_out():
    assert mask_by_hand([4, 5, EOS], [0, 1, 2], [0, 0, 0], max_length=4) == [MASK, 4, 5, EOS]
    assert mask_by_hand([4, 5, EOS], [0, 1], [0, 1], max_length=3) == [4, MASK, EOS]


def test_symbols_that_are_no_text_survive_in_order():
    pieces = np.array([4, UNK, 54, EOS, 5, MASK, 6, TAG, 7, 55, EOS])
    for index in range(200):
        result = noised(pieces, index, mask_ratio=0.7, permute_sentences=0)
        kept = [piece for piece in result if piece in (UNK, EOS, TAG)]
        assert kept == [UNK, EOS, TAG, EOS]
        assert (result == MASK).sum() >= 2  # the one that was there, and one for a span at least


def test_nothing_masked_is_the_text_itself():
    pieces = text(np.random.default_rng(0), 4, 8)
    assert noised(pieces, mask_ratio=0, permute_sentences=0).tolist() == pieces.tolist()


def test_the_text_can_be_rebuilt_around_the_masks():
    """What stands between masks stands in the text, in order, and sentences can be told from the text."""
    random = np.random.default_rng(0)
    for index in range(300):
        pieces = text(random, 1, 20)
        result = noised(pieces, index)
        place = 0
        for piece in result[result != MASK]:
            place = pieces.tolist().index(piece, place) + 1
        assert place == len(pieces)


def test_sentences_change_places_and_stay_whole():
    pieces = text(np.random.default_rng(0), 6, 5)
    sentences = sorted(tuple(s) for s in np.split(pieces, np.flatnonzero(pieces == EOS) + 1) if len(s))
    orders = set()
    for index in range(50):
        result = noised(pieces, index, mask_ratio=0)
        found = [tuple(s) for s in np.split(result, np.flatnonzero(result == EOS) + 1) if len(s)]
        assert sorted(found) == sentences
        orders.add(tuple(found))
    assert len(orders) > 40


def test_only_the_asked_share_of_sentences_moves():
    pieces = np.array([4, EOS, 5, EOS, 6, EOS, 7, EOS])
    moved = {tuple(permute_sentences(pieces, EOS, 0.5, noise_generator(1, 1, i)).tolist()) for i in range(200)}
    for order in moved:
        assert sum(a != b for a, b in zip(order, pieces)) in (0, 2)
    assert len(moved) == 1 + 4 * 3 / 2  # the text itself, and every two sentences exchanged


def test_a_permuted_order_is_uniform():
    pieces = np.array([4, EOS, 5, EOS, 6, EOS])
    counts = {}
    for index in range(6000):
        key = tuple(permute_sentences(pieces, EOS, 1.0, noise_generator(1, 1, index)).tolist())
        counts[key] = counts.get(key, 0) + 1
    assert len(counts) == 6
    statistic, limit = chi_square(list(counts.values()), [1000] * 6)
    assert statistic < limit


def test_noise_is_a_function_of_seed_epoch_and_index():
    pieces = text(np.random.default_rng(0), 3, 20)

    def make(*key):
        return add_noise(pieces, UNITS, EOS, MASK, NoiseSettings(), noise_generator(*key), 1000).tolist()

    first = make(1, 2, 3)
    np.random.seed(5)
    assert make(1, 2, 3) == first
    assert len({tuple(make(*key)) for key in [(1, 2, 3), (2, 2, 3), (1, 3, 3), (1, 2, 4), (3, 2, 1)]}) == 5


def test_noise_leaves_its_input_alone():
    pieces = text(np.random.default_rng(0), 3, 20)
    before = pieces.copy()
    noised(pieces, mask_ratio=0.9)
    assert (pieces == before).all()


@pytest.mark.parametrize("pieces", [[EOS], [4, EOS], [UNK, EOS], [EOS, EOS]])
@pytest.mark.parametrize("ratio", [0, 0.35, 1])
def test_tiny_texts(pieces, ratio):
    for index in range(20):
        result = noised(np.array(pieces), index, mask_ratio=ratio)
        assert (result == EOS).sum() == pieces.count(EOS)
        if ratio == 1:
            assert 4 not in result


def test_rounding_at_random_keeps_the_mean():
    random = np.random.default_rng(0)
    assert abs(np.mean([round_at_random(2.3, random) for _ in range(20000)]) - 2.3) < 0.02
    assert {round_at_random(0.35 * 20, random) for _ in range(2000)} == {7}


def test_impossible_settings_are_all_named():
    with pytest.raises(SwcmError) as raised:
        NoiseSettings(1.2, 0, -1).check()
    assert len(raised.value.problems) == 3
    assert NoiseSettings().check() == NoiseSettings()
