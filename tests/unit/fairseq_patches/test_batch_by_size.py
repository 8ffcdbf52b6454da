import numpy as np
import pytest
from fairseq.data import data_utils

pytestmark = pytest.mark.usefixtures("patched")


@pytest.mark.parametrize("count", [1, 7, 8, 9, 12, 16, 100])
@pytest.mark.parametrize("limits", [{"max_tokens": 1000}, {"max_tokens": 60}, {"max_sentences": 5}], ids=str)
@pytest.mark.parametrize("multiple", [1, 8])
def test_no_example_is_left_out(count, limits, multiple):
    lengths = np.random.RandomState(count).randint(1, 20, size=count).astype(np.int64)
    indices = np.argsort(lengths)
    batches = data_utils.batch_by_size(
        indices, lambda i: lengths[i], lengths[indices], required_batch_size_multiple=multiple, **limits
    )
    assert [int(index) for batch in batches for index in batch] == indices.tolist()
    for batch in batches:
        assert len(batch) <= limits.get("max_sentences", count)
        assert len(batch) * lengths[batch].max() <= limits.get("max_tokens", 10**6)


def test_no_examples_make_no_batches():
    empty = np.array([], dtype=np.int64)
    assert data_utils.batch_by_size(empty, None, empty, max_tokens=10, required_batch_size_multiple=8) == []
