import itertools
import random
from fractions import Fraction

from swcm_preprocess.overlap import closest, clusters, fingerprint, index, ngrams, overlap, twins

import pytest


@pytest.mark.parametrize(
    "text, expected",
    [
        ("样式 1...", "样式0"),
        ("Style 12, Big", "style0big"),
        ("ཡིག་ཆ ༡༢།", "ཡིགཆ0"),
        ("...", "..."),
        ("", ""),
    ],
)
def test_fingerprint(text, expected):
    assert fingerprint(text) == expected


def test_ngrams():
    assert ngrams("abab", 2) == {"\x02a", "ab", "ba", "b\x03"}
    assert ngrams("a", 2) == {"\x02a", "a\x03"}
    assert ngrams("", 3) == {"\x02\x03"}


def test_overlap():
    a, b = frozenset("abcd"), frozenset("cdefgh")
    assert overlap(a, b) == overlap(b, a) == 2 / 4
    assert overlap(a, b, max) == 2 / 6


def random_sets(seed, number=60):
    rng = random.Random(seed)
    return [ngrams("".join(rng.choice("abcd") for _ in range(rng.randint(1, 9))), 2) for _ in range(number)]


def plain_twins(sets, threshold, of):
    """Every pair compared, in exact arithmetic."""
    return {
        (i, j)
        for i, j in itertools.combinations(range(len(sets)), 2)
        if Fraction(len(sets[i] & sets[j]), of(len(sets[i]), len(sets[j]))) >= Fraction(threshold)
    }


@pytest.mark.parametrize("of", [min, max], ids=["min", "max"])
@pytest.mark.parametrize("threshold", ["0.3", "0.5", "0.7", "1"])
def test_twins_equal_a_comparison_of_all_pairs(of, threshold):
    some = 0
    for seed in range(15):
        sets = random_sets(seed)
        found = list(twins(sets, threshold, of))
        assert len(found) == len({frozenset(pair) for pair in found}), "each pair once"
        expected = plain_twins(sets, threshold, of)
        assert {tuple(sorted(pair)) for pair in found} == expected
        some += len(expected)
    assert some


def test_a_share_that_is_met_exactly_counts():
    # In floating point 0.55 * 100 is more than 55, and such a pair would be missed.
    a = frozenset(map(str, range(100)))
    b = frozenset(map(str, range(45, 145)))
    assert len(a & b) == 55 < 0.55 * 100
    assert list(twins([a, b], "0.55"))
    assert not list(twins([a, b - {"50"} | {"x"}], "0.55"))


def test_clusters_equal_repeated_spreading():
    """The plain formula: take a position, add what is paired with any member until nothing is added."""
    for seed in range(20):
        rng = random.Random(seed)
        size = rng.randint(1, 30)
        pairs = [(rng.randrange(size), rng.randrange(size)) for _ in range(rng.randint(0, 20))]
        expected, left = [], set(range(size))
        while left:
            group = {min(left)}
            while True:
                more = group | {y for x, y in pairs if x in group} | {x for x, y in pairs if y in group}
                if more == group:
                    break
                group = more
            expected.append(sorted(group))
            left -= group
        assert clusters(size, pairs) == sorted(expected)


@pytest.mark.parametrize("of", [min, max], ids=["min", "max"])
def test_closest_equals_the_maximum_over_all(of):
    sets = random_sets(1)
    postings = index(sets)
    for query in random_sets(2, 20):
        assert closest(query, sets, postings, of) == max(overlap(query, other, of) for other in sets)
    assert closest(frozenset(["elsewhere"]), sets, postings, of) == 0.0
