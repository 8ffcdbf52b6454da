import pytest

from swcm_fairseq.fairseq_patches.process_count import share_anew


@pytest.mark.parametrize(
    "batches, before, now, expected", [(8, 2, 1, 16), (8, 1, 2, 4), (5, 3, 2, 7), (0, 2, 1, 0), (6, 4, 8, 3)]
)
def test_each_of_the_new_processes_skips_its_share_of_what_is_done(caplog, batches, before, now, expected):
    state = {"epoch": 3, "iterations_in_epoch": batches, "shuffle": True}
    share_anew(state, before, now)
    assert state == {"epoch": 3, "iterations_in_epoch": expected, "shuffle": True}
    assert f"{now} process(es) go on where {before} stopped" in caplog.text
    assert ("seen again" in caplog.text) == (batches * before % now > 0)
