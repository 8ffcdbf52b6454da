"""Intervals and tests against slow plain loops, sacreBLEU, and what is known of chance."""

import random

import numpy as np
import pytest

from swcm_fairseq.scoring import measure, resampling, score

NAMES = ["bleu", "chrf", "chrfpp", "rougeL", "length_ratio", "exact_match"]
WORDS = "one two three four five six seven".split()


def outputs(count, seed, keep):
    """References, and outputs in which a word stays as it is with the chance ``keep``."""
    generator = random.Random(seed)
    references = [[generator.choice(WORDS) for _ in range(generator.randint(4, 9))] for _ in range(count)]
    found = [[word if generator.random() < keep else generator.choice(WORDS) for word in line] for line in references]
    return [" ".join(line) for line in found], [" ".join(line) for line in references]


def measured(hypotheses, references, names=NAMES):
    return list(measure(hypotheses, references, "en", names, "none").values())


def test_a_resample_scores_as_if_its_sentences_were_scored_anew():
    """The sums of rows are enough: every drawn test set, put together as text, has the score that was computed."""
    hypotheses, references = outputs(30, 1, 0.6)
    drawn = np.random.default_rng(resampling.SEED).integers(0, 30, (20, 30))
    slow = {name: [] for name in NAMES}
    for row in drawn:
        found = score([hypotheses[i] for i in row], [references[i] for i in row], "en", NAMES, "none")
        for name in NAMES:
            slow[name].append(found[name])
    fast = resampling.intervals(measured(hypotheses, references), resamples=20)
    for limits, name in zip(fast, NAMES):
        assert limits[name] == pytest.approx(np.percentile(slow[name], [2.5, 97.5]), abs=1e-9)


def test_the_interval_is_about_sacrebleus():
    from sacrebleu.metrics import CHRF

    hypotheses, references = outputs(200, 2, 0.6)
    theirs = CHRF().corpus_score(hypotheses, [references], n_bootstrap=1000)
    low, high = resampling.intervals(measured(hypotheses, references, ["chrf"]))[0]["chrf"]
    assert (high - low) / 2 == pytest.approx(theirs._ci, rel=0.15)
    assert (high + low) / 2 == pytest.approx(theirs._mean, rel=0.01)


def test_the_value_of_every_exchange_is_that_of_the_exchanged_texts():
    hypotheses, references = outputs(12, 3, 0.5)
    others, _ = outputs(12, 3, 0.7)
    coins = np.random.default_rng(resampling.SEED).integers(0, 2, (40, 12))
    first, second = (score(texts, references, "en", ["chrf"], "none")["chrf"] for texts in (hypotheses, others))
    large = 0
    for row in coins:
        one = [there if coin else here for coin, here, there in zip(row, hypotheses, others)]
        other = [here if coin else there for coin, here, there in zip(row, hypotheses, others)]
        values = [score(texts, references, "en", ["chrf"], "none")["chrf"] for texts in (one, other)]
        large += abs(values[1] - values[0]) >= abs(second - first) - 1e-9
    pair = [measured(texts, references, ["chrf"]) for texts in (hypotheses, others)]
    found = resampling.compare(*pair, resamples=10, permutations=40)[0]["chrf"]
    assert found.difference == pytest.approx(second - first)
    assert found.p == pytest.approx((large + 1) / 41)


def test_a_better_system_is_found_and_a_system_is_not_better_than_itself():
    worse, references = outputs(150, 4, 0.4)
    better, _ = outputs(150, 4, 0.8)
    one, other = measured(worse, references), measured(better, references)
    for name, found in zip(NAMES, resampling.compare(one, other, 200, 500)):
        if name != "length_ratio":
            assert found[name].p < 0.01 and found[name].interval[0] > 0 < found[name].difference
    for name, found in zip(NAMES, resampling.compare(one, one, 200, 500)):
        assert found[name] == (0, (0, 0), 1)


def test_of_systems_that_are_alike_about_one_in_twenty_is_taken_for_another():
    """p below 0.05 comes up as often as it says: 200 pairs of systems of the same quality."""
    below = 0
    for seed in range(200):
        one, references = outputs(25, seed, 0.5)
        generator = random.Random(1000 + seed)
        words = [reference.split() for reference in references]
        other = [" ".join(w if generator.random() < 0.5 else generator.choice(WORDS) for w in line) for line in words]
        pair = [measured(texts, references, ["exact_match", "length_ratio", "chrf"]) for texts in (one, other)]
        below += resampling.compare(*pair, resamples=1, permutations=200)[2]["chrf"].p < 0.05
    assert 2 <= below <= 20  # 10 expected; outside these bounds once in a thousand


def test_many_sentences_are_drawn_in_parts_that_change_nothing(monkeypatch):
    one = measured(*outputs(50, 6, 0.5))
    whole = resampling.intervals(one, 100)
    monkeypatch.setattr(resampling, "_CHUNK", 333)
    assert resampling.intervals(one, 100) == whole


def test_signatures_have_the_bootstrap_where_sacrebleu_has_it():
    from sacrebleu.metrics import BLEU

    metric = BLEU()
    metric.corpus_score(["a b"] * 3, [["a b"] * 3], n_bootstrap=10)
    theirs = str(metric.get_signature()).replace("seed:12345", "seed:7")
    plain = score(["a b"], ["a b"], "en", ["bleu"], "none")["signatures"]["bleu"]
    assert resampling.signed(plain, 10, 7) == "norm:none|" + theirs


def test_many_sentences_are_summed_in_blocks_that_change_nothing(monkeypatch):
    one, other = measured(*outputs(50, 6, 0.5)), measured(*outputs(50, 7, 0.6))
    whole = resampling.compare(one, other, 100, 100)
    monkeypatch.setattr(resampling, "_BLOCK", 7)
    monkeypatch.setattr(resampling, "_CHUNK", 20)
    for found, expected in zip(resampling.compare(one, other, 100, 100), whole):
        for name in expected:
            assert found[name].interval == pytest.approx(expected[name].interval, abs=1e-9)
            assert (found[name].difference, found[name].p) == (expected[name].difference, expected[name].p)
