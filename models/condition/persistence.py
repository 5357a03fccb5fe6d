"""From a score to a state a person can act on: persistence and hysteresis."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from typing import Any

from models.condition.severity import WATCH_SHARE

CEILING = 20.0
"""Scores above this multiple of the limit say no more; clipped so that one spike is forgotten soon."""
FAR = 2.0
"""A median beyond this multiple of the limit needs one sample less: what dies within minutes must be told before."""
GONE = 0.2
"""An alarm is over when four fifths of what it reached are gone, """
REMAINS = 2.0
"""as long as what remains is no more than this multiple of the limit: who repairs a machine never leaves it quite as it was."""
GRACE = 60
"""Samples after an alarm in which only what is beyond that raises the next one; meanwhile the normal catches up."""


class Persistence:
    """Raises an alarm when the ratio stays above 1; clears it when it stays below `WATCH_SHARE`, or most of it is gone.

    A median of three takes out single odd samples.

    Args:
        raise_after: consecutive medians above 1 before the alarm.
        clear_after: consecutive samples of calm before it ends: an alarm that comes and goes helps nobody.
    """

    def __init__(self, raise_after: int = 3, clear_after: int = 18) -> None:
        self.alarm = False
        self.ratio = 0.0
        """Median of the last three ratios."""
        self._raise_after = raise_after
        self._clear_after = clear_after
        self._recent: deque[float] = deque(maxlen=3)
        self._above = 0
        self._below = 0
        self._peak = 0.0
        self._grace = 0

    def update(self, ratio: float, now: float | None = None) -> float:
        """Takes the next ratio of score to limit, and what it is without slow memories; returns the smoothed one."""
        self._recent.append(min(ratio, CEILING))
        self.ratio = _middle(self._recent)
        if self._grace:
            self._grace -= 1
        self._above = self._above + 1 if self.ratio > (REMAINS if self._grace else 1.0) else 0
        self._peak = max(self._peak, self.ratio) if self.alarm or self._above else 0.0
        calm = max(WATCH_SHARE, min(GONE * self._peak, REMAINS)) if self._peak else WATCH_SHARE
        self._below = self._below + 1 if (self.ratio if now is None else now) < calm else 0
        if self.alarm and self._below >= self._clear_after:
            self.alarm, self._above, self._grace = False, 0, GRACE
        elif self._below < self._clear_after and self._above >= self._raise_after - (self.ratio > FAR):
            self.alarm = True
        return self.ratio

    def reset(self) -> None:
        """Forgets what was: after a person's word, or in a regime nobody knows."""
        self.alarm = False
        self.ratio = 0.0
        self._recent.clear()
        self._above = self._below = self._grace = 0
        self._peak = 0.0

    def state(self) -> dict[str, Any]:
        """For the snapshot."""
        return {
            "alarm": self.alarm,
            "recent": list(self._recent),
            "counts": [self._above, self._below, self._grace],
            "peak": self._peak,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """From a snapshot."""
        self.reset()
        self.alarm = bool(state["alarm"])
        self._recent.extend(float(value) for value in state["recent"])
        if self._recent:
            self.ratio = _middle(self._recent)
        self._above, self._below, self._grace = (int(value) for value in state["counts"])
        self._peak = float(state["peak"])


class Alarms:
    """The persistence of each regime of one machine: a fault that was seen while it runs stands while it rests."""

    def __init__(self) -> None:
        self._regimes: dict[str, Persistence] = {}

    def of(self, regime: str) -> Persistence:
        """That of a regime."""
        persistence = self._regimes.get(regime)
        if persistence is None:
            persistence = self._regimes[regime] = Persistence()
        return persistence

    @property
    def alarm(self) -> bool:
        """Whether there is an alarm in any regime."""
        return any(entry.alarm for entry in self._regimes.values())

    def raised_in(self, regime: str) -> bool:
        """Whether there is one in this regime."""
        persistence = self._regimes.get(regime)
        return persistence is not None and persistence.alarm

    def worst(self, ratio: float) -> float:
        """The ratio that counts for the severity: that of a sample, or of an alarm in any regime where that is larger."""
        return max([ratio, *(entry.ratio for entry in self._regimes.values() if entry.alarm)])

    def reset(self) -> None:
        """No regime has an alarm any more."""
        for entry in self._regimes.values():
            entry.reset()

    def clear(self) -> None:
        """Forgets the regimes too."""
        self._regimes.clear()

    def state(self) -> dict[str, Any]:
        """For the snapshot."""
        return {name: entry.state() for name, entry in self._regimes.items()}

    def load(self, state: Mapping[str, Any]) -> None:
        """From a snapshot."""
        self._regimes.clear()
        for name, entry in state.items():
            self.of(str(name)).load(entry)


def _middle(recent: Collection[float]) -> float:
    """The median of three; of fewer the least."""
    return sorted(recent)[len(recent) // 3]
