"""Cutting sequences, with counts."""

import numpy as np
import torch

from swcm_fairseq.data.lengths import CutSequences, nothing_but_end

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
