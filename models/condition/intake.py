"""What waits to be learned: samples of which an alarm may still come, and those of a regime that nobody knows yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.condition.memory import Memory
from models.condition.normals import Normals
from models.condition.snapshot import optional_numbers, with_nan

Floats: TypeAlias = NDArray[np.float64]

DELAY = 12
"""Accepted samples wait this long before they are learned; an alarm meanwhile discards them: what came just before it was its beginning."""
GATE = 0.8
"""Samples above this share of the limit are not remembered."""
LEAST_STRANGERS = 10


class Intake:
    """The way of a judged sample into the normals.

    Args:
        memory: gets what is known normal at once.
        normals: get the rest.
        enough: samples of a new regime from which it is learned.
    """

    def __init__(self, memory: Memory, normals: Normals, enough: int) -> None:
        self._memory = memory
        self._normals = normals
        self.expect(enough)
        self._pending: deque[tuple[float, str, Floats]] = deque()
        self._strangers: list[tuple[float, Floats]] = []

    def expect(self, enough: int) -> None:
        """A new regime is learned from so many samples."""
        self._enough = max(LEAST_STRANGERS, enough)

    def accept(self, time_s: float, vector: Floats, regime: str, ratio: float) -> None:
        """Learns of a sample that raised no alarm as much as its score, in multiples of the limit, allows."""
        if ratio <= GATE:
            self._normals.remember(regime)
            self._pending.append((time_s, regime, vector))
            if len(self._pending) > DELAY:
                self._normals.take(*self._pending.popleft())
        elif ratio <= 1.0 or self._normals.catching_up(regime):
            # Not remembered, but followed: else a drift would sit between the gate and the limit for ever.
            self._normals.follow(regime, vector)

    def meet(self, time_s: float, vector: Floats) -> None:
        """Gets to know a regime that the warm-up did not see."""
        self._strangers.append((time_s, vector))
        if len(self._strangers) >= self._enough:
            for moment, known in self._strangers:
                self._memory.add(moment, known)
            self._strangers.clear()
            self._normals.fit()

    def take_back(self, time_s: float) -> None:
        """The sample of this moment is not learned, if it was the last that came."""
        if self._pending and self._pending[-1][0] == time_s:
            self._pending.pop()

    def discard(self) -> None:
        """There is an alarm: what waits was its beginning."""
        self._pending.clear()

    def clear(self) -> None:
        """Nothing waits any more."""
        self._pending.clear()
        self._strangers.clear()

    def state(self) -> dict[str, Any]:
        """For the snapshot."""
        return {
            "pending": [[time_s, regime, optional_numbers(vector)] for time_s, regime, vector in self._pending],
            "strangers": [[time_s, optional_numbers(vector)] for time_s, vector in self._strangers],
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """From a snapshot."""
        self.clear()
        self._pending.extend((float(t), str(r), np.array(with_nan(v))) for t, r, v in state["pending"])
        self._strangers.extend((float(t), np.array(with_nan(v))) for t, v in state["strangers"])
