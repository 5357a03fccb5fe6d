"""Learning one regime's normal from its healthy samples: centre, deviations, weights, correlations and limits.

Centre and smoothing run through the samples one after the other as they will later, so what they would have said of each is
known (prequential: Dawid, Statistical theory: the prequential approach, JRSS A 1984), and what drifts without meaning has
already had its say in the deviations and the limits.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.condition.limit import tail_limit
from models.condition.reach import effective_samples, white_smoothed, widening

Floats: TypeAlias = NDArray[np.float64]

SMOOTHING = 0.15
"""Weight of a new residual in the smoothed one: a memory of about 12 samples."""
FOLLOWING = 1 / 100
"""Weight of an accepted sample in the normal's centre."""
SIGMAS = 4.5
"""A single smoothed residual's least limit, in deviations."""
INSTANT_SIGMAS = 6.0
"""A single instant residual's least limit, in deviations."""
DISTANCE_FLOOR = 2.2
"""Least limit of a root-mean-square distance, whose healthy level is 1."""
BOUND = 8.0
"""Residuals are clipped to so many deviations before they are smoothed."""
FARTHEST = 50.0
"""Residuals beyond this many deviations say no more."""
MOST_WIDENING = 1.5
"""A lasting distance's limit is widened by no more: many features that moved far are a change, however short the warm-up."""
CONSTANT_WEIGHT = 0.3
"""A feature that never moved in the warm-up may be a setting: it counts, but it does not decide alone."""
ODD_SHARE = 0.02
"""Rows beyond Tukey's outer fences are drawn in while they are so few; more of them are the feature's nature."""


class Fit(NamedTuple):
    """The learned numbers of one normal; arrays over its features."""

    centre: Floats
    anchor: Floats
    """Where the centre was when it was fitted."""
    scale: Floats
    """One deviation of an instant residual, widened by how little the warm-up knew of it."""
    slow: Floats
    """One deviation of a smoothed residual, in units of `scale`."""
    weight: Floats
    """How much a feature counts in the instant distance, 0 to 1."""
    slow_weight: Floats
    """And in the lasting one."""
    bound: Floats
    """Where a residual is clipped before it is smoothed, in units of `scale`: one spike is not a change that stays."""
    inverse: Floats
    """Precision matrix of the residuals, shrunk towards independence."""


ARRAYS = ("centre", "anchor", "scale", "slow", "weight", "slow_weight", "bound")


class Views(NamedTuple):
    """The four views of one sample; for limits, the same four numbers as limits."""

    distance: float
    lasting: float
    largest: float
    largest_lasting: float


