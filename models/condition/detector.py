"""How far a sample is from a regime's normal: whitened distance, its smoothed version, and single features' tails.

Three views of the same standardised residual: the instant distance sees a large change at once, the distance of the
exponentially smoothed residual (MEWMA: Lowry et al., A multivariate exponentially weighted moving average control chart,
Technometrics 1992) sees a small one that stays, and the largest single residual sees one feature among thirty. Each has a
limit of its own from its own held-out scores; the result is the largest multiple of a limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from river.base import AnomalyDetector

from models.condition.limit import tail_limit

Floats: TypeAlias = NDArray[np.float64]

SMOOTHING = 0.12
"""Weight of a new residual in the smoothed one: about 16 samples of memory."""
FLOORS = (2.2, 2.2, 6.0)
"""Least limits of distance, smoothed distance (as multiples of their healthy level) and largest residual."""
FOLDS = 4
FOLLOWING = 1 / 200
"""Weight of an accepted sample in the normal's centre."""
REACH = 50.0
"""Residuals beyond this many deviations say no more."""
CONSTANT_WEIGHT = 0.25
"""A feature that never moved in the warm-up may be a setting; it counts, but it does not decide alone."""
LEAST_RELATIVE_SCALE = 0.005
DRIFT_SHARE = 1.0
"""Drift over the warm-up, in deviations of the fast noise, at which a feature counts half."""
MODE_WIDTH = 1.5


class Fit(NamedTuple):
    """The learned numbers of one normal; arrays over its features."""

    centre: Floats
    scale: Floats
    weight: Floats
    inverse: Floats


