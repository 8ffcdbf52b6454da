"""Curves of the cost of a piece as an SVG file."""

import math
from typing import Dict, List, Sequence, Tuple

PANEL, GAP, HEIGHT, TOP, BOTTOM, LEFT = 260, 70, 240, 40, 50, 70  # pixels
COLOURS = {"train": "#1b6ca8", "generate": "#c1440e"}
LABELS = {"train": "training step", "generate": "beam 5"}
AXES = {"length": "length in pieces", "batch": "sentences a batch", "vocabulary": "vocabulary in pieces"}

Point = Tuple[float, float]


def svg(curves: Dict[str, Dict[str, List[Point]]]) -> str:
    """A panel for length, batch and vocabulary each; both axes logarithmic, time in milliseconds a target piece.

    Args:
        curves: what ``growth`` returns.
    """
    width = LEFT + len(AXES) * (PANEL + GAP)
    height = TOP + HEIGHT + BOTTOM
    shapes = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        _text(14, TOP + HEIGHT / 2, "ms a piece", turn=True),
    ]
    for place, what in enumerate(curves):
        left = LEFT + 130 * place
        shapes.append(_line([(left, 16), (left + 24, 16)], COLOURS[what]))
        shapes.append(_text(left + 30, 20, LABELS[what], "start"))
    values = [y * 1e3 for kinds in curves.values() for points in kinds.values() for _, y in points]
    low, high = min(values) / 1.2, max(values) * 1.2
    for place, kind in enumerate(AXES):
        shapes += _panel(LEFT + place * (PANEL + GAP), kind, {what: curves[what][kind] for what in curves}, low, high)
    return "\n".join(shapes + ["</svg>"]) + "\n"


def _panel(left: float, kind: str, curves: Dict[str, List[Point]], low: float, high: float) -> List[str]:
    places = sorted({x for points in curves.values() for x, _ in points})
    across, up = _scale(places[0], places[-1], left, left + PANEL), _scale(low, high, TOP + HEIGHT, TOP)
    shapes = [
        f'<rect x="{left}" y="{TOP}" width="{PANEL}" height="{HEIGHT}" fill="none" stroke="#999"/>',
        _text(left + PANEL / 2, TOP + HEIGHT + 38, AXES[kind]),
    ]
    for x in places:
        shapes.append(_text(across(x), TOP + HEIGHT + 18, f"{x / 1000:g}k" if x >= 1000 else f"{x:g}"))
    for y in ticks(low, high):
        shapes.append(_line([(left, up(y)), (left + PANEL, up(y))], "#ddd", 1))
        shapes.append(_text(left - 6, up(y) + 4, f"{y:g}", "end"))
    for what, points in curves.items():
        path = [(across(x), up(y * 1e3)) for x, y in points]
        shapes.append(_line(path, COLOURS[what]))
        shapes += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{COLOURS[what]}"/>' for x, y in path]
    return shapes


def _scale(low: float, high: float, start: float, end: float):
    """A function from [low, high], logarithmic, to [start, end]."""
    span = math.log(high / low) or 1.0
    return lambda value: start + (end - start) * math.log(value / low) / span


def ticks(low: float, high: float) -> List[float]:
    """1, 2 and 5 times the powers of ten within [low, high]."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    candidates = [part * 10.0**power for power in range(first, last + 1) for part in (1, 2, 5)]
    return [value for value in candidates if low <= value <= high]


def _line(points: Sequence[Point], colour: str, width: int = 2) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def _text(x: float, y: float, words: str, anchor: str = "middle", turn: bool = False) -> str:
    turned = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turn else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{turned}>{words}</text>'
