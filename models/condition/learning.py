"""Learning one regime's normal from its healthy samples: centre, deviations, weights, correlations and limits.

Centre and smoothing run through the samples one after the other as they will later, so what they would have said of each is
known (prequential: Dawid, Statistical theory: the prequential approach, JRSS A 1984), and what drifts without meaning has
already had its say in the deviations and the limits.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.condition.limit import crossing, root_mean_square, sigmas, spending, tail_limits
from models.condition.reach import effective_samples, white_smoothed, widening
from models.condition.smoothing import FADING, LIFE, bounded, memory_of, smoothed

Floats: TypeAlias = NDArray[np.float64]

FOLLOWING = 1 / 100
"""Weight of an accepted sample in the centre that follows."""
HEAD = 60
"""Rows whose mean the following centre starts from."""
INSTANT_SIGMAS = 8.0
"""A single sample's least limit, in deviations: one alone says little, and what stays shows in the smoothed ones."""
SIGMAS_RANGE = (2.5, 4.5)
"""Least limits of smoothed residuals, in deviations; between them the alarm budget says which. What the noise of many features
passes more often than the budget allows is lifted above."""
BOUND = 8.0
"""Residuals are clipped to so many deviations before they are smoothed: one spike is not a change that stays."""
FARTHEST = 50.0
"""Residuals beyond this many deviations say no more."""
MOST_WIDENING = 1.5
"""A smoothed distance's limit is widened by no more: many features that moved far are a change, however short the warm-up."""
CONSTANT_WEIGHT = 0.3
"""A feature that never moved in the warm-up may be a setting: it counts, but it does not decide alone."""
ODD_SHARE = 0.02
"""Rows beyond Tukey's outer fences are drawn in while they are so few; more of them are the feature's nature."""
LASTING_TOLERANCE, LIFE_TOLERANCE = 0.3, 2.0
"""The tolerance's share in a smoothed residual's least deviation: hours do little of it, a life does it twice."""
LEAST_MEMORY = 4.0
"""A smoothed residual is a new look once in a quarter of its memory, and in so many samples at least."""


LEAST_RECORD = 8.0
"""Independent looks that the record of a score is taken to rest on at least: how few there were is in the widening already."""


class Fit(NamedTuple):
    """The learned numbers of one normal; arrays over its features, or over views and features.

    The views are the instant residual and the smoothed ones, quickest first.
    """

    centre: Floats
    """Follows slow drift."""
    anchor: Floats
    """Where the centre was when it was fitted."""
    life: Floats
    """The mean of all that is remembered."""
    scale: Floats
    """One deviation of a raw value."""
    deviation: Floats
    """(views, features) one deviation of each view in units of `scale`, widened by how little is known of it."""
    weight: Floats
    """(views, features) how much a feature counts in a distance, 0 to 1."""
    bound: Floats
    """Where a residual is clipped before it is smoothed, in units of `scale`."""
    inverse: Floats
    """Precision matrix of the residuals, shrunk towards independence."""


VIEWS = len(FADING) + 1
LEAST_INSTANT = 0.3
"""A residual from a centre that follows is never believed to be smaller than this share of the raw deviation."""
ARRAYS = ("centre", "anchor", "life", "scale", "deviation", "weight", "bound")


class Limits(NamedTuple):
    """(views,) each: of the weighted distance, and of the largest single residual."""

    distance: Floats
    largest: Floats


class _Ground(NamedTuple):
    """What learning a view stands on; arrays over features."""

    rows: int
    budget: float
    """Probability of a false excess per row, for each view of each feature."""
    allowed: float
    """Probability of a false alarm likewise, at the machine's age."""
    usable: NDArray[np.bool_]
    constant: NDArray[np.bool_]
    instant: Floats
    """Deviation of the instant residual, in units of the scale."""
    least: Floats
    """Tolerance, in units of the scale,"""
    lasting: Floats
    """and of what is smoothed: samples whose windows overlap do not average it out."""
    looks: Floats
    """Independent looks at the residual,"""
    bursts: Floats
    """at its size,"""
    life_looks: Floats
    """and at the level."""
    correlation: Floats
    inverse: Floats
    spread: Floats
    """(views, features) least deviations, from what the rows do not show any more."""


