"""What a store refused for good: kept with its reason, bounded, for a person to look at."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from gateway.store.base import Rejected, StoreUnavailable
from gateway.store.database import is_corruption, move_aside

_SCHEMA = """
CREATE TABLE IF NOT EXISTS apart (id INTEGER PRIMARY KEY, position INTEGER NOT NULL, line TEXT NOT NULL,
    reason TEXT NOT NULL, at_ns INTEGER NOT NULL, UNIQUE (position, line));
CREATE TABLE IF NOT EXISTS total (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL);
INSERT OR IGNORE INTO total VALUES (1, 0);
"""
_LINE_CHARACTERS = 2000


class Apart:
    """An SQLite file of refused lines. Keeping one twice changes nothing; beyond `most` the oldest go.

    Args:
        path: the file; made if it is not there, moved aside when it is broken.
        most: lines kept, at least 1; `total` counts on.
        wall_ns: the wall clock, nanoseconds.

    Raises:
        StoreUnavailable: the file cannot be opened.
    """

    def __init__(self, path: Path, *, most: int = 10_000, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self._path = path
        self._most = most
        self._wall_ns = wall_ns
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = self._open()
            self._total = int(self._connection.execute("SELECT number FROM total").fetchone()[0])
        except (OSError, sqlite3.Error) as exc:
            raise StoreUnavailable(f"{path} cannot be opened: {exc}") from exc

    def keep(self, rejected: Sequence[Rejected]) -> int:
        """Keeps these durably and returns how many of them were not there before.

        Raises:
            StoreUnavailable: they cannot be kept, so they must be handed in again.
        """
        if not rejected:
            return 0
        rows = [(each.position, each.line[:_LINE_CHARACTERS], each.reason, self._wall_ns()) for each in rejected]
        with self._lock:
            try:
                with self._connection:
                    before = self._connection.total_changes
                    self._connection.executemany(
                        "INSERT OR IGNORE INTO apart (position, line, reason, at_ns) VALUES (?, ?, ?, ?)", rows
                    )
                    new = self._connection.total_changes - before
                    self._connection.execute("UPDATE total SET number = number + ?", (new,))
                    self._connection.execute(
                        "DELETE FROM apart WHERE id <= (SELECT max(id) FROM apart) - ?", (self._most,)
                    )
            except sqlite3.Error as exc:
                raise StoreUnavailable(f"{self._path}: {exc}") from exc
            self._total += new
        return new

    @property
    def total(self) -> int:
        """Lines ever set apart; also known after `close`."""
        return self._total

    def latest(self, limit: int = 100) -> Sequence[Rejected]:
        """The latest ones kept, newest first."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT position, line, reason FROM apart ORDER BY id DESC LIMIT ?", (limit,)
            )
            return [Rejected(*row) for row in rows]

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._connection.close()

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.Error as exc:
            if not is_corruption(exc):
                raise
            move_aside(self._path)
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, check_same_thread=False, timeout=5.0)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)
        except sqlite3.Error:
            connection.close()
            raise
        return connection
