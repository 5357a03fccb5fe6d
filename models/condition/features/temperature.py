"""What a temperature's last minutes say: how fast it moves, and how quickly it settles."""

from __future__ import annotations

import math
from collections import deque
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

SLOPE_WINDOW_S = 60.0
KEPT = 240
LEAST_STEP_S = SLOPE_WINDOW_S / 120.0
"""Readings closer together than this are thinned, so that the kept ones always reach over the window."""
LEAST_READINGS = 8
HALF, WHOLE = 0.5, 0.85
"""Shares of a window: from half of it on a slope is told at first; eight readings in a whole one reach over the other at least."""
SETTLING_READINGS = 24
CLEAR = 8.0
"""A curve is told where the temperature moved by so many times its readings' scatter."""
CURVED = (0.05, 0.9)
"""The later third of a window moves by so much of what the earlier one moved; closer to 1 it is a straight line."""


class Temperature:
    """The last readings of one channel."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, float]] = deque(maxlen=KEPT)
        self._least = HALF

    def clear(self) -> None:
        """What comes does not follow what was."""
        self._points.clear()
        self._least = WHOLE

    def add(self, time_s: float, value: float) -> None:
        """Takes a reading; of those that come faster than the windows need, the newest of each stretch is kept."""
        if len(self._points) > 1 and time_s - self._points[-2][0] < LEAST_STEP_S:
            self._points.pop()
        self._points.append((time_s, value))

    def slope(self) -> float | None:
        """Least-squares slope per minute over a minute; None before half of it, or eight readings, are there.

        After a gap the minute must be whole: over less of it a door or a switch would move it farther than it ever did.
        """
        if len(self._points) < LEAST_READINGS:
            return None
        last_s = self._points[-1][0]
        start_s = min(last_s - SLOPE_WINDOW_S, self._points[-LEAST_READINGS][0])
        table = np.array([(t - last_s, value) for t, value in self._points if t >= start_s])
        minutes = table[:, 0] / 60.0
        if -minutes[0] * 60.0 < self._least * SLOPE_WINDOW_S:
            return None
        centred = minutes - minutes.mean()
        spread = float(centred @ centred)
        return float(centred @ table[:, 1]) / spread if spread > 0 else None

    def settling(self) -> tuple[float, float] | None:
        """Time constant in minutes and the level it settles at, while the readings follow an exponential; else None.

        Of T(t) = T∞ + (T0 - T∞)·exp(-t/τ) the means of three equal stretches fall off as exp(-Δ/τ) from one difference to the next
        (Foss's method of three sums: Some simplifications of curve fitting, Biometrics 26, 1970), whatever the noise does in each.
        """
        if len(self._points) < SETTLING_READINGS:
            return None
        table = np.array(self._points)
        times, values = table[:, 0], table[:, 1]
        third = float(times[-1] - times[0]) / 3.0
        place = np.minimum(((times - times[0]) / max(third, 1e-9)).astype(np.intp), 2)
        counts = np.bincount(place, minlength=3)
        if counts.min() < SETTLING_READINGS // 6:
            return None
        first, second, last = (np.bincount(place, values, minlength=3) / counts).tolist()
        scatter = float(np.median(np.abs(np.diff(values, 2)))) / math.sqrt(6.0) + 1e-9
        early, late = second - first, last - second
        if abs(early) < CLEAR * scatter or not CURVED[0] < late / early < CURVED[1]:
            return None
        ratio = late / early
        return third / -math.log(ratio) / 60.0, last + late * ratio / (1.0 - ratio)
