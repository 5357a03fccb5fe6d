"""Buckets of a chart: one rule for every store, so that the same question gives the same buckets everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

_MS = 1_000_000
_SECOND = 1_000 * _MS
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR

_STEPS_NS = (
    *(n * _MS for n in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(n * _SECOND for n in (1, 2, 5, 10, 15, 30)),
    *(n * _MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * _HOUR for n in (1, 2, 3, 6, 12)),
    *(n * _DAY for n in (1, 2, 5, 10, 30, 100, 365)),
)


class Window(NamedTuple):
    """Buckets `[first_ns + i * step_ns, first_ns + (i + 1) * step_ns)` for i in 0 … buckets - 1."""

    first_ns: int
    step_ns: int
    buckets: int

    @property
    def end_ns(self) -> int:
        """End of the last bucket, exclusive."""
        return self.first_ns + self.buckets * self.step_ns


def window(start_ns: int, end_ns: int, max_points: int) -> Window:
    """The finest round buckets, aligned with the epoch, that cover `[start_ns, end_ns)` in at most `max_points`.

    Raises:
        ValueError: the range is empty or before 1970, or `max_points` is not positive.

    >>> window(0, 30 * 86_400 * 10**9, 600)
    Window(first_ns=0, step_ns=7200000000000, buckets=360)
    """
    if not 0 <= start_ns < end_ns:
        raise ValueError(f"no range: from {start_ns} to {end_ns}")
    if max_points < 1:
        raise ValueError(f"max_points is {max_points}, at least 1")
    for step in _STEPS_NS:
        count = _count(start_ns, end_ns, step)
        if count <= max_points:
            return Window(start_ns // step * step, step, count)
    step = _STEPS_NS[-1]
    while _count(start_ns, end_ns, step) > max_points:
        step *= 2
    return Window(start_ns // step * step, step, _count(start_ns, end_ns, step))


def finished(times_ns: Sequence[int], step_ns: int, now_ns: int) -> int:
    """How many of a chart's buckets, oldest first, are over by now: the mean of the running one jumps about.

    A bucket that is alone counts in any case.

    >>> finished([0, 5_000, 10_000], 5_000, 11_000), finished([10_000], 5_000, 11_000)
    (2, 1)
    """
    running = len(times_ns) > 1 and times_ns[-1] + step_ns > now_ns
    return len(times_ns) - running


def _count(start_ns: int, end_ns: int, step: int) -> int:
    return (end_ns - 1) // step - start_ns // step + 1