class Normal(AnomalyDetector):
    """One regime's normal.

    A River anomaly detector over named features: `learn_one` follows slowly, `score_one` is the multiple of the limit. The
    model calls `score` and `follow` with vectors, which is the same without building dictionaries.

    Args:
        names: features, in the order of its vectors.
        budget: probability of a false excess per sample, for the limits.
    """

    def __init__(self, names: Sequence[str] = (), budget: float = 1e-6) -> None:
        self.names = list(names)
        self.budget = budget
        self.samples = 0
        self.limits: tuple[float, float, float] | None = None
        self._fit: Fit | None = None
        self._logarithmic = np.zeros(len(self.names), dtype=bool)
        self._floor = np.zeros(len(self.names))
        self._smooth = np.zeros(len(self.names))
        self._level = 1.0
        self._modes: list[tuple[Floats, Floats]] = []
        self._inverses: dict[bytes, tuple[Floats, float]] = {}

    def fit(self, table: Floats, logarithmic: NDArray[np.bool_]) -> None:
        """Learns from (rows, features), in time order, NaN where absent."""
        positive = table > 0
        self._logarithmic = logarithmic & (positive | np.isnan(table)).all(axis=0)
        self._floor = 0.02 * np.array([float(np.median(c[np.isfinite(c)])) if np.isfinite(c).any() else 1.0 for c in table.T])
        x = self._transform(table)
        self.samples = len(x)
        self._fit = _fit(x)
        self._inverses = {}
        self._smooth = np.zeros(x.shape[1])
        self.limits = self._calibrate(x)

    def score(self, vector: Floats) -> tuple[float, Floats]:
        """Multiple of the limit, and the signed residuals in deviations (NaN where absent)."""
        if self._fit is None or self.limits is None:
            return 0.0, np.full(len(self.names), np.nan)
        x = self._transform(vector)
        fit = self._fit
        z = np.clip((x - fit.centre) / fit.scale, -REACH, REACH)
        present = np.isfinite(z)
        self._smooth[present] += SMOOTHING * (z[present] - self._smooth[present])
        ratio = self._ratio(z, self._smooth, fit.weight, present)
        for centre, scale in self._modes:
            other = np.clip((x - centre) / scale, -REACH, REACH)
            ratio = min(ratio, self._ratio(other, other * SMOOTHING, fit.weight, present))
        return ratio, z

    def follow(self, vector: Floats) -> None:
        """Moves the centre a little towards an accepted sample."""
        if self._fit is None:
            return
        fit = self._fit
        step = np.clip(self._transform(vector) - fit.centre, -3 * fit.scale, 3 * fit.scale)
        fit.centre[:] += FOLLOWING * np.where(np.isfinite(step), step, 0.0)

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
        self._modes = self._modes[-8:]
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
            "level": self._level,
            "logarithmic": self._logarithmic.tolist(),
            "floor": self._floor.tolist(),
            "smooth": self._smooth.tolist(),
            "modes": [[centre.tolist(), scale.tolist()] for centre, scale in self._modes],
            "fit": None
            if fit is None
            else {
                "centre": fit.centre.tolist(),
                "scale": fit.scale.tolist(),
                "weight": fit.weight.tolist(),
                "inverse": fit.inverse[np.tril_indices(len(fit.centre))].tolist(),
            },
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Normal:
        """From a snapshot."""
        normal = cls([str(name) for name in state["names"]], float(state["budget"]))
        normal.samples = int(state["samples"])
        limits = state["limits"]
        normal.limits = (float(limits[0]), float(limits[1]), float(limits[2])) if limits else None
        normal._level = float(state["level"])
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
            normal._fit = Fit(*(np.array(fit[key], dtype=np.float64) for key in ("centre", "scale", "weight")), inverse)
        return normal

    def _vector(self, x: Mapping[Any, Any]) -> Floats:
        return np.array([x.get(name, np.nan) for name in self.names], dtype=np.float64)

    def _transform(self, x: Floats) -> Floats:
        if not self._logarithmic.any():
            return x
        logarithm = np.log(np.maximum(np.where(np.isfinite(x), x, np.nan), np.maximum(self._floor, 1e-12)))
        return np.where(self._logarithmic, logarithm, x)

    def _calibrate(self, x: Floats) -> tuple[float, float, float]:
        """Limits from scores of contiguous quarters under a normal learned from the other three."""
        scores: list[tuple[float, float, float]] = []
        bounds = np.linspace(0, len(x), FOLDS + 1).astype(int)
        self._level = 1.0
        for start, stop in zip(bounds, bounds[1:], strict=False):
            rest = np.vstack([x[:start], x[stop:]])
            if len(rest) < 4:
                continue
            fold = _fit(rest)
            smooth = np.zeros(x.shape[1])
            for row in x[start:stop]:
                z = np.clip((row - fold.centre) / fold.scale, -REACH, REACH)
                present = np.isfinite(z)
                smooth[present] += SMOOTHING * (z[present] - smooth[present])
                scores.append(_distances(z, smooth, fold.weight, present, fold.inverse, float(fold.weight[present].sum())))
        columns = np.array(scores).reshape(-1, 3)
        middle = [float(np.median(column)) if len(column) else 1.0 for column in columns.T]
        floors = (FLOORS[0] * max(middle[0], 0.6), FLOORS[1] * max(middle[1], 0.2), FLOORS[2])
        fast, slow, tail = (tail_limit(columns[:, k], self.budget, floors[k]) for k in range(3))
        return fast, slow, tail

    def _ratio(self, z: Floats, smooth: Floats, weight: Floats, present: NDArray[np.bool_]) -> float:
        fit = self._fit
        if fit is None or self.limits is None:
            return 0.0
        key = present.tobytes()
        cached = self._inverses.get(key)
        if cached is None:
            if len(self._inverses) > 16:
                self._inverses.clear()
            cached = (_restricted(fit.inverse, present), float(weight[present].sum()))
            self._inverses[key] = cached
        inverse, total = cached
        distances = _distances(z, smooth, weight, present, inverse, total)
        return max(distance / limit for distance, limit in zip(distances, self.limits, strict=True))


def _distances(
    z: Floats, smooth: Floats, weight: Floats, present: NDArray[np.bool_], inverse: Floats, total: float
) -> tuple[float, float, float]:
    if total <= 1e-9:
        return 0.0, 0.0, 0.0
    root = np.sqrt(weight)
    instant = np.where(present, z, 0.0) * root
    slow = np.where(present, smooth, 0.0) * root
    fast = float(instant @ inverse @ instant) / total
    lasting = float(slow @ inverse @ slow) / total
    return max(fast, 0.0) ** 0.5, max(lasting, 0.0) ** 0.5, float(np.abs(instant).max())


