"""How long things took, as counts in buckets: small, quick, and what Prometheus wants."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

BOUNDS_S: tuple[float, ...] = tuple(0.001 * 2 ** (step / 4) for step in range(107))
"""Upper bounds: a millisecond to about a day in steps of 19 %, which is also the accuracy of a quantile."""


class Latency:
    """Counts durations. One thread adds; any thread reads."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def add(self, seconds: float, number: int = 1) -> None:
        """Counts one duration; a negative one (clocks that disagree) counts as none at all."""
        seconds = max(seconds, 0.0)
        self._counts[bisect_left(BOUNDS_S, seconds)] += number
        self.sum_s += seconds * number

    @property
    def number(self) -> int:
        """How many were counted."""
        return sum(self._counts)

    def quantile(self, share: float) -> float | None:
        """Upper bound in seconds below which this share (0 to 1) of the durations lies; None before the first.

        >>> latency = Latency()
        >>> latency.add(0.1, 99)
        >>> latency.add(5.0)
        >>> round(latency.quantile(0.5), 2), round(latency.quantile(1.0), 2)
        (0.11, 5.79)
        """
        counts = list(self._counts)
        wanted = share * sum(counts)
        if not sum(counts):
            return None
        running = 0
        for bound, count in zip((*BOUNDS_S, float("inf")), counts, strict=True):
            running += count
            if count and running >= wanted:
                return bound
        return float("inf")

    def cumulative(self) -> Sequence[tuple[float, int]]:
        """(upper bound in seconds, durations up to it) for every fourth bound and infinity, as Prometheus counts."""
        rows: list[tuple[float, int]] = []
        running = 0
        for index, (bound, count) in enumerate(zip((*BOUNDS_S, float("inf")), list(self._counts), strict=True)):
            running += count
            if index % 4 == 0 or index == len(BOUNDS_S):
                rows.append((bound, running))
        return rows
