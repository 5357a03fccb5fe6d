"""What the embedded store holds, point by point."""

from __future__ import annotations

from pathlib import Path

from gateway.store.base import SeriesKey
from gateway.store.config import EmbeddedConfig
from gateway.store.embedded import EmbeddedStore

SLICE_MS = 600_000


class EmbeddedPoints:
    """Reads a stopped gateway's store."""

    def __init__(self, folder: Path) -> None:
        self._store = EmbeddedStore(EmbeddedConfig(dir=folder))

    def of(self, key: SeriesKey, first_ms: int, last_ms: int) -> dict[int, float]:
        """Values by milliseconds; asks in slices fine enough that each millisecond is a bucket of its own."""
        found: dict[int, float] = {}
        for start in range(first_ms, last_ms + 1, SLICE_MS):
            end = min(start + SLICE_MS, last_ms + 1)
            chart = self._store.read(key, start * 1_000_000, end * 1_000_000, end - start)
            found.update(
                (int(time_ns) // 1_000_000, value) for time_ns, value in zip(chart.times_ns, chart.mean, strict=True)
            )
        return found

    def close(self) -> None:
        """Closes the store."""
        self._store.close()
