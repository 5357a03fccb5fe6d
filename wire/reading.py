"""Reading a journal's committed entries from any number of threads at once."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wire.entry import Entry, JournalCorrupt, JournalError, Row, is_sound
from wire.journal_file import connect, translated

_ROWS = """SELECT seq, event, at_ns, crc, stream, boot, payload FROM telemetry WHERE seq > ?1
           UNION ALL SELECT seq, event, at_ns, crc, stream, boot, payload FROM events WHERE seq > ?1
           ORDER BY seq LIMIT ?2"""
_PREV = """SELECT max(coalesce((SELECT max(seq) FROM telemetry WHERE seq < ?1), 0),
                      coalesce((SELECT max(seq) FROM events WHERE seq < ?1), 0))"""


class Reading:
    """Connections for reading; as many are kept as threads ever read at the same moment."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    def entries(self, after: int, limit: int, max_bytes: int) -> list[Entry]:
        """Committed entries after a sequence number, checked; raises `JournalCorrupt` and `JournalError`."""
        with translated(), self._connection() as db:
            prev, rows = _fetch(db, after, limit, max_bytes)
        entries = []
        for row in rows:
            if not is_sound(row):
                raise JournalCorrupt(f"{self._path}: entry {row[0]} does not match its checksum")
            seq, event, at_ns, _, stream, boot, payload = row
            entries.append(Entry(seq, prev, stream, payload, at_ns, boot, bool(event)))
            prev = seq
        return entries

    def close(self) -> None:
        """Closes the connections, those in use when their reader is done."""
        with self._lock:
            self._closed = True
            for db in self._idle:
                db.close()
            self._idle.clear()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._closed:
                raise JournalError(f"{self._path}: the journal is closed")
            db = self._idle.pop() if self._idle else connect(self._path)
        try:
            yield db
        finally:
            self._give_back(db)

    def _give_back(self, db: sqlite3.Connection) -> None:
        with self._lock:
            if self._closed:
                db.close()
            else:
                self._idle.append(db)


def _fetch(db: sqlite3.Connection, after: int, limit: int, max_bytes: int) -> tuple[int, list[Row]]:
    """Rows, and the number of the entry before the first of them; at least one row, if there is one, however large."""
    rows: list[Row] = []
    size = 0
    # One read transaction, so that no eviction falls between the rows and their predecessor.
    db.execute("BEGIN")
    try:
        cursor = db.execute(_ROWS, (after, limit))
        for row in cursor:
            size += len(row[6])
            if rows and size > max_bytes:
                break
            rows.append(row)
        cursor.close()
        prev = db.execute(_PREV, (rows[0][0],)).fetchone()[0] if rows else 0
    finally:
        db.execute("COMMIT")
    return prev, rows
