"""How unlike all taught items an item is, in size, shape, colour and to the net's eye. Pure.

The distance is that to the nearest taught ones and not to their mean, so that a profile may hold several forms of one product.
Its limit comes from the taught ones themselves: how far each is from the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.quality.example import COLOUR, SHAPE, SIZE, Example
from models.quality.measure import NAMES

Floats = NDArray[np.float64]

NEAREST = 2
"""The distance is the mean of those to so many taught items: one odd one among them does not vouch for others like it."""
_CLIP = 6.0
"""One measurement counts for at most so many spreads."""
_SPREADS = 1.5
_MARGIN = 1.4
"""Limit = margin · (root mean square + 1.5 standard deviations) of the taught ones' own distances. Of few items, the largest
distance among themselves is passed by every n-th good item to come; the margin is for those."""
_LEAST = 0.5
"""No limit is below half a spread of measuring, however alike the taught ones are."""
_SIZE_SPREAD = np.array((0.15,))
_SHAPE_SPREAD = np.array(
    (0.01, 0.02, 0.02, 0.03, 0.04, 0.015, 0.02, 0.015, 0.04, *(0.05, 0.3, 0.5, 0.5), *(0.01,) * 12)
)
_COLOUR_SPREAD = np.array((3.0, 2.0, 3.0, 2.0, 0.03, 0.03))
"""Spread that measuring itself has: lens and height (ln area), pixels of an outline, light (L*, a*, b*, spread, shares)."""
_MOMENTS = slice(NAMES.index("moment_1"), NAMES.index("moment_4") + 1)
_NO_MOMENT = 7.0
"""Of a regular outline the higher moments are nothing but pixels: below 1e-7 they are taken as equal, whatever their sign."""
_EMBEDDING_SPREAD = 0.5
"""The same for an embedding whose numbers have a root mean square of 1."""
_OTHER_LIGHT = 5.0
"""Where the light differs from any that was taught so much that a taught crust would look this different (CIE 1976), colours say
nothing: that is as much as measuring them scatters. On a dark belt such a change moves the crust far more than the background."""
_CUBE = (116.0, 500.0, 200.0)
"""Of CIELAB (CIE 15): L* = 116·fy − 16, a* = 500·(fx − fy), b* = 200·(fy − fz)."""
_NO_TINT = (0.0, 0.0)
_DARKEST = 0.15
"""A background's fy of less, L* 1.4, is black and tells no light."""


@dataclass(frozen=True, slots=True)
class Departure:
    """How far an item is from the taught ones, in shares of the limit: above 1 is farther than taught ones are.

    Args:
        size: by area.
        shape: by outline.
        colour: by crust; 0 in another light.
        look: by embedding; 0 in another light.
        other_light: whether the light is another than when it was taught.
    """

    size: float
    shape: float
    colour: float
    look: float
    other_light: bool

    @property
    def overall(self) -> float:
        """All of them; the outline weighs most, as it is measured best. At least `shape`."""
        return float(np.sqrt((4 * self.shape**2 + self.size**2 + self.colour**2 + self.look**2) / 4))


@dataclass(frozen=True, slots=True)
class Scales:
    """By what the taught items differ from each other.

    Args:
        spreads: of each view's numbers.
    """

    spreads: tuple[Floats, ...]

    @classmethod
    def of(cls, examples: Sequence[Example]) -> Scales:
        """Half the variance of what was taught, and that of measuring."""
        floors: tuple[Floats, ...] = (_SIZE_SPREAD, _SHAPE_SPREAD, _COLOUR_SPREAD, np.array((_EMBEDDING_SPREAD,)))
        return cls(
            tuple(
                np.sqrt(view.var(axis=0) / 2 + np.square(floor))
                for view, floor in zip(views(examples), floors, strict=True)
            )
        )

    def scaled(self, examples: Sequence[Example]) -> tuple[Floats, ...]:
        """Views in spreads: four arrays (n, numbers of the view)."""
        return tuple(view / spread for view, spread in zip(views(examples), self.spreads, strict=True))


