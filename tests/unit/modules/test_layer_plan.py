import pytest

from swcm_fairseq.modules.layer_plan import layer_plan


def written(plan):
    """``c0 c1 n-`` for custom layers from encoder layers 0 and 1 and a normal one from none."""
    return " ".join(
        planned.kind[0] + ("-" if planned.encoder_layer is None else str(planned.encoder_layer)) for planned in plan
    )


# By hand from section 3.2 of the paper: after every X layers one more.
@pytest.mark.parametrize(
    "every, expected",
    [
        (0, "c0 c1 c2 c3"),
        (1, "c0 n- c1 n- c2 n- c3 n-"),
        (2, "c0 c1 n- c2 c3 n-"),
        (3, "c0 c1 c2 n- c3"),
        (4, "c0 c1 c2 c3 n-"),
        (5, "c0 c1 c2 c3"),
    ],
)
def test_a_normal_layer_follows_every_x_custom_ones(every, expected):
    assert written(layer_plan(4, every)) == expected


def test_the_papers_twelve_layers_become_sixteen():
    assert written(layer_plan(12)) == "c0 c1 c2 n- c3 c4 c5 n- c6 c7 c8 n- c9 c10 c11 n-"


@pytest.mark.parametrize(
    "name, flags, expected",
    [
        ("BASE-A", {"insert_every": 0}, "c0 c1 c2 c3"),
        ("BASE-B", {"inserted": "duplicate"}, "c0 c1 c2 c2 c3"),
        ("Cino-Transformer", {"layer_kind": "normal"}, "n0 n1 n2 n- n3"),
        ("normal duplicates", {"layer_kind": "normal", "inserted": "duplicate"}, "n0 n1 n2 n2 n3"),
        ("warm insertions", {"inserted": "warm"}, "c0 c1 c2 n2 c3"),
        ("identity insertions", {"inserted": "identity"}, "c0 c1 c2 i- c3"),
    ],
)
def test_the_papers_variants(name, flags, expected):
    assert written(layer_plan(4, **flags)) == expected


def test_interleaved_layers_start_from_two_of_the_encoders():
    plan = layer_plan(4, 0, interleaved=True)
    assert [(one.encoder_layer, one.second_layer) for one in plan] == [(0, 1), (2, 3)]
    assert written(layer_plan(12, 3, interleaved=True)) == "c0 c2 c4 n- c6 c8 c10 n-"


def test_only_the_cross_attention_of_a_warm_layer_is_drawn():
    assert [one.drawn for one in layer_plan(3, inserted="warm")] == [(), (), (), ("cross_attn",)]


def test_a_shift_takes_second_halves_from_further_up_or_the_last():
    assert [one.second_layer for one in layer_plan(4, 0, shift=2)] == [2, 3, 3, 3]
    assert [one.second_layer for one in layer_plan(6, 0, interleaved=True, shift=1)] == [2, 4, 5]
    assert [one.second_layer for one in layer_plan(2, 0)] == [None, None]


def test_a_last_encoder_layer_without_a_neighbour_starts_both_halves():
    plan = layer_plan(3, 0, interleaved=True)
    assert [(one.encoder_layer, one.second_layer) for one in plan] == [(0, 1), (2, 2)]


@pytest.mark.parametrize(
    "memory, flags, expected",
    [
        ("last", {}, [None] * 5),
        ("same-layer", {}, [1, 2, 3, None, None]),  # the last two: an inserted layer, and the encoder's output
        ("same-layer-input", {}, [0, 1, 2, None, 3]),
        ("same-layer", {"inserted": "duplicate"}, [1, 2, 3, 3, None]),
        ("same-layer", {"inserted": "warm"}, [1, 2, 3, None, None]),
        ("same-layer-input", {"layer_kind": "normal"}, [None] * 5),
        ("same-layer", {"insert_every": 0, "interleaved": True}, [2, None]),
        ("same-layer-input", {"insert_every": 0, "interleaved": True}, [1, 3]),
        ("same-layer-input", {"insert_every": 0, "shift": 1}, [1, 2, 3, 3]),
    ],
)
def test_custom_layers_read_what_the_layer_that_their_cross_attention_starts_from_put_out_or_read(
    memory, flags, expected
):
    assert [one.memory for one in layer_plan(4, memory=memory, **flags)] == expected
