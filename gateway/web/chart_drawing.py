"""A control chart as numbers for an SVG drawing: dots, the moving average, limits as steps. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wire.messages import ChartPoint

WIDTH, HEIGHT = 600.0, 220.0
FEWEST_SLOTS = 20
"""A chart with fewer points keeps room for these: two points are no trend across the page."""
_MARGIN = 0.06
_SIDE = 10.0
"""Room for a dot at either side."""


@dataclass(frozen=True, slots=True)
class Dot:
    """One subgroup's mean."""

    x: str
    y: str
    warned: bool


@dataclass(frozen=True, slots=True)
class ChartDrawing:
    """What to draw in a box of `WIDTH` × `HEIGHT`; everything is `x,y x,y …` as SVG takes it.

    Args:
        dots: means of the subgroups.
        average: the moving average.
        bands: areas between the average's limits, one for each stretch with limits.
        jumps: limits of a subgroup's mean.
        centres: what good ones have.
        low: value at the lower edge.
        high: value at the upper edge.
    """

    dots: tuple[Dot, ...]
    average: tuple[str, ...]
    bands: tuple[str, ...]
    jumps: tuple[str, ...]
    centres: tuple[str, ...]
    low: float
    high: float


def draw(points: Sequence[ChartPoint]) -> ChartDrawing:
    """The chart of these points, oldest first; at least one.

    >>> flat = ChartPoint(value=5, items=8, expected=5, average=5, drift_low=4, drift_high=6, jump_low=3, jump_high=7)
    >>> drawn = draw([flat, flat])
    >>> drawn.dots[1].y, drawn.average, drawn.low < 3 < 7 < drawn.high
    ('110.0', ('24.5,110.0 53.5,110.0',), True)
    """
    known = [point for point in points if point.learned >= 1]
    values = [value for point in points for value in (point.value, point.average)]
    values += [value for point in known for value in (point.jump_low, point.jump_high)]
    # Values that differ by less than a float can tell would have no height.
    span = max(max(values) - min(values), 1e-6 * max(map(abs, values)), 1e-9)
    low, high = min(values) - _MARGIN * span, max(values) + _MARGIN * span
    slot = (WIDTH - 2 * _SIDE) / max(len(points), FEWEST_SLOTS)

    def x(place: float) -> str:
        return f"{_SIDE + slot * place:.1f}"

    def y(value: float) -> str:
        return f"{HEIGHT * (high - value) / (high - low):.1f}"

    def steps(stretch: Sequence[int], name: str) -> list[str]:
        return [f"{x(place + side)},{y(getattr(points[place], name))}" for place in stretch for side in (0, 1)]

    stretches = _stretches(points)
    return ChartDrawing(
        dots=tuple(Dot(x(place + 0.5), y(point.value), warned=bool(point.rule)) for place, point in enumerate(points)),
        average=tuple(
            " ".join(f"{x(place + 0.5)},{y(points[place].average)}" for place in stretch) for stretch in stretches
        ),
        bands=tuple(
            " ".join([*steps(stretch, "drift_high"), *reversed(steps(stretch, "drift_low"))]) for stretch in stretches
        ),
        jumps=tuple(" ".join(steps(stretch, name)) for stretch in stretches for name in ("jump_low", "jump_high")),
        centres=tuple(" ".join(steps(stretch, "expected")) for stretch in stretches),
        low=low,
        high=high,
    )


def _stretches(points: Sequence[ChartPoint]) -> list[list[int]]:
    """Places of points whose limits stand, by stretches between which they were learned anew."""
    found: list[list[int]] = []
    for place, point in enumerate(points):
        if point.learned < 1:
            continue
        if found and found[-1][-1] == place - 1:
            found[-1].append(place)
        else:
            found.append([place])
    return found