class _View(NamedTuple):
    """One view of a fit."""

    deviation: Floats
    weight: Floats
    far: float
    single: float


def learn(
    x: Floats, tolerance: Floats, budget: float, age: float = 0.0, spread: Floats | None = None
) -> tuple[Fit, Limits]:
    """Learns from (rows, features) in time order, NaN where absent.

    Args:
        x: healthy samples.
        tolerance: (features, 3), see `models.condition.tolerance`.
        budget: probability of a false excess per sample.
        age: healthy samples in the machine's life so far, of which the rows may be a few.
        spread: (views, features) how far residuals of all of that life went (root mean square, in the features' own units), where the
            rows are only a part of it; no deviation is taken to be less.
    """
    rows = len(x)
    known = np.isfinite(x)
    count = known.sum(axis=0)
    usable = count >= max(4, rows // 5)
    mean, deviation = _robust(x, known, usable)
    largest = np.abs(np.where(known, x, 0.0)).max(axis=0)
    least = np.maximum(tolerance[:, 0] * np.abs(mean), np.maximum(tolerance[:, 1], 1e-6 * largest + 1e-12))
    spread = np.zeros((VIEWS, x.shape[1])) if spread is None else spread
    scale = np.maximum(np.maximum(deviation, least), spread[0])
    filled = np.where(known & usable, x, mean)
    seen, centre = _run_through(filled, known & usable, scale, mean)
    start = min(HEAD, rows // 4)
    residual = bounded(seen[start:, 0], BOUND)
    size = np.abs(residual)
    # How often each was really looked at: the residual itself, whether it comes in bursts, and the level.
    most = np.maximum(count / np.maximum(tolerance[:, 2], 1.0), 2)
    there = (known & usable)[start:]
    levels = bounded((filled - mean) / scale, BOUND)
    level_looks = _looks(levels, known & usable)
    # Of a short beginning the centre that follows knows less than the mean of all.
    looks = np.minimum(np.maximum(_looks(residual, there), level_looks), most)
    spread = spread / scale
    correlation = _correlation(residual, looks)
    inverse = np.asarray(np.linalg.inv(correlation), dtype=np.float64)
    # Exactly symmetric, so that half of it says all in a snapshot.
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    said = max(float(usable.sum()), 1.0) * VIEWS
    ground = _Ground(
        rows,
        budget / said,
        spending(budget, max(age, rows)) / said,
        usable,
        deviation <= 1e-6 * largest,
        np.maximum(np.maximum(_deviation(residual, there), spread[0]), np.maximum(least / scale, LEAST_INSTANT)),
        least / scale,
        np.minimum(LASTING_TOLERANCE * np.sqrt(np.maximum(tolerance[:, 2], 1.0)), 1.0) * least / scale,
        looks,
        np.minimum(looks, _looks(size - size.mean(axis=0), there)),
        np.minimum(looks, level_looks),
        correlation,
        inverse,
        spread,
    )
    judged = min(start + min(30, rows // 8), rows - 1)
    learned = [_learn_view(view, seen[judged:, view], ground) for view in range(VIEWS)]
    fit = Fit(
        centre,
        centre.copy(),
        mean,
        np.where(usable, scale, 1.0),
        np.vstack([each.deviation for each in learned]),
        np.vstack([each.weight for each in learned]),
        BOUND * np.minimum(ground.instant, 1.0),
        inverse,
    )
    return fit, Limits(np.array([each.far for each in learned]), np.array([each.single for each in learned]))


def _learn_view(view: int, values: Floats, ground: _Ground) -> _View:
    """Deviations, weights and limits of (rows, features) of one view's residuals."""
    fading = (1.0, *FADING)[view]
    memory, instant, life = memory_of(fading), view == 0, view == LIFE + 1
    limit = min(max(sigmas(min(ground.budget * memory, 0.5)), SIGMAS_RANGE[0]), SIGMAS_RANGE[1])
    noise = crossing(ground.allowed, fading)
    limit = noise if noise > SIGMAS_RANGE[1] else limit
    every = max(LEAST_MEMORY, memory / LEAST_MEMORY)
    recorded = 1.0 / (1.0 / ground.bursts + memory / LEAST_MEMORY / ground.rows)
    if instant:
        limit, looks, deviation = INSTANT_SIGMAS, ground.looks, ground.instant
    else:
        deviation = np.maximum(np.sqrt((values**2).mean(axis=0)), white_smoothed(fading) * ground.instant)
        deviation = np.maximum(deviation, LIFE_TOLERANCE * ground.least if life else ground.lasting)
        deviation = np.maximum(deviation, ground.spread[view])
        looks = ground.looks / every
    if life:
        looks = 1.0 / (1.0 / ground.life_looks + memory / LEAST_MEMORY / ground.rows)
        recorded = np.minimum(recorded, looks)
    floors = np.full(len(deviation), limit)
    tail = (
        tail_limits(np.abs(values) / deviation, memory, ground.budget, floors, np.maximum(recorded, LEAST_RECORD))
        / limit
    )
    wide = widening(looks, min(limit, SIGMAS_RANGE[1])) * tail / np.where(ground.constant, CONSTANT_WEIGHT**0.5, 1.0)
    deviation = deviation * wide
    weight = ground.usable / wide**2
    total = float(weight.sum())
    share = weight / max(total, 1e-12)
    # Slow changes come in many features at once (a warm day, thicker oil): there the features are not independent.
    together = ground.correlation**2 if instant else np.ones_like(ground.correlation)
    pooled = float(share @ looks) / max(float(share @ together @ share), 1e-3) if total > 1e-12 else 2.0
    wider = float(widening(np.array([pooled]), min(limit, SIGMAS_RANGE[1]))[0])
    wider = wider if instant or life else min(wider, MOST_WIDENING)
    distance = views(values / deviation, ground.inverse, weight)[0]
    # Kish's effective number of the features that a distance is made of.
    freedom = total**2 / max(float((weight**2).sum()), 1e-12)
    usual = float(np.median(distance))
    floor = np.array([root_mean_square(freedom, limit) * max(usual, 0.7) * wider])
    seen = np.array([max(float(share @ recorded), LEAST_RECORD)])
    far = tail_limits(distance[:, None], memory, ground.budget, floor, seen, usual if instant else 0.0)
    return _View(deviation, weight, float(far[0]), limit)


def views(unit: Floats, inverse: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Distances and largest sizes of (..., features) of widened residuals.

    A weight is one over the squared widening, and so is the square of a widened residual: the distance is the mean square of
    residuals as they are, and those that little is known of count less against the others. Less than one feature's worth of
    knowledge is no distance.
    """
    square = ((unit @ inverse) * unit).sum(axis=-1)
    distance = np.sqrt(np.maximum(square, 0.0) / np.maximum(weight.sum(axis=-1), 1.0))
    return distance, np.abs(unit).max(axis=-1, initial=0.0)


def _looks(residual: Floats, there: NDArray[np.bool_]) -> Floats:
    """Independent looks at (rows, features) of residuals: what is not there was not looked at.

    An offset is taken for one unless it is within two standard errors: a centre that had seen little was beside the mean.
    """
    rows = np.maximum(there.sum(axis=0), 1)
    mean = (residual * there).sum(axis=0) / rows
    residual = residual - bounded(mean, 2.0 * _deviation((residual - mean) * there, there) / np.sqrt(rows))
    looks = effective_samples(residual)
    for column in np.flatnonzero(~np.logical_and.reduce(there, axis=0)).tolist():
        here = residual[there[:, column], column]
        looks[column] = effective_samples(here[:, None])[0] if len(here) else 0.0
    return np.maximum(looks, 1.0)


def _deviation(residual: Floats, there: NDArray[np.bool_]) -> Floats:
    """Root mean square of what is there."""
    deviation: Floats = np.sqrt((residual**2).sum(axis=0) / np.maximum(there.sum(axis=0), 1))
    return deviation


def _robust(x: Floats, known: NDArray[np.bool_], usable: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Mean and deviation with far outliers drawn in to three interquartile ranges beyond the quartiles (Tukey)."""
    features = x.shape[1]
    mean, deviation = np.zeros(features), np.ones(features)
    # Columns that are all there go together.
    whole = known.all(axis=0)
    for columns in (np.flatnonzero(usable & whole), *np.flatnonzero(usable & ~whole)[:, None]):
        if not len(columns):
            continue
        values = x[:, columns][known[:, columns[0]]]
        low, high = np.quantile(values, (0.25, 0.75), axis=0)
        reach = 3 * (high - low)
        odd = ((values < low - reach) | (values > high + reach)).mean(axis=0) <= ODD_SHARE
        values = np.where(odd, np.clip(values, low - reach, high + reach), values)
        mean[columns] = values.mean(axis=0)
        deviation[columns] = values.std(axis=0, ddof=1)
    return mean, deviation


def _run_through(x: Floats, known: NDArray[np.bool_], scale: Floats, mean: Floats) -> tuple[Floats, Floats]:
    """(rows, views, features) of what each row would have shown, against what had been followed before it; and the last centre."""
    rows, features = x.shape
    head = x[: min(HEAD, max(rows // 4, 1))]
    middle = np.median(head, axis=0)
    near = (middle + bounded(head - middle, 3.0 * scale)).mean(axis=0)
    whole = np.logical_and.reduce(known, axis=1).tolist()
    # What follows goes from one row to the next, so each operation on a row is dear: in units of the scale there are fewer, and they
    # write into room that is there already.
    x = x / scale
    centre = np.where(known[: len(head)].any(axis=0), near, mean) / scale
    seen = np.zeros((rows, VIEWS, features))
    weights = np.maximum(1.0 / (np.maximum(np.arange(rows), len(head)) + 1), FOLLOWING)
    step, most, least = np.empty(features), np.full(features, 3.0), np.full(features, -3.0)
    for k, (row, residual, weight) in enumerate(
        zip(x, seen[:, 0], np.repeat(weights, features).reshape(rows, features), strict=True)
    ):
        np.subtract(row, centre, out=residual)
        if not whole[k]:
            np.multiply(residual, known[k], out=residual)
        np.minimum(np.maximum(residual, least, out=step), most, out=step)
        step *= weight
        centre += step
    lasting = smoothed(bounded(seen[:, 0], BOUND), bounded(x - mean / scale, BOUND), known)
    seen[:, 1:] = lasting.swapaxes(0, 1)
    seen[:, 0] = bounded(seen[:, 0], FARTHEST)
    return seen, centre * scale


def _correlation(residual: Floats, looks: Floats) -> Floats:
    """Of (rows, features) of residuals that were independently looked at so often."""
    features = residual.shape[1]
    correlation = residual.T @ residual
    diagonal = np.sqrt(np.maximum(np.diag(correlation), 1e-12))
    correlation = correlation / np.outer(diagonal, diagonal)
    # Towards independence by how many parameters there are for each look: two temperatures that were seen to rise together once need not.
    kept = np.sqrt(np.minimum(1.0 - features / (0.5 * looks + features), 0.9))
    shrunk: Floats = correlation * np.outer(kept, kept)
    np.fill_diagonal(shrunk, 1.0)
    return shrunk
