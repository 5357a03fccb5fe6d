"""The journal's SQLite file: schema, transactions, bounds. No threads; `wire/journal.py` calls it from one at a time.

Telemetry and events are two tables with the same columns, so that evicting telemetry frees whole pages however many
events lie between. Everything else that must be durable (log name, next number, reader positions, marks, counters) is a
row of `state`: small changes of a commit share one page.

`synchronous=FULL` with a write-ahead log syncs the log at every commit. With NORMAL a power failure could take back the
last commits, and then numbers that were already published would be given out a second time for other entries: the
gateway would take those for duplicates and drop them.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wire.entry import JournalCorrupt, JournalError, JournalFull, Row
from wire.eviction import PAGE_BYTES, Evicted, evict, live_bytes

FORMAT = "1"
WAL_PAGES = 1000
"""The write-ahead log is folded into the file when it is this long, 4 MB."""
_VACUUM_PAGES = 128

SCHEMA = f"""
PRAGMA page_size = {PAGE_BYTES};
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
CREATE TABLE telemetry (seq INTEGER PRIMARY KEY, event INTEGER NOT NULL, at_ns INTEGER NOT NULL, crc INTEGER NOT NULL,
                        stream TEXT NOT NULL, boot TEXT NOT NULL, payload BLOB NOT NULL);
CREATE TABLE events    (seq INTEGER PRIMARY KEY, event INTEGER NOT NULL, at_ns INTEGER NOT NULL, crc INTEGER NOT NULL,
                        stream TEXT NOT NULL, boot TEXT NOT NULL, payload BLOB NOT NULL);
CREATE TABLE state     (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, value TEXT NOT NULL, revision INTEGER NOT NULL,
                        crc INTEGER NOT NULL);
