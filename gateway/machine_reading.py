"""A machine's history read from the store channel by channel, with pauses: what is held against its goods is whole or nothing.

A store that is slow, or far, needs longer for six weeks of a machine than others can wait. What has been read is kept as
`gateway.relation` needs it, about 30 bytes a bucket, and not as the store gives it, which is five times as much.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.oven_history import TEMPERATURES, features
from gateway.relation import Feature, History
from gateway.store.base import SeriesKey, Store

STEP_S = 120.0
MOST_CHANNELS = 24
"""Read of one machine: temperatures first, then what it draws, then the rest by name."""
_NS = 1_000_000_000
_DERIVED = ("condition.", "inspection.", "health.")
_ELECTRIC = frozenset({"A", "mA", "W", "kW"})


class MachineReading:
    """Of one machine between two moments, whichever node measures it.

    Args:
        store: where its series are.
        site: of the machine.
        machine: its name.
        start_ns: the first moment.
        end_ns: the last.

    Raises:
        StoreUnavailable: it cannot be asked now.
    """

    def __init__(self, store: Store, site: str, machine: str, start_ns: int, end_ns: int) -> None:
        self.found: dict[Feature, History] = {}
        """Of the channels read so far."""
        self._store = store
        self._span = start_ns, end_ns
        known: dict[str, tuple[int, SeriesKey]] = {}
        for key, unit in store.series():
            if key.site == site and key.machine == machine and not key.channel.startswith(_DERIVED):
                rank = 0 if unit in TEMPERATURES else 1 if unit in _ELECTRIC else 2 if "." not in key.channel else 3
                known[key.channel] = (rank, key)
        chosen = sorted(known.values(), key=lambda one: (one[0], one[1].channel))[:MOST_CHANNELS]
        self._left = [key for _, key in chosen]

    def go_on(self, enough: Callable[[], bool]) -> bool:
        """Reads one channel after the other, at least one; returns whether all have been read, False once it was `enough`.

        Raises:
            StoreUnavailable: it cannot be asked now; what was read stays read.
        """
        start_ns, end_ns = self._span
        buckets = round((end_ns - start_ns) / (STEP_S * _NS)) + 2
        while self._left:
            key = self._left[0]
            self.found |= features({key.channel: self._store.read(key, start_ns, end_ns, buckets)}, STEP_S)
            del self._left[0]
            if self._left and enough():
                return False
        return True
