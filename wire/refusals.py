"""Counting and telling what was refused, without filling the log: the first of each kind, then one sum a minute."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable

SUMMARY_EVERY_S = 60.0


class Refusals:
    """Counts by kind. Counted by one thread, read by any.

    Args:
        log: where the first of each kind and the sums are told.
        every_s: least time between two sums.
        monotonic_s: the clock, replaceable in tests.
    """

    def __init__(
        self,
        log: logging.Logger,
        *,
        every_s: float = SUMMARY_EVERY_S,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._every_s = every_s
        self._monotonic_s = monotonic_s
        self._counts: Counter[str] = Counter()
        self._untold: Counter[str] = Counter()
        self._told_at = monotonic_s()

    def count(self, kind: str, where: str, reason: str) -> None:
        """One more of `kind` (short, of a small set); `where` is a topic, `reason` a sentence."""
        self._counts[kind] += 1
        if self._counts[kind] == 1:
            self._log.warning("refused (%s) %s: %s", kind, where, reason)
        else:
            self._untold[kind] += 1
            self.tick()

    def tick(self) -> None:
        """Tells the sum when it is time; call it now and then."""
        now = self._monotonic_s()
        if self._untold and now - self._told_at >= self._every_s:
            self._told_at = now
            summary = ", ".join(f"{kind} {number}" for kind, number in sorted(self._untold.items()))
            self._log.warning("refused since the last report: %s", summary)
            self._untold.clear()

    def counts(self) -> dict[str, int]:
        """How many of each kind since start."""
        return dict(self._counts)