"""

_PREV = """SELECT max(coalesce((SELECT max(seq) FROM telemetry WHERE seq < ?1), 0),
                      coalesce((SELECT max(seq) FROM events WHERE seq < ?1), 0))"""
_READ = """SELECT seq, event, at_ns, crc, stream, boot, payload FROM telemetry WHERE seq > ?1
           UNION ALL SELECT seq, event, at_ns, crc, stream, boot, payload FROM events WHERE seq > ?1
           ORDER BY seq LIMIT ?2"""
_OLDEST = """SELECT min(seq) FROM (SELECT min(seq) AS seq FROM telemetry UNION ALL SELECT min(seq) FROM events)"""
_NEWEST = """SELECT max(seq) FROM (SELECT max(seq) AS seq FROM telemetry UNION ALL SELECT max(seq) FROM events)"""


class DiskFull(JournalError):
    """The file system (or SQLite's own limit) has no page left; the transaction was rolled back."""


@contextmanager
def translated() -> Iterator[None]:
    """SQLite's errors by what the caller does about them.

    Raises:
        JournalCorrupt: the file is damaged.
        DiskFull: no space.
        JournalError: anything else.
    """
    try:
        yield
    except sqlite3.DatabaseError as exc:
        primary = getattr(exc, "sqlite_errorcode", 0) & 0xFF
        if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise JournalCorrupt(str(exc)) from exc
        if primary == sqlite3.SQLITE_FULL:
            raise DiskFull(str(exc)) from exc
        raise JournalError(f"{exc} ({getattr(exc, 'sqlite_errorname', 'unknown')})") from exc


def state_crc(key: str, value: str, revision: int) -> int:
    """CRC-32 of one row of `state`."""
    return zlib.crc32(f"{key}\0{value}\0{revision}".encode())


def connect(path: Path) -> sqlite3.Connection:
    """A connection as every user of the file needs it: explicit transactions, full sync, any thread."""
    db = sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA synchronous = FULL")
    db.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
    db.execute(f"PRAGMA journal_size_limit = {WAL_PAGES * PAGE_BYTES}")
    return db


def fetch(db: sqlite3.Connection, after: int, limit: int, max_bytes: int) -> tuple[int, list[Row]]:
    """Committed rows after a sequence number, and the number of the entry before the first of them.

    At least one row, if there is one, however large.
    """
    rows: list[Row] = []
    size = 0
    # One read transaction, so that no eviction falls between the rows and their predecessor.
    db.execute("BEGIN")
    try:
        cursor = db.execute(_READ, (after, limit))
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


@dataclass(frozen=True, slots=True)
class Bound:
    """How much room the file has."""

    max_bytes: int

    @property
    def chunk_bytes(self) -> int:
        """How far below the bound an eviction goes, so that the next commits need none."""
        return min(4 * 1024 * 1024, max(4 * PAGE_BYTES, self.max_bytes // 32))


class JournalFile:
    """The writer's side of one journal file."""

    def __init__(self, path: Path, bound: Bound) -> None:
        self.path = path
        self._bound = bound
        with translated():
            self._db = connect(path)
            try:
                self.state, self._revision = self._load()
                self.newest = self._number(_NEWEST)
                self.oldest = self._number(_OLDEST)
                self.bytes = live_bytes(self._db)
            except BaseException:
                self._db.close()
                raise
        self.last = max(self.newest, int(self.state.get("next", "1")) - 1)
        """Newest sequence number ever committed."""

    def commit(self, rows: Sequence[Row], state: Mapping[str, str], *, read_to: int) -> None:
        """Writes rows and state in one transaction, evicting what the bound forces out.

        Raises:
            JournalFull: only unread events are left; nothing was written.
            DiskFull, JournalCorrupt, JournalError: nothing was written.
        """
        changes = dict(state)
        with translated(), self._transaction():
            for table, wanted in (("telemetry", False), ("events", True)):
                values = [row for row in rows if row[1] is wanted]
                if values:
                    self._db.executemany(f"INSERT INTO {table} VALUES (?,?,?,?,?,?,?)", values)  # noqa: S608  # one of two constants
            evicted = Evicted()
            size = live_bytes(self._db)
            if rows and size > self._bound.max_bytes:
                low = self._bound.max_bytes - self._bound.chunk_bytes
                evicted = evict(self._db, target_bytes=low, read_to=read_to, last=self.last)
                size = live_bytes(self._db)
                if size > self._bound.max_bytes:
                    raise JournalFull(f"{self.path}: {size} bytes in use, at most {self._bound.max_bytes}")
            last = rows[-1][0] if rows else self.last
            self._count(changes, evicted, last)
            self._put(changes)
            newest, oldest = self.newest, self.oldest
            if evicted:
                newest, oldest = self._number(_NEWEST), self._number(_OLDEST)
            elif rows:
                newest, oldest = last, oldest or rows[0][0]
        self.state.update(changes)
        self.newest, self.oldest, self.last, self.bytes = newest, oldest, last, size

    def release(self, wanted_bytes: int, state: Mapping[str, str], *, read_to: int) -> bool:
        """Evicts about this many bytes in a transaction of its own and gives free pages back to the file system.

        Returns:
            Whether anything was given back.
        """
        changes = dict(state)
        with translated():
            returned = self._vacuum()
            if returned >= wanted_bytes:
                return True
            with self._transaction():
                target = max(0, live_bytes(self._db) - (wanted_bytes - returned))
                evicted = evict(self._db, target_bytes=target, read_to=read_to, last=self.last)
                self._count(changes, evicted, self.last)
                self._put(changes)
                newest, oldest, size = self._number(_NEWEST), self._number(_OLDEST), live_bytes(self._db)
            self.state.update(changes)
            self.newest, self.oldest, self.bytes = newest, oldest, size
            return self._vacuum() + returned > 0

    def close(self) -> None:
        """Folds the write-ahead log into the file and closes it."""
        self._db.close()

    def _vacuum(self) -> int:
        """Cuts free pages off the file, in steps whose log stays short; returns the bytes given back."""
        (before,) = self._db.execute("PRAGMA page_count").fetchone()
        while self._number("PRAGMA freelist_count"):
            self._db.execute(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})").fetchall()
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        (after,) = self._db.execute("PRAGMA page_count").fetchone()
        return int(before - after) * PAGE_BYTES

    def _count(self, changes: dict[str, str], evicted: Evicted, last: int) -> None:
        if not evicted:
            return
        # The newest entries may be among those that went: from now on the file alone does not tell the next number.
        changes["next"] = str(last + 1)
        if evicted.read:
            changes["evicted_read"] = str(int(self.state.get("evicted_read", "0")) + evicted.read)
        for stream, count in evicted.dropped.items():
            key = f"dropped:{stream}"
            changes[key] = str(int(self.state.get(key, "0")) + count)

    def _put(self, changes: Mapping[str, str]) -> None:
        if not changes:
            return
        self._revision += 1
        self._db.executemany(
            "INSERT INTO state (key, value, revision, crc) VALUES (?,?,?,?) ON CONFLICT (key) DO UPDATE SET"
            " value = excluded.value, revision = excluded.revision, crc = excluded.crc",
            [(k, v, self._revision, state_crc(k, v, self._revision)) for k, v in changes.items()],
        )

    def _load(self) -> tuple[dict[str, str], int]:
        state: dict[str, str] = {}
        newest = 0
        for key, value, revision, crc in self._db.execute("SELECT key, value, revision, crc FROM state"):
            if state_crc(key, value, revision) != crc:
                raise JournalCorrupt(f"{self.path}: state {key!r} does not match its checksum")
            state[key] = value
            newest = max(newest, revision)
        if "log" not in state:
            raise JournalCorrupt(f"{self.path}: the name of the log is missing")
        if state.get("format") != FORMAT:
            raise JournalError(f"{self.path}: format {state.get('format')} is not {FORMAT}")
        return state, newest

    def _number(self, query: str) -> int:
        (value,) = self._db.execute(query).fetchone()
        return int(value or 0)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            # SQLite may have rolled back by itself already (disk full, I/O error).
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
