"""One fit, ready to measure with: everything that stays the same between two fits, and room that is used again and again.

A node measures each of its machines every second, on vectors so short that calling an array operation costs more than
doing it. So there are few of them, they write into room that is there already, and what depends on the fit alone is
computed once.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import mul
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.condition.learning import ARRAYS, FARTHEST, SIGMAS_RANGE, VIEWS, Fit, Limits
from models.condition.smoothing import LIFE, WEIGHTS, Smoother, bounded

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]

INSIDE, LASTING = 0, 2
"""Positions of views: the instant residual, and the one smoothed over twelve samples."""
UNREST_FADES = 0.99
"""What is left of a smoothed residual's nearness to its limit with each sample that is followed: it is remembered as long as the
slowest memory. Were it forgotten within a cycle of the machine, one end of the cycle would be followed more than the other."""
REACH = 6.0
"""How far the centre may follow from where it was fitted, in (widened) deviations: the rest is a change."""
YIELD = 0.8
"""Share of the limit from which a smoothed residual is followed no more: nearer to it, less and less (Tukey's biweight)."""
LONG = 100_000
"""Samples over which the spread of a life is taken: at one a second a day and more."""
MOST_PRESENCES = 16
"""Sets of present features that are kept ready; channels of different rates make a handful."""


class Presence(NamedTuple):
    """Which features are there and can be judged, and what a distance over them is made of."""

    known: Bools
    """Features that are there,"""
    complete: bool
    """whether that is all of them,"""
    mask: Bools
    """those of them that this normal can judge,"""
    all: bool
    none: bool
    """and whether these are all or none."""
    inverse: Floats
    """Precision matrix over what is present."""
    squares: list[float]
    """(views,) what makes the square of a multiple of its limit of a square of residuals,"""
    largest: list[float]
    """and a multiple of its limit of the largest residual."""


class Recent(NamedTuple):
    """What the last samples left behind."""

    smooth: Floats
    """(memories, features) smoothed residuals, in units of the scale,"""
    before: Floats
    """the same without the last sample,"""
    unrest: Floats
    """(features,) how far they were from normal lately,"""
    squares: Floats
    """and (views, features) mean squares of healthy residuals, in units of the scale,"""
    healthy: float
    """of so many samples."""


class Yardstick:
    """Measures samples of one normal.

    Args:
        fit: what was learned; its arrays are copied where they move.
        limits: of each view.
        memory: what it was told before, to go on from.

    Attributes:
        fit: as it is now: the centres move.
        smooth: (memories, features) the smoothed residuals, in units of the scale.
        unit: (views, features) the last sample's residuals in deviations, quickest first; 0 where absent.
        reach: (features,) how far the centre may follow from where it was fitted.
    """

    def __init__(self, fit: Fit, limits: Limits, memory: Recent | None = None) -> None:
        size = len(fit.centre)
        # What each view is taken from: the centre that follows, and at last the life's.
        self._centres = np.vstack([fit.centre] * (VIEWS - 1) + [fit.life])
        self.fit = fit._replace(centre=self._centres[INSIDE], life=self._centres[-1])
        self.limits = limits
        self.reach = REACH * fit.scale * fit.deviation[INSIDE]
        self._raw = np.zeros((VIEWS, size))
        self._instant = self._raw[INSIDE]
        self.smooth = self._raw[INSIDE + 1 :]
        if memory is not None:
            self.smooth[:] = memory.smooth
        self._smoother = Smoother(self.smooth)
        self.unit = np.zeros((VIEWS, size))
        self._apart = np.empty((VIEWS, size))
        self._parts = self._apart[INSIDE], self._apart[INSIDE + 1 :]
        self._size = np.empty((VIEWS, size))
        self._product = np.empty((VIEWS, size))
        self._step = np.empty(size)
        self._usable: Bools = fit.weight[INSIDE] > 0
        # Operands of one shape: to spread an array over a larger one takes as long again as the operation.
        share = np.vstack([np.ones((1, size)), np.repeat(WEIGHTS, size, axis=1)])
        self._scales = fit.scale / share
        self._bounds = _range(share * np.vstack([np.full(size, FARTHEST)] + [fit.bound] * (VIEWS - 1)))
        self._stride = _range(3.0 * fit.scale)
        self._reach = fit.anchor - self.reach, fit.anchor + self.reach
        self._following = self.smooth[:LIFE], YIELD * SIGMAS_RANGE[1] * fit.deviation[INSIDE + 1 : -1]
        self._quick = np.empty((LIFE, size))
        self._before = self.smooth.copy() if memory is None else memory.before.copy()
        self._unrest = np.zeros(size) if memory is None else memory.unrest.copy()
        self._squares = np.zeros((VIEWS, size)) if memory is None else memory.squares.copy()
        self._count = 0.0 if memory is None else float(memory.healthy)
        self._presences: dict[bytes, Presence] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        # Parts of it are views of others, which a plain copy would part.
        return Yardstick, (
            self.fit,
            self.limits,
            Recent(self.smooth, self._before, self._unrest, self._squares, self._count),
        )

    def presence(self, vector: Floats) -> Presence:
        """What of a vector can be judged."""
        known = np.isfinite(vector)
        key = known.tobytes()
        presence = self._presences.get(key)
        if presence is None:
            if len(self._presences) >= MOST_PRESENCES:
                self._presences.clear()
            presence = self._presences[key] = self._over(known)
        return presence

    def take(self, x: Floats, presence: Presence, *, settled: bool) -> None:
        """Takes the next (transformed) sample into `unit`; while the machine has not settled nothing is smoothed.

        What is absent fades from the smoothed residuals: nothing is known of it any more.
        """
        apart = np.subtract(x, self._centres, out=self._apart)
        apart /= self._scales
        if not presence.all:
            apart[:, ~presence.mask] = 0.0
        _draw_in(apart, self._bounds, apart)
        self._instant[:], weighted = self._parts
        self._before[:] = self.smooth
        if settled:
            self._smoother.add(weighted)
        np.divide(self._raw, self.fit.deviation, out=self.unit)
        if not presence.all:
            self.unit *= presence.mask

    def take_back(self) -> None:
        """The last sample was not of this regime: nothing of it stays in the smoothed residuals."""
        self.smooth[:] = self._before

    def unrest(self) -> Floats:
        """(features,) how far smoothed residuals against the centre that follows were from normal lately; from 1 on it follows no more."""
        quick = np.divide(*self._following, out=self._quick)
        self._unrest *= UNREST_FADES
        unrest: Floats = np.maximum.reduce(np.abs(quick, out=quick), axis=0)
        return np.maximum(unrest, self._unrest, out=self._unrest)

    def remember(self) -> None:
        """The last sample was healthy: its residuals belong to the spread of this life."""
        self._count = min(self._count + 1.0, LONG)
        square = np.multiply(self._raw, self._raw, out=self._product)
        square -= self._squares
        square *= 1.0 / self._count
        self._squares += square

    @property
    def spread(self) -> Floats:
        """(views, features) root mean squares of the healthy residuals so far, in the features' own units."""
        spread: Floats = np.sqrt(self._squares) * self.fit.scale
        return spread

    def inherit(self, older: Yardstick, size: int) -> None:
        """Takes over how far the first features went in the older one's life."""
        ratio = older.fit.scale[:size] / self.fit.scale[:size]
        self._squares[:, :size] = older._squares[:, :size] * ratio**2
        self._count = older._count

    def calm(self) -> None:
        """What was near its limit is over."""
        self._unrest[:] = 0.0

    def level(self) -> Floats:
        """(features,) where the machine has been over the last samples, against its life, in units of the scale."""
        fit = self.fit
        level: Floats = self.smooth[LASTING - 1] + (fit.centre - fit.life) / fit.scale
        return level

    def follow(self, x: Floats, presence: Presence, rate: Floats) -> None:
        """Moves the centre by `rate` of the way towards a (transformed) sample, within its reach; not where that is absent."""
        fit = self.fit
        step = np.subtract(x, fit.centre, out=self._step)
        if not presence.complete:
            step[~presence.known] = 0.0
        _draw_in(step, self._stride, step)
        step *= rate
        step += fit.centre
        self._centres[:-1] = _draw_in(step, self._reach, step)

    def follow_life(self, x: Floats, rate: Floats) -> None:
        """Moves the life's centre likewise; it has no bounds."""
        known = np.isfinite(x)
        self.fit.life[:] += rate * np.where(known, bounded(x - self.fit.life, self._stride[1]), 0.0)

    def begin(self, centre: Floats) -> None:
        """Sets the centre of the first features."""
        self._centres[:-1, : len(centre)] = centre

    def multiples(self, unit: Floats, presence: Presence) -> tuple[list[float], list[float]]:
        """(views,) each: squares of distances, and largest sizes, of (views, features) of widened residuals, as multiples of their limits.

        See `models.condition.learning.views`.
        """
        unit.dot(presence.inverse, self._product)
        squares = np.vecdot(self._product, unit).tolist()
        largest = np.maximum.reduce(np.abs(unit, out=self._size), axis=1, initial=0.0).tolist()
        return list(map(mul, squares, presence.squares)), list(map(mul, largest, presence.largest))

    def beyond(self, least: float) -> list[int]:
        """Positions of the features that are at least so far out in any view of the last sample."""
        _, columns = (np.abs(self.unit, out=self._size) >= least).nonzero()
        return sorted(set(columns.tolist()))

    def state(self) -> dict[str, Any]:
        """For the snapshot."""
        fit = self.fit
        return {
            "limits": [each.tolist() for each in self.limits],
            "smooth": self.smooth.tolist(),
            "before": self._before.tolist(),
            "unrest": self._unrest.tolist(),
            "squares": self._squares.tolist(),
            "healthy": self._count,
            "fit": {
                **{key: getattr(fit, key).tolist() for key in ARRAYS},
                "inverse": fit.inverse[np.tril_indices(len(fit.centre))].tolist(),
            },
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Yardstick:
        """From a snapshot."""
        fit = state["fit"]
        size = len(fit["centre"])
        inverse = np.zeros((size, size))
        inverse[np.tril_indices(size)] = fit["inverse"]
        inverse = inverse + np.tril(inverse, -1).T
        arrays = {key: np.array(fit[key], dtype=np.float64) for key in ARRAYS}
        limits = Limits(*(np.array(each, dtype=np.float64) for each in state["limits"]))
        smooth, before, unrest, squares = (np.array(state[key], dtype=np.float64) for key in Recent._fields[:-1])
        recent = Recent(smooth, before, unrest, squares, float(state["healthy"]))
        return cls(Fit(**arrays, inverse=inverse), limits, recent)

    def _over(self, known: Bools) -> Presence:
        mask = known & self._usable
        weight = self.fit.weight * mask
        share = np.maximum(weight.sum(axis=1), 1e-12) / np.maximum(self.fit.weight.sum(axis=1), 1e-12)
        # A mean of fewer squares scatters more: what is absent takes its share of the certainty with it.
        most = self.limits.distance
        square = np.maximum(np.square(most) - 1.0, 0.0) / np.sqrt(share)
        return Presence(
            known,
            bool(known.all()),
            mask,
            bool(mask.all()),
            not mask.any(),
            np.ascontiguousarray(_restricted(self.fit.inverse, mask)),
            (1.0 / (np.maximum(weight.sum(axis=1), 1.0) * np.maximum(1.0 + square, most**2))).tolist(),
            (1.0 / self.limits.largest).tolist(),
        )


def _range(most: Floats) -> tuple[Floats, Floats]:
    return -most, most


def _draw_in(x: Floats, between: tuple[Floats, Floats], out: Floats) -> Floats:
    """`bounded` into room that is there already."""
    drawn: Floats = np.minimum(np.maximum(x, between[0], out=out), between[1], out=out)
    return drawn


def _restricted(inverse: Floats, present: Bools) -> Floats:
    """The precision matrix over what is present: missing features marginalised out."""
    if present.all():
        return inverse
    result = np.zeros_like(inverse)
    if present.any():
        keep = np.ix_(present, present)
        result[keep] = np.linalg.inv(np.linalg.inv(inverse)[keep])
    return result
