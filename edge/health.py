"""The node's own health as a message: board, journal, sensors, and what was refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from edge.board import Board
from edge.drafts import Drafter
from wire.journal import Journal, Record
from wire.messages import Health, JournalState, SensorState

PUBLISHER = "publisher"
"""The journal's reader whose position is what the gateway has acknowledged."""
MAX_SENSORS = 256
_NOT_IN_NAMES = re.compile(r"[^a-z0-9_-]+")


class HealthReport:
    """Makes one daemon's `Health` messages.

    Args:
        drafter: of this daemon.
        journal: its journal.
        board: reads the board.
        started_ns: monotonic time at which the daemon started.
        version: of the software.
    """

    def __init__(
        self, drafter: Drafter, journal: Journal, board: Callable[[], Board], *, started_ns: int, version: str
    ) -> None:
        self._drafter = drafter
        self._journal = journal
        self._board = board
        self._started_ns = started_ns
        self._version = version

    def record(self, now_ns: int, sensors: Sequence[SensorState], refused: Mapping[str, int]) -> Record:
        """Health at that monotonic moment, for the journal."""
        board = self._board()
        stats = self._journal.stats()
        return self._drafter.record(
            Health,
            now_ns,
            uptime_s=max(now_ns - self._started_ns, 0) / 1e9,
            journal=JournalState(
                oldest=stats.oldest,
                next=stats.next,
                acked=stats.positions.get(PUBLISHER, 0),
                bytes=stats.bytes,
                dropped=stats.dropped,
            ),
            sensors=list(sensors)[:MAX_SENSORS],
            refused={as_name(kind): count for kind, count in refused.items() if count > 0},
            cpu_temperature_c=board.cpu_temperature_c,
            load=board.load,
            memory_bytes=board.memory_bytes,
            disk_free_bytes=board.disk_free_bytes,
            throttled=board.throttled,
            under_voltage=board.under_voltage,
            version=self._version[:32],
        )


def as_name(text: str) -> str:
    """Any text as a name the wire takes: `not JSON!` becomes `not-json`."""
    return _NOT_IN_NAMES.sub("-", text.lower()).strip("-_")[:63] or "other"
