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


def smoothed(smooth: Floats, residual: Floats, level: Floats) -> Floats:
    """The next smoothed residuals.

    Args:
        smooth: (memories, features) the last ones.
        residual: (features,) against the following centre, in deviations.
        level: (features,) against the life's centre, in the same deviations.
    """
    new: Floats = residual - smooth
    new[LIFE] = level - smooth[LIFE]
    new *= WEIGHTS
    new += smooth
    for k in range(1, LIFE):
        new[k] = new[k - 1] + bounded(new[k] - new[k - 1], NEAR[k - 1])
    return new


def bounded(x: Floats, bound: Floats | float) -> Floats:
    """Values drawn in to plus or minus the bound; several times quicker than `numpy.clip` on short vectors."""
    drawn: Floats = np.minimum(np.maximum(x, -bound), bound)
    return drawn
