"""Scales, marks and the plots' geometry; how they look in a browser is an integration test."""

import re
from xml.etree import ElementTree

import pytest

from swcm_fairseq.scoring.report.plots import Point, by_language, by_length, curves, heat_map
from swcm_fairseq.scoring.report.svg import Drawing, Scale


@pytest.mark.parametrize(
    "low, high, ticks, labels",
    [
        (0, 9.3, [0, 2, 4, 6, 8, 10], ["0", "2", "4", "6", "8", "10"]),
        (0.12, 0.31, [0.1, 0.15, 0.2, 0.25, 0.3, 0.35], ["0.10", "0.15", "0.20", "0.25", "0.30", "0.35"]),
        (0, 40000, [0, 10000, 20000, 30000, 40000], ["0", "10,000", "20,000", "30,000", "40,000"]),
        (-3, 3, [-3, -2, -1, 0, 1, 2, 3], ["-3", "-2", "-1", "0", "1", "2", "3"]),
    ],
)
def test_scales_have_round_numbers_around_the_data(low, high, ticks, labels):
    scale = Scale(low, high, 100, 200)
    assert scale.ticks() == pytest.approx(ticks)
    assert [scale.label(tick) for tick in scale.ticks()] == labels
    assert scale(scale.low) == 100 and scale(scale.high) == 200
    assert scale((scale.low + scale.high) / 2) == pytest.approx(150)


def test_a_single_value_has_a_scale_too():
    scale = Scale(5, 5, 0, 10)
    assert scale.low < 5 < scale.high


def marks(drawing):
    root = ElementTree.fromstring(drawing.svg())
    found = [element for element in root.iter() if "mark" in element.get("class", "").split()]
    assert len(found) == drawing.marks
    return found


def test_words_from_a_test_set_cannot_leave_the_picture():
    drawing = Drawing(10, 10, 'a "title" <b>')
    drawing.text(0, 0, "</svg><script>alert(1)</script> & more")
    drawing.dot(1, 1, "#000", "<i>tip</i>")
    root = ElementTree.fromstring(drawing.svg())
    assert root.get("aria-label") == 'a "title" <b>'
    assert [element.tag for element in root.iter()] == ["svg", "text", "circle", "title"]


def test_dots_stand_where_their_values_are():
    values = {"kk": {"a": Point(10, (5, 15)), "b": Point(20, None)}, "mn": {"a": Point(0, (0, 0))}}
    found = marks(by_language("chrF", values))
    dots = [element for element in found if element.tag == "circle"]
    x = [float(dot.get("cx")) for dot in dots]
    assert x[1] - x[0] == pytest.approx(x[0] - x[2], abs=0.02)  # 0, 10, 20 are as far from each other
    bars = [element for element in found if element.tag == "line"]
    assert float(bars[0].get("x1")) < x[0] < float(bars[0].get("x2"))
    assert len({dot.get("cy") for dot in dots}) == 3
    assert dots[0].get("fill") == dots[2].get("fill") != dots[1].get("fill")


def test_lines_go_through_their_points_and_higher_is_up():
    drawing = by_length("chrF", "tokens", ["1-2", "3-9"], {"a": [Point(1, (0, 2)), Point(3, (2, 4))]})
    found = marks(drawing)
    path = next(element for element in found if element.tag == "path").get("d")
    (x1, y1), (x2, y2) = [map(float, pair) for pair in re.findall(r"([\d.]+) ([\d.]+)", path)]
    assert x1 < x2 and y1 > y2
    assert len(found) == 1 + 2 + 2


def test_curves_of_runs_of_different_length():
    long = [(update, 9 - update / 50) for update in range(0, 200, 2)]
    found = marks(curves("loss", {"train": long, "valid": [(100, 7.5)]}))
    # A line without dots for the long one, a dot for the single one.
    assert sorted(element.tag for element in found) == ["circle", "path"]


def test_a_heat_map_is_as_dark_as_its_weights():
    found = marks(heat_map("attention", ["a", "b"], ["x", "y", "z"], [[0.5, 0.25, 0.25], [0, 0, 1]]))
    assert [float(cell.get("fill-opacity")) for cell in found] == pytest.approx([0.5, 0.25, 0.25, 0, 0, 1])
    assert len({cell.get("x") for cell in found}) == 3 and len({cell.get("y") for cell in found}) == 2
