"""The store without a server: one SQLite file, appended in small rows, packed by the hour, rolled up for charts.

Writing a message appends one small row (`staging`). Once a machine's rows span an hour they are packed
(`packing`): per series one chunk of a few kilobytes, its minutes and its quarters of an hour. Exactly once comes
from the messages' own numbers: the highest sequence number of every node's journal is kept in the same transaction as
the points, and a message at or below it changes nothing.

The file is not synced at each commit. What a power cut takes from it is still in the gateway's journal:
`resume_after` says from where on.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gateway.store import points, staging
from gateway.store.base import Chart, Record, Rejected, SeriesKey, StoreUnavailable, WriteReport
from gateway.store.config import EmbeddedConfig
from gateway.store.database import is_corruption, move_aside, open_or_make
from gateway.store.embedded_reads import EmbeddedReads
from gateway.store.packing import Packer, Retention
from wire.messages import Message

FILE = "series.db"
_PACK_AFTER_MS = 3_600_000
_PACK_BYTES = 4_000_000
_IDLE_MS = 2 * _PACK_AFTER_MS
_NS_PER_MS = 1_000_000
_DAY_MS = 86_400_000

_Source = tuple[str, str, str, str]
_Series = tuple[int, str, str, bool]
_POSITION: _Source = ("", "", "", "position")
_NEWEST_MS: _Source = ("", "", "", "newest_ms")
_ENFORCED_MS: _Source = ("", "", "", "enforced_ms")


@dataclass(slots=True)
class _Stage:
    """What of one part is staged: time of the first row, and how much."""

    first_ms: int
    bytes: int


class EmbeddedStore:
    """See `gateway.store.base.Store`. `read`, `texts` and `series` may be called from any thread.

    Args:
        config: where and how much.
        wall_ns: the wall clock, nanoseconds; only retention asks it.

    Raises:
        StoreUnavailable: the file cannot be opened or belongs to another process.
    """

    kind: Literal["embedded", "influx"] = "embedded"

    def __init__(self, config: EmbeddedConfig, *, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self._config = config
        self._wall_ns = wall_ns
        self._path = Path(config.dir) / FILE
        self._lock = threading.Lock()
        self._closed = False
        self.broken: tuple[Path, ...] = ()
        """Files moved aside because they were damaged, since this store was opened."""
        self._open()

    def _open(self) -> None:
        self._database = open_or_make(self._path)
        if self._database.aside:
            self.broken += (self._database.aside,)
        self._connection = self._database.connection
        self._packer = Packer(self._connection, exact=self._config.exact)
        self._retention = Retention(self._connection, self._config)
        self._load()
        self._reads = EmbeddedReads(self._path)

    @property
    def resume_after(self) -> int | None:
        """Journal position of the last entry that this file holds; 0 for a file begun anew."""
        return self._position

    def write(self, records: Sequence[Record]) -> WriteReport:
        """Stores in one transaction what was not stored before."""
        with self._lock:
            if self._closed:
                raise StoreUnavailable("the store is closed")
            if not records:
                return WriteReport(0)
            with self._transaction():
                report = self._store(records)
            self._position = records[-1].position
            return report

    def read(self, key: SeriesKey, start_ns: int, end_ns: int, max_points: int = 600) -> Chart:
        """From single values, minutes or quarters of an hour, whichever is just fine enough and still kept."""
        return self._reads.read(key, start_ns, end_ns, max_points)

    def texts(self, key: SeriesKey, start_ns: int, end_ns: int) -> Sequence[tuple[int, str]]:
        """When a text series changed, and to what; the first is what it was when the range begins or soon after."""
        return self._reads.texts(key, start_ns, end_ns)

    def series(self) -> Sequence[tuple[SeriesKey, str]]:
        """Every series known with its unit."""
        return self._reads.series()

    def pack_now(self) -> None:
        """Packs all that is staged, as an hour's end would; for a tidy end and for measurements."""
        with self._lock, self._transaction():
            for part in list(self._stages):
                self._pack(part)

    def close(self) -> None:
        """Folds the log into the file and closes it; safe to call twice."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._reads.close()
                self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")
        except BaseException as exc:
            self._undo(exc)
            if isinstance(exc, sqlite3.Error):
                raise StoreUnavailable(f"{self._path}: {exc}") from exc
            raise

    def _undo(self, cause: BaseException) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if not (isinstance(cause, sqlite3.Error) and is_corruption(cause)):
                self._load()
                return
        except sqlite3.Error as exc:
            if not is_corruption(exc):
                raise StoreUnavailable(f"{self._path}: {exc}") from exc
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._reads.close()
        self._database.close()
        aside = move_aside(self._path)
        self.broken += (aside,)
        logging.getLogger(__name__).warning("%s is damaged; moved to %s, begun anew", self._path, aside)
        self._open()

    def _load(self) -> None:
        """Takes over what the file says; also after a rollback, which the copies in memory do not follow."""
        run = self._connection.execute
        # One table for all that changes with every commit: a page less to write each time.
        marks: dict[_Source, int] = {tuple(names): value for *names, value in run("SELECT * FROM mark")}
        self._position = marks.pop(_POSITION, 0)
        self._newest_ms = marks.pop(_NEWEST_MS, 0)
        self._enforced_ms = marks.pop(_ENFORCED_MS, 0)
        self._sources = marks
        self._parts: dict[tuple[str, str, str], int] = {
            (site, node, machine): part for part, site, node, machine in run("SELECT id, site, node, machine FROM part")
        }
        self._series: dict[_Series, int] = {
            (part, channel, unit, bool(text)): series
            for series, part, channel, unit, text in run("SELECT id, part, channel, unit, text FROM series")
        }
        self._words: dict[tuple[int, str], int] = {
            (series, text): code for series, code, text in run("SELECT series, code, text FROM word")
        }
        staged = run("SELECT part, min(time_ms), sum(length(points)) FROM staging GROUP BY part")
        self._stages: dict[int, _Stage] = {part: _Stage(first, size) for part, first, size in staged}

    def _store(self, records: Sequence[Record]) -> WriteReport:
        stored = 0
        rejected: list[Rejected] = []
        seen: dict[_Source, int] = {}
        for position, message in records:
            source = (message.site, message.node, message.origin, message.log)
            if message.seq <= self._sources.get(source, 0):
                continue
            self._sources[source] = seen[source] = message.seq
            found = points.of(message)
            stored += self._stage(message, found)
            rejected.extend(
                Rejected(position, f"{message.site}/{message.node}/{machine} {channel}", reason)
                for machine, channel, reason in found.unfit
            )
        self._tidy()
        marks = {
            **seen,
            _POSITION: records[-1].position,
            _NEWEST_MS: self._newest_ms,
            _ENFORCED_MS: self._enforced_ms,
        }
        self._connection.executemany(
            "INSERT INTO mark VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            [(*names, value) for names, value in marks.items()],
        )
        return WriteReport(stored, tuple(rejected))

    def _stage(self, message: Message, found: points.Points) -> int:
        rows: dict[str, list[tuple[int, Sequence[int], Sequence[float]]]] = {}
        for machine, channel, unit, times, values in found.columns:
            series = self._series_id(message, machine, channel, unit, text=False)
            rows.setdefault(machine, []).append((series, times, values))
        for machine, channel, time_ns, text in found.labels:
            series = self._series_id(message, machine, channel, "", text=True)
            rows.setdefault(machine, []).append((series, (time_ns,), (float(self._code(series, text)),)))
        time_ms = message.time_ns // _NS_PER_MS
        self._newest_ms = max(self._newest_ms, time_ms)
        for machine, columns in rows.items():
            self._append(self._parts[message.site, message.node, machine], time_ms, staging.encode(columns))
        return sum(len(column.values) for column in found.columns) + len(found.labels)

    def _append(self, part: int, time_ms: int, row: bytes) -> None:
        stage = self._stages.get(part)
        if stage and (abs(time_ms - stage.first_ms) >= _PACK_AFTER_MS or stage.bytes >= _PACK_BYTES):
            self._pack(part)
            stage = None
        if stage is None:
            stage = self._stages[part] = _Stage(time_ms, 0)
        stage.bytes += len(row)
        self._connection.execute("INSERT INTO staging (part, time_ms, points) VALUES (?, ?, ?)", (part, time_ms, row))

    def _pack(self, part: int) -> None:
        self._packer.pack(part)
        del self._stages[part]

    def _tidy(self) -> None:
        # The board's clock alone may not decide what is old: one that jumps to 2100 would empty the file.
        now_ms = min(self._wall_ns() // _NS_PER_MS, self._newest_ms + _DAY_MS)
        if abs(now_ms - self._enforced_ms) < _PACK_AFTER_MS:
            return
        self._enforced_ms = now_ms
        for part, stage in list(self._stages.items()):
            if now_ms - stage.first_ms > _IDLE_MS:
                self._pack(part)
        self._retention.enforce(now_ms)

    def _series_id(self, message: Message, machine: str, channel: str, unit: str, *, text: bool) -> int:
        place = (message.site, message.node, machine)
        part = self._parts.get(place)
        if part is None:
            cursor = self._connection.execute("INSERT INTO part (site, node, machine) VALUES (?, ?, ?)", place)
            part = self._parts[place] = int(cursor.lastrowid or 0)
        key = (part, channel, unit, text)
        series = self._series.get(key)
        if series is None:
            cursor = self._connection.execute("INSERT INTO series (part, channel, unit, text) VALUES (?, ?, ?, ?)", key)
            series = self._series[key] = int(cursor.lastrowid or 0)
        return series

    def _code(self, series: int, text: str) -> int:
        code = self._words.get((series, text))
        if code is None:
            code = 1 + max((known for (of, _), known in self._words.items() if of == series), default=0)
            self._words[series, text] = code
            self._connection.execute("INSERT INTO word (series, code, text) VALUES (?, ?, ?)", (series, code, text))
        return code
