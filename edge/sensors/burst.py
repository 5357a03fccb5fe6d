"""Bursts of an ADC that is asked sample by sample: taken on the grid of the node's clock, with the time of each measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NEIGHBOURS = 6
"""Samples around a point that its value is interpolated from. For points in the middle between two samples a wave is 0.5 % low
at six samples a period, 0.1 % at eight, 0.01 % at twelve."""
HOLE = 2.6
"""Samples further apart than so many periods of the grid have a hole between them."""
ATTEMPTS = 3
MARGIN = NEIGHBOURS
"""Samples taken beyond a burst, so that its ends are interpolated and not extrapolated."""
LATE = 0.5
"""A sample that would come later than so many periods is left out."""
TRIAL_SCANS = 20
RESERVE = 0.95


@dataclass(frozen=True, slots=True)
class Recording:
    """Samples of one input within a burst: times of the node's clock, and volts."""

    times_ns: Integers
    volts: Floats


class Recorder:
    """Takes bursts of one or several inputs, one after the other within each scan.

    Args:
        sample: one conversion of an input now; gives the time it stands for, and volts.
        rate_hz: scans a second.
        monotonic_ns: the clock.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        sample: Callable[[int], tuple[int, float]],
        rate_hz: float,
        monotonic_ns: Callable[[], int],
        sleep: Callable[[float], None],
    ) -> None:
        self._sample = sample
        self._period_ns = 1e9 / rate_hz
        self._monotonic_ns = monotonic_ns
        self._sleep = sleep

    def speed_hz(self, inputs: Sequence[int]) -> float:
        """How many scans a second the bus and this computer reach, with a little in reserve."""
        began_ns = self._monotonic_ns()
        for _ in range(TRIAL_SCANS):
            for one in inputs:
                self._sample(one)
        return RESERVE * TRIAL_SCANS * 1e9 / max(self._monotonic_ns() - began_ns, 1)

    def burst(self, inputs: Sequence[int], samples: int) -> list[Recording]:
        """One recording for each input with at least so many samples, and a margin to interpolate at the ends.

        One that has holes, because the computer was busy, is taken again; the longest stretch without a hole comes back when
        all attempts had them.
        """
        best: list[Recording] = []
        for _ in range(ATTEMPTS):
            taken = self._take(inputs, samples + 2 * MARGIN)
            good = unbroken(taken[0].times_ns, self._period_ns)
            taken = [Recording(one.times_ns[good], one.volts[good]) for one in taken]
            if not best or len(taken[0].volts) > len(best[0].volts):
                best = taken
            if best[0].times_ns[-1] - best[0].times_ns[0] >= (samples + MARGIN) * self._period_ns:
                break
        return best

    def _take(self, inputs: Sequence[int], scans: int) -> list[Recording]:
        began_ns = self._monotonic_ns()
        times: list[list[int]] = [[] for _ in inputs]
        volts: list[list[float]] = [[] for _ in inputs]
        slot = 0
        while slot < scans:
            ahead_ns = began_ns + slot * self._period_ns - self._monotonic_ns()
            if ahead_ns > 0:
                self._sleep(ahead_ns / 1e9)
            elif -ahead_ns > LATE * self._period_ns:
                # Caught up at once, two samples would be so close that interpolation blows up their noise.
                slot += max(round(-ahead_ns / self._period_ns), 1)
                continue
            for place, one in enumerate(inputs):
                at_ns, value = self._sample(one)
                times[place].append(at_ns)
                volts[place].append(value)
            slot += 1
        return [
            Recording(np.array(at, dtype=np.int64), np.array(value, dtype=np.float64))
            for at, value in zip(times, volts, strict=True)
        ]


def unbroken(times_ns: Integers, period_ns: float) -> slice:
    """The longest stretch of samples without a hole."""
    holes = np.flatnonzero(np.diff(times_ns) > HOLE * period_ns) + 1
    edges = [0, *holes.tolist(), len(times_ns)]
    longest = int(np.argmax(np.diff(edges)))
    return slice(edges[longest], edges[longest + 1])


def evenly(times_ns: Integers, values: Floats, grid_ns: Floats) -> Floats:
    """Values on an even grid from samples at measured times, by Lagrange's polynomial through the nearest six.

    Args:
        times_ns: times of the samples, rising, at least six of them.
        values: as many samples.
        grid_ns: the points wanted, within the times.
    """
    first = np.clip(np.searchsorted(times_ns, grid_ns) - NEIGHBOURS // 2, 0, len(times_ns) - NEIGHBOURS)
    index = first[:, None] + np.arange(NEIGHBOURS)
    # In units of the mean distance and relative to the point, so that the products keep their digits.
    unit = (times_ns[-1] - times_ns[0]) / (len(times_ns) - 1)
    nodes = (times_ns[index] - grid_ns[:, None]) / unit
    weights = np.ones_like(nodes)
    for j in range(NEIGHBOURS):
        for i in range(NEIGHBOURS):
            if i != j:
                weights[:, j] *= -nodes[:, i] / (nodes[:, j] - nodes[:, i])
    return np.asarray((weights * values[index]).sum(axis=1), dtype=np.float64)
