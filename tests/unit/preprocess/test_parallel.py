import os

from swcm_preprocess.parallel import in_batches, ordered_map

import pytest

from swcm_fairseq.errors import SwcmError


class Multiplier:
    """Something that other processes can make."""

    def __init__(self, factor):
        if factor < 0:
            raise SwcmError("no such factor")
        self.factor = factor

    def __call__(self, batch):
        if batch == ["end"]:
            os._exit(9)
        return [self.factor * item for item in batch], os.getpid()


def test_batches_are_cut_by_number_and_weight():
    assert list(in_batches("aabbbc", 2, lambda item: 1, 100)) == [["a", "a"], ["b", "b"], ["b", "c"]]
    assert list(in_batches([1, 1, 9, 1], 3, lambda item: item, 5)) == [[1, 1, 9], [1]]
    assert list(in_batches([], 3, len, 5)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order(workers):
    batches = [[i] for i in range(40)]
    found = list(ordered_map(Multiplier, 3, iter(batches), workers))
    assert [values for values, _ in found] == [[3 * i] for i in range(40)]
    assert (os.getpid() in {process for _, process in found}) == (workers == 1)


def test_settings_that_are_wrong_are_told_before_anything_starts():
    with pytest.raises(SwcmError, match="no such factor"):
        list(ordered_map(Multiplier, -1, [[1], [2], [3]], 2))


def test_an_error_of_the_input_ends_the_work():
    def broken():
        yield [1]
        yield [2]
        raise SwcmError("line 3")

    with pytest.raises(SwcmError, match="line 3"):
        list(ordered_map(Multiplier, 1, broken(), 2))


def test_a_worker_that_is_killed_is_an_error():
    with pytest.raises(SwcmError, match="killed"):
        list(ordered_map(Multiplier, 1, [[1], ["end"], [2]], 2))
