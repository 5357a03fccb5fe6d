"""Residuals smoothed over several lengths of memory at once: a spike, a step, a small shift that stays, a slow trend.

Exponentially weighted moving averages see what a single sample cannot (MEWMA: Lowry et al., A multivariate exponentially weighted
moving average control chart, Technometrics 1992). A slow one sees less and remembers longer; so that it does not go on about
what is over, it is held near the next faster one, as an adaptive one would be (Capizzi and Masarotto, An adaptive exponentially
weighted moving average control chart, Technometrics 2003).
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.condition.reach import white_smoothed

Floats: TypeAlias = NDArray[np.float64]

FADING = (0.4, 0.15, 0.04, 0.01)
"""Weights of a new residual: memories of about 4, 12, 49 and 199 samples. The last is of the level itself, against the machine's
life; the others are against a centre that follows slow drift."""
WEIGHTS = np.array(FADING)[:, None]
NEAR = tuple(3.0 * white_smoothed(fading) for fading in FADING)
"""How far from a faster memory the next slower one may be: three deviations of the faster one's noise."""
LIFE = len(FADING) - 1


def memory_of(fading: float) -> int:
    """Samples after which a smoothed value is a new one.

    >>> [memory_of(fading) for fading in (1.0, *FADING)]
    [1, 4, 12, 49, 199]
    """
    return round(2.0 / fading - 1.0)


def nothing(features: int) -> Floats:
    """(memories, features) before anything was seen."""
    return np.zeros((len(FADING), features))


class Smoother:
    """The smoothed residuals of one normal, moved on where they are: a few operations on short arrays, none of which makes one.

    Args:
        smooth: (memories, features) contiguous; the last smoothed residuals, and after `add` the next.
    """

    def __init__(self, smooth: Floats) -> None:
        features = smooth.shape[1]
        self._smooth = smooth
        # Operands of one shape: to spread a number over an array takes as long again as the operation.
        self._kept = np.repeat(1.0 - WEIGHTS, features, axis=1)
        apart = np.empty(features)
        # A memory, the next quicker one, room for their difference, and how small and how large that may be.
        self._pairs = [
            (smooth[k], smooth[k - 1], apart, np.full(features, -NEAR[k - 1]), np.full(features, NEAR[k - 1]))
            for k in range(1, LIFE)
        ]

    def add(self, weighted: Floats) -> None:
        """Takes (memories, features) of residuals in deviations, each times its memory's weight.

        The last is against the life's centre, the others are against the one that follows.
        """
        self._smooth *= self._kept
        self._smooth += weighted
        for slower, quicker, apart, least, most in self._pairs:
            np.subtract(slower, quicker, out=apart)
            np.minimum(np.maximum(apart, least, out=apart), most, out=apart)
            np.add(quicker, apart, out=slower)


def smoothed(residual: Floats, level: Floats, known: NDArray[np.bool_]) -> Floats:
    """What a `Smoother` that began with nothing has after each row; (memories, rows, features).

    Each row draws the last value, times a gain, plus an offset, in to between two bounds. Two such steps in turn are one of the same
    kind, as gains are positive. So each of many stretches of rows becomes one step, all of them at once, and only from stretch
    to stretch one waits for the other (Blelloch, Prefix sums and their applications, 1990).

    Args:
        residual: (rows, features) against the following centre, in deviations.
        level: likewise against the life's.
        known: which of these there are; what is not there changes nothing.
    """
    rows, features = residual.shape
    length = max(round(rows**0.5), 1)
    stretches = -(-rows // length)

    def in_stretches(x: NDArray[Any]) -> NDArray[Any]:
        # What all stretches need at a time lies together: (rows of a stretch, stretches, features).
        whole = np.zeros((stretches * length, features), dtype=x.dtype)
        whole[:rows] = x
        return np.ascontiguousarray(whole.reshape(stretches, length, features).swapaxes(0, 1))

    values, levels, there = in_stretches(residual), in_stretches(level), in_stretches(known)
    result = np.empty((len(FADING), length, stretches, features))
    for k, fading in enumerate(FADING):
        offset = np.multiply(levels if k == LIFE else values, fading, out=result[k])
        bounds = None
        if 0 < k < LIFE:
            bounds = result[k - 1] - NEAR[k - 1], result[k - 1] + NEAR[k - 1]
        if known.all():
            gain = np.full((length, 1, 1), 1.0 - fading)
        else:
            gain = np.where(there, 1.0 - fading, 1.0)
            offset *= there
            if bounds is not None:
                bounds = np.where(there, bounds[0], -np.inf), np.where(there, bounds[1], np.inf)
        _in_turn(gain, offset, bounds)
    return result.swapaxes(1, 2).reshape(len(FADING), stretches * length, features)[:, :rows]


def _in_turn(gain: Floats, offset: Floats, bounds: tuple[Floats, Floats] | None) -> None:
    """Of (rows of a stretch, stretches, features): puts in place of each step's offset what comes of all steps up to it, from zero on.

    All arguments are used up.
    """
    for k in range(1, len(offset)):
        if bounds is not None:
            between = bounds[0][k].copy(), bounds[1][k].copy()
            for bound in bounds:
                farthest = gain[k] * bound[k - 1]
                farthest += offset[k]
                np.minimum(np.maximum(farthest, between[0], out=farthest), between[1], out=bound[k])
        offset[k] += gain[k] * offset[k - 1]
        gain[k] *= gain[k - 1]
    before = np.zeros(offset.shape[1:])
    whole = np.broadcast_to(gain[-1], before.shape)
    for k in range(1, len(before)):
        after = whole[k - 1] * before[k - 1] + offset[-1, k - 1]
        if bounds is not None:
            np.minimum(np.maximum(after, bounds[0][-1, k - 1], out=after), bounds[1][-1, k - 1], out=after)
        before[k] = after
    offset += gain * before
    if bounds is not None:
        np.minimum(np.maximum(offset, bounds[0], out=offset), bounds[1], out=offset)


def bounded(x: Floats, bound: Floats | float) -> Floats:
    """Values drawn in to plus or minus the bound; several times quicker than `numpy.clip` on short vectors."""
    drawn: Floats = np.minimum(np.maximum(x, -bound), bound)
    return drawn
