"""How far a sample is from a regime's normal: several views of one standardised residual.

Instant and smoothed over several lengths of memory (`models.condition.smoothing`); in each view a whitened distance sees a change in many
features at once, and the largest single residual sees one feature among thirty. Each has a limit from the scores that the
machine's own healthy samples would have got (`models.condition.learning`). The result is the largest multiple of a limit.
"""

from __future__ import annotations

import copy
import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from river.base import AnomalyDetector

from models.condition.learning import (
    FARTHEST,
    FOLLOWING,
    VIEWS,
    Limits,
    learn,
)
from models.condition.severity import WATCH_SHARE
from models.condition.smoothing import LIFE, bounded
from models.condition.trees import Trees
from models.condition.yardstick import INSIDE, LASTING, Presence, Yardstick

Floats: TypeAlias = NDArray[np.float64]

CATCHING_UP = 60
"""Samples in which what an alarm left behind is taken over: who repaired a machine has also touched it."""
TOUCHED = 1.5
"""Deviations from which a feature is not where it was before the alarm."""
BACK = 0.5
"""A level that has come back by more than half of what its slow memory says is judged by itself."""
MODE_WIDTH = 1.5
"""A normal that a person pointed out is taken to be this much wider than a learned one."""
MOST_MODES = 8
HALF = 0.5
"""Multiple of the limit of a single sample from which it may be half of another regime: sensors are not read at one moment."""
MOST_JUDGED = 16
NO_SAY = 0.05
"""Weight below which a feature hardly counts."""
QUIET = 3.0
"""Deviations within which the quick views say nothing of a feature."""


