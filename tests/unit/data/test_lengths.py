"""Cutting sequences, with counts."""

import numpy as np
import torch

from swcm_fairseq.data.lengths import CutSequences, by_length, nothing_but_end

EOS = 2
SIDES = [torch.tensor(line) for line in ([4, 5, 6, 7, EOS], [EOS], [8, EOS], [9, 10, 11, EOS], [])]
SIZES = [len(side) for side in SIDES]


def test_what_is_cut_keeps_its_end_and_is_counted():
    cut = CutSequences(SIDES, SIZES, EOS, limit=3)
    assert [cut[i].tolist() for i in range(5)] == [[4, 5, EOS], [EOS], [8, EOS], [9, 10, EOS], []]
    assert cut.sizes.tolist() == [3, 1, 2, 3, 0]
    assert (cut.cut, cut.pieces_lost) == (2, 3)


def test_chosen_sequences_alone_are_there_and_counted():
    cut = CutSequences(SIDES, SIZES, EOS, limit=4, chosen=np.array([2, 0]))
    assert [cut[i].tolist() for i in range(len(cut))] == [[8, EOS], [4, 5, 6, EOS]]
    assert (cut.cut, cut.pieces_lost) == (1, 1)


def test_empty_sequences_are_found_with_and_without_their_end():
    found = nothing_but_end(SIDES + [torch.tensor([7])], SIZES + [1], EOS)
    assert found.tolist() == [False, True, False, False, True, False]


def test_batches_hold_like_lengths_on_both_sides():
    random = np.random.RandomState(0)
    sources, targets = random.randint(1, 5, 200), random.randint(1, 30, 200)
    order = by_length(sources, targets)
    assert sorted(order) == list(range(200))
    pairs = list(zip(sources[order], targets[order]))
    assert pairs == sorted(pairs)
    assert sources[by_length(sources, None)].tolist() == sorted(sources)


def test_equal_lengths_come_in_another_order_each_time():
    np.random.seed(1)
    same = np.full(50, 3)
    assert by_length(same, same).tolist() != by_length(same, same).tolist()
