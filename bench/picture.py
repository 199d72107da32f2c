"""A picture of times on a logarithmic axis, one row for each method: SVG, written by hand.

Each time is a dot, the median a bar with its figure. It is read on white and on black.
"""

import math
import statistics
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

WIDTH, LEFT, RIGHT, TOP, ROW, BOTTOM = 800, 250, 770, 64, 42, 60
LANES = (0, -4, 4, -2, 2, -6, 6)
"""Where dots lie beside their row's line, in turn, so that equal times can be told apart."""
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-size: 16px; font-weight: 600 }
.small { font-size: 11px; fill: #57606a }
.grid { stroke: #8c959f; stroke-opacity: .35 }
.dots { stroke-width: 5; stroke-linecap: round; stroke-opacity: .5 }
.median { stroke: #24292f; stroke-width: 2.5 }
.a { stroke: #57606a }
.b { stroke: #0969da }
.c { stroke: #bc4c00 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.small { fill: #9198a1 }
.dots { stroke-opacity: .8 }
.median { stroke: #e6edf3 }
.a { stroke: #9198a1 }
.b { stroke: #4493f8 }
.c { stroke: #f0883e }
}
"""


class Row(NamedTuple):
    """One method."""

    name: str
    times: Sequence[float]
    """Milliseconds, above 0."""
    colour: str = "b"
    """a, b or c."""


class Axis(NamedTuple):
    """Whole decades of milliseconds, as powers of ten."""

    first: int
    last: int

    def x(self, time: float) -> float:
        """Where a time lies."""
        share = (math.log10(time) - self.first) / (self.last - self.first)
        return round(LEFT + share * (RIGHT - LEFT), 1)


def draw(rows: Sequence[Row], heading: str, note: str) -> str:
    """The picture's file."""
    height = TOP + ROW * len(rows) + BOTTOM
    every = [math.log10(time) for row in rows for time in row.times]
    first = math.floor(min(every))
    axis = Axis(first, max(first + 1, math.ceil(max(every))))
    said = "; ".join(f"{row.name}: {shown(statistics.median(row.times))}" for row in rows)
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escape(heading)}</title>",
        f"<desc>Medians: {escape(said)}</desc>",
        f"<style>{STYLE}</style>",
        f'<text class="title" x="12" y="28">{escape(heading)}</text>',
        *decades(axis, height),
        f'<text class="small" x="12" y="{height - 12}">{escape(note)}</text>',
    ]
    for number, row in enumerate(rows):
        lines += drawn(row, axis, TOP + ROW * number + ROW // 2 + 6)
    return "\n".join([*lines, "</svg>\n"])


def decades(axis: Axis, height: int) -> Iterator[str]:
    """The axis: a line and its time for each decade."""
    end = height - BOTTOM + 6
    for power in range(axis.first, axis.last + 1):
        x, time = axis.x(10.0**power), shown(10.0**power)
        yield f'<path class="grid" d="M{x} {TOP - 8}V{end}"/>'
        yield f'<text class="small" x="{x}" y="{end + 16}" text-anchor="middle">{time}</text>'


def drawn(row: Row, axis: Axis, y: int) -> Iterator[str]:
    """One row: its name, its dots, its median."""
    dots = "".join(
        f"M{axis.x(time):g} {y + LANES[place % len(LANES)]}h0"
        for place, time in enumerate(row.times)
    )
    median = statistics.median(row.times)
    x = axis.x(median)
    yield f'<text x="12" y="{y + 4}">{escape(row.name)}</text>'
    yield f'<path class="grid" d="M{LEFT} {y}H{RIGHT}"/>'
    yield f'<path class="dots {row.colour}" d="{dots}"/>'
    yield f'<path class="median" d="M{x} {y - 9}v18"/>'
    yield f'<text x="{x}" y="{y - 13}" text-anchor="middle">{shown(median)}</text>'


def shown(time: float) -> str:
    """Milliseconds with two digits and their unit."""
    if time >= 1000:
        return f"{time / 1000:.2g} s"
    return f"{time:.0f} ms" if time >= 100 else f"{time:.2g} ms"