def _restricted(inverse: Floats, present: NDArray[np.bool_]) -> Floats:
    """The precision matrix over what is present: missing features marginalised out."""
    if present.all():
        return inverse
    result = np.zeros_like(inverse)
    if present.any():
        keep = np.ix_(present, present)
        result[keep] = np.linalg.inv(np.linalg.inv(inverse)[keep])
    return result


def _fit(x: Floats) -> Fit:
    """Centre, scale, weight and precision of (rows, features), robust against a few odd rows."""
    rows, features = x.shape
    known = np.isfinite(x)
    count = known.sum(axis=0)
    filled = np.where(known, x, np.nan)
    usable = count >= max(4, rows // 5)
    quartiles = np.full((3, features), np.nan)
    if usable.any():
        quartiles[:, usable] = np.nanquantile(filled[:, usable], (0.25, 0.5, 0.75), axis=0)
    spread = quartiles[2] - quartiles[0]
    low, high = quartiles[0] - 3 * spread, quartiles[2] + 3 * spread
    clipped = np.where(spread > 0, np.clip(filled, low, high), filled)
    clipped[:, ~usable] = np.nan
    safe = np.where(known & usable, clipped, 0.0)
    n = np.maximum(count, 1)
    mean = safe.sum(axis=0) / n
    centred = np.where(known & usable, clipped - mean, 0.0)
    deviation = np.sqrt((centred**2).sum(axis=0) / np.maximum(n - 1, 1))
    least = np.maximum(LEAST_RELATIVE_SCALE * np.abs(mean), 1e-9)
    constant = deviation < 1e-3 * least
    # Student-like: a deviation from ten rows is itself uncertain.
    scale = np.maximum(deviation, least) * (1.0 + 3.0 / n)
    weight = _stationarity(centred, known & usable, scale)
    weight = np.where(usable, np.where(constant, np.minimum(weight, CONSTANT_WEIGHT), weight), 0.0)
    z = centred / scale
    correlation = (z.T @ z) / max(rows - 1, 1)
    diagonal = np.sqrt(np.maximum(np.diag(correlation), 1e-12))
    correlation = correlation / np.outer(diagonal, diagonal)
    shrink = min(1.0, max(0.1, features / (0.5 * rows + features)))
    correlation = (1 - shrink) * correlation
    np.fill_diagonal(correlation, 1.0)
    return Fit(np.where(usable, mean, 0.0), np.where(usable, scale, 1.0), weight, np.linalg.inv(correlation))


def _stationarity(centred: Floats, known: NDArray[np.bool_], scale: Floats) -> Floats:
    """1 for a feature whose level stays, towards 0 for one that drifts through the warm-up.

    Compares the means of eight stretches with the noise inside them.
    """
    rows = len(centred)
    parts = min(8, rows // 4)
    if parts < 3:
        return np.ones(centred.shape[1])
    bounds = np.linspace(0, rows, parts + 1).astype(int)
    means, noise = [], []
    for start, stop in zip(bounds, bounds[1:], strict=False):
        n = np.maximum(known[start:stop].sum(axis=0), 1)
        mean = centred[start:stop].sum(axis=0) / n
        means.append(mean)
        noise.append((np.where(known[start:stop], centred[start:stop] - mean, 0.0) ** 2).sum(axis=0) / n)
    levels = np.array(means)
    half = parts // 2
    trend = np.abs(levels[-half:].mean(axis=0) - levels[:half].mean(axis=0))
    fast = np.sqrt(np.mean(noise, axis=0)) + 1e-3 * scale
    allowed = 2.0 * fast / np.sqrt(max(rows / 2, 1))
    drift = np.maximum(trend - allowed, 0.0) / fast
    weight: Floats = 1.0 / (1.0 + (drift / DRIFT_SHARE) ** 2)
    return weight
