"""The embedded store's SQLite file: schema, opening, and moving a broken one aside.

| table | one row is |
|---|---|
| mark | a node's journal and the highest sequence number stored of it; with an empty site, a fact of the file itself |
| part | a machine of a node |
| series | a channel of a part with its unit |
| word | a text of a text series and its number |
| staging | the points of one message, not yet packed |
| timebase | the times that several chunks share |
| chunk | up to an hour of one series, packed |
| minute | the same stretch by minutes, packed |
| quarter | a quarter of an hour of one series |
"""

from __future__ import annotations

import fcntl
import logging
import sqlite3
import time
from pathlib import Path
from typing import NamedTuple, TextIO

from gateway.store.base import StoreUnavailable

_APPLICATION_ID = 0x57504B53
_VERSION = 1
_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_SCHEMA = f"""
CREATE TABLE mark (site TEXT, node TEXT, origin TEXT, name TEXT, value INTEGER NOT NULL,
    PRIMARY KEY (site, node, origin, name)) WITHOUT ROWID;
CREATE TABLE part (id INTEGER PRIMARY KEY, site TEXT, node TEXT, machine TEXT, UNIQUE (site, node, machine));
CREATE TABLE series (id INTEGER PRIMARY KEY, part INTEGER NOT NULL REFERENCES part, channel TEXT NOT NULL,
    unit TEXT NOT NULL, text INTEGER NOT NULL, UNIQUE (part, channel, unit, text));
CREATE TABLE word (series INTEGER, code INTEGER, text TEXT NOT NULL, PRIMARY KEY (series, code)) WITHOUT ROWID;
CREATE TABLE staging (id INTEGER PRIMARY KEY, part INTEGER NOT NULL, time_ms INTEGER NOT NULL, points BLOB NOT NULL);
CREATE TABLE timebase (id INTEGER PRIMARY KEY, times BLOB NOT NULL);
CREATE TABLE chunk (id INTEGER PRIMARY KEY, series INTEGER NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL,
    timebase INTEGER NOT NULL, points BLOB NOT NULL);
CREATE INDEX chunk_by_series ON chunk (series, end_ms, start_ms, timebase);
CREATE TABLE minute (id INTEGER PRIMARY KEY, series INTEGER NOT NULL, start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL, buckets BLOB NOT NULL);
CREATE INDEX minute_by_series ON minute (series, end_ms, start_ms);
CREATE TABLE quarter (series INTEGER, start_ms INTEGER, number INTEGER NOT NULL, mean REAL NOT NULL, low REAL NOT NULL,
    high REAL NOT NULL, PRIMARY KEY (series, start_ms)) WITHOUT ROWID;
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {_VERSION};
"""
_VITAL = (
    "SELECT * FROM mark",
    "SELECT * FROM part",
    "SELECT * FROM series",
    "SELECT * FROM word",
    "SELECT count(*), sum(length(points)) FROM staging",
)


class BrokenDatabase(Exception):
    """The file is not a database, or damaged."""


def is_corruption(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file itself is damaged, not that it is busy or that the disk is full."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _CORRUPT


class Database(NamedTuple):
    """An open file with the lock that keeps other writers out, and where a broken predecessor went."""

    connection: sqlite3.Connection
    lock: TextIO
    aside: Path | None

    def close(self) -> None:
        """Folds the log into the file and lets go of both."""
        self.connection.close()
        self.lock.close()


def open_or_make(path: Path) -> Database:
    """Opens the file for its one writer, in autocommit mode, making it where there is none.

    A broken file is moved aside as `<name>.broken-<time>` and a new one begun.

    Raises:
        StoreUnavailable: the file cannot be made or opened, or another process writes to it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(f"{path.name}.lock").open("w")
    except OSError as exc:
        raise StoreUnavailable(f"{path} cannot be opened: {exc}") from exc
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            return Database(_open(path), lock, None)
        except BrokenDatabase as exc:
            aside = move_aside(path)
            logging.getLogger(__name__).warning("%s is broken (%s); moved to %s, begun anew", path, exc, aside)
            return Database(_open(path), lock, aside)
    except BlockingIOError as exc:
        lock.close()
        raise StoreUnavailable(f"{path} belongs to another process that runs") from exc
    except (BrokenDatabase, OSError, sqlite3.Error) as exc:
        lock.close()
        raise StoreUnavailable(f"{path} cannot be opened: {exc}") from exc
    except StoreUnavailable:
        lock.close()
        raise


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that only reads, usable from any one thread at a time."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False, timeout=5.0)
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA mmap_size = 0")
    return connection


def move_aside(path: Path) -> Path:
    """Renames a broken file with its log, and says where it went."""
    name = f"{path.name}.broken-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    aside, number = path.with_name(name), 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{name}_{number}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0.5)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # The journal holds what a power cut takes from the last commits; this file only has to stay consistent.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA journal_size_limit = 4194304")
        connection.execute("PRAGMA cache_size = -4096")
        _check(connection, path)
    except sqlite3.Error as exc:
        connection.close()
        if is_corruption(exc):
            raise BrokenDatabase(str(exc)) from exc
        raise
    except BrokenDatabase:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
        elif (application, version) != (_APPLICATION_ID, _VERSION):
            found = f"application {application:#x}, version {version}"
            raise StoreUnavailable(f"{path} is not a series file of version {_VERSION}: {found}")  # noqa: TRY301 - the rollback below is wanted
        # A damaged page here would make every write fail; packed pages are found damaged when they are read.
        for query in _VITAL:
            connection.execute(query).fetchall()
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