class Score(NamedTuple):
    """What is said of one sample."""

    ratio: float
    """Multiple of the limit."""
    now: float
    """The same without what only the slowest memory still says: whether an alarm is over."""


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
        self._stick: Yardstick | None = None
        self._trees = Trees(budget / (VIEWS + 1))
        self._logarithmic = np.zeros(len(self.names), dtype=bool)
        self._linear = ~self._logarithmic
        self._floor = np.zeros(len(self.names))
        self._alone = 0.0
        self._catching_up = 0
        self._touched = np.zeros(len(self.names), dtype=bool)
        self._modes: list[tuple[Floats, Floats]] = []
        # Vectors that were judged and may be followed later, with what was made of them.
        self._judged: deque[tuple[Floats, Floats, Presence]] = deque(maxlen=MOST_JUDGED)

    def fit(
        self,
        table: Floats,
        logarithmic: NDArray[np.bool_],
        least: Floats | None = None,
        age: float = 0.0,
        older: Normal | None = None,
    ) -> None:
        """Learns from (rows, features), in time order, NaN where absent.

        Args:
            table: the regime's healthy samples.
            logarithmic: which features are judged by their ratio to normal, where they are always positive.
            least: (features, 3) the least deviation of each as a share of its mean and absolute, and how many samples make a
                look at it (see `tolerance`).
            age: healthy samples in the machine's life so far, for the limits.
            older: the regime's normal so far, where the table shows only a part of its life: what went as far in it is not odd.
        """
        known = np.isfinite(table)
        least = np.zeros((table.shape[1], 3)) if least is None else least
        self._logarithmic = logarithmic & ((table > 0) | ~known).all(axis=0)
        self._linear = ~self._logarithmic
        self._floor = 0.02 * np.array(
            [float(np.median(c[k])) if k.any() else 1.0 for c, k in zip(table.T, known.T, strict=True)]
        )
        self._floor = np.maximum(self._floor, 1e-12)
        x = self._transform(table)
        self.samples = len(x)
        self._touched = np.zeros(x.shape[1], dtype=bool)
        tolerances = least.copy()
        # A share of the mean is an absolute number for a logarithm.
        tolerances[self._logarithmic, :2] = np.column_stack([np.zeros(len(least)), least[:, 0]])[self._logarithmic]
        self._stick = Yardstick(
            *learn(x, tolerances, self.budget, age, older.spread(self._logarithmic) if older else None)
        )
        self._trees.fit(x)

    @property
    def limits(self) -> Limits | None:
        """Of each view; None before anything was learned."""
        return self._stick.limits if self._stick is not None else None

    def score(self, vector: Floats, *, settled: bool = True) -> Score | None:
        """Judges one sample; None where nothing is there that this normal can judge.

        While the machine has not settled nothing enters the smoothed residuals.
        """
        stick = self._stick
        if stick is None:
            return None
        presence = stick.presence(vector)
        if presence.none:
            return None
        x = self._transform(vector)
        self._judged.append((vector, x, presence))
        stick.take(x, presence, settled=settled)
        ratio, now = self._ratio(stick, stick.unit, presence)
        for centre, scale in self._modes:
            # At a mode the smoothed residual is that of the mode's own centre, which nobody has followed.
            other = np.where(presence.mask, bounded((x - centre) / scale, FARTHEST), 0.0)
            ratio = min(ratio, self._ratio(stick, np.tile(other, (VIEWS, 1)), presence)[0])
        # What a person called normal the trees know by themselves.
        rare = self._trees.score(x, complete=presence.complete) if settled else 0.0
        return Score(max(ratio, rare), max(min(now, ratio), rare))

    def telling(self, least: float) -> list[tuple[int, float]]:
        """Positions and signed residuals, in deviations, of the features that were at least so far out in the last scored sample.

        Each is of the view in which the feature says most.
        """
        if self._stick is None:
            return []
        unit = self._stick.unit
        told = [(column, _told(unit[:, column].tolist())) for column in self._stick.beyond(least)]
        return [(column, sigma) for column, sigma in told if abs(sigma) >= least]

    def rare(self) -> list[tuple[int, float, float]]:
        """Of features that were never seen together like this: positions, where they usually are nearest to it, and how far away.

        The former is in the feature's own unit, the latter in deviations.
        """
        if self._stick is None or not self._judged:
            return []
        x, fit = self._judged[-1][1], self._stick.fit
        return [
            (k, self._untransformed(k, usual), float((x[k] - usual) / (fit.scale[k] * fit.deviation[INSIDE, k])))
            for k, usual in self._trees.telling(x)
        ]

    def follow(self, vector: Floats) -> None:
        """Moves the centre a little towards an accepted sample, within its reach.

        A feature whose smoothed residuals come near their limit is followed less: a fault that begins is not to be learned.
        After `recover` it is followed quickly for a while.
        """
        stick = self._stick
        if stick is None:
            return
        near = np.square(stick.unrest())
        rate = np.maximum(np.subtract(1.0, near, out=near), 0.0, out=near)
        rate *= rate
        rate *= FOLLOWING
        x, presence = self._as_judged(stick, vector)
        if self._catching_up > 0:
            quick = np.where(self._touched, 1.0 / (21.0 + CATCHING_UP - self._catching_up), 0.0)
            self._catching_up -= 1
            rate = np.maximum(rate, quick)
            stick.follow_life(x, quick)
        stick.follow(x, presence, rate)

    @property
    def catching_up(self) -> bool:
        """Whether what an alarm left behind is being followed quickly."""
        return self._catching_up > 0

    def recover(self) -> None:
        """An alarm is over: what remains of it is followed quickly, and the slow memories forget the rest."""
        if (stick := self._stick) is not None:
            smooth = stick.smooth
            self._touched = np.abs(smooth[LASTING - 1]) > TOUCHED * stick.fit.deviation[LASTING]
            smooth[LASTING:LIFE] = smooth[LASTING - 1]
            smooth[LIFE] = bounded(stick.level(), stick.fit.bound)
            self._catching_up = CATCHING_UP
            stick.calm()
            self._trees.settle()

    def inherit(self, older: Normal) -> None:
        """Goes on where an older normal of the same regime had followed to, as far as this one's reach allows."""
        if self._stick is None or older._stick is None:
            return
        size = min(len(self.names), len(older.names))
        stick, fit, before = self._stick, self._stick.fit, older._stick.fit
        same = self._logarithmic[:size] == older._logarithmic[:size]
        near = fit.anchor[:size] + bounded(before.centre[:size] - fit.anchor[:size], stick.reach[:size])
        stick.begin(np.where(same & (before.weight[INSIDE, :size] > 0), near, fit.centre[:size]))
        self._catching_up = older._catching_up
        self._trees.inherit(older._trees)
        self._touched[:size] = older._touched[:size]
        if same.all():
            stick.inherit(older._stick, size)
            carried = older._stick.smooth[:, :size] * before.scale[:size] / fit.scale[:size]
            stick.smooth[:, :size] = bounded(carried, fit.bound[:size])

    def accept(self, table: Floats) -> None:
        """Makes (rows, features) that a person called normal a mode of its own."""
        if self._stick is None or not len(table):
            return
        fit = self._stick.fit
        x = self._transform(table)
        known = np.isfinite(x)
        centre = np.array(
            [np.median(c[k]) if k.any() else middle for c, k, middle in zip(x.T, known.T, fit.centre, strict=True)]
        )
        wide = np.abs(np.where(known, x, centre) - centre).max(axis=0) / 2
        self._modes.append((centre, np.maximum(MODE_WIDTH * fit.scale * fit.deviation[INSIDE], wide)))
        self._modes = self._modes[-MOST_MODES:]
        self._trees.accept(x)
        self.settle()

    def remember(self) -> None:
        """The last scored sample was healthy: how far it went belongs to this regime's life."""
        if self._stick is not None:
            self._stick.remember()

    def leave(self) -> bool:
        """The machine is in another regime: the last sample, if it was odd for this one, was half of the next and is taken back."""
        if self._stick is None or self._alone <= HALF:
            return False
        self._stick.take_back()
        self._trees.take_back()
        return True

    def settle(self) -> None:
        """Forgets the smoothed residual: the machine has just come into this regime."""
        if self._stick is not None:
            self._stick.smooth[:] = 0.0
            self._trees.settle()

    def unsteady(self) -> list[str]:
        """Features with next to no say in what stays: they changed while they were learned."""
        if self._stick is None:
            return []
        weight = self._stick.fit.weight
        return [self.names[k] for k in np.flatnonzero((weight[INSIDE] > 0) & (weight[LASTING] < NO_SAY)).tolist()]

    def expected(self, index: int) -> float:
        """The centre of one feature in its own unit."""
        if self._stick is None:
            return 0.0
        return self._untransformed(index, float(self._stick.fit.centre[index]))

    def weights(self) -> Floats:
        """How much each feature counts, 0 to 1."""
        return self._stick.fit.weight[INSIDE] if self._stick is not None else np.ones(len(self.names))

    def learn_one(self, x: dict[Any, Any]) -> None:
        """River's form of `follow`."""
        self.follow(self._vector(x))

    def score_one(self, x: dict[Any, Any]) -> float:
        """River's form of `score`; 0 where there is nothing to judge."""
        seen = self.score(self._vector(x))
        return seen.ratio if seen is not None else 0.0

    def peek(self, x: Mapping[Any, Any]) -> float:
        """The multiple of the limit that this sample would have if it came next; nothing changes."""
        return copy.deepcopy(self).score_one(dict(x))

    def state(self) -> dict[str, Any]:
        """For the snapshot."""
        return {
            "names": self.names,
            "budget": self.budget,
            "samples": self.samples,
            "logarithmic": self._logarithmic.astype(int).tolist(),
            "floor": self._floor.tolist(),
            "alone": self._alone,
            "catching_up": self._catching_up,
            "touched": self._touched.astype(int).tolist(),
            "modes": [[centre.tolist(), scale.tolist()] for centre, scale in self._modes],
            "trees": self._trees.state(),
            **(self._stick.state() if self._stick is not None else {"fit": None}),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Normal:
        """From a snapshot."""
        normal = cls([str(name) for name in state["names"]], float(state["budget"]))
        normal.samples = int(state["samples"])
        normal._logarithmic = np.array(state["logarithmic"], dtype=bool)
        normal._linear = ~normal._logarithmic
        normal._floor = np.array(state["floor"], dtype=np.float64)
        normal._alone = float(state["alone"])
        normal._catching_up = int(state["catching_up"])
        normal._touched = np.array(state["touched"], dtype=bool)
        normal._modes = [(np.array(c, dtype=np.float64), np.array(s, dtype=np.float64)) for c, s in state["modes"]]
        normal._trees = Trees.from_state(state["trees"], normal._trees.budget)
        if state["fit"] is not None:
            normal._stick = Yardstick.from_state(state)
        return normal

    def spread(self, logarithmic: NDArray[np.bool_]) -> Floats | None:
        """(views, features) how far residuals have gone in this regime's life, over more features; None where they were others."""
        size = len(self.names)
        if self._stick is None or not np.array_equal(self._logarithmic, logarithmic[:size]):
            return None
        spread = np.zeros((VIEWS, len(logarithmic)))
        spread[:, :size] = self._stick.spread
        return spread

    def _vector(self, x: Mapping[Any, Any]) -> Floats:
        return np.array([x.get(name, np.nan) for name in self.names], dtype=np.float64)

    def _transform(self, x: Floats) -> Floats:
        if self._linear.all():
            return x
        transformed: Floats = np.maximum(x, self._floor)
        np.log(transformed, out=transformed)
        np.copyto(transformed, x, where=self._linear)
        return transformed

    def _untransformed(self, index: int, value: float) -> float:
        return math.exp(value) if self._logarithmic[index] else value

    def _as_judged(self, stick: Yardstick, vector: Floats) -> tuple[Floats, Presence]:
        # They are followed in the order in which they were judged.
        while self._judged:
            judged, x, presence = self._judged.popleft()
            if judged is vector:
                return x, presence
        return self._transform(vector), stick.presence(vector)

    def _ratio(self, stick: Yardstick, unit: Floats, presence: Presence) -> tuple[float, float]:
        """Largest multiple of a limit of (views, features), and the same with the slow memory of what came back made quick."""
        squares, largest = stick.multiples(unit, presence)
        self._alone = _most(squares[: INSIDE + 1], largest[: INSIDE + 1])
        ratio = _most(squares, largest)
        if ratio < WATCH_SHARE:
            return ratio, ratio
        level, deviation = stick.level(), stick.fit.deviation
        back = np.abs(level) < BACK * np.abs(stick.smooth[LIFE])
        quick = level / np.hypot(deviation[-1], deviation[LASTING])
        life = unit.copy()
        life[-1] = np.where(back, quick, unit[-1]) * presence.mask
        now = stick.multiples(life, presence)
        return ratio, _most([*squares[:-1], now[0][-1]], [*largest[:-1], now[1][-1]])


def _most(squares: list[float], largest: list[float]) -> float:
    return max(math.sqrt(max(*squares, 0.0)), *largest)


def _told(views: list[float]) -> float:
    """Of one feature's residuals, quickest view first, that of the view in which it says most.

    How far a strong change went shows in the quick views; the slow ones are full of it, whatever its size, and are only asked
    where the quick ones are quiet.
    """
    told = max(views[: LASTING + 1], key=abs)
    return max(views, key=abs) if abs(told) < QUIET else told
