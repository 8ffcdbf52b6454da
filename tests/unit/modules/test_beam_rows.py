"""Which rows of the memory are needed, and which of them each row of a beam reads."""

import pytest
import torch

from swcm_fairseq.modules.beam_rows import regroup, stays


@pytest.mark.parametrize(
    "memory_rows, new_order, kept, places",
    [
        ([0, 1, 2], [0, 0, 1, 1, 2, 2], [0, 1, 2], [0, 0, 1, 1, 2, 2]),  # a beam of two begins
        ([0, 0, 1, 1, 2, 2], [4, 5, 0, 0], [2, 0], [0, 0, 1, 1]),  # the second sentence is done, the others change
        ([0, 0, 1, 1], [0, 2, 3, 3], [0, 1, 1, 1], [0, 1, 2, 3]),  # two sentences with one row and three
        ([0, 0, 1, 1], [0, 2, 0, 2], [0, 1, 0, 1], [0, 1, 2, 3]),  # mixed: each row its own memory
        ([0, 0], [0, 0, 0, 0], [0], [0, 0, 0, 0]),
        ([0, 1], [], [], []),
    ],
)
def test_rows_of_a_sentence_share_its_memory_while_they_stand_together(memory_rows, new_order, kept, places):
    found = regroup(torch.tensor(memory_rows), torch.tensor(new_order, dtype=torch.long))
    assert [part.tolist() for part in found] == [kept, places]


@pytest.mark.parametrize("new_order", [[0, 1, 2, 3], [1, 0, 3, 3], [0, 0, 2, 2]])
def test_within_a_sentence_nothing_moves(new_order):
    assert regroup(torch.tensor([0, 0, 1, 1]), torch.tensor(new_order)) is None


@pytest.mark.parametrize(
    "new_order, expected", [([0, 1, 2], True), ([0, 1], False), ([0, 2, 1], False), ([0, 1, 2, 2], False)]
)
def test_rows_that_stay(new_order, expected):
    assert stays(torch.tensor(new_order), 3) is expected
