"""From a jumpy score to a state a person can act on: smoothing, persistence, hysteresis."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from statistics import median
from typing import Any

from river import stats

from models.condition.severity import WATCH_SHARE

CEILING = 20.0
"""Scores above this multiple of the limit say no more; clipped so that one spike is forgotten soon."""

FAR = 2.0
"""A mean beyond this multiple of the limit needs one sample less: what dies within minutes must be told before."""


class Persistence:
    """Raises an alarm when the ratio stays above 1 and its mean is there too; clears it when the mean stays below `WATCH_SHARE`.

    A median of three takes out single odd samples; an exponential mean takes out the jitter.

    Args:
        raise_after: consecutive medians above 1 before the alarm.
        clear_after: consecutive samples below `WATCH_SHARE` before it ends.
        fading: weight of a new ratio in the mean.
    """

    def __init__(self, raise_after: int = 3, clear_after: int = 8, fading: float = 0.4) -> None:
        self.alarm = False
        self.ratio = 0.0
        self._raise_after = raise_after
        self._clear_after = clear_after
        self._fading = fading
        self._recent: deque[float] = deque(maxlen=3)
        self._mean = stats.EWMean(fading)
        self._above = 0
        self._below = 0

    def update(self, ratio: float) -> float:
        """Takes the next ratio of score to limit; returns the smoothed one."""
        self._recent.append(min(ratio, CEILING))
        middle = median(self._recent) if len(self._recent) == 3 else min(self._recent)
        self._mean.update(middle)
        self.ratio = float(self._mean.get())
        self._above = self._above + 1 if middle > 1.0 else 0
        self._below = self._below + 1 if self.ratio < WATCH_SHARE else 0
        enough = self._raise_after - (self.ratio > FAR)
        if self._above >= enough and self.ratio > 1.0:
            self.alarm = True
        elif self._below >= self._clear_after:
            self.alarm = False
        return self.ratio

    def reset(self) -> None:
        """Forgets what was: after a person's word, or in a regime nobody knows."""
        self.alarm = False
        self.ratio = 0.0
        self._recent.clear()
        self._mean = stats.EWMean(self._fading)
        self._above = self._below = 0

    def state(self) -> dict[str, Any]:
        """For the snapshot."""
        return {
            "alarm": self.alarm,
            "ratio": self.ratio,
            "recent": list(self._recent),
            "above": self._above,
            "below": self._below,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """From a snapshot."""
        self.reset()
        self.alarm = bool(state["alarm"])
        self._recent.extend(float(value) for value in state["recent"])
        if self._recent:
            # The first value an exponential mean sees is its value, so this is the whole state of it.
            self.ratio = float(state["ratio"])
            self._mean.update(self.ratio)
        self._above = int(state["above"])
        self._below = int(state["below"])
