"""Whether an alarm is on its way out: its score has fallen well below what it was, and is not growing again. No clock."""

from __future__ import annotations

import math
from collections import deque

HALF = math.log(2.0)
"""Half of what it was is well below it; twice the least since then is growing again."""
FORGET = 60
"""In about so many judgements what it was is forgotten: a fault that stands at less than before has not faded, it is another."""
LEAST = 0.1
"""Of the limit: below it there is no telling one score from another."""


class Fading:
    """The course of one alarm's score, in multiples of its limit.

    Heights are medians of three, so that a single odd judgement is none; logarithms make it the same for great and small scores.
    """

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=3)
        self._high = self._low = -math.inf

    def __bool__(self) -> bool:
        """Whether it fades, or is below its limit already; False before the first judgement."""
        # The last judgement alone: what falls fast must not be given another name in the meantime.
        return bool(self._recent) and self._recent[-1] < max(self._high - HALF, 0.0)

    def take(self, score: float, limit: float | None) -> None:
        """The next judgement; one without a limit says nothing."""
        if not limit:
            return
        self._recent.append(math.log(max(score / limit, LEAST)))
        level = sorted(self._recent)[len(self._recent) // 2]
        if not math.isfinite(self._high):
            self._high = level
        high = max(level, self._high + (level - self._high) / FORGET)
        # What grows below the limit is none yet.
        low = max(min(self._low, level), 0.0) if level < high else level
        self._high, self._low = (level, level) if level > low + HALF else (high, low)
