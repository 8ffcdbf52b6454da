import numpy as np
import pytest
import torch
from fairseq.data import data_utils

from swcm_fairseq.data.mixture import MixtureDataset
from swcm_fairseq.data.pairs import PairDataset
from swcm_fairseq.validation.sentences import ScoredSentences, spread
from tests.support.toy import toy_dictionary

DICTIONARY = toy_dictionary()


@pytest.mark.parametrize(
    "size, count, places",
    [(5, 5, [0, 1, 2, 3, 4]), (5, 9, [0, 1, 2, 3, 4]), (10, 3, [0, 3, 6]), (7, 1, [0]), (0, 4, []), (4, 0, [])],
)
def test_places_are_spread_evenly(size, count, places):
    assert spread(size, count).tolist() == places


def dataset_of(lengths, most):
    """Two pairs, one after the other, with sources of ``lengths`` pieces."""
    pairs = []
    for group, some in enumerate(lengths):
        lines = [torch.full((length,), 4) for length in some]
        pairs.append(PairDataset(lines, some, lines, some, DICTIONARY, tag=5 + group, group=group))
    return ScoredSentences(MixtureDataset(pairs), [len(pair) for pair in pairs], most)


def order_of(dataset):
    with data_utils.numpy_seed(1):  # examples of the same lengths are shuffled
        return dataset.ordered_indices().tolist()


LENGTHS = ([3, 9, 2, 7, 5, 4, 8, 6], [4, 2, 5])


def test_all_are_decoded_and_the_order_is_the_datasets_own():
    dataset = dataset_of(LENGTHS, most=0)
    assert dataset.scored.all()
    assert order_of(dataset) == order_of(dataset.dataset)


def test_so_many_of_each_pair_are_decoded_and_come_first():
    dataset = dataset_of(LENGTHS, most=4)
    chosen = [0, 2, 4, 6, 8, 9, 10]  # of the second pair there are only three
    assert np.flatnonzero(dataset.scored).tolist() == chosen
    order, plain = order_of(dataset), order_of(dataset.dataset)
    assert order[:7] == [index for index in plain if index in chosen]
    assert order[7:] == [index for index in plain if index not in chosen]
    # Whatever the batches are.
    assert dataset_of(LENGTHS, most=4).scored.tolist() == dataset.scored.tolist()


def test_batches_say_which_are_decoded_and_which_shown():
    dataset = dataset_of(LENGTHS, most=4)
    batches = dataset.batch_by_size(dataset.ordered_indices(), max_sentences=3)
    found = {}
    for indices in batches:
        batch = dataset.collater([dataset[index] for index in indices])
        assert batch["net_input"]["src_tokens"].size(0) == len(indices)
        found.update(zip(batch["id"].tolist(), zip(batch["scored"].tolist(), batch["shown"].tolist())))
    assert sorted(index for index, (scored, _) in found.items() if scored) == [0, 2, 4, 6, 8, 9, 10]
    assert sorted(index for index, (_, shown) in found.items() if shown) == [0, 4, 8, 9]


def test_an_empty_batch_stays_empty():
    # One process may have a batch more than the others, which then get none.
    assert dataset_of(LENGTHS, most=0).collater([]) == {}
