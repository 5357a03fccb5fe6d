"""How many requests to page and API were refused, by status."""

from __future__ import annotations

from collections import Counter
from threading import Lock


class RefusedRequests:
    """Counts refused requests by status, for /metrics."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    def count(self, status: int) -> None:
        """One more."""
        with self._lock:
            self._counts[str(status)] += 1

    def snapshot(self) -> dict[str, int]:
        """Counts so far by status."""
        with self._lock:
            return dict(self._counts)
