"""Where the alarm starts: extreme-value theory on the machine's own scores.

The tail of any score above a high threshold is close to a generalised Pareto distribution (Pickands 1975; Balkema and de Haan
1974), so a limit that is crossed with a stated small probability can be read off a fit of the peaks over that threshold
(Siffer et al., Anomaly detection in streams with extreme value theory, KDD 2017). It is fitted to *squares*: that of a normal
variable has an exponential tail, shape 0, so what shows as a shape above is the feature's own nature. Samples that follow each
other are alike, so peaks are the largest of a stretch each (declustering: Coles, An introduction to statistical modeling of
extreme values, 2001, section 5.3).
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

PEAKS_ABOVE = 0.9
"""Quantile of the stretches' largest above which they count as peaks."""
MIN_PEAKS = 8
YOUNG = 100.0
"""Samples of a life from which the budget is spent."""
PERSISTING = 1.6
"""By how much of the square root of twice its fading a crossing lies higher that is looked at once a sample and has to stay."""
MANY = 50
"""Stretches are joined while that leaves so many of them: longer ones are less alike."""
SHAPE_RANGE = (0.0, 0.35)
"""Fitted shapes outside are drawn in: a bounded tail (below 0) is never believed, a heavier one hides every fault."""


def sigmas(probability: float) -> float:
    """Deviations that a normal variable exceeds, on either side, with this probability.

    >>> round(sigmas(0.05), 2), round(sigmas(7e-6), 2)
    (1.96, 4.49)
    """
    return -NormalDist().inv_cdf(min(max(probability, 1e-300), 1.0) / 2.0)


def spending(budget: float, age: float) -> float:
    """Probability of a false alarm that one sample of this age may have.

    Half of the budget is spent evenly, over the 1 / budget samples it is given for; half like one over the age: a machine that
    was only just met is judged more sharply, since less of its life is at stake. Both halves add up (spending functions: Lan and
    DeMets, Discrete sequential boundaries for clinical trials, Biometrika 1983).

    Args:
        budget: false alarms per sample.
        age: healthy samples that were learned, at least `YOUNG`.

    >>> [f"{spending(4e-7, age):.0e}" for age in (100, 10_000, 1_000_000)]
    ['5e-04', '5e-06', '2e-07']
    """
    early = 1.0 / (max(age, YOUNG) * max(-math.log(budget * YOUNG), 1.0))
    return 0.5 * (budget + early)


def crossing(rate: float, fading: float) -> float:
    """Deviations that smoothed white noise passes, on either side and long enough to raise an alarm, `rate` times a sample.

    It passes u deviations 2 * fading * u * phi(u) times a sample (Aldous, Probability approximations via the Poisson clumping
    heuristic, 1989, chapter D). That it is looked at once a sample only, and has to stay there, lifts u by a share of the
    deviation of one step, `PERSISTING`, as simulation shows for the four fadings and levels of 2.5 to 4.

    >>> [round(crossing(7e-6, fading), 1) for fading in (0.4, 0.15, 0.04)]
    [3.5, 3.9, 4.0]
    """
    level = 1.0
    for _ in range(60):
        inside = 2.0 * fading * level / (math.sqrt(2.0 * math.pi) * rate)
        level = math.sqrt(max(2.0 * math.log(max(inside, 1.0)), 1.0))
    return level - PERSISTING * math.sqrt(2.0 * fading)


def root_mean_square(freedom: float, deviations: float) -> float:
    """Of so many standard normal variables, where its tail is as improbable as a normal variable's beyond so many deviations.

    By the approximation of Wilson and Hilferty (1931).

    >>> [round(root_mean_square(n, 4.5), 2) for n in (1, 5, 30)]
    [4.94, 2.63, 1.62]
    """
    spread = 2.0 / (9.0 * max(freedom, 1.0))
    return math.pow(max(1.0 - spread + deviations * math.sqrt(spread), 0.0), 1.5)


def tail_limits(
    sizes: Floats, stretch: int, budget: float, floors: Floats, looks: Floats, usual: Floats | float = 0.0
) -> Floats:
    """For each column of (rows, n) of scores, the level that a healthy row passes with probability `budget`.

    Args:
        sizes: scores of healthy samples in time order, 0 and up, that the detector was not fitted to.
        stretch: rows after which a score is a new one.
        budget: probability per row, e.g. one in a month of seconds is 4e-7.
        floors: (n,) the least limits.
        looks: (n,) independent looks that the rows had at each column, for the record of what it can do.
        usual: what a score is around, of which only the excess is random; 0 for a size.

    >>> rng = np.random.default_rng(1)
    >>> limit = tail_limits(np.abs(rng.standard_normal((4000, 1))), 1, 1e-5, np.zeros(1), np.full(1, 4000.0))
    >>> bool(4.0 < limit[0] < 5.5)
    True
    """
    limits: Floats = np.maximum(floors, usual + _record(sizes - usual, budget, looks))
    while len(sizes) // (2 * stretch) >= MANY:
        stretch *= 2
    blocks = len(sizes) // stretch
    if blocks < 3 * MIN_PEAKS:
        return limits
    peaks = np.sort((sizes[len(sizes) - blocks * stretch :].reshape(blocks, stretch, -1) ** 2).max(axis=1), axis=0)
    over = max(MIN_PEAKS, int((1.0 - PEAKS_ABOVE) * blocks))
    threshold = peaks[-over - 1]
    shape, scale = fit_pareto(peaks[-over:] - threshold)
    extrapolated = threshold + pareto_quantile(shape, scale, budget * stretch * blocks / over)
    limits[:] = np.maximum(limits, np.sqrt(extrapolated))
    return limits


def _record(sizes: Floats, budget: float, looks: Floats) -> Floats:
    """Where the largest score that was seen says the limit is.

    The largest of m exponential variables of one scale is most probably near scale * ln m, and of r times as many near
    scale * (ln m + ln r) (the mode of Gumbel's distribution). With few looks m the record of a machine that was seen in one
    cycle says little of the next.
    """
    if not len(sizes):
        return np.zeros(sizes.shape[1])
    further = max(-math.log(budget * len(sizes)), 0.0)
    known = np.maximum(np.log(np.maximum(looks, 1.0)), 1.0)
    record: Floats = sizes.max(axis=0) * np.sqrt(1.0 + further / known)
    return record


def fit_pareto(peaks: Floats) -> tuple[Floats, Floats]:
    """Shapes and scales of generalised Pareto distributions of the columns by moments, the shapes drawn into `SHAPE_RANGE`.

    Hosking and Wallis, Parameter and quantile estimation for the generalized Pareto distribution, Technometrics 1987.
    """
    mean = np.maximum(peaks.mean(axis=0), 1e-9)
    ratio = mean * mean / np.maximum(peaks.var(axis=0), 1e-12 * mean * mean)
    shape = np.minimum(np.maximum(0.5 * (1.0 - ratio), SHAPE_RANGE[0]), SHAPE_RANGE[1])
    return shape, mean * (1.0 - shape)


def pareto_quantile(shape: Floats, scale: Floats, exceedance: float) -> Floats:
    """The values that such peaks exceed with this probability."""
    further = -math.log(min(max(exceedance, 1e-15), 1.0))
    heavy = np.maximum(shape, 1e-6)
    quantile: Floats = scale * np.where(shape < 1e-6, further, np.expm1(heavy * further) / heavy)
    return quantile
