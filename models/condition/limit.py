"""Where the alarm starts: extreme-value theory on the machine's own scores.

The tail of any score above a high threshold is close to a generalised Pareto distribution (Pickands 1975; Balkema
and de Haan 1974), so a limit that is crossed with a stated small probability can be read off a fit of the peaks over
that threshold (Siffer et al., Anomaly detection in streams with extreme value theory, KDD 2017). A floor keeps it
conservative where the scores are few or their tail looks shorter than it is.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

PEAKS_ABOVE = 0.9
"""Quantile of the scores above which they count as peaks."""
MIN_PEAKS = 8
FEW = 1.4
"""Multiple of the floor where there are too few scores for any tail; falls to 1 as they become more."""
SHAPE_RANGE = (0.0, 0.35)
"""Fitted shapes outside are drawn in: a bounded tail (below 0) is never believed, a heavier one hides every fault."""


def tail_limit(scores: NDArray[np.float64], budget: float, floor: float) -> float:
    """The score that a healthy sample passes with probability `budget`.

    Args:
        scores: (n,) scores of healthy samples that the detector was not fitted to.
        budget: probability per sample, e.g. one in a month of seconds is 4e-7.
        floor: the least limit; raised for few scores, whose tail nobody has seen.

    >>> rng = np.random.default_rng(1)
    >>> 5.0 < tail_limit(rng.standard_exponential(4000), 1e-3, 0.5) < 9.0
    True
    """
    finite = np.sort(scores[np.isfinite(scores)])
    count = len(finite)
    if count < MIN_PEAKS:
        return floor * FEW
    floor *= 1.0 + (FEW - 1.0) * MIN_PEAKS / count
    threshold = float(np.quantile(finite, PEAKS_ABOVE))
    peaks = finite[finite > threshold] - threshold
    if len(peaks) < MIN_PEAKS:
        return max(floor, 1.35 * float(finite[-1]))
    shape, scale = fit_pareto(peaks)
    return max(floor, threshold + pareto_quantile(shape, scale, budget * count / len(peaks)))


def fit_pareto(peaks: NDArray[np.float64]) -> tuple[float, float]:
    """Shape and scale of a generalised Pareto distribution by moments, the shape drawn into `SHAPE_RANGE`.

    Hosking and Wallis, Parameter and quantile estimation for the generalized Pareto distribution, Technometrics 1987.
    """
    mean = float(peaks.mean())
    variance = float(peaks.var())
    if mean <= 0.0:
        return 0.0, 1e-9
    ratio = mean * mean / max(variance, 1e-12 * mean * mean)
    shape = min(max(0.5 * (1.0 - ratio), SHAPE_RANGE[0]), SHAPE_RANGE[1])
    return shape, mean * (1.0 - shape)


def pareto_quantile(shape: float, scale: float, exceedance: float) -> float:
    """The value that such a peak exceeds with this probability."""
    exceedance = min(max(exceedance, 1e-15), 1.0)
    if shape < 1e-6:
        return -scale * math.log(exceedance)
    return scale / shape * math.expm1(-shape * math.log(exceedance))
