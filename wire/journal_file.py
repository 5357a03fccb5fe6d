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
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from wire.entry import JournalCorrupt, JournalError, JournalFull, Row
from wire.eviction import PAGE_BYTES, Evicted, evict, live_bytes

FORMAT = "1"

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

INSERT = {
    False: "INSERT INTO telemetry VALUES (?,?,?,?,?,?,?)",
    True: "INSERT INTO events VALUES (?,?,?,?,?,?,?)",
}
_OLDEST = """SELECT min(seq) FROM (SELECT min(seq) AS seq FROM telemetry UNION ALL SELECT min(seq) FROM events)"""
NEWEST = """SELECT max(seq) FROM (SELECT max(seq) AS seq FROM telemetry UNION ALL SELECT max(seq) FROM events)"""


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


def load_state(db: sqlite3.Connection) -> tuple[dict[str, str], int]:
    """Rows of `state` by key, and the newest revision; raises `JournalCorrupt` where a checksum does not match."""
    state: dict[str, str] = {}
    newest = 0
    for key, value, revision, crc in db.execute("SELECT key, value, revision, crc FROM state"):
        if state_crc(key, value, revision) != crc:
            raise JournalCorrupt(f"state {key!r} does not match its checksum")
        state[key] = value
        newest = max(newest, revision)
    return state, newest


def connect(path: Path) -> sqlite3.Connection:
    """A connection as every user of the file needs it: explicit transactions, full sync, any thread."""
    db = sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA synchronous = FULL")
    return db


@dataclass(frozen=True, slots=True)
class Bound:
    """How much room the file has."""

    max_bytes: int

    @property
    def chunk_bytes(self) -> int:
        """How far below the bound an eviction goes, so that the next commits need none."""
        return min(4 * 1024 * 1024, max(4 * PAGE_BYTES, self.max_bytes // 32))

    @property
    def wal_pages(self) -> int:
        """Length of the write-ahead log, in pages, at which it is folded into the file: 4 MB, less in a small file."""
        return min(4 * 1024 * 1024, max(64 * 1024, self.max_bytes // 8)) // PAGE_BYTES

    @property
    def ballast_bytes(self) -> int:
        """Room that is enough to fold the log into the file and to evict and shrink a little."""
        return 2 * self.wal_pages * PAGE_BYTES


class JournalFile:
    """The writer's side of one journal file."""

    def __init__(self, path: Path, bound: Bound) -> None:
        self.path = path
        self.bound = bound
        with translated():
            self._db = connect(path)
            try:
                self._db.execute(f"PRAGMA wal_autocheckpoint = {bound.wal_pages}")
                self._db.execute(f"PRAGMA journal_size_limit = {bound.wal_pages * PAGE_BYTES}")
                self.state, self._revision = load_state(self._db)
                self.newest = self._number(NEWEST)
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
        if not rows and not state:
            return
        changes = dict(state)
        opening = self._open_mark(changes)
        with translated(), self._transaction():
            for event, insert in INSERT.items():
                self._db.executemany(insert, [row for row in rows if row[1] is event])
            evicted = Evicted()
            size = live_bytes(self._db)
            if rows and size > self.bound.max_bytes:
                low = self.bound.max_bytes - self.bound.chunk_bytes
                evicted = evict(self._db, target_bytes=low, read_to=read_to, last=self.last)
                size = live_bytes(self._db)
                if size > self.bound.max_bytes:
                    raise JournalFull(f"{self.path}: {size} bytes in use, at most {self.bound.max_bytes}")
            last = rows[-1][0] if rows else self.last
            self._count(changes, evicted, last)
            self._put(changes)
            newest, oldest = self.newest, self.oldest
            if evicted:
                newest, oldest = self._number(NEWEST), self._number(_OLDEST)
            elif rows:
                newest, oldest = last, oldest or rows[0][0]
        # Replaced, not changed: other threads may be looking at it.
        self.state = {**self.state, **changes}
        self.newest, self.oldest, self.last, self.bytes = newest, oldest, last, size
        if opening:
            # Into the file itself, so that it tells should its write-ahead log ever be missing. It may come later.
            with suppress(JournalError):
                self.fold()

    def release(self, wanted_bytes: int, positions: Mapping[str, str], *, read_to: int) -> bool:
        """Evicts about this many bytes in a transaction of its own and gives the pages back to the file system.

        Returns:
            Whether there was anything to evict.
        """
        changes = dict(positions)
        self._open_mark(changes)
        with translated():
            with self._transaction():
                target = max(0, live_bytes(self._db) - wanted_bytes)
                evicted = evict(self._db, target_bytes=target, read_to=read_to, last=self.last)
                self._count(changes, evicted, self.last)
                self._put(changes)
                newest, oldest, size = self._number(NEWEST), self._number(_OLDEST), live_bytes(self._db)
            self.state = {**self.state, **changes}
            self.newest, self.oldest, self.bytes = newest, oldest, size
            self.shrink()
        return bool(evicted)

    def shrink(self) -> None:
        """Cuts free pages off the file and empties the write-ahead log, in steps that need little room themselves."""
        with translated():
            while free := self._number("PRAGMA freelist_count"):
                self._db.execute(f"PRAGMA incremental_vacuum({self.bound.wal_pages // 2})").fetchall()
                self.fold()
                if self._number("PRAGMA freelist_count") >= free:
                    break
            self.fold()

    def fold(self) -> None:
        """Moves the write-ahead log's pages into the file and cuts it to nothing."""
        with translated():
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def fold_long_log(self) -> None:
        """Folds a log that has outgrown its bound: SQLite gives up on that without a word when the disk is full."""
        wal = self.path.with_name(f"{self.path.name}-wal")
        if wal.exists() and wal.stat().st_size > 2 * self.bound.ballast_bytes:
            self.fold()

    def close(self) -> None:
        """Folds the write-ahead log into the file and closes it."""
        self._db.close()

    def _open_mark(self, changes: dict[str, str]) -> bool:
        """The first change says that the file is not closed; the last one, in `close`, takes that back."""
        opening = bool(self.state.get("clean") == "1" and "clean" not in changes)
        if opening:
            changes["clean"] = "0"
        return opening

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
