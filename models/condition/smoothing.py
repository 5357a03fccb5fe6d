"""Residuals smoothed over several lengths of memory at once: a spike, a step, a small shift that stays, a slow trend.

Exponentially weighted moving averages see what a single sample cannot (MEWMA: Lowry et al., A multivariate exponentially weighted
moving average control chart, Technometrics 1992). A slow one sees less and remembers longer; so that it does not go on about
what is over, it is held near the next faster one, as an adaptive one would be (Capizzi and Masarotto, An adaptive exponentially
weighted moving average control chart, Technometrics 2003).
"""

from __future__ import annotations

from typing import TypeAlias

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
        self._change = np.empty_like(smooth)
        # Operands of one shape: to spread a number over an array takes as long again as the operation.
        self._weights = np.repeat(WEIGHTS, features, axis=1)
        apart = np.empty(features)
        # A memory, the next quicker one, room for their difference, and how small and how large that may be.
        self._pairs = [
            (smooth[k], smooth[k - 1], apart, np.full(features, -NEAR[k - 1]), np.full(features, NEAR[k - 1]))
            for k in range(1, LIFE)
        ]

    def add(self, residuals: Floats) -> None:
        """Takes (memories, features) of residuals in deviations: against the following centre, the last against the life's."""
        change = np.subtract(residuals, self._smooth, out=self._change)
        change *= self._weights
        self._smooth += change
        for slower, quicker, apart, least, most in self._pairs:
            np.subtract(slower, quicker, out=apart)
            np.minimum(np.maximum(apart, least, out=apart), most, out=apart)
            np.add(quicker, apart, out=slower)


def bounded(x: Floats, bound: Floats | float) -> Floats:
    """Values drawn in to plus or minus the bound; several times quicker than `numpy.clip` on short vectors."""
    drawn: Floats = np.minimum(np.maximum(x, -bound), bound)
    return drawn
