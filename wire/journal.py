"""The journal: an append-only log in one SQLite file with named readers.

Telemetry is committed in groups, once per interval; events at once. Only what is committed can be read. Entries stay
until the bound needs their room, in the order that `wire/eviction.py` states. Numbers count from 1 without gaps and are
never given out twice, whatever is killed or evicted; a file that is damaged is set aside and what can be read moves into
a journal with a new `log` name (`wire/salvage.py`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from wire.entry import (
    Entry,
    JournalBusy,
    JournalCorrupt,
    JournalError,
    JournalFull,
    JournalStats,
    Record,
    Row,
    body_crc,
    numbered_crc,
)
from wire.eviction import PAGE_BYTES
from wire.journal_file import Bound
from wire.lockfile import LockFile
from wire.reading import Reading
from wire.room import Ballast, Room, free_disk_bytes
from wire.salvage import open_sound
from wire.soundness import beside, mark_suspect

__all__ = [
    "Entry",
    "Journal",
    "JournalBusy",
    "JournalCorrupt",
    "JournalError",
    "JournalFull",
    "JournalStats",
    "Record",
]

SMALLEST_BYTES = 256 * 1024
_MOST_BUFFERED_BYTES = 4 * 1024 * 1024
_ROW_BYTES = 64
_PAGES_SPARE = 16 * PAGE_BYTES


class Journal:
    """One journal, open. Every method may be called from any thread.

    Args:
        path: the SQLite file; `-wal`, `-shm`, `.lock`, `.ballast` lie beside it. The folder must exist.
        readers: names of the readers that count. An entry is read when all of them have passed it. A new reader
            begins with the oldest entry still held; one left out keeps its position but holds nothing back.
        max_bytes: bound of the file's live pages, at least 256 KiB.
        min_free_bytes: below this much free disk the journal evicts and shrinks its file.
        commit_interval_s: how long telemetry may wait for its commit; what a power failure can take.
        free_bytes: free bytes of the file system that holds a path.

    Raises:
        JournalBusy: another process has it.
        JournalError: the file cannot be opened, or was written by another version.
        ValueError: no readers, or `max_bytes` too small.
    """

    def __init__(
        self,
        path: Path,
        *,
        readers: Sequence[str],
        max_bytes: int,
        min_free_bytes: int = 0,
        commit_interval_s: float = 1.0,
        free_bytes: Callable[[Path], int] = free_disk_bytes,
    ) -> None:
        if not readers:
            raise ValueError("a journal needs at least one reader: without one nothing is ever unread")
        if max_bytes < SMALLEST_BYTES:
            raise ValueError(f"max_bytes {max_bytes} is less than {SMALLEST_BYTES}")
        self._path = path
        self._interval_s = commit_interval_s
        self._max_bytes = max_bytes
        self._log = logging.getLogger(__name__)
        with ExitStack() as undo:
            self._lock_file = LockFile(path)
            undo.callback(self._lock_file.release)
            self._file = open_sound(path, Bound(max_bytes), readers)
            undo.callback(self._file.close)
            ballast = Ballast(beside(path, ".ballast"), self._file.bound.ballast_bytes)
            with self._guard():
                self._room = Room(self._file, ballast=ballast, min_free_bytes=min_free_bytes, free_bytes=free_bytes)
            undo.pop_all()
        state = self._file.state
        self.log = state["log"]
        self._positions = {name: int(state.get(f"reader:{name}", "0")) for name in readers}
        self._marks = {key[5:]: value for key, value in state.items() if key.startswith("mark:")}
        self._next = self._file.last + 1
        self._rows: list[Row] = []
        self._state: dict[str, str] = {}
        self._buffered = 0
        self._due: float | None = None
        self._failure: JournalError | None = None
        self._corrupt: str | None = None
        self._closed = False
        self._reading = Reading(path)
        # `_writing` is held through a whole commit, `_lock` while the fields above change. Always in this order. A
        # commit of the timer releases `_lock` while the disk works, so that appending telemetry does not wait for it;
        # one that an append asked for keeps it, so that a failure can take back the numbers it had taken.
        self._writing = threading.Lock()
        self._lock = threading.Lock()
        self._news = threading.Condition(self._lock)
        self._work = threading.Condition(self._lock)
        self._timer = threading.Thread(target=self._run, name=f"journal-{path.name}", daemon=True)
        self._timer.start()

    def append(
        self, records: Sequence[Record], *, marks: Mapping[str, str] | None = None, commit: bool | None = None
    ) -> range:
        """Appends records and changes marks together, all or nothing.

        Committed at once when `commit` is true or any record is an event, together with everything buffered before;
        otherwise within the commit interval.

        Returns:
            The sequence numbers given, in the order of the records.

        Raises:
            JournalFull: no room and nothing left to evict; nothing was kept and no number was used.
            JournalCorrupt: the file is damaged; open the journal anew.
            JournalError: I/O error, or the timer's commit failed before and still fails; nothing was kept.
        """
        prepared = [(record, body_crc(record)) for record in records]
        cost = sum(_cost(record) for record in records)
        if not commit and not any(record.event for record in records):
            with self._lock:
                self._require_open()
                if self._failure is None and self._buffered + cost <= self._admitted():
                    given = self._take(prepared, marks or {}, cost)
                    if self._due is None and (prepared or marks):
                        self._arm()
                    return given
        with self._writing, self._lock:
            self._require_open()
            before = (len(self._rows), self._next, self._buffered, dict(self._state), dict(self._marks))
            given = self._take(prepared, marks or {}, cost)
            try:
                self._write(self._rows, self._state, self._read_to())
            except BaseException:
                # An interrupt may fall behind the commit; what is in the file keeps its numbers.
                if self._file.last < self._next - 1 or not prepared:
                    kept, self._next, self._buffered, self._state, self._marks = before
                    del self._rows[kept:]
                else:
                    self._committed_all()
                raise
            self._committed_all()
            return given

    def flush(self) -> None:
        """Commits everything buffered; raises as `append` does."""
        self.append((), commit=True)

    def read(self, after: int, limit: int = 1000, max_bytes: int = 4_000_000) -> list[Entry]:
        """Committed entries with a sequence number above `after`, ascending.

        Args:
            after: sequence number after which to begin.
            limit: at most this many entries.
            max_bytes: at most this much payload, but at least one entry.

        Raises:
            JournalCorrupt: an entry does not match its checksum, or the file is damaged.
            JournalError: I/O error.
        """
        self._require_sound()
        with self._guard():
            return self._reading.entries(after, limit, max_bytes)

    def wait(self, after: int, timeout_s: float) -> bool:
        """Waits until a committed entry above `after` exists; false after the timeout or when the journal closes."""
        deadline = time.monotonic() + timeout_s
        with self._lock:
            self._require_open()
            while self._file.newest <= after:
                rest = deadline - time.monotonic()
                if self._closed or rest <= 0:
                    return False
                self._news.wait(rest)
            return True

    def position(self, reader: str) -> int:
        """How far this reader is, as last advanced; 0 at first. Raises ValueError for a reader not registered."""
        with self._lock:
            return self._positions[self._known(reader)]

    def advance(self, reader: str, seq: int) -> None:
        """Says that everything up to `seq` is done; durable with the next commit. A lower number changes nothing.

        Raises:
            ValueError: the reader is not registered, or `seq` was not committed yet.
        """
        with self._lock:
            self._require_open()
            if seq > self._file.last:
                raise ValueError(f"{reader} cannot have read {seq}, the newest committed is {self._file.last}")
            if seq > self._positions[self._known(reader)]:
                self._positions[reader] = seq
                self._state[f"reader:{reader}"] = str(seq)
                if self._due is None:
                    self._arm()

    def mark(self, key: str) -> str | None:
        """A mark as last set; durable together with the records it was appended with."""
        with self._lock:
            return self._marks.get(key)

    def set_marks(self, marks: Mapping[str, str]) -> None:
        """Changes marks and commits at once; raises as `append` does."""
        self.append((), marks=marks, commit=True)

    def stats(self) -> JournalStats:
        """What the journal holds now; counters as last committed."""
        with self._lock:
            state = self._file.state
            dropped = {key[8:]: int(value) for key, value in state.items() if key.startswith("dropped:")}
            return JournalStats(
                log=self.log,
                oldest=self._file.oldest,
                next=self._next,
                bytes=self._file.bytes,
                dropped=sum(dropped.values()),
                dropped_by_stream=dropped,
                evicted_read=int(state.get("evicted_read", "0")),
                quarantined=tuple(value for key, value in sorted(state.items()) if key.startswith("quarantined:")),
                positions=dict(self._positions),
            )

    def close(self) -> None:
        """Commits what is buffered and releases the file; a second call does nothing.

        Raises:
            JournalError: the last commit failed and what was buffered is lost; the file is released all the same.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._work.notify_all()
            self._news.notify_all()
        self._timer.join()
        with self._writing, self._lock:
            try:
                self._commit_last()
            finally:
                self._reading.close()
                self._file.close()
                self._lock_file.release()

    def _commit_last(self) -> None:
        if self._corrupt is not None:
            return
        closing = {} if self._file.state.get("clean") == "1" and not self._rows and not self._state else {"clean": "1"}
        self._write_most(self._rows, {**self._state, **closing}, self._read_to())

    def _take(self, prepared: Sequence[tuple[Record, int]], marks: Mapping[str, str], cost: int) -> range:
        first = self._next
        for seq, (record, body) in enumerate(prepared, first):
            row = (
                seq,
                bool(record.event),
                record.at_ns,
                numbered_crc(body, seq),
                record.stream,
                record.boot,
                record.payload,
            )
            self._rows.append(row)
        self._next = first + len(prepared)
        self._marks.update(marks)
        self._state.update((f"mark:{key}", value) for key, value in marks.items())
        self._buffered += cost
        return range(first, self._next)

    def _admitted(self) -> int:
        """How much may be buffered so that the timer's commit is sure to find room without dropping what was taken."""
        return min(_MOST_BUFFERED_BYTES, self._max_bytes - self._file.bytes - _PAGES_SPARE)

    def _arm(self) -> None:
        self._due = time.monotonic() + self._interval_s
        self._work.notify_all()

    def _read_to(self) -> int:
        return min(self._positions.values())

    def _write(self, rows: Sequence[Row], state: Mapping[str, str], read_to: int) -> None:
        with self._guard():
            self._room.commit(rows, state, read_to=read_to)

    def _write_most(self, rows: Sequence[Row], state: Mapping[str, str], read_to: int) -> None:
        """Where there is no room for the rows, at least what readers have done becomes durable: it makes room."""
        try:
            self._write(rows, state, read_to)
        except JournalFull:
            self._write((), {key: value for key, value in state.items() if not key.startswith("mark:")}, read_to)
            raise

    def _committed_all(self) -> None:
        """After a commit of everything buffered, with `_lock` held."""
        self._rows, self._state, self._buffered, self._due = [], {}, 0, None
        self._recovered()
        self._news.notify_all()

    def _recovered(self) -> None:
        if self._failure is not None:
            self._log.warning("%s: commits work again", self._path)
            self._failure = None

    def _run(self) -> None:
        """The timer: commits what is due, sleeps without a wake-up while nothing is."""
        while True:
            with self._lock:
                while not self._closed and (self._due is None or (rest := self._due - time.monotonic()) > 0):
                    self._work.wait(None if self._due is None else rest)
                if self._closed:
                    return
            self._commit_due()

    def _commit_due(self) -> None:
        with self._writing:
            with self._lock:
                if self._due is None:
                    return
                rows, state, buffered, read_to = self._rows, self._state, self._buffered, self._read_to()
                self._rows, self._state, self._due = [], {}, None
            try:
                self._write_most(rows, state, read_to)
            except Exception as exc:  # noqa: BLE001  # whatever it is, it is logged, kept and raised by the next append
                failure = exc if isinstance(exc, JournalError) else JournalError(f"commit failed: {exc!r}")
                with self._lock:
                    if self._failure is None:
                        self._log.error("%s: group commit failed, %d entries wait: %s", self._path, len(rows), exc)
                    self._rows, self._state = rows + self._rows, {**state, **self._state}
                    self._failure = failure
                    self._arm()
                return
            with self._lock:
                self._buffered -= buffered
                self._recovered()
                if (self._rows or self._state) and self._due is None:
                    self._arm()
                self._news.notify_all()

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """Damage found once ends every use of this object and is remembered for the next opening."""
        try:
            yield
        except JournalCorrupt as exc:
            self._corrupt = str(exc)
            mark_suspect(self._path, str(exc))
            raise
        except OSError as exc:
            raise JournalError(f"{self._path}: {exc}") from exc

    def _known(self, reader: str) -> str:
        if reader not in self._positions:
            raise ValueError(f"no reader {reader!r}; registered are {', '.join(self._positions)}")
        return reader

    def _require_open(self) -> None:
        if self._closed:
            raise JournalError(f"{self._path}: the journal is closed")
        self._require_sound()

    def _require_sound(self) -> None:
        if self._corrupt is not None:
            raise JournalCorrupt(self._corrupt)


def _cost(record: Record) -> int:
    """Upper bound of the pages' bytes a record takes: rows share pages that are at least half full."""
    size = len(record.payload) + len(record.stream) + len(record.boot) + _ROW_BYTES
    return 2 * size + 2 * PAGE_BYTES if size > PAGE_BYTES // 4 else 2 * size
