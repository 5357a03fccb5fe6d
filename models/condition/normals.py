"""A machine's normals: which regimes it has, what each is like, and when that is learned anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.condition.columns import Columns
from models.condition.detector import Normal, Score
from models.condition.memory import Memory
from models.condition.regime import Regimes, settled_rows
from models.condition.snapshot import optional_numbers, with_nan
from models.condition.tolerance import tolerance

Floats: TypeAlias = NDArray[np.float64]

REGROWTH = 1.3
"""Everything is fitted again when the memory has grown by this factor."""
LEAST_WAIT, LONGEST_WAIT = 30, 2_000
LEAST_ROWS = 24
"""Samples of a regime from which it is judged by them; until then it is met like one that is new."""
LEAST_WARMUP = 8
"""Samples without which nothing is learned."""
LEAST_PACE_S = 1e-3
MOST_EXEMPLARS = 100


class Normals:
    """The normal of each regime of one machine.

    Args:
        memory: what they are learned from.
        columns: its features.
        budget: probability of a false excess per sample, for the limits.
    """

    def __init__(self, memory: Memory, columns: Columns, budget: float) -> None:
        self._memory = memory
        self._columns = columns
        self._budget = budget
        self._regimes: Regimes | None = None
        self._normals: dict[str, Normal] = {}
        self._exemplars: list[Floats] = []
        self._next_fit = 0
        self._since_fit = 0

    def __len__(self) -> int:
        return len(self._normals)

    @property
    def learned(self) -> bool:
        """Whether anything was learned since the last beginning."""
        return self._regimes is not None

    @property
    def regimes(self) -> Sequence[str]:
        """The names of those that were met."""
        return self._regimes.names if self._regimes is not None else ()

    def fit(self) -> None:
        """Learns everything anew from the memory; without 8 samples there nothing happens."""
        memory, names = self._memory, list(self._memory.names)
        if len(memory) < LEAST_WARMUP:
            return
        self._columns.fix()
        table, info, old = memory.table, self._columns.info, self._normals
        self._regimes = Regimes.fit(table, names, info, self._regimes)
        leaves = self._regimes.leaves(table, names)
        logarithmic = np.array([info[n].quantity == "vibration" and info[n].unit != "%" for n in names], dtype=bool)
        span = np.abs(np.where(np.isfinite(table), table, 0.0)).max(axis=0)
        pace_s = max(float(np.median(np.diff(memory.times))), LEAST_PACE_S)
        least = np.array(
            [tolerance(info[name], name, float(wide), pace_s) for name, wide in zip(names, span, strict=True)]
        )
        self._normals = {}
        for leaf, name in enumerate(self._regimes.names):
            rows = table[settled_rows(leaves, leaf)]
            if len(rows) < min(LEAST_ROWS, len(table) // 2):
                # It is known, but these rows are too few to judge by.
                if name in old:
                    self._normals[name] = old[name]
                continue
            normal = Normal(names, self._budget)
            scored = self._regimes.judged(leaf, names, info)
            older = old.get(name) if memory.stride > 1 else None
            normal.fit(np.where(scored, rows, np.nan), logarithmic, least, float(memory.offered), older)
            if name in old:
                normal.inherit(old[name])
            self._normals[name] = normal
        if self._exemplars:
            self._teach(self._exemplars)
        self._since_fit = 0
        self._next_fit = max(int(memory.offered * (REGROWTH - 1.0)), LEAST_WAIT)

    def spend(self, budget: float) -> None:
        """Judges by another budget from here on; what was learned is fitted anew for its limits.

        A regime of which the memory has too few samples keeps its limits until there are more.
        """
        if budget != self._budget:
            self._budget = budget
            if self.learned:
                self.fit()

    def assign(self, values: Mapping[str, float]) -> tuple[str, Normal | None]:
        """The regime that these values are of, and its normal where there is one and it was met before."""
        if self._regimes is None:
            return "", None
        _, known, regime = self._regimes.assign(values)
        return regime, self._normals.get(regime) if known else None

    def usual(self, feature: str) -> float:
        """What a feature usually is in the regime where it is largest; 0 where none knows it."""
        return max(
            (n.expected(n.names.index(feature)) for n in self._normals.values() if feature in n.names), default=0.0
        )

    def score(self, normal: Normal, vector: Floats, *, settled: bool) -> Score | None:
        """What a normal says of a vector; None where it can judge nothing of it."""
        return normal.score(self._select(vector, normal), settled=settled)

    def leave(self, regime: str) -> bool:
        """The machine has gone from this regime to another that is known; whether the last sample was no longer of it."""
        normal = self._normals.get(regime)
        return normal is not None and normal.leave()

    def remember(self, regime: str) -> None:
        """The sample that was judged last was healthy."""
        normal = self._normals.get(regime)
        if normal is not None:
            normal.remember()

    def take(self, time_s: float, regime: str, vector: Floats) -> None:
        """Remembers a healthy sample and follows it; all is fitted anew when enough has come together."""
        self._memory.add(time_s, vector)
        self.follow(regime, vector)
        self._since_fit += 1
        if self._since_fit >= min(self._next_fit, LONGEST_WAIT):
            self.fit()

    def follow(self, regime: str, vector: Floats) -> None:
        """Follows a sample without remembering it."""
        normal = self._normals.get(regime)
        if normal is not None:
            normal.follow(self._select(vector, normal))

    def catching_up(self, regime: str) -> bool:
        """Whether a regime's normal quickly follows what an alarm left behind."""
        normal = self._normals.get(regime)
        return normal is not None and normal.catching_up

    def accept(self, vectors: Sequence[Floats]) -> None:
        """Takes samples that a person called normal for normal, lastingly."""
        self._exemplars = [*self._exemplars, *vectors[:: max(1, len(vectors) // 20)]][-MOST_EXEMPLARS:]
        self._teach(vectors)

    def unsteady(self) -> tuple[str, ...]:
        """Features with next to no say: they changed while they were learned.

        Not those that are told of many samples: they have next to no say because they were seen too seldom.
        """
        names = dict.fromkeys(name for normal in self._normals.values() for name in normal.unsteady())
        return tuple(name for name in names if tolerance(self._columns.info[name], name, 0.0).look <= 1.0)

    def begin_anew(self, *, forget: bool) -> None:
        """Another normal holds from here on; `forget` drops also what a person called normal."""
        self._regimes = None
        self._normals = {}
        if forget:
            self._exemplars = []

    def state(self) -> dict[str, Any]:
        """For the snapshot."""
        return {
            "regimes": self._regimes.state() if self._regimes else None,
            "normals": {name: normal.state() for name, normal in self._normals.items()},
            "exemplars": [optional_numbers(vector) for vector in self._exemplars],
            "fits": [self._next_fit, self._since_fit],
        }

    def load(self, state: Mapping[str, Any], *, current: bool) -> None:
        """From a snapshot, as it was; of one that is not current only what a person called normal, and the rest from the memory."""
        self._exemplars = [np.array(with_nan(vector)) for vector in state["exemplars"]]
        if state["regimes"] or self._exemplars:
            # What a person called normal is told by its columns: given away, another sensor's faults would be normal.
            self._columns.fix()
        if not current:
            if state["regimes"]:
                self.fit()
            return
        self._regimes = Regimes.from_state(state["regimes"]) if state["regimes"] else None
        self._normals = {str(name): Normal.from_state(entry) for name, entry in state["normals"].items()}
        self._next_fit, self._since_fit = (int(value) for value in state["fits"])

    def _select(self, vector: Floats, normal: Normal) -> Floats:
        # Columns only ever grow at the end, and a normal is fitted to all columns there were.
        size = len(normal.names)
        if len(vector) == size:
            return vector
        if len(vector) > size:
            return vector[:size]
        return np.concatenate([vector, np.full(size - len(vector), np.nan)])

    def _teach(self, vectors: Sequence[Floats]) -> None:
        """Makes vectors normal, in the regime that each belongs to."""
        if self._regimes is None:
            return
        for regime, members in self._regimes.apart(vectors, self._memory.names).items():
            normal = self._normals.get(regime)
            if normal is not None:
                normal.accept(np.array([self._select(member, normal) for member in members]))
