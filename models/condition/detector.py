"""How far a sample is from a regime's normal: several views of one standardised residual.

Instant and smoothed over several lengths of memory (`models.condition.smoothing`); in each view a whitened distance sees a change in many
features at once, and the largest single residual sees one feature among thirty. Each has a limit from the scores that the
machine's own healthy samples would have got (`models.condition.learning`). The result is the largest multiple of a limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from river.base import AnomalyDetector

from models.condition.learning import (
    ARRAYS,
    FARTHEST,
    FOLLOWING,
    SIGMAS_RANGE,
    Fit,
    Limits,
    learn,
    views,
)
from models.condition.severity import WATCH_SHARE
from models.condition.smoothing import LIFE, bounded, nothing, smoothed

Floats: TypeAlias = NDArray[np.float64]

REACH = 6.0
"""How far the centre may follow from where it was fitted, in (widened) deviations: the rest is a change."""
YIELD = 0.8
"""Share of the limit from which a smoothed residual is followed no more: nearer to it, less and less (Tukey's biweight)."""
CATCHING_UP = 60
"""Samples in which what an alarm left behind is taken over: who repaired a machine has also touched it."""
TOUCHED = 1.5
"""Deviations from which a feature is not where it was before the alarm."""
BACK = 0.5
"""A level that has come back by more than half of what its slow memory says is judged by itself."""
MODE_WIDTH = 1.5
"""A normal that a person pointed out is taken to be this much wider than a learned one."""
MOST_MODES = 8
NO_SAY = 0.05
"""Weight below which a feature hardly counts."""
QUIET = 3.0
"""Deviations within which the quick views say nothing of a feature."""
INSIDE, LASTING = 0, 2
"""Positions of views: the instant residual, and the one smoothed over twelve samples."""


class Score(NamedTuple):
    """What is said of one sample."""

    ratio: float
    """Multiple of the limit."""
    now: float
    """The same without what only the slowest memory still says: whether an alarm is over."""
    sigmas: Floats
    """(features,) signed residuals in deviations, of the view in which each says most; NaN where absent."""


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
        self.limits: Limits | None = None
        self._fit: Fit | None = None
        self._logarithmic = np.zeros(len(self.names), dtype=bool)
        self._floor = np.zeros(len(self.names))
        self._smooth = nothing(len(self.names))
        self._catching_up = 0
        self._touched = np.zeros(len(self.names), dtype=bool)
        self._modes: list[tuple[Floats, Floats]] = []
        self._inverses: dict[bytes, tuple[Floats, Floats, Limits]] = {}

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
        self._floor = np.maximum(self._floor, 1e-12)
        x = self._transform(table)
        self.samples = len(x)
        self._inverses = {}
        self._smooth = nothing(x.shape[1])
        self._touched = np.zeros(x.shape[1], dtype=bool)
        tolerances = least.copy()
        # A share of the mean is an absolute number for a logarithm.
        tolerances[self._logarithmic, :2] = np.column_stack([np.zeros(len(least)), least[:, 0]])[self._logarithmic]
        self._fit, self.limits = learn(x, tolerances, self.budget)

    def score(self, vector: Floats, *, settled: bool = True) -> Score:
        """Judges one sample. While the machine has not settled nothing enters the smoothed residuals."""
        if self._fit is None or self.limits is None:
            return Score(0.0, 0.0, np.full(len(self.names), np.nan))
        x = self._transform(vector)
        fit = self._fit
        residual = (x - fit.centre) / fit.scale
        present = np.isfinite(residual) & (fit.weight[INSIDE] > 0)
        unit = np.empty_like(fit.deviation)
        unit[INSIDE] = bounded(np.where(present, residual, 0.0), FARTHEST)
        # What is absent fades from the smoothed residuals: nothing is known of it any more.
        if settled:
            level = np.where(present, (x - fit.life) / fit.scale, 0.0)
            self._smooth = smoothed(self._smooth, bounded(unit[INSIDE], fit.bound), bounded(level, fit.bound))
        unit[INSIDE + 1 :] = self._smooth
        unit /= fit.deviation
        ratio, now = self._ratio(unit, present)
        for centre, scale in self._modes:
            # At a mode the smoothed residual is that of the mode's own centre, which nobody has followed.
            other = np.where(present, bounded((x - centre) / scale, FARTHEST), 0.0)
            ratio = min(ratio, self._ratio(np.broadcast_to(other, unit.shape), present)[0])
        return Score(ratio, min(now, ratio), np.where(present, _told(unit), np.nan))

    def follow(self, vector: Floats) -> None:
        """Moves the centre a little towards an accepted sample, within its reach.

        A feature whose smoothed residuals come near their limit is followed less: a fault that begins is not to be learned.
        After `recover` it is followed quickly for a while.
        """
        if self._fit is None:
            return
        fit = self._fit
        x = self._transform(vector)
        known = np.isfinite(x)
        near = np.abs(self._smooth[:LIFE] / fit.deviation[1:-1]).max(axis=0) / (YIELD * SIGMAS_RANGE[1])
        rate = FOLLOWING * np.maximum(1.0 - near**2, 0.0) ** 2
        if self._catching_up > 0:
            quick = np.where(self._touched, 1.0 / (21.0 + CATCHING_UP - self._catching_up), 0.0)
            self._catching_up -= 1
            rate = np.maximum(rate, quick)
            fit.life[:] += quick * np.where(known, bounded(x - fit.life, 3.0 * fit.scale), 0.0)
        step = np.where(known, bounded(x - fit.centre, 3.0 * fit.scale), 0.0)
        reach = REACH * fit.scale * fit.deviation[INSIDE]
        fit.centre[:] = fit.anchor + bounded(fit.centre + rate * step - fit.anchor, reach)

    @property
    def catching_up(self) -> bool:
        """Whether what an alarm left behind is being followed quickly."""
        return self._catching_up > 0

    def recover(self) -> None:
        """An alarm is over: what remains of it is followed quickly, and the slow memories forget the rest."""
        if self._fit is not None:
            self._touched = np.abs(self._smooth[LASTING - 1]) > TOUCHED * self._fit.deviation[LASTING]
            self._smooth[LASTING:LIFE] = self._smooth[LASTING - 1]
            self._smooth[LIFE] = bounded(self._level(self._fit), self._fit.bound)
            self._catching_up = CATCHING_UP

    def inherit(self, older: Normal) -> None:
        """Goes on where an older normal of the same regime had followed to, as far as this one's reach allows."""
        if self._fit is None or older._fit is None:
            return
        size = min(len(self.names), len(older.names))
        fit = self._fit
        same = self._logarithmic[:size] == older._logarithmic[:size]
        reach = (REACH * fit.scale * fit.deviation[INSIDE])[:size]
        near = fit.anchor[:size] + bounded(older._fit.centre[:size] - fit.anchor[:size], reach)
        fit.centre[:size] = np.where(same & (older._fit.weight[INSIDE, :size] > 0), near, fit.centre[:size])
        self._catching_up = older._catching_up
        self._touched[:size] = older._touched[:size]
        if same.all():
            carried = older._smooth[:, :size] * older._fit.scale[:size] / fit.scale[:size]
            self._smooth[:, :size] = bounded(carried, fit.bound[:size])

    def accept(self, table: Floats) -> None:
        """Makes (rows, features) that a person called normal a mode of its own."""
        if self._fit is None or not len(table):
            return
        x = self._transform(table)
        with np.errstate(invalid="ignore"):
            centre = np.nanmedian(np.where(np.isfinite(x), x, np.nan), axis=0) if len(x) else self._fit.centre
        centre = np.where(np.isfinite(centre), centre, self._fit.centre)
        wide = np.nanmax(np.abs(np.where(np.isfinite(x), x, centre) - centre), axis=0) / 2
        usual = self._fit.scale * self._fit.deviation[INSIDE]
        self._modes.append((centre, np.maximum(MODE_WIDTH * usual, wide)))
        self._modes = self._modes[-MOST_MODES:]
        self.settle()

    def settle(self) -> None:
        """Forgets the smoothed residual: the machine has just come into this regime."""
        self._smooth[:] = 0.0

    def sees(self, vector: Floats) -> bool:
        """Whether anything is there that this normal can judge."""
        fit = self._fit
        return fit is not None and bool((np.isfinite(vector) & (fit.weight[INSIDE] > 0)).any())

    def unsteady(self) -> list[str]:
        """Features with next to no say in what stays: they changed while they were learned."""
        if self._fit is None:
            return []
        known = self._fit.weight[INSIDE] > 0
        return [self.names[k] for k in np.flatnonzero(known & (self._fit.weight[LASTING] < NO_SAY)).tolist()]

    def expected(self, index: int) -> float:
        """The centre of one feature in its own unit."""
        if self._fit is None:
            return 0.0
        value = float(self._fit.centre[index])
        return float(np.exp(value)) if self._logarithmic[index] else value

    def weights(self) -> Floats:
        """How much each feature counts, 0 to 1."""
        return self._fit.weight[INSIDE] if self._fit is not None else np.ones(len(self.names))

    def learn_one(self, x: dict[Any, Any]) -> None:
        """River's form of `follow`."""
        self.follow(self._vector(x))

    def score_one(self, x: dict[Any, Any]) -> float:
        """River's form of `score`."""
        return self.score(self._vector(x)).ratio

    def peek(self, x: Mapping[Any, Any]) -> float:
        """The multiple of the limit that this sample would have if it came next; nothing changes."""
        smooth = self._smooth
        ratio = self.score(self._vector(x)).ratio
        self._smooth = smooth
        return ratio

    def state(self) -> dict[str, Any]:
        """For the snapshot."""
        fit = self._fit
        return {
            "names": self.names,
            "budget": self.budget,
            "samples": self.samples,
            "limits": [each.tolist() for each in self.limits] if self.limits else None,
            "logarithmic": self._logarithmic.astype(int).tolist(),
            "floor": self._floor.tolist(),
            "smooth": self._smooth.tolist(),
            "catching_up": self._catching_up,
            "touched": self._touched.astype(int).tolist(),
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
        normal.limits = (
            Limits(*(np.array(each, dtype=np.float64) for each in state["limits"])) if state["limits"] else None
        )
        normal._logarithmic = np.array(state["logarithmic"], dtype=bool)
        normal._floor = np.array(state["floor"], dtype=np.float64)
        normal._smooth = np.array(state["smooth"], dtype=np.float64)
        normal._catching_up = int(state["catching_up"])
        normal._touched = np.array(state["touched"], dtype=bool)
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
        transformed: Floats = np.log(np.maximum(x, self._floor), out=x.astype(np.float64), where=self._logarithmic)
        return transformed

    def _level(self, fit: Fit) -> Floats:
        """Where the machine has been over the last samples, against its life, in deviations."""
        level: Floats = self._smooth[LASTING - 1] + (fit.centre - fit.life) / fit.scale
        return level

    def _ratio(self, unit: Floats, present: NDArray[np.bool_]) -> tuple[float, float]:
        """Largest multiple of a limit of (views, features), and the same with the slow memory of what came back made quick."""
        fit, most = self._fit, self.limits
        if fit is None or most is None:
            return 0.0, 0.0
        key = present.tobytes()
        cached = self._inverses.get(key)
        if cached is None:
            if len(self._inverses) > 16:
                self._inverses.clear()
            weight = fit.weight * present
            share = np.maximum(weight.sum(axis=1), 1e-12) / np.maximum(fit.weight.sum(axis=1), 1e-12)
            # A mean of fewer squares scatters more: what is absent takes its share of the certainty with it.
            square = np.maximum(np.square(most.distance) - 1.0, 0.0) / np.sqrt(share)
            wider = Limits(np.maximum(np.sqrt(1.0 + square), most.distance), most.largest)
            cached = self._inverses[key] = (_restricted(fit.inverse, present), weight, wider)
        if not present.all():
            unit = unit * present
        most = cached[2]
        multiples = _multiples(unit, *cached)
        ratio = float(multiples.max())
        if ratio < WATCH_SHARE:
            return ratio, ratio
        level = self._level(fit)
        back = np.abs(level) < BACK * np.abs(self._smooth[LIFE])
        quick = level / np.hypot(fit.deviation[-1], fit.deviation[LASTING])
        last = Limits(most.distance[-1:], most.largest[-1:])
        life = _multiples(np.where(back, quick, unit[-1])[None] * present, cached[0], cached[1][-1:], last)
        return ratio, max(float(multiples[:, :-1].max()), float(life.max()))


def _told(unit: Floats) -> Floats:
    """Of (views, features), what each feature says in the view in which it says most.

    How far a strong change went shows in the quick views; the slow ones are full of it, whatever its size, and are only asked
    where the quick ones are quiet.
    """
    size = np.abs(unit)
    every = np.arange(unit.shape[1])
    told: Floats = unit[size[: LASTING + 1].argmax(axis=0), every]
    slow = size.argmax(axis=0)
    asked = (slow > LASTING) & (np.abs(told) < QUIET)
    return np.where(asked, unit[slow, every], told) if asked.any() else told


def _multiples(unit: Floats, inverse: Floats, weight: Floats, most: Limits) -> Floats:
    """(2, views): distances and largest residuals as multiples of their limits."""
    distance, largest = views(unit, inverse, weight)
    return np.vstack([distance / most.distance, largest / most.largest])


def _restricted(inverse: Floats, present: NDArray[np.bool_]) -> Floats:
    """The precision matrix over what is present: missing features marginalised out."""
    if present.all():
        return inverse
    result = np.zeros_like(inverse)
    if present.any():
        keep = np.ix_(present, present)
        result[keep] = np.linalg.inv(np.linalg.inv(inverse)[keep])
    return result
