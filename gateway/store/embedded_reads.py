"""Reading the embedded store: picks the level of detail, decodes it and gathers it into a chart's buckets."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gateway.store import rollup, staging
from gateway.store.base import Chart, SeriesKey, StoreUnavailable
from gateway.store.chunks import ChunkError, unpack_floats, unpack_ints
from gateway.store.database import open_reader
from gateway.store.rollup import Buckets
from gateway.store.window import window

_NS_PER_MS = 1_000_000
_FIND = """
SELECT series.id, series.part, series.unit FROM series JOIN part ON part.id = series.part
WHERE part.site = ? AND part.node = ? AND part.machine = ? AND series.channel = ? AND series.text = ?
ORDER BY series.id
"""


class _Found(NamedTuple):
    series: int
    part: int
    unit: str


class EmbeddedReads:
    """Reads of one file over a connection of its own; a lock lets one thread read at a time.

    Args:
        path: the file, which exists.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = open_reader(path)

    def close(self) -> None:
        """Closes the connection; later reads raise `StoreUnavailable`."""
        with self._lock:
            if self._connection:
                self._connection.close()
                self._connection = None

    def read(self, key: SeriesKey, start_ns: int, end_ns: int, max_points: int) -> Chart:
        """See `gateway.store.base.Store.read`.

        Raises:
            StoreUnavailable: the file cannot be read.
            ValueError: no range, or `max_points` below 1.
        """
        view = window(start_ns, end_ns, max_points)
        with self._snapshot() as connection:
            first_ms, end_ms, step_ms = (value // _NS_PER_MS for value in (view.first_ns, view.end_ns, view.step_ns))
            unit, buckets = "", rollup.join(())
            # Where the unit was changed there are two series; mixing them would draw nonsense, so the latest counts.
            for found in _find(connection, key, text=False):
                detail = _Detail(connection, found, first_ms, end_ms)
                rolled = rollup.rolled(rollup.between(detail.gather(step_ms), first_ms, end_ms), step_ms)
                if not unit or rolled.start_ms.max(initial=-1) >= buckets.start_ms.max(initial=-1):
                    unit, buckets = found.unit, rolled
        return Chart(
            key,
            unit,
            (buckets.start_ms * _NS_PER_MS).tolist(),
            buckets.mean.tolist(),
            buckets.low.tolist(),
            buckets.high.tolist(),
        )

    def texts(self, key: SeriesKey, start_ns: int, end_ns: int) -> Sequence[tuple[int, str]]:
        """Changes of a text series in `[start_ns, end_ns)`, oldest first, the first value among them.

        Raises:
            StoreUnavailable: the file cannot be read.
        """
        with self._snapshot() as connection:
            found = next(_find(connection, key, text=True), None)
            if found is None:
                return ()
            first_ms, end_ms = -(-start_ns // _NS_PER_MS), -(-end_ns // _NS_PER_MS)
            detail = _Detail(connection, found, first_ms, end_ms)
            codes = rollup.between(rollup.join([*detail.raw(), detail.staged()]), first_ms, end_ms)
            words = dict(connection.execute("SELECT code, text FROM word WHERE series = ?", (found.series,)))
        order = np.argsort(codes.start_ms, kind="stable")
        values = codes.mean[order]
        changes = np.flatnonzero(np.diff(values, prepend=np.nan) != 0)
        times = codes.start_ms[order] * _NS_PER_MS
        return [(int(times[at]), words.get(int(values[at]), "")) for at in changes]

    def series(self) -> Sequence[tuple[SeriesKey, str]]:
        """Every series of numbers with its unit; raises `StoreUnavailable`."""
        with self._snapshot() as connection:
            rows = connection.execute(
                "SELECT site, node, machine, channel, unit FROM series JOIN part ON part.id = series.part"
                " WHERE NOT text ORDER BY site, node, machine, channel, series.id"
            )
            return [(SeriesKey(*names), unit) for *names, unit in rows]

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._connection is None:
                raise StoreUnavailable("the store is closed")
            try:
                # One moment for all queries of a read: between two of them an hour may be packed.
                self._connection.execute("BEGIN")
                try:
                    yield self._connection
                finally:
                    self._connection.execute("ROLLBACK")
            except sqlite3.Error as exc:
                raise StoreUnavailable(f"{self._path}: {exc}") from exc


class _Detail:
    """What is kept of one series between two moments, by level of detail."""

    def __init__(self, connection: sqlite3.Connection, found: _Found, first_ms: int, end_ms: int) -> None:
        self._run = connection.execute
        self._series, self._part, _ = found
        self._range = (found.series, first_ms, end_ms)

    def gather(self, step_ms: int) -> Buckets:
        """Buckets no coarser than `step_ms` where they are still kept, coarser ones where they are not."""
        parts = [self.staged()]
        older_than: int | None = None
        if step_ms % rollup.MINUTE_MS:
            parts.extend(self.raw())
            older_than = self._oldest("chunk", None)
        if step_ms % rollup.QUARTER_MS:
            parts.extend(self._minutes(older_than))
            older_than = self._oldest("minute", older_than)
        parts.append(self._quarters(older_than))
        return rollup.join(parts)

    def staged(self) -> Buckets:
        """Single values that are not packed yet."""
        rows = (row for (row,) in self._run("SELECT points FROM staging WHERE part = ? ORDER BY id", (self._part,)))
        decoded = staging.decode(rows, self._series)
        return rollup.single(decoded.times_ms, decoded.values)

    def raw(self) -> Iterator[Buckets]:
        """Single values, chunk by chunk."""
        rows = self._run(
            "SELECT timebase.times, chunk.points FROM chunk JOIN timebase ON timebase.id = chunk.timebase"
            " WHERE series = ? AND end_ms >= ? AND start_ms < ? ORDER BY end_ms",
            self._range,
        )
        for times, values in rows:
            yield from _whole(lambda times=times, values=values: _values(times, values))  # type: ignore[misc]  # bound now

    def _minutes(self, older_than: int | None) -> Iterator[Buckets]:
        # A minute's row spans the same stretch as its chunk, so comparing their starts never counts a value twice.
        rows = self._run(
            "SELECT buckets FROM minute WHERE series = ? AND end_ms >= ? AND start_ms < ? AND start_ms < ?",
            (*self._range, _or_forever(older_than)),
        )
        for (packed,) in rows:
            yield from _whole(lambda packed=packed: rollup.unpack(packed))  # type: ignore[misc]  # bound now

    def _quarters(self, older_than: int | None) -> Buckets:
        series, first, end = self._range
        rows = self._run(
            "SELECT start_ms, number, mean, low, high FROM quarter WHERE series = ? AND start_ms >= ? AND start_ms < ?",
            (series, first, min(end, _or_forever(older_than) // rollup.QUARTER_MS * rollup.QUARTER_MS)),
        ).fetchall()
        table = np.array(rows, np.float64).reshape(-1, 5)
        starts, numbers = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
        return Buckets(starts, numbers, table[:, 2], table[:, 3], table[:, 4])

    def _oldest(self, table: str, otherwise: int | None) -> int | None:
        query = f"SELECT start_ms FROM {table} WHERE series = ? ORDER BY end_ms LIMIT 1"  # noqa: S608 - two fixed names
        row = self._run(query, (self._series,)).fetchone()
        return int(row[0]) if row else otherwise


def _or_forever(moment_ms: int | None) -> int:
    return 2**62 if moment_ms is None else moment_ms


def _values(times: bytes, values: bytes) -> Buckets:
    buckets = rollup.single(unpack_ints(times), unpack_floats(values))
    if len(buckets.start_ms) != len(buckets.mean):
        raise ChunkError(f"{len(buckets.start_ms)} times for {len(buckets.mean)} values")
    return buckets


def _whole(unpack: Callable[[], Buckets]) -> Iterator[Buckets]:
    """What unpacks; a chunk with a flipped bit leaves a gap in the chart instead of hiding all of it."""
    try:
        buckets = unpack()
    except ChunkError as exc:
        logging.getLogger(__name__).warning("a packed chunk is damaged on disk: %s", exc)
        return
    yield buckets


def _find(connection: sqlite3.Connection, key: SeriesKey, *, text: bool) -> Iterator[_Found]:
    """The series of this name, one for every unit it ever had, in the order they appeared."""
    place = (key.site, key.node, key.machine, key.channel, text)
    return (_Found(*row) for row in connection.execute(_FIND, place).fetchall())
