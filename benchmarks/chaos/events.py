"""Compares the gateway's outbox with what the receivers kept, and looks after the commands."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

SETTLED = ("done", "refused", "expired")


@dataclass(slots=True)
class Events:
    """Deliveries, over all receivers."""

    queued: int = 0
    """Deliveries that the ledger's outbox ever held."""
    received: dict[str, int] = field(default_factory=dict)
    """Different events by receiver."""
    lost: int = 0
    """Counted as delivered, but no receiver's."""
    duplicated: int = 0
    """Twice in a receiver's file, or in it without having been queued."""
    disordered: int = 0
    """Before an earlier one of the same subject."""
    pending: int = 0
    dead: int = 0
    alerts: int = 0
    commands: dict[str, int] = field(default_factory=dict)
    """By what became of them."""
    details: list[str] = field(default_factory=list)

    @property
    def hold(self) -> bool:
        """Whether every event reached every receiver that wants it once and in order."""
        return not (self.lost or self.duplicated or self.disordered or self.pending or self.dead)


def check(ledger: Path, receivers: dict[str, Path]) -> Events:
    """Compares the ledger of a stopped gateway with the receivers' files (one JSON event a line)."""
    found = Events()
    connection = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
    try:
        for name, path in receivers.items():
            rows = connection.execute(
                "SELECT o.id, d.subject, d.state FROM deliveries d JOIN outbox o ON o.seq = d.seq"
                " WHERE d.kind = 'subscriber' AND d.name = ? ORDER BY d.seq",
                (name,),
            ).fetchall()
            _check_receiver(name, rows, _kept(path), found)
        (found.alerts,) = connection.execute("SELECT count(*) FROM alerts WHERE opened_ns IS NOT NULL").fetchone()
        found.commands = dict(connection.execute("SELECT state, count(*) FROM commands GROUP BY state").fetchall())
    finally:
        connection.close()
    return found


def _kept(path: Path) -> list[tuple[str, str]]:
    """Id and subject of each event in a receiver's file, in order of arrival."""
    if not path.exists():
        return []
    events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [(event["id"], event["subject"]) for event in events]


def _check_receiver(name: str, rows: list[tuple[str, str, str]], kept: list[tuple[str, str]], found: Events) -> None:
    queued = {event: place for place, (event, _, _) in enumerate(rows)}
    states = Counter(state for _, _, state in rows)
    times = Counter(event for event, _ in kept)
    found.queued += len(rows)
    found.received[name] = len(times)
    found.pending += states["pending"]
    found.dead += states["dead"]
    for event, subject, state in rows:
        if state == "delivered" and not times[event]:
            found.lost += 1
            found.details.append(f"{name}: {event} about {subject} counts as delivered, but is not there")
    for event, count in times.items():
        found.duplicated += count - 1 if event in queued else count
    latest: dict[str, int] = defaultdict(lambda: -1)
    for event, subject in kept:
        place = queued.get(event, -1)
        if place < latest[subject]:
            found.disordered += 1
            found.details.append(f"{name}: {event} about {subject} came after a later one")
        latest[subject] = max(latest[subject], place)