def learn(x: Floats, tolerance: Floats) -> tuple[Fit, Floats, Floats]:
    """Learns from (rows, features) in time order.

    Returns:
        The fit; the four views of each row as it would have been judged, (rows, 4), without the first rows, which were
        judged by too little; and how many independent looks the two distances rest on.
    """
    rows, features = x.shape
    known = np.isfinite(x)
    count = known.sum(axis=0)
    usable = count >= max(4, rows // 5)
    mean, deviation = _robust(x, known, usable)
    largest = np.abs(np.where(known, x, 0.0)).max(axis=0)
    least = np.maximum(tolerance[:, 0] * np.abs(mean), np.maximum(tolerance[:, 1], 1e-6 * largest + 1e-12))
    constant = deviation <= 1e-6 * largest
    scale = np.maximum(deviation, least)
    filled = np.where(known & usable, x, mean)
    start = min(60, rows // 4)
    z, smooth, centre = _prequential(filled, known & usable, scale, mean)
    residual = np.clip(z[start:], -BOUND, BOUND)
    effective = effective_samples(filled)
    for column in np.flatnonzero(usable & (count < rows)):
        # What is not there was not looked at.
        effective[column] = effective_samples(x[known[:, column], column][:, None])[0]
    looks = np.minimum(effective, np.maximum(count / np.maximum(tolerance[:, 2], 1.0), 2))
    # A residual from a following centre may be a little larger than from the mean of all: that is what will be judged.
    instant = np.maximum(np.sqrt((residual**2).mean(axis=0)), 0.7)
    judged = min(start + min(30, rows // 8), rows - 1)
    lasting = np.maximum(np.sqrt((smooth[judged:] ** 2).mean(axis=0)), white_smoothed(SMOOTHING))
    wide = widening(looks, SIGMAS) * _tail_factor(z[start:] / instant)
    slow_wide = widening(looks / 4, SIGMAS) * _tail_factor(smooth[judged:] / lasting)
    wide, slow_wide = (np.where(constant, each / CONSTANT_WEIGHT**0.5, each) for each in (wide, slow_wide))
    correlation = _correlation(residual, rows)
    inverse = np.asarray(np.linalg.inv(correlation), dtype=np.float64)
    # Exactly symmetric, so that half of it says all in a snapshot.
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    fit = Fit(
        centre,
        centre.copy(),
        np.where(usable, scale * instant * wide, 1.0),
        lasting * slow_wide / (instant * wide),
        usable / wide**2,
        usable / slow_wide**2,
        BOUND / (instant * wide),
        inverse,
    )
    present = np.ones(features, dtype=bool)
    precisions = weighted(fit.inverse, fit.weight, present), weighted(fit.inverse, fit.slow_weight, present)
    unit = z / (instant * wide)
    scores = [views(unit[k], smooth[k] / (lasting * slow_wide), *precisions) for k in range(judged, rows)]
    # Slow changes come in many features at once (a warm day, thicker oil): there the features are not independent.
    pooled = _pooled(correlation, fit.weight, looks), _pooled(np.ones_like(correlation), fit.slow_weight, looks / 4)
    return fit, np.array(scores).reshape(-1, 4), np.array(pooled)


def _tail_factor(residual: Floats) -> Floats:
    """How much farther than a normal distribution's a feature's own extremes reach: bursts are its nature.

    The second largest of n normal residuals lies near sqrt(2 ln n); a feature that got farther has a wider deviation.
    """
    rows = len(residual)
    if rows < 4:
        return np.ones(residual.shape[1])
    second = np.partition(np.abs(residual), rows - 2, axis=0)[rows - 2]
    factor: Floats = np.maximum(second / np.sqrt(2.0 * np.log(rows)), 1.0)
    return factor


def limits(scores: Floats, looks: Floats, budget: float) -> Views:
    """Limits of the four views from `learn`'s scores and looks; `budget` is the probability of a false excess per sample."""
    levels = [float(np.median(column)) for column in scores.T[:2]] if len(scores) else [1.0, 1.0]
    wide = widening(looks[:1], DISTANCE_FLOOR)[0], min(widening(looks[1:], SIGMAS)[0], MOST_WIDENING)
    floors = (
        DISTANCE_FLOOR * max(levels[0], 0.7) * float(wide[0]),
        DISTANCE_FLOOR * max(levels[1], 0.7) * float(wide[1]),
        INSTANT_SIGMAS,
        SIGMAS,
    )
    return Views(*(tail_limit(scores[:, k], budget, floors[k]) for k in range(4)))


def views(z: Floats, lasting: Floats, instant_precision: Floats, lasting_precision: Floats) -> Views:
    """Views of widened residuals; the precision matrices take the widening back and weight the features."""
    return Views(
        max(float(z @ instant_precision @ z), 0.0) ** 0.5,
        max(float(lasting @ lasting_precision @ lasting), 0.0) ** 0.5,
        float(np.abs(z).max(initial=0.0)),
        float(np.abs(lasting).max(initial=0.0)),
    )


def weighted(inverse: Floats, weight: Floats, present: NDArray[np.bool_]) -> Floats:
    """The precision matrix of a weighted mean square over what is present.

    A weight is one over the squared widening, and so is the square of a widened residual: the distance takes residuals
    as they are, and lets those that the warm-up knew little of count less against the others.
    """
    total = float(weight[present].sum())
    if total <= 1e-12:
        return np.zeros_like(inverse)
    return inverse / total


def _pooled(correlation: Floats, weight: Floats, looks: Floats) -> float:
    """Independent looks behind a distance: those of its features, times how many independent features there are."""
    total = float(weight.sum())
    if total <= 1e-12:
        return 2.0
    share = weight / total
    independent = 1.0 / max(float(share @ (correlation**2) @ share), 1e-3)
    return independent * float(share @ looks)


def _robust(x: Floats, known: NDArray[np.bool_], usable: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Mean and deviation with far outliers drawn in to three interquartile ranges beyond the quartiles (Tukey)."""
    features = x.shape[1]
    mean, deviation = np.zeros(features), np.ones(features)
    for column in np.flatnonzero(usable):
        values = x[known[:, column], column]
        low, high = np.quantile(values, (0.25, 0.75))
        reach = 3 * (high - low)
        if np.mean((values < low - reach) | (values > high + reach)) <= ODD_SHARE:
            values = np.clip(values, low - reach, high + reach)
        mean[column] = values.mean()
        deviation[column] = values.std(ddof=1)
    return mean, deviation


def _prequential(x: Floats, known: NDArray[np.bool_], scale: Floats, mean: Floats) -> tuple[Floats, Floats, Floats]:
    """Residuals and smoothed residuals of each row against a centre that had followed the rows before it."""
    rows, features = x.shape
    head = x[: min(20, max(rows // 4, 1))]
    centre = np.where(known[: len(head)].any(axis=0), np.median(head, axis=0), mean)
    z, smooth = np.zeros((rows, features)), np.zeros((rows, features))
    lasting = np.zeros(features)
    reach = 3.0 * scale
    for k in range(rows):
        residual = (x[k] - centre) * known[k]
        z[k] = residual / scale
        lasting += SMOOTHING * (np.minimum(np.maximum(z[k], -BOUND), BOUND) - lasting) * known[k]
        smooth[k] = lasting
        weight = max(1.0 / (k + len(head)), FOLLOWING)
        centre = centre + weight * np.minimum(np.maximum(residual, -reach), reach)
    np.clip(z, -FARTHEST, FARTHEST, out=z)
    return z, smooth, centre


def _correlation(residual: Floats, rows: int) -> Floats:
    features = residual.shape[1]
    correlation = residual.T @ residual
    diagonal = np.sqrt(np.maximum(np.diag(correlation), 1e-12))
    correlation = correlation / np.outer(diagonal, diagonal)
    # Towards independence by how many parameters there are for each row.
    shrink = min(1.0, max(0.1, features / (0.5 * rows + features)))
    shrunk: Floats = (1 - shrink) * correlation
    np.fill_diagonal(shrunk, 1.0)
    return shrunk
