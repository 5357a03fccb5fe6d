"""A machine's normal as a River anomaly detector over dictionaries, for pipelines and comparisons.

The condition model uses the same normal directly, with regimes, memory and persistence around it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from river.base import AnomalyDetector

from models.condition.detector import Normal
from models.condition.memory import Memory

REGROWTH = 1.5


class OnlineNormal(AnomalyDetector):
    """Distance from what was learned, as a multiple of the limit: above 1 is abnormal; 0 during the warm-up.

    What scores above the limit is not learned, so what goes wrong does not become normal by going on.

    Args:
        warmup: samples that are taken as normal, 8 or more.
        budget: probability of a false excess of the limit per sample.

    >>> import random
    >>> rng = random.Random(1)
    >>> detector = OnlineNormal(warmup=100)
    >>> for _ in range(200):
    ...     detector.learn_one({"flow": rng.gauss(32, 0.4), "current": rng.gauss(1, 0.1)})
    >>> detector.score_one({"flow": 32.1, "current": 1.0}) < 1 < detector.score_one({"flow": 24.0, "current": 1.0})
    True
    """

    def __init__(self, warmup: int = 100, budget: float = 4e-7) -> None:
        self.warmup = warmup
        self.budget = budget
        self._memory = Memory()
        self._normal: Normal | None = None
        self._next_fit = max(warmup, 8)

    def learn_one(self, x: dict[Any, Any]) -> None:
        """Takes a sample into the normal, unless it is beyond the limit."""
        self._memory.register([name for name in x if self._memory.position(name) is None])
        vector = np.array([x.get(name, np.nan) for name in self._memory.names], dtype=np.float64)
        if self._normal is not None:
            seen = vector[: len(self._normal.names)]
            if (judged := self._normal.score(seen)) is not None and judged.ratio > 1.0:
                return
            self._normal.follow(seen)
        self._memory.add(float(self._memory.offered), vector)
        if self._memory.offered >= self._next_fit:
            self._fit()

    def score_one(self, x: dict[Any, Any]) -> float:
        """Multiple of the limit; the sample is looked at as if it came next."""
        return 0.0 if self._normal is None else self._normal.peek(x)

    def _fit(self) -> None:
        older, names = self._normal, list(self._memory.names)
        self._normal = Normal(names, self.budget)
        self._normal.fit(self._memory.table, np.zeros(len(names), dtype=bool))
        if older is not None:
            self._normal.inherit(older)
        self._next_fit = int(REGROWTH * self._memory.offered)
