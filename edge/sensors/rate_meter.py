"""How fast a chip really samples: its number of samples counted against the node's clock. Pure."""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

WINDOW_S = 8.0
"""The rate is that of the last so many seconds: long against the node's jitter, short against a chip that warms up."""
WINDOW_SAMPLES = 1_000
"""A slow stream is watched for at least so many samples."""
MARKS = 256
"""A window is described by so many marks, while the rate is not known yet by four times as many."""
LEAST_MARKS = 8
LEAST_SAMPLES = 100
LEAST_S = 0.5
STANDARD_ERROR = 0.001
"""The rate is known when so many samples have come for so long, and its standard error is down to this share."""
OUTLIER = 4.0
"""Marks later than so many robust deviations are those of a thread that had to wait."""
AGAIN_NS, FIRST_NS = 250_000_000, 50_000_000
"""Pauses between two calculations, once the rate is known and before."""


class Mark(NamedTuple):
    """By `at_ns`, `taken` samples had been taken; marks of different stretches do not count the same samples."""

    at_ns: int
    taken: int
    stretch: int


class Fit(NamedTuple):
    """Sample number `reference + k` was taken at `reference_ns + k * period_ns`."""

    reference: int
    reference_ns: float
    period_ns: float

    def time_ns(self, index: int) -> int:
        """When the sample of this number was taken."""
        return round(self.reference_ns + (index - self.reference) * self.period_ns)


class RateMeter:
    """The rate and phase of a stream from pairs of time and number of samples by then.

    Times may be late (the thread had to wait), never early: the period is the slope of a least-squares line through the
    marks without those that a median of slopes shows to be late, the phase that of the earliest mark. A stream that broke
    before its rate was known goes on in a new stretch: the lines of all stretches have one slope.

    Args:
        nominal_hz: what was set.
    """

    def __init__(self, nominal_hz: float) -> None:
        self._nominal_ns = 1e9 / nominal_hz
        self._window_ns = max(WINDOW_S, WINDOW_SAMPLES / nominal_hz) * 1e9
        self._marks: deque[Mark] = deque(maxlen=4 * MARKS)
        self._stretch = 0
        self._fit: Fit | None = None
        self._tried_ns = 0

    def mark(self, at_ns: int, count: int) -> None:
        """By `at_ns`, `count` samples had been taken."""
        marks = self._marks
        if marks and marks[-1].stretch == self._stretch:
            if count <= marks[-1].taken:
                return
            if self._fit is not None and at_ns - marks[-1].at_ns < self._window_ns / MARKS:
                return
        marks.append(Mark(at_ns, count, self._stretch))
        while at_ns - marks[0].at_ns > self._window_ns:
            marks.popleft()

    def restart(self) -> None:
        """What is counted from now on does not go on from before."""
        self._stretch += 1

    def fit(self) -> Fit | None:
        """The line through the marks, None before the rate is known."""
        if self._marks:
            newest_ns = self._marks[-1].at_ns
            if newest_ns - self._tried_ns > (FIRST_NS if self._fit is None else AGAIN_NS):
                self._fit, self._tried_ns = self._fitted() or self._fit, newest_ns
        return self._fit

    def _fitted(self) -> Fit | None:
        marks = self._marks
        newest = marks[-1]
        if len(marks) < LEAST_MARKS or newest.at_ns - marks[0].at_ns < LEAST_S * 1e9:
            return None
        table = np.array([(m.taken - newest.taken, m.at_ns - newest.at_ns, m.stretch) for m in marks], dtype=np.float64)
        counts, times = table[:, 0], table[:, 1]
        bounds = [0, *(np.flatnonzero(np.diff(table[:, 2])) + 1).tolist(), len(marks)]
        stretches = [slice(first, last) for first, last in pairwise(bounds) if last - first > 1]
        if sum(counts[one][-1] - counts[one][0] for one in stretches) < LEAST_SAMPLES:
            return None
        period = self._slope(counts, times, stretches)
        if period is None:
            return None
        # `count` samples had been taken: the newest of them has the number count - 1.
        last = slice(bounds[-2], bounds[-1])
        phase = float((times[last] - counts[last] * period).min()) + period
        return Fit(newest.taken, newest.at_ns + phase, period)

    def _slope(self, counts: NDArray[np.float64], times: NDArray[np.float64], stretches: list[slice]) -> float | None:
        """Time of a sample; None where its standard error is still too large."""
        slopes = np.concatenate([_half_apart(times[one]) / _half_apart(counts[one]) for one in stretches])
        rough = float(np.median(slopes))
        late = [times[one] - counts[one] * rough for one in stretches]
        late = [one - np.median(one) for one in late]
        limit = OUTLIER * 1.4826 * float(np.median(np.abs(np.concatenate(late)))) + 0.5 * self._nominal_ns
        spread = covered = rest = 0.0
        used = 0
        for one, by in zip(stretches, late, strict=True):
            good = by <= limit
            count, time = counts[one][good], times[one][good]
            count, time = count - count.mean(), time - time.mean()
            spread += float(count @ count)
            covered += float(count @ time)
            rest += float(time @ time)
            used += len(count) - 1
        if spread <= 0.0:
            return None
        period = covered / spread
        variance = max(rest - covered * period, 0.0) / max(used - 1, 1)
        deviation = max(variance**0.5, 0.3 * period)
        return period if deviation <= STANDARD_ERROR * period * spread**0.5 else None


def _half_apart(values: NDArray[np.float64]) -> NDArray[np.float64]:
    half = len(values) // 2
    return values[-half:] - values[:half]
