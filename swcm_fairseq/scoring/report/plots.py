"""The plots of the report, each a ``Drawing``."""

from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from .svg import Drawing, Scale, colour

_WIDTH = 720
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 16, 30, 44
_ROW = 18  # pixels a line of text takes
_LETTER = 7.5  # pixels a letter takes, about

Interval = Optional[Tuple[float, float]]


class Point(NamedTuple):
    """A value with its interval (None where there is none)."""

    value: float
    interval: Interval

    def words(self) -> str:
        if self.interval is None:
            return f"{self.value:.2f}"
        return "{:.2f} ({:.2f} to {:.2f})".format(self.value, *self.interval)


def by_language(title: str, values: Dict[str, Dict[str, Point]]) -> Drawing:
    """One metric: a group of rows a language, in it a dot a system, with its interval as a bar.

    Args:
        values: language -> system -> value.
    """
    systems = list(dict.fromkeys(system for found in values.values() for system in found))
    left = 24 + _LETTER * max(map(len, values))
    rows = sum(len(found) for found in values.values())
    top = _TOP + _legend_height(systems)
    height = top + _ROW * rows + 10 * len(values) + _BOTTOM
    drawing = Drawing(_WIDTH, height, title)
    bottom = height - _BOTTOM
    x = Scale(*_range(point for found in values.values() for point in found.values()), left, _WIDTH - _RIGHT)
    _legend(drawing, systems)
    for tick in x.ticks():
        drawing.line(x(tick), top, x(tick), bottom)
        drawing.text(x(tick), bottom + 16, x.label(tick), "middle")
    drawing.text((left + _WIDTH - _RIGHT) / 2, height - 8, title, "middle")
    y = float(top)
    for lang, found in values.items():
        middle = y + 5 + _ROW * len(found) / 2
        drawing.text(left - 10, middle + 4, lang, "end")
        for place, system in enumerate(systems):
            if system in found:
                point, centre = found[system], y + 5 + _ROW / 2
                if point.interval:
                    drawing.line(x(point.interval[0]), centre, x(point.interval[1]), centre, "bar mark", colour(place))
                drawing.dot(x(point.value), centre, colour(place), f"{system}, {lang}: {point.words()}")
                y += _ROW
        y += 10
        drawing.line(left, y, _WIDTH - _RIGHT, y)
    return drawing


def by_length(title: str, across: str, bins: Sequence[str], values: Dict[str, List[Point]]) -> Drawing:
    """One metric over bins of length: a line a system. ``values`` has a point a bin for each system."""
    return _lines(
        title,
        across,
        {system: list(zip(map(float, range(len(bins))), points)) for system, points in values.items()},
        bins,
    )


def curves(title: str, series: Dict[str, List[Tuple[float, float]]]) -> Drawing:
    """Lines of (update, loss); a series of few points has dots too."""
    points = {name: [(x, Point(y, None)) for x, y in found] for name, found in series.items()}
    return _lines(title, "updates", points, None)


def _lines(title: str, across: str, series: Dict[str, List[Tuple[float, Point]]], bins) -> Drawing:
    top = _TOP + _legend_height(series)
    drawing = Drawing(_WIDTH, top + 260 + _BOTTOM, title)
    bottom, right = drawing.height - _BOTTOM, _WIDTH - _RIGHT
    # A loss is far from 0, and what happens to it is small.
    y = Scale(*_range((point for found in series.values() for _, point in found), bins is not None), bottom, top)
    places = [place for found in series.values() for place, _ in found]
    if bins is None:
        scale = Scale(min(places), max(places), _LEFT, right)
        x: Callable[[float], float] = scale
        ticks = [(scale(tick), scale.label(tick)) for tick in scale.ticks()]
    else:
        step = (right - _LEFT) / len(bins)

        def x(place):
            return _LEFT + step * (place + 0.5)

        ticks = [(x(place), words) for place, words in enumerate(bins)]
    _legend(drawing, list(series))
    for tick in y.ticks():
        drawing.line(_LEFT, y(tick), right, y(tick))
        drawing.text(_LEFT - 8, y(tick) + 4, y.label(tick), "end")
    for place, words in ticks:
        drawing.text(place, bottom + 16, words, "middle")
    drawing.text((_LEFT + right) / 2, drawing.height - 8, across, "middle")
    drawing.text(14, (top + bottom) / 2, title, "middle", turn=-90)
    for number, (name, found) in enumerate(series.items()):
        # Systems side by side in a bin, or their bars would hide each other.
        beside = 0 if bins is None else 6 * (number - (len(series) - 1) / 2)
        line = [(x(place) + beside, y(point.value)) for place, point in found]
        if len(line) > 1:
            drawing.path(line, colour(number))
        for (place, height), (at, point) in zip(line, found):
            if point.interval:
                low, high = point.interval
                drawing.line(place, y(low), place, y(high), "bar mark", colour(number))
            if bins is not None or len(found) <= 60:
                label = bins[int(at)] if bins is not None else f"update {at:g}"
                drawing.dot(place, height, colour(number), f"{name}, {label}: {point.words()}", 3)
    return drawing


def heat_map(title: str, rows: Sequence[str], columns: Sequence[str], weights: Sequence[Sequence[float]]) -> Drawing:
    """Attention: ``weights`` [rows][columns], 0 to 1, each a cell; rows are what was written, columns what was read."""
    size = 22
    left = 20 + 9 * max(map(len, rows))
    top = 24 + 9 * max(map(len, columns))
    drawing = Drawing(left + size * len(columns) + 60, top + size * len(rows) + 12, title)
    strongest = max(max(row) for row in weights) or 1.0
    for place, word in enumerate(columns):
        drawing.text(left + size * (place + 0.6), top - 8, word, turn=-60)
    for line, (word, row) in enumerate(zip(rows, weights)):
        drawing.text(left - 8, top + size * (line + 0.7), word, "end")
        for place, weight in enumerate(row):
            tip = f"{word} reads {columns[place]}: {weight:.3f}"
            drawing.cell(left + size * place, top + size * line, size, size, colour(0), weight / strongest, tip)
    return drawing


def _range(points, zero: bool = True) -> Tuple[float, float]:
    """From the lowest to the highest end of an interval, with 0 among them where ``zero`` is set."""
    ends = [end for point in points for end in (point.interval or (point.value, point.value))]
    if zero:
        ends.append(0.0)
    return min(ends), max(ends) if any(ends) else 1.0


def _legend_rows(names) -> List[List[Tuple[str, float]]]:
    """Names with the x of each, in as many rows as they need."""
    rows: List[List[Tuple[str, float]]] = [[]]
    x = 12.0
    for name in names:
        width = 28 + _LETTER * len(name)
        if rows[-1] and x + width > _WIDTH:
            rows.append([])
            x = 12.0
        rows[-1].append((name, x))
        x += width
    return rows


def _legend_height(names) -> int:
    return _ROW * (len(_legend_rows(names)) - 1)


def _legend(drawing: Drawing, names: Sequence[str]) -> None:
    place = 0
    for line, row in enumerate(_legend_rows(names)):
        for name, x in row:
            drawing.line(x, 14 + _ROW * line, x + 14, 14 + _ROW * line, "key", colour(place))
            drawing.text(x + 18, 18 + _ROW * line, name)
            place += 1
