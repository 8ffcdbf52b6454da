from collections import Counter

import numpy as np
import pytest
import torch

from swcm_fairseq.data.mixture import MixtureDataset
from swcm_fairseq.data.pairs import PairDataset
from tests.support.toy import toy_dictionary

DICTIONARY = toy_dictionary()


def part(group, size):
    """A dataset whose example i has a source of i % 5 pieces and a target of two, which are (group, i)."""
    sources = [torch.tensor([4] * (i % 5) + [2]) for i in range(size)]
    targets = [torch.tensor([group, i, 2]) for i in range(size)]
    return PairDataset(sources, [i % 5 + 1 for i in range(size)], targets, [3] * size, DICTIONARY, 24 + group, group)


def drawn(mixture):
    """(group, place) of every example in order."""
    return [tuple(mixture[index].target.tolist()[:2]) for index in range(len(mixture))]


@pytest.mark.parametrize("alpha", [None, 1.0])
def test_alpha_one_takes_every_example_once_every_epoch(alpha):
    mixture = MixtureDataset([part(0, 30), part(1, 6)], alpha)
    expected = sorted([(0, i) for i in range(30)] + [(1, i) for i in range(6)])
    for epoch in (1, 2):
        mixture.set_epoch(epoch)
        assert sorted(drawn(mixture)) == expected


# q = (0.8, 0.15, 0.05) of 200 examples; p_i = q_i ** alpha / sum: by a pocket calculator,
# 0.8 ** 0.3 = 0.9353, 0.15 ** 0.3 = 0.5660, 0.05 ** 0.3 = 0.4071, sum 1.9084.
@pytest.mark.parametrize("alpha, expected", [(0.3, [98, 59, 43]), (0.0, [67, 67, 66]), (0.999999, [160, 30, 10])])
def test_shares_follow_the_formula(alpha, expected):
    mixture = MixtureDataset([part(0, 160), part(1, 30), part(2, 10)], alpha)
    counts = Counter(group for group, _ in drawn(mixture))
    assert len(mixture) == 200
    assert all(abs(counts[group] - wanted) <= 1 for group, wanted in enumerate(expected))


def test_within_a_dataset_no_example_is_drawn_much_more_than_another():
    mixture = MixtureDataset([part(0, 160), part(1, 7)], 0.0)
    counts = Counter(drawn(mixture))
    small = [counts[1, i] for i in range(7)]
    assert max(small) - min(small) <= 1 and min(small) >= 11
    assert max(counts[0, i] for i in range(160)) == 1


def test_what_is_drawn_depends_on_seed_and_epoch_alone():
    def at(seed, *epochs):
        mixture = MixtureDataset([part(0, 40), part(1, 10)], 0.3, seed)
        for epoch in epochs:
            np.random.seed(epoch * 100 + len(epochs))  # another state of the global generator
            mixture.set_epoch(epoch)
        return drawn(mixture)

    assert at(1, 3) == at(1, 1, 2, 3) == at(1, 5, 3)
    assert at(1, 3) != at(1, 4)
    assert at(1, 3) != at(2, 3)


def test_sizes_are_those_of_the_examples_after_every_draw():
    mixture = MixtureDataset([part(0, 40), part(1, 10)], 0.3)
    for epoch in (1, 2):
        mixture.set_epoch(epoch)
        for index in range(len(mixture)):
            example = mixture[index]
            assert example.index == index
            assert mixture.size(index) == (len(example.source), len(example.target))
            assert mixture.num_tokens_vec(np.array([index])).tolist() == [mixture.num_tokens(index)]


def test_order_and_filter_work_on_all_together():
    mixture = MixtureDataset([part(0, 40), part(1, 10)], 0.3)
    order = mixture.ordered_indices()
    sizes = [mixture.size(index) for index in order]
    assert sizes == sorted(sizes) and sorted(order) == list(range(50))
    kept, ignored = mixture.filter_indices_by_size(order, (4, 100))
    assert all(mixture.size(index)[0] <= 4 for index in kept) and all(mixture.size(index)[0] > 4 for index in ignored)
    assert len(kept) + len(ignored) == 50 and len(ignored) > 0


def test_batches_are_made_anew_only_where_epochs_differ():
    assert MixtureDataset([part(0, 4), part(1, 2)]).can_reuse_epoch_itr_across_epochs
    assert not MixtureDataset([part(0, 4), part(1, 2)], 0.3).can_reuse_epoch_itr_across_epochs


def test_a_batch_holds_both_with_their_tags():
    mixture = MixtureDataset([part(0, 3), part(1, 2)])
    batch = mixture.collater([mixture[0], mixture[4]])
    assert batch["id"].tolist() == [0, 4]
    assert batch["group"].tolist() == [0, 1]
    assert batch["net_input"]["prev_output_tokens"][:, 0].tolist() == [24, 25]
