"""Bursts of an ADC that is asked sample by sample: taken on the grid of the node's clock, with the time of each measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

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
FEW_HOLES = 0.1
"""Share of a burst that may be holes without another attempt."""
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
        """How many scans a second the bus reaches, with a little in reserve; by the median, so a busy moment does not count."""
        taken_ns = []
        for _ in range(TRIAL_SCANS):
            began_ns = self._monotonic_ns()
            for one in inputs:
                self._sample(one)
            taken_ns.append(self._monotonic_ns() - began_ns)
        return RESERVE * 1e9 / max(float(np.median(taken_ns)), 1.0)

    def burst(self, inputs: Sequence[int], samples: int) -> list[Recording]:
        """One recording for each input over at least so many samples, and a margin to interpolate at the ends.

        One with large holes, because the computer was busy, is taken again; of all attempts the one with the least comes back.
        """
        best = self._take(inputs, samples + 2 * MARGIN)
        for _ in range(ATTEMPTS - 1):
            if held_up(best[0].times_ns, self._period_ns) <= FEW_HOLES:
                break
            again = self._take(inputs, samples + 2 * MARGIN)
            if held_up(again[0].times_ns, self._period_ns) < held_up(best[0].times_ns, self._period_ns):
                best = again
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


def held_up(times_ns: Integers, period_ns: float) -> float:
    """Share of a recording's time that is holes."""
    steps = np.diff(times_ns)
    return float(steps[steps > HOLE * period_ns].sum() / max(int(steps.sum()), 1))


def on_grid(recording: Recording, grid_ns: Floats, period_ns: float, mains_ns: float) -> tuple[Floats, float]:
    """A recording on an even grid; its holes filled from the mains periods around them.

    What is missing is taken as the mean of what was one period before and after (or two, three …, where these are missing
    too): a mains current repeats itself.

    Args:
        recording: samples at measured times, `period_ns` apart but for holes.
        grid_ns: the points wanted.
        period_ns, mains_ns: distance of samples, and a mains period.

    Returns:
        The values, NaN where nothing tells them, and the share of points that were missing.
    """
    known = _stretches(recording, grid_ns, period_ns)
    missing = np.flatnonzero(np.isnan(known))
    values = known.copy()
    farthest = int((grid_ns[-1] - grid_ns[0]) / mains_ns)
    for periods in range(1, farthest + 1):
        left = missing[np.isnan(values[missing])]
        if not len(left):
            break
        around = [_stretches(recording, grid_ns[left] + sign * periods * mains_ns, period_ns) for sign in (-1, 1)]
        found = np.isfinite(around)
        total = np.where(found, around, 0.0).sum(axis=0)
        number = found.sum(axis=0)
        values[left] = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    return values, len(missing) / len(grid_ns)


def _stretches(recording: Recording, points_ns: Floats, period_ns: float) -> Floats:
    """Values at these points from the stretch of samples without a hole that each lies in; NaN between them."""
    times, values = recording.times_ns, recording.volts
    edges = [0, *(np.flatnonzero(np.diff(times) > HOLE * period_ns) + 1).tolist(), len(times)]
    made = np.full(len(points_ns), np.nan)
    for first, end in pairwise(edges):
        if end - first >= NEIGHBOURS:
            inside = (points_ns >= times[first]) & (points_ns <= times[end - 1])
            made[inside] = evenly(times[first:end], values[first:end], points_ns[inside])
    return made


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
