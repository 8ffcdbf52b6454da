"""The list of hand-made faults fits the code; ``tests/faults/mutations.py`` tries what the tests make of them."""

import pytest

from swcm_fairseq.errors import SwcmError
from tests.faults.made_faults import FAULTS, Fault
from tests.faults.mutations import check_all, paths_for, put


def test_every_fault_can_be_put_in(repo):
    check_all(FAULTS, repo)
    assert len({(fault.place, fault.old, fault.new) for fault in FAULTS}) == len(FAULTS) >= 50


def test_the_rooms_that_count_have_faults_enough():
    """The model, weights and noise modules: 40 or more."""
    rooms = [fault.place.split("/")[0] for fault in FAULTS]
    assert sum(room in ("models", "modules", "pretrained", "vocabulary") for room in rooms) + rooms.count("data") >= 40
    assert {"models", "modules", "vocabulary", "data", "criterions", "tasks"} <= set(rooms)


def test_every_fault_has_tests(repo):
    for fault in FAULTS:
        assert all((repo / path).exists() for path in paths_for(fault.place, repo))


def test_a_fault_that_no_longer_fits_is_named(repo):
    rotten = [Fault("modules/linear.py", "text that is not there", "", ""), Fault("modules/linear.py", "layer", "", "")]
    with pytest.raises(SwcmError) as caught:
        check_all(rotten, repo)
    assert len(caught.value.problems) == 2 and "0 times" in str(caught.value)


def test_a_fault_replaces_what_it_says_and_nothing_else(repo):
    fault = Fault("modules/linear.py", "std=INIT_STD", "std=1.0", "")
    sound = (repo / "swcm_fairseq" / fault.place).read_text(encoding="utf-8")
    assert put(fault, repo).replace("std=1.0", "std=INIT_STD") == sound