def views(examples: Sequence[Example]) -> tuple[Floats, ...]:
    """Size, shape, colour and embedding of items, each (n, …)."""
    measured = np.array([each.measured for each in examples], np.float64)
    measured[:, _MOMENTS] = np.minimum(np.abs(measured[:, _MOMENTS]), _NO_MOMENT)
    seen = np.array([each.embedding for each in examples], np.float64)
    seen /= np.sqrt(np.square(seen).mean(axis=1, keepdims=True)) + 1e-9
    return measured[:, SIZE], measured[:, SHAPE], measured[:, COLOUR], seen


class Novelty:
    """Distances to what was taught.

    Args:
        taught: at least 3 items.

    Raises:
        ValueError: fewer.
    """

    def __init__(self, taught: Sequence[Example]) -> None:
        if len(taught) < NEAREST + 1:
            raise ValueError(f"at least {NEAREST + 1} items must be taught, not {len(taught)}")
        self._scales = Scales.of(taught)
        self._taught = self._scales.scaled(taught)
        self._lights = [each for each in taught if each.light is not None]
        self._crust = np.mean([each.crust for each in taught], axis=0)
        self._limits = [self._limit(k, taught) for k in range(len(self._taught))]

    def of(self, example: Example) -> Departure:
        """How far an item is from what was taught."""
        views = self._scales.scaled([example])
        size, shape, colour, look = (
            float(_nearest(_apart(view, taught))[0]) / limit
            for view, taught, limit in zip(views, self._taught, self._limits, strict=True)
        )
        other_light = self.in_other_light(example)
        return Departure(size, shape, 0.0 if other_light else colour, 0.0 if other_light else look, other_light)

    def in_other_light(self, example: Example) -> bool:
        """Whether the background speaks for a lamp or an exposure in which nothing was taught."""
        if example.light is None or not self._lights:
            return False
        return min(_moved(self._crust, each, example) for each in self._lights) > _OTHER_LIGHT

    def _limit(self, view: int, taught: Sequence[Example]) -> float:
        """From each taught item's distance to the others, in spreads that it had no part in."""
        alone = []
        for left_out in range(len(taught)):
            others = [each for k, each in enumerate(taught) if k != left_out]
            scales = Scales.of(others)
            one, rest = scales.scaled([taught[left_out]])[view], scales.scaled(others)[view]
            alone.append(float(_nearest(_apart(one, rest))[0]))
        distances = np.array(alone)
        return _MARGIN * max(_LEAST, float(np.sqrt(np.square(distances).mean()) + _SPREADS * distances.std()))


def _moved(crust: Floats, taught: Example, now: Example) -> float:
    """How far a crust's colour moves when the light does, as a background shows it in both; each channel by a factor.

    That is what von Kries' rule says of adaptation (1902), in XYZ. A background whose tint is not known counts as untinted in both.
    """
    tinted = taught.tint is not None and now.tint is not None
    before, after = (
        _cubes(each.light or 0.0, *(each.tint or _NO_TINT if tinted else _NO_TINT)) for each in (taught, now)
    )
    there = _cubes(*crust)
    x, y, z = there * (np.maximum(after, _DARKEST) / np.maximum(before, _DARKEST) - 1)
    lightness, a, b = _CUBE
    return float(np.sqrt((lightness * y) ** 2 + (a * (x - y)) ** 2 + (b * (y - z)) ** 2))


def _cubes(lightness: float, a: float, b: float) -> Floats:
    """Cube roots of X, Y and Z in shares of white."""
    y = (lightness + 16) / _CUBE[0]
    return np.array((y + a / _CUBE[1], y, y - b / _CUBE[2]))


def _apart(one: Floats, other: Floats) -> Floats:
    """Root mean square difference of each of one's rows from each of the other's, single numbers clipped."""
    differences = np.clip(one[:, None] - other[None], -_CLIP, _CLIP)
    return np.asarray(np.sqrt(np.square(differences).mean(axis=2)), np.float64)


def _nearest(apart: Floats) -> Floats:
    return np.asarray(np.sort(apart, axis=1)[:, :NEAREST].mean(axis=1), np.float64)
