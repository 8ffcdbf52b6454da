"""Drawing: the few shapes that the plots are made of, and axes.

Coordinates are pixels, the origin at the top left. Everything that stands for a number carries the class ``mark``, so
that a figure knows how many it should show.
"""

import math
from html import escape
from typing import List, Optional, Sequence

# Told apart by colour-blind people too (Okabe and Ito 2008).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8a8a00")


def colour(place: int) -> str:
    """The colour of the series in that place."""
    return COLOURS[place % len(COLOURS)]


def number(value: float) -> str:
    """A coordinate, short."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


class Drawing:
    """A picture of ``width`` x ``height`` pixels; ``title`` is read out to those who cannot see it."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self.width, self.height, self.title = width, height, title
        self.marks = 0
        self._parts: List[str] = []

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str = "grid", stroke: str = "") -> None:
        """A straight line; ``kind`` is its class in the style sheet."""
        where = f'x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}"'
        self._parts.append(f"<line {where}{self._look(kind, stroke=stroke)}/>")

    def path(self, points: Sequence[Sequence[float]], stroke: str) -> None:
        """A line through points [x, y]: one mark."""
        places = " L".join(f"{number(x)} {number(y)}" for x, y in points)
        self._parts.append(f'<path d="M{places}"{self._look("curve mark", stroke=stroke)}/>')

    def dot(self, x: float, y: float, fill: str, tip: str, radius: float = 4) -> None:
        """A dot with words that show when the pointer rests on it: one mark."""
        where = f'cx="{number(x)}" cy="{number(y)}" r="{number(radius)}"'
        look = self._look("dot mark", fill=fill)
        self._parts.append(f"<circle {where}{look}><title>{escape(tip)}</title></circle>")

    def cell(self, x: float, y: float, width: float, height: float, fill: str, strength: float, tip: str) -> None:
        """A rectangle filled as strongly as ``strength``, 0 to 1, says: one mark."""
        where = 'x="{}" y="{}" width="{}" height="{}"'.format(*map(number, (x, y, width, height)))
        look = self._look("cell mark", fill=fill) + f' fill-opacity="{strength:.3f}"'
        self._parts.append(f"<rect {where}{look}><title>{escape(tip)}</title></rect>")

    def text(self, x: float, y: float, words: str, kind: str = "", turn: Optional[float] = None) -> None:
        """Words at a place; ``kind`` (``end``, ``middle``) says which part of them stands there, ``turn`` degrees."""
        turned = "" if turn is None else f' transform="rotate({number(turn)} {number(x)} {number(y)})"'
        where = f'x="{number(x)}" y="{number(y)}"'
        self._parts.append(f"<text {where}{self._look(kind)}{turned}>{escape(words)}</text>")

    def _look(self, kind: str, **colours: str) -> str:
        if "mark" in kind.split():
            self.marks += 1
        result = f' class="{kind}"' if kind else ""
        return result + "".join(f' {name}="{value}"' for name, value in colours.items() if value)

    def svg(self) -> str:
        """The picture as an SVG element."""
        return '<svg viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img" aria-label="{2}">{3}</svg>'.format(
            number(self.width), number(self.height), escape(self.title, quote=True), "".join(self._parts)
        )


class Scale:
    """Maps ``low`` to ``high`` onto pixels ``start`` to ``end``, with round numbers to write beside it."""

    def __init__(self, low: float, high: float, start: float, end: float, most: int = 6) -> None:
        if not high > low:  # one value only: give it room
            low, high = low - 0.5, high + 0.5
        step = 10 ** math.floor(math.log10((high - low) / most))
        step *= next(times for times in (1, 2, 5, 10) if (high - low) / (step * times) <= most)
        self.low, self.high = math.floor(low / step) * step, math.ceil(high / step) * step
        self._start, self._end, self._step = start, end, step

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self._start + share * (self._end - self._start)

    def ticks(self) -> List[float]:
        """The round numbers, from ``low`` to ``high``."""
        return [self.low + self._step * place for place in range(round((self.high - self.low) / self._step) + 1)]

    def label(self, tick: float) -> str:
        """A tick in as many digits as tell it from its neighbours."""
        digits = max(0, -math.floor(math.log10(self._step) + 1e-9))
        return "{:,.{}f}".format(tick + 0.0, digits)
