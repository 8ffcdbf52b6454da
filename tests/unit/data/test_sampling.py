import numpy as np
import pytest

from swcm_fairseq.data.sampling import draw, draw_counts, sampling_shares


def test_alpha_one_gives_shares_of_the_data_and_zero_equal_ones():
    np.testing.assert_allclose(sampling_shares([600, 300, 100], 1.0), [0.6, 0.3, 0.1])
    np.testing.assert_allclose(sampling_shares([600, 300, 100], 0.0), [1 / 3] * 3)


def test_the_papers_alpha_by_the_slow_formula():
    # Texts of section 4.1: bo, ug, kk, mn, zh.
    sizes = [184045, 90441, 57827, 171847, 836075]
    powers = [(size / sum(sizes)) ** 0.3 for size in sizes]
    np.testing.assert_allclose(sampling_shares(sizes, 0.3), [power / sum(powers) for power in powers])


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_a_language_without_data_is_never_drawn(alpha):
    shares = sampling_shares([5, 0, 5], alpha)
    np.testing.assert_allclose(shares, [0.5, 0.0, 0.5])


def test_counts_add_up_and_stay_within_one_of_their_shares():
    for seed in range(20):
        shares = np.random.RandomState(seed).dirichlet(np.ones(7))
        counts = draw_counts(shares, 53)
        assert sum(counts) == 53
        assert all(abs(count - share * 53) < 1 for count, share in zip(counts, shares))


def test_draws_are_even():
    found = np.bincount(draw(5, 13, np.random.RandomState(0)), minlength=5)
    assert sorted(found) == [2, 2, 3, 3, 3]
    assert draw(5, 0, np.random.RandomState(0)).tolist() == []


def test_what_is_left_over_goes_to_the_largest_remainders():
    assert draw_counts(np.array([0.55, 0.3, 0.15]), 7) == [4, 2, 1]  # of 3.85, 2.1 and 1.05
    assert draw_counts(np.array([0.5, 0.26, 0.24]), 4) == [2, 1, 1]  # of 2, 1.04 and 0.96
