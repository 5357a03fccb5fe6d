"""Messages of a small bakery, numbered like a node's journal numbers them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wire.messages import (
    Condition,
    Health,
    Inspection,
    Item,
    JournalState,
    NodeMessage,
    Series,
    Severity,
    Telemetry,
    Trust,
)

SECOND = 1_000_000_000
T0 = 1_790_000_100_000_000_000
"""A moment in September 2026, on a whole minute."""


class Node:
    """Numbers messages 1, 2, 3 … of one journal.

    Args:
        site: site name.
        node: node name.
        log: the journal's name.
    """

    def __init__(self, site: str = "bakery", node: str = "oven-pi", log: str = "log1") -> None:
        self.site = site
        self.node = node
        self.log = log
        self.seq = 0

    def envelope(self, time_ns: int) -> dict[str, Any]:
        """What every message carries; counts on."""
        self.seq += 1
        return {
            "site": self.site,
            "node": self.node,
            "origin": "sense",
            "log": self.log,
            "seq": self.seq,
            "prev": self.seq - 1,
            "boot": "boot1",
            "time_ns": time_ns,
            "trust": Trust.SYNCED,
        }

    def telemetry(
        self,
        time_ns: int,
        values: Mapping[str, Sequence[float | None]],
        *,
        machine: str = "oven",
        unit: str = "°C",
        step_ms: float = 1000.0,
        at_ms: list[float] | None = None,
    ) -> Telemetry:
        """Columns of values from `time_ns` on."""
        step = None if at_ms is not None else step_ms
        series = {
            name: Series(unit=unit, values=list(column), step_ms=step, at_ms=at_ms) for name, column in values.items()
        }
        return Telemetry(machine=machine, series=series, **self.envelope(time_ns))

    def condition(
        self,
        time_ns: int,
        score: float = 0.5,
        limit: float | None = 4.0,
        *,
        regime: str = "heating",
        severity: Severity = Severity.GOOD,
    ) -> Condition:
        """One verdict."""
        return Condition(
            machine="oven",
            regime=regime,
            score=score,
            limit=limit,
            severity=severity,
            learned=1.0,
            **self.envelope(time_ns),
        )

    def inspection(self, time_ns: int, good: int, reject: int) -> Inspection:
        """One tray."""
        verdicts = ["good"] * good + ["reject"] * reject
        items = [
            Item(box=(0.0, 0.0, 0.1, 0.1), label="bun", verdict=verdict, confidence=0.9)  # type: ignore[arg-type]
            for verdict in verdicts
        ]
        envelope = self.envelope(time_ns)
        return Inspection(
            id=f"tray-{self.seq}",
            machine="oven",
            camera="belt",
            product="bun",
            batch="monday",
            items=items,
            **envelope,
        )

    def health(self, time_ns: int, temperature_c: float | None = 51.5) -> Health:
        """The board."""
        journal = JournalState(oldest=1, next=101, acked=91, bytes=4096, dropped=0)
        return Health(uptime_s=12.0, journal=journal, cpu_temperature_c=temperature_c, **self.envelope(time_ns))


def key_message(message: NodeMessage) -> tuple[str, str, str, str, int]:
    """What names a message for ever."""
    return (message.site, message.node, message.origin, message.log, message.seq)
