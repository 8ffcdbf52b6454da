import itertools
import random
from fractions import Fraction

from swcm_preprocess import neighbours
from swcm_preprocess.neighbours import ClustersOnDemand, Index, Progress
from swcm_preprocess.overlap import clusters, ngrams, overlap, twins

import numpy as np
import pytest


def random_sets(seed, number=60):
    rng = random.Random(seed)
    return [ngrams("".join(rng.choice("abcd") for _ in range(rng.randint(1, 9))), 2) for _ in range(number)]


@pytest.mark.parametrize("of", [min, max], ids=["min", "max"])
@pytest.mark.parametrize("threshold", ["0.5", "0.7", "1"])
def test_twins_and_overlaps_equal_a_comparison_with_all(of, threshold):
    for seed in range(5):
        sets = random_sets(seed)
        index = Index(iter(sets), of, threshold)
        for place, mine in enumerate(sets):
            shares = [Fraction(len(mine & one), of(len(mine), len(one))) for one in sets]
            expected = [other for other, share in enumerate(shares) if share >= Fraction(threshold) and other != place]
            assert index.twins_of(place) == expected
            others = np.array([3, 50, 7])
            assert index.overlaps(place, others).tolist() == [overlap(mine, sets[other], of) for other in others]


def test_a_share_that_is_met_exactly_counts():
    a, b = frozenset(map(str, range(100))), frozenset(map(str, range(45, 145)))
    assert len(a & b) == 55 < 0.55 * 100
    assert Index([a, b], min, "0.55").twins_of(0) == [1]


@pytest.mark.parametrize("largest", [1, 3, 60])
def test_clusters_on_demand_are_those_of_all_pairs(largest):
    for seed in range(10):
        sets = random_sets(seed, 40)
        found = [list(twins(sets, "0.8", of)) for of in (min, max)]
        whole = clusters(len(sets), itertools.chain(*found))
        on_demand = ClustersOnDemand([Index(sets, of, "0.8") for of in (min, max)], largest)
        order = list(range(len(sets)))
        random.Random(seed).shuffle(order)
        for place in order:
            cluster = next(one for one in whole if place in one)
            assert on_demand.of(place) == (cluster if len(cluster) <= largest else None)


def test_the_work_of_finding_all_twins():
    # Of 4 elements 3 must be shared, so the 2 rarest are looked up: each stands in two sets, all else in three.
    sets = [frozenset("abcd"), frozenset("abcd"), frozenset("cdef")]
    assert Index(sets, min, "0.7").work() == (2 + 2) + (2 + 2) + (1 + 1)


def test_progress_is_said_now_and_then(monkeypatch, capsys):
    clock = iter(range(0, 1000, 4))
    monkeypatch.setattr(neighbours.time, "monotonic", lambda: next(clock))
    progress = Progress("things", 10)
    for _ in range(6):
        progress.step()
    assert capsys.readouterr().err.splitlines() == [
        "things: 3 of 10, about 0 min left",
        "things: 6 of 10, about 0 min left",
    ]
