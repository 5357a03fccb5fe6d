"""The ledger's file: two connections, one that writes and one that reads beside it, and what may go wrong with them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock, RLock, get_ident

from gateway.ledger_schema import SchemaError, migrate


class LedgerError(Exception):
    """The ledger cannot be used: damaged, or written by a newer version. Restore a backup or the right version."""


class LedgerUnavailable(Exception):
    """The ledger cannot take this now (disk full, locked); nothing of it was kept; try again later."""


class LedgerFile:
    """One SQLite file in WAL mode with FULL synchronisation: what is committed survives a power failure.

    Writers take turns; readers see the last committed state and never wait for a writer's disk.

    Raises:
        LedgerError: the file is damaged, no ledger, or from a newer version.
        LedgerUnavailable: it cannot be opened.
    """

    def __init__(self, path: Path, *, now_ns: int) -> None:
        self.path = path
        self._writing = Lock()
        self._reading = RLock()
        self._writer_thread: int | None = None
        with translated():
            self._writer = self._connect()
            try:
                _require_sound(self._writer)
                self.version = migrate(self._writer, now_ns=now_ns)
                self._reader = self._connect()
                self._reader.execute("PRAGMA query_only = ON")
            except (SchemaError, LedgerError) as exc:
                self._writer.close()
                raise LedgerError(f"{path}: {exc}") from exc
            except BaseException:
                self._writer.close()
                raise

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Raises:
            LedgerUnavailable: not now.
            RuntimeError: within another `write` of the same thread.
        """
        if self._writer_thread == get_ident():
            raise RuntimeError("a ledger transaction inside another")
        with self._writing, translated():
            self._writer_thread = get_ident()
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                try:
                    yield self._writer
                    self._writer.execute("COMMIT")
                except BaseException:
                    if self._writer.in_transaction:
                        self._writer.execute("ROLLBACK")
                    raise
            finally:
                self._writer_thread = None

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """The last committed state."""
        with self._reading, translated():
            yield self._reader

    def backup(self, path: Path) -> None:
        """A consistent copy while everything goes on (`VACUUM INTO`); `path` must not exist yet."""
        if path.exists():
            raise LedgerUnavailable(f"{path} exists already")
        with translated(), closing(self._connect()) as connection:
            connection.execute("VACUUM INTO ?", (str(path),))

    def close(self) -> None:
        """Waits for a running transaction, then closes."""
        with self._writing, self._reading:
            self._reader.close()
            self._writer.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=5.0, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection


def _require_sound(connection: sqlite3.Connection) -> None:
    (check,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if check != "ok":
        raise LedgerError(f"damaged: {check}")


def of_the_file(error: Exception) -> bool:
    """Whether the file or the memory is to blame and not what was to be written, so that nothing may be passed over for it.

    Damage comes as a plain `sqlite3.DatabaseError` (SQLITE_CORRUPT, SQLITE_NOTADB), a full disk or a lock as one of its kinds.
    """
    written = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.NotSupportedError)
    return isinstance(error, sqlite3.Error | MemoryError) and not isinstance(error, written)


@contextmanager
def translated() -> Iterator[None]:
    """SQLite's errors by what the caller does about them."""
    try:
        yield
    except (sqlite3.OperationalError, sqlite3.InterfaceError, sqlite3.ProgrammingError) as exc:
        raise LedgerUnavailable(str(exc)) from exc
    except sqlite3.IntegrityError:
        raise
    except sqlite3.DatabaseError as exc:
        raise LedgerError(f"ledger damaged: {exc}") from exc
