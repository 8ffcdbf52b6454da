import numpy as np
import pytest
import torch

from swcm_fairseq.data.pairs import PairDataset
from tests.support.toy import toy_dictionary

DICTIONARY = toy_dictionary()
BOS, EOS, TAG = DICTIONARY.bos(), DICTIONARY.eos(), DICTIONARY.index("[kk]")


def side(lengths, first=4):
    """Sequences of ``lengths`` pieces, ``</s>`` included, and their lengths as fairseq's datasets have them."""
    return [torch.arange(first, first + length - 1).tolist() + [EOS] for length in lengths], np.array(lengths)


def pair_dataset(source_lengths, target_lengths, **options):
    (sources, source_sizes), (targets, target_sizes) = side(source_lengths), side(target_lengths, first=8)
    tensors = [torch.tensor(source) for source in sources], [torch.tensor(target) for target in targets]
    return PairDataset(tensors[0], source_sizes, tensors[1], target_sizes, DICTIONARY, TAG, **options)


def test_a_source_stands_between_bos_and_eos_and_a_target_ends_in_eos():
    example = pair_dataset([3], [4], group=2)[0]
    assert example.source.tolist() == [BOS, 4, 5, EOS]
    assert example.target.tolist() == [8, 9, 10, EOS]
    assert (example.index, example.tag, example.group) == (0, TAG, 2)


def test_eos_is_added_where_it_is_missing_and_never_twice():
    dataset = PairDataset([torch.tensor([5, 6])], [2], [torch.tensor([7])], [1], DICTIONARY, TAG)
    assert dataset[0].source.tolist() == [BOS, 5, 6, EOS]
    assert dataset[0].target.tolist() == [7, EOS]


def test_an_empty_text_is_bos_and_eos():
    dataset = PairDataset([torch.tensor([EOS])], [1], None, None, DICTIONARY, TAG)
    assert dataset[0].source.tolist() == [BOS, EOS]


@pytest.mark.parametrize("limit, expected", [(6, [BOS, 4, 5, 6, EOS]), (5, [BOS, 4, 5, 6, EOS]), (4, [BOS, 4, 5, EOS])])
def test_a_cut_source_keeps_its_ends(limit, expected):
    dataset = pair_dataset([4], [2], max_source=limit)
    assert dataset[0].source.tolist() == expected
    assert dataset.size(0)[0] == len(expected)


def test_sizes_count_specials_on_both_sides():
    dataset = pair_dataset([3, 6], [5, 2])
    for index in range(2):
        example = dataset[index]
        assert dataset.size(index) == (len(example.source), len(example.target))
        assert dataset.num_tokens(index) == max(len(example.source), len(example.target))
    assert dataset.num_tokens_vec(np.array([1, 0])).tolist() == [7, 5]


def test_like_lengths_lie_together_and_equal_ones_are_shuffled():
    lengths = np.random.RandomState(0).randint(2, 6, size=(2, 60))
    dataset = pair_dataset(lengths[0].tolist(), lengths[1].tolist())
    orders = []
    for seed in (1, 1, 2):
        np.random.seed(seed)
        orders.append(dataset.ordered_indices().tolist())
    sizes = [[dataset.size(index) for index in order] for order in orders]
    assert sizes[0] == sorted(sizes[0]) == sizes[2]
    assert sorted(orders[0]) == list(range(60))
    assert orders[0] == orders[1] != orders[2]


def test_what_is_longer_than_either_limit_is_left_out():
    dataset = pair_dataset([3, 9, 3], [3, 3, 9])
    kept, ignored = dataset.filter_indices_by_size(np.arange(3), (9, 8))
    assert (list(kept), list(ignored)) == ([0], [1, 2])


def test_a_batch_is_padded_to_the_multiple():
    dataset = pair_dataset([3, 6], [5, 2], pad_to_multiple=8)
    batch = dataset.collater([dataset[0], dataset[1]])
    assert batch["net_input"]["src_tokens"].shape == batch["target"].shape == (2, 8)


def test_sources_that_are_cut_are_counted():
    assert pair_dataset([3, 6, 5, 4], [2, 2, 2, 2], max_source=5).cut == 2  # <s> comes on top
    assert pair_dataset([3, 6], [2, 2]).cut == 0
