"""How far a sample is from a regime's normal: four views of one standardised residual.

The instant distance sees a change in many features at once, the largest single residual sees one feature among thirty. The
same two of the exponentially smoothed residual (MEWMA: Lowry et al., A multivariate exponentially weighted moving
average control chart, Technometrics 1992) see small changes that stay. Each view has a limit from the scores that the
machine's own healthy samples would have got (`models.condition.learning`). The result is the largest multiple of a limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from river.base import AnomalyDetector

from models.condition.learning import (
    ARRAYS,
    FARTHEST,
    FOLLOWING,
    SMOOTHING,
    Fit,
    Views,
    learn,
    limits,
    views,
    weighted,
)

Floats: TypeAlias = NDArray[np.float64]

REACH = 6.0
"""How far the centre may follow from where it was fitted, in (widened) deviations: the rest is a change."""
MODE_WIDTH = 1.5
"""A normal that a person pointed out is taken to be this much wider than a learned one."""
MOST_MODES = 8


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
            least: (features, 3) the least deviation of each as a share of its mean and absolute, and how many samples make a
                look at it (see `tolerance`).
        """
        known = np.isfinite(table)
        least = np.zeros((table.shape[1], 3)) if least is None else least
        self._logarithmic = logarithmic & ((table > 0) | ~known).all(axis=0)
        self._floor = 0.02 * np.array(
            [float(np.median(c[k])) if k.any() else 1.0 for c, k in zip(table.T, known.T, strict=True)]
        )
        x = self._transform(table)
        self.samples = len(x)
        self._inverses = {}
        self._smooth = np.zeros(x.shape[1])
        tolerances = least.copy()
        # A share of the mean is an absolute number for a logarithm.
        tolerances[self._logarithmic, :2] = np.column_stack([np.zeros(len(least)), least[:, 0]])[self._logarithmic]
        self._fit, scores, looks = learn(x, tolerances)
        self.limits = limits(scores, looks, self.budget)

    def score(self, vector: Floats, *, settled: bool = True) -> tuple[float, Floats]:
        """Multiple of the limit, and the signed residuals in deviations, instant or lasting, whichever says more.

        A residual is NaN where the feature is absent. While the machine has not settled nothing enters the smoothed one.
        """
        if self._fit is None or self.limits is None:
            return 0.0, np.full(len(self.names), np.nan)
        x = self._transform(vector)
        fit = self._fit
        z = _bounded((x - fit.centre) / fit.scale, FARTHEST)
        present = np.isfinite(z) & (fit.weight > 0)
        filled = np.where(present, z, 0.0)
        # What is absent fades from the smoothed residual: nothing is known of it any more.
        if settled:
            self._smooth += SMOOTHING * (_bounded(filled, fit.bound) - self._smooth)
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
        step = np.where(np.isfinite(step), _bounded(step, 3 * fit.scale), 0.0)
        fit.centre[:] = np.clip(
            fit.centre + FOLLOWING * step, fit.anchor - REACH * fit.scale, fit.anchor + REACH * fit.scale
        )

    def inherit(self, older: Normal) -> None:
        """Goes on where an older normal of the same regime had followed to, as far as this one's reach allows."""
        if self._fit is None or older._fit is None:
            return
        size = min(len(self.names), len(older.names))
        fit = self._fit
        same = self._logarithmic[:size] == older._logarithmic[:size]
        near = np.clip(
            older._fit.centre[:size], (fit.anchor - REACH * fit.scale)[:size], (fit.anchor + REACH * fit.scale)[:size]
        )
        fit.centre[:size] = np.where(same & (older._fit.weight[:size] > 0), near, fit.centre[:size])
        if same.all():
            carried = older._smooth[:size] * older._fit.scale[:size] / fit.scale[:size]
            self._smooth[:size] = _bounded(carried, fit.bound[:size])

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
        fit, most = self._fit, self.limits
        if fit is None or most is None:
            return 0.0
        key = present.tobytes()
        cached = self._inverses.get(key)
        if cached is None:
            if len(self._inverses) > 16:
                self._inverses.clear()
            inverse = _restricted(fit.inverse, present)
            cached = (weighted(inverse, fit.weight, present), weighted(inverse, fit.slow_weight, present))
            self._inverses[key] = cached
        seen = views(z, smooth / fit.slow, *cached)
        return max(seen[0] / most[0], seen[1] / most[1], seen[2] / most[2], seen[3] / most[3])


def _restricted(inverse: Floats, present: NDArray[np.bool_]) -> Floats:
    """The precision matrix over what is present: missing features marginalised out."""
    if present.all():
        return inverse
    result = np.zeros_like(inverse)
    if present.any():
        keep = np.ix_(present, present)
        result[keep] = np.linalg.inv(np.linalg.inv(inverse)[keep])
    return result


def _bounded(x: Floats, bound: Floats | float) -> Floats:
    """Values drawn in to plus or minus the bound; several times quicker than `numpy.clip` on short vectors."""
    drawn: Floats = np.minimum(np.maximum(x, -bound), bound)
    return drawn
