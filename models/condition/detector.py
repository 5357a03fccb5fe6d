"""How far a sample is from a regime's normal: four views of one standardised residual.

The instant distance sees a change in many features at once, the largest single residual sees one feature among thirty. The
same two of the exponentially smoothed residual (MEWMA: Lowry et al., A multivariate exponentially weighted moving
average control chart, Technometrics 1992) see small changes that stay. Each view has a limit from the scores that the
warm-up itself would have got, learned and judged one sample after the other (prequentially: Dawid, JRSS A 1984), so what
drifts without meaning has already had its say there. The result is the largest multiple of a limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from river.base import AnomalyDetector

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
"""Residuals are clipped here before they are smoothed: one spike is not a change that stays."""
FARTHEST = 50.0
"""Residuals beyond this many deviations say no more."""
REACH = 6.0
"""How far the centre may follow from where it was fitted, in (widened) deviations: the rest is a change."""
CONSTANT_WEIGHT = 0.3
"""A feature that never moved in the warm-up may be a setting: it counts, but it does not decide alone."""
ODD_SHARE = 0.02
"""Rows beyond Tukey's outer fences are drawn in while they are so few; more of them are the feature's nature."""
MODE_WIDTH = 1.5
MOST_MODES = 8


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
    inverse: Floats
    """Precision matrix of the residuals, shrunk towards independence."""


ARRAYS = ("centre", "anchor", "scale", "slow", "weight", "slow_weight")


class Views(NamedTuple):
    """The four views of one sample; for limits, the same four numbers as limits."""

    distance: float
    lasting: float
    largest: float
    largest_lasting: float


class Normal(AnomalyDetector):
    """One regime's normal.

    A River anomaly detector over named features: `learn_one` follows slowly, `score_one` is the multiple of the limit. The
    model calls `score` and `follow` with vectors, which is the same without building dictionaries.

    Args:
        names: features, in the order of its vectors.
        budget: probability of a false excess per sample, for the limits.
    """

    def __init__(self, names: Sequence[str] = (), budget: float = 4e-7) -> None:
        self.names = list(names)
        self.budget = budget
        self.samples = 0
        self.limits: Views | None = None
        self._fit: Fit | None = None
        self._logarithmic = np.zeros(len(self.names), dtype=bool)
        self._floor = np.zeros(len(self.names))
        self._smooth = np.zeros(len(self.names))
        self._modes: list[tuple[Floats, Floats]] = []
        self._inverses: dict[bytes, tuple[Floats, Floats]] = {}

    def fit(self, table: Floats, logarithmic: NDArray[np.bool_], least: Floats | None = None) -> None:
        """Learns from (rows, features), in time order, NaN where absent.

        Args:
            table: the regime's healthy samples.
            logarithmic: which features are judged by their ratio to normal, where they are always positive.
            least: (features, 2) the least deviation of each: as a share of its mean, and absolute (see `tolerance`).
        """
        known = np.isfinite(table)
        least = np.zeros((table.shape[1], 2)) if least is None else least
        self._logarithmic = logarithmic & ((table > 0) | ~known).all(axis=0)
        self._floor = 0.02 * np.array([float(np.median(c[k])) if k.any() else 1.0 for c, k in zip(table.T, known.T, strict=True)])
        x = self._transform(table)
        self.samples = len(x)
        self._inverses = {}
        self._smooth = np.zeros(x.shape[1])
        self._fit, scores, looks = learn(x, np.where(self._logarithmic[:, None], least[:, ::-1] * [[0.0, 1.0]], least))
        self.limits = _limits(scores, looks, self.budget)

    def score(self, vector: Floats, *, settled: bool = True) -> tuple[float, Floats]:
        """Multiple of the limit, and the signed residuals in deviations, instant or lasting, whichever says more.

        A residual is NaN where the feature is absent. While the machine has not settled nothing enters the smoothed one.
        """
        if self._fit is None or self.limits is None:
            return 0.0, np.full(len(self.names), np.nan)
        x = self._transform(vector)
        fit = self._fit
        z = np.clip((x - fit.centre) / fit.scale, -FARTHEST, FARTHEST)
        present = np.isfinite(z) & (fit.weight > 0)
        filled = np.where(present, z, 0.0)
        # What is absent fades from the smoothed residual: nothing is known of it any more.
        if settled:
            self._smooth += SMOOTHING * (np.clip(filled, -BOUND, BOUND) - self._smooth)
        ratio = self._ratio(filled, self._smooth, present)
        for centre, scale in self._modes:
            other = np.where(present, np.clip((x - centre) / scale, -FARTHEST, FARTHEST), 0.0)
            # At a mode the smoothed residual is that of the mode's own centre, which nobody has followed.
            ratio = min(ratio, self._ratio(other, other * fit.slow, present))
        lasting = self._smooth / fit.slow
        telling = np.where(np.abs(lasting) > np.abs(filled), lasting, filled)
        return ratio, np.where(present, telling, np.nan)

    def follow(self, vector: Floats) -> None:
        """Moves the centre a little towards an accepted sample, within its reach."""
        if self._fit is None:
            return
        fit = self._fit
        step = self._transform(vector) - fit.centre
        step = np.where(np.isfinite(step), np.clip(step, -3 * fit.scale, 3 * fit.scale), 0.0)
        fit.centre[:] = np.clip(fit.centre + FOLLOWING * step, fit.anchor - REACH * fit.scale, fit.anchor + REACH * fit.scale)

    def inherit(self, older: Normal) -> None:
        """Goes on where an older normal of the same regime had followed to, as far as this one's reach allows."""
        if self._fit is None or older._fit is None:
            return
        size = min(len(self.names), len(older.names))
        fit = self._fit
        same = self._logarithmic[:size] == older._logarithmic[:size]
        near = np.clip(older._fit.centre[:size], (fit.anchor - REACH * fit.scale)[:size], (fit.anchor + REACH * fit.scale)[:size])
        fit.centre[:size] = np.where(same & (older._fit.weight[:size] > 0), near, fit.centre[:size])
        if same.all():
            self._smooth[:size] = older._smooth[:size]

    def accept(self, table: Floats) -> None:
        """Makes (rows, features) that a person called normal a mode of its own."""
        if self._fit is None or not len(table):
            return
        x = self._transform(table)
        with np.errstate(invalid="ignore"):
            centre = np.nanmedian(np.where(np.isfinite(x), x, np.nan), axis=0) if len(x) else self._fit.centre
        centre = np.where(np.isfinite(centre), centre, self._fit.centre)
        wide = np.nanmax(np.abs(np.where(np.isfinite(x), x, centre) - centre), axis=0) / 2
        self._modes.append((centre, np.maximum(MODE_WIDTH * self._fit.scale, wide)))
        self._modes = self._modes[-MOST_MODES:]
        self.settle()

    def settle(self) -> None:
        """Forgets the smoothed residual: the machine has just come into this regime."""
        self._smooth[:] = 0.0

    def expected(self, index: int) -> float:
        """The centre of one feature in its own unit."""
        if self._fit is None:
            return 0.0
        value = float(self._fit.centre[index])
        return float(np.exp(value)) if self._logarithmic[index] else value

    def weights(self) -> Floats:
        """How much each feature counts, 0 to 1."""
        return self._fit.weight if self._fit is not None else np.ones(len(self.names))

    def learn_one(self, x: dict[Any, Any]) -> None:
        """River's form of `follow`."""
        self.follow(self._vector(x))

    def score_one(self, x: dict[Any, Any]) -> float:
        """River's form of `score`."""
        return self.score(self._vector(x))[0]

    def state(self) -> dict[str, Any]:
        """For the snapshot."""
        fit = self._fit
        return {
            "names": self.names,
            "budget": self.budget,
            "samples": self.samples,
            "limits": list(self.limits) if self.limits else None,
            "logarithmic": self._logarithmic.astype(int).tolist(),
            "floor": self._floor.tolist(),
            "smooth": self._smooth.tolist(),
            "modes": [[centre.tolist(), scale.tolist()] for centre, scale in self._modes],
            "fit": None
            if fit is None
            else {
                **{key: getattr(fit, key).tolist() for key in ARRAYS},
                "inverse": fit.inverse[np.tril_indices(len(fit.centre))].tolist(),
            },
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Normal:
        """From a snapshot."""
        normal = cls([str(name) for name in state["names"]], float(state["budget"]))
        normal.samples = int(state["samples"])
        normal.limits = Views(*(float(limit) for limit in state["limits"])) if state["limits"] else None
        normal._logarithmic = np.array(state["logarithmic"], dtype=bool)
        normal._floor = np.array(state["floor"], dtype=np.float64)
        normal._smooth = np.array(state["smooth"], dtype=np.float64)
        normal._modes = [(np.array(c, dtype=np.float64), np.array(s, dtype=np.float64)) for c, s in state["modes"]]
        fit = state["fit"]
        if fit is not None:
            size = len(fit["centre"])
            inverse = np.zeros((size, size))
            inverse[np.tril_indices(size)] = fit["inverse"]
            inverse = inverse + np.tril(inverse, -1).T
            arrays = {key: np.array(fit[key], dtype=np.float64) for key in ARRAYS}
            normal._fit = Fit(**arrays, inverse=inverse)
        return normal

    def _vector(self, x: Mapping[Any, Any]) -> Floats:
        return np.array([x.get(name, np.nan) for name in self.names], dtype=np.float64)

    def _transform(self, x: Floats) -> Floats:
        if not self._logarithmic.any():
            return x
        logarithm = np.log(np.maximum(np.where(np.isfinite(x), x, np.nan), np.maximum(self._floor, 1e-12)))
        return np.where(self._logarithmic, logarithm, x)

    def _ratio(self, z: Floats, smooth: Floats, present: NDArray[np.bool_]) -> float:
        fit, limits = self._fit, self.limits
        if fit is None or limits is None:
            return 0.0
        key = present.tobytes()
        cached = self._inverses.get(key)
        if cached is None:
            if len(self._inverses) > 16:
                self._inverses.clear()
            inverse = _restricted(fit.inverse, present)
            cached = (_weighted(inverse, fit.weight, present), _weighted(inverse, fit.slow_weight, present))
            self._inverses[key] = cached
        views = _views(z, smooth / fit.slow, *cached)
        return max(
            views[0] / limits[0], views[1] / limits[1], views[2] / limits[2], views[3] / limits[3]
        )


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
    looks = np.minimum(effective_samples(filled), np.maximum(count, 2))
    # A residual from a following centre may be a little larger than from the mean of all: that is what will be judged.
    instant = np.maximum(np.sqrt((residual**2).mean(axis=0)), 0.7)
    judged = min(start + min(30, rows // 8), rows - 1)
    lasting = np.maximum(np.sqrt((smooth[judged:] ** 2).mean(axis=0)), white_smoothed(SMOOTHING))
    wide = widening(looks, SIGMAS) * _tail_factor(z[start:] / instant)
    slow_wide = widening(looks / 4, SIGMAS) * _tail_factor(smooth[judged:] / lasting)
    counts = np.where(usable, np.where(constant, CONSTANT_WEIGHT, 1.0), 0.0)
    correlation = _correlation(residual, rows)
    fit = Fit(
        centre,
        centre.copy(),
        np.where(usable, scale * instant * wide, 1.0),
        lasting * slow_wide / (instant * wide),
        counts / wide**2,
        counts / slow_wide**2,
        np.linalg.inv(correlation),
    )
    present = np.ones(features, dtype=bool)
    precisions = _weighted(fit.inverse, fit.weight, present), _weighted(fit.inverse, fit.slow_weight, present)
    unit = z / (instant * wide)
    scores = [_views(unit[k], smooth[k] / (lasting * slow_wide), *precisions) for k in range(judged, rows)]
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


def _limits(scores: Floats, looks: Floats, budget: float) -> Views:
    levels = [float(np.median(column)) for column in scores.T[:2]] if len(scores) else [1.0, 1.0]
    wide = widening(looks[:1], DISTANCE_FLOOR)[0], widening(looks[1:], SIGMAS)[0]
    floors = (
        DISTANCE_FLOOR * max(levels[0], 0.7) * float(wide[0]),
        DISTANCE_FLOOR * max(levels[1], 0.7) * float(wide[1]),
        INSTANT_SIGMAS,
        SIGMAS,
    )
    return Views(*(tail_limit(scores[:, k], budget, floors[k]) for k in range(4)))


def _views(z: Floats, lasting: Floats, instant_precision: Floats, lasting_precision: Floats) -> Views:
    """Views of widened residuals; the precision matrices take the widening back and weight the features."""
    return Views(
        max(float(z @ instant_precision @ z), 0.0) ** 0.5,
        max(float(lasting @ lasting_precision @ lasting), 0.0) ** 0.5,
        float(np.abs(z).max(initial=0.0)),
        float(np.abs(lasting).max(initial=0.0)),
    )


def _weighted(inverse: Floats, weight: Floats, present: NDArray[np.bool_]) -> Floats:
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


def _restricted(inverse: Floats, present: NDArray[np.bool_]) -> Floats:
    """The precision matrix over what is present: missing features marginalised out."""
    if present.all():
        return inverse
    result = np.zeros_like(inverse)
    if present.any():
        keep = np.ix_(present, present)
        result[keep] = np.linalg.inv(np.linalg.inv(inverse)[keep])
    return result


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
    for k in range(rows):
        z[k] = np.where(known[k], np.clip((x[k] - centre) / scale, -FARTHEST, FARTHEST), 0.0)
        bounded = np.clip(z[k], -BOUND, BOUND)
        lasting = lasting + SMOOTHING * (bounded - lasting) * known[k]
        smooth[k] = lasting
        weight = max(1.0 / (k + len(head)), FOLLOWING)
        centre = centre + weight * np.clip(bounded, -3.0, 3.0) * scale
    return z, smooth, centre


def _correlation(residual: Floats, rows: int) -> Floats:
    features = residual.shape[1]
    correlation = residual.T @ residual
    diagonal = np.sqrt(np.maximum(np.diag(correlation), 1e-12))
    correlation = correlation / np.outer(diagonal, diagonal)
    # Towards independence by how many parameters there are for each row.
    shrink = min(1.0, max(0.1, features / (0.5 * rows + features)))
    correlation = (1 - shrink) * correlation
    np.fill_diagonal(correlation, 1.0)
    return correlation
