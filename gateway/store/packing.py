"""Moving staged points into packed chunks and roll-ups, and forgetting what is too old.

Runs inside the caller's transaction, so that a point is either staged or packed, never both and never neither.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import struct
from itertools import pairwise

import numpy as np

from gateway.store import rollup, staging
from gateway.store.chunks import Floats, Ints, pack_floats, pack_ints
from gateway.store.config import EmbeddedConfig

_DAY_MS = 86_400_000
_SLICE_MS = _DAY_MS // 4
_MOST_SLICES = 200
"""One transaction shall not delete for minutes; the rest is deleted an hour later."""

_TIMES = {"chunk": "end_ms", "minute": "end_ms", "quarter": "start_ms"}
"""By which each table is forgotten."""
_UPSERT_QUARTER = """
INSERT INTO quarter (series, start_ms, number, mean, low, high) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (series, start_ms) DO UPDATE SET
    mean = (mean * number + excluded.mean * excluded.number) / (number + excluded.number),
    number = number + excluded.number, low = min(low, excluded.low), high = max(high, excluded.high)
"""


class Packer:
    """Packs one part's staged rows.

    Args:
        connection: the writer's.
        exact: never round.
    """

    def __init__(self, connection: sqlite3.Connection, *, exact: bool) -> None:
        self._connection = connection
        self._exact = exact

    def pack(self, part: int) -> None:
        """Packs all that is staged of this part."""
        staged = self._connection.execute("SELECT points FROM staging WHERE part = ? ORDER BY id", (part,))
        points = _decoded([row for (row,) in staged])
        order = np.lexsort((points.times_ms, points.ids))
        ids, times, values = points.ids[order], points.times_ms[order], points.values[order]
        texts = {
            series for (series,) in self._connection.execute("SELECT id FROM series WHERE part = ? AND text", (part,))
        }
        timebases: dict[bytes, int] = {}
        # Ids start at 1, so a 0 on either side makes the first and the last run of equal ids end as well.
        edges = np.flatnonzero(np.diff(ids, append=np.uint32(0), prepend=np.uint32(0)))
        for start, end in pairwise(edges.tolist()):
            series = int(ids[start])
            self._chunk(series, times[start:end], values[start:end], timebases)
            if series not in texts:
                self._roll(series, times[start:end], values[start:end])
        self._connection.execute("DELETE FROM staging WHERE part = ?", (part,))

    def _chunk(self, series: int, times: Ints, values: Floats, timebases: dict[bytes, int]) -> None:
        packed = pack_ints(times)
        if packed not in timebases:
            cursor = self._connection.execute("INSERT INTO timebase (times) VALUES (?)", (packed,))
            timebases[packed] = int(cursor.lastrowid or 0)
        self._connection.execute(
            "INSERT INTO chunk (series, start_ms, end_ms, timebase, points) VALUES (?, ?, ?, ?, ?)",
            (series, int(times[0]), int(times[-1]), timebases[packed], pack_floats(values, exact=self._exact)),
        )

    def _roll(self, series: int, times: Ints, values: Floats) -> None:
        minutes = rollup.rolled(rollup.single(times, values), rollup.MINUTE_MS)
        self._connection.execute(
            "INSERT INTO minute (series, start_ms, end_ms, buckets) VALUES (?, ?, ?, ?)",
            (series, int(times[0]), int(times[-1]), rollup.pack(minutes, exact=self._exact)),
        )
        quarters = rollup.rolled(minutes, rollup.QUARTER_MS)
        columns = (column.tolist() for column in quarters)
        rows = ((series, *row) for row in zip(*columns, strict=True))
        self._connection.executemany(_UPSERT_QUARTER, rows)


class Retention:
    """Forgets what is older than configured, and the oldest when the file holds too much."""

    def __init__(self, connection: sqlite3.Connection, config: EmbeddedConfig) -> None:
        self._connection = connection
        self._config = config

    def enforce(self, now_ms: int) -> None:
        """Deletes; `now_ms` is the wall time in milliseconds since the epoch."""
        raw, minute, quarter = (
            now_ms - round(days * _DAY_MS)
            for days in (self._config.raw_days, self._config.minute_days, self._config.rollup_days)
        )
        self._forget_chunks(raw)
        self._forget("minute", minute)
        self._forget("quarter", quarter)
        self._forget_chunks(quarter, texts=True)
        slices = _MOST_SLICES
        for table in ("chunk", "minute", "quarter"):
            while slices and self.used_bytes() > self._config.max_mb * 1_000_000 and self._forget_oldest(table):
                slices -= 1

    def used_bytes(self) -> int:
        """Bytes of the file that hold something; the rest of it is used again before the file grows."""
        size, pages, free = (
            int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_size", "page_count", "freelist_count")
        )
        return size * (pages - free)

    # Every statement names the series, so that it goes by the index of (series, time): a scan for each slice would hold up
    # the writer for seconds where there are a hundred thousand chunks.

    def _forget_chunks(self, before_ms: int, *, texts: bool = False) -> None:
        """With the times that no chunk refers to any more; texts take almost nothing and have no roll-ups: they stay longer."""
        rows = self._connection.execute(
            "DELETE FROM chunk WHERE series IN (SELECT id FROM series WHERE text <= ?) AND end_ms < ? RETURNING timebase",
            (int(texts), before_ms),
        ).fetchall()
        # Chunks that share their times end at the same time, so that only one of a text can be left of them.
        self._connection.execute(
            "DELETE FROM timebase WHERE id IN (SELECT value FROM json_each(?)) AND id NOT IN"
            " (SELECT timebase FROM chunk WHERE series IN (SELECT id FROM series WHERE text))",
            (json.dumps(sorted({row[0] for row in rows})),),
        )

    def _forget(self, table: str, before_ms: int) -> None:
        self._connection.execute(
            f"DELETE FROM {table} WHERE series IN (SELECT id FROM series) AND {_TIMES[table]} < ?",  # noqa: S608 - fixed names
            (before_ms,),
        )

    def _forget_oldest(self, table: str) -> bool:
        oldest = self._connection.execute(
            f"SELECT min((SELECT min({_TIMES[table]}) FROM {table} WHERE series = series_of.id))"  # noqa: S608 - fixed names
            " FROM series AS series_of WHERE NOT text"
        ).fetchone()[0]
        if oldest is None:
            return False
        if table == "chunk":
            self._forget_chunks(oldest + _SLICE_MS)
        else:
            self._forget(table, oldest + (_SLICE_MS if table == "minute" else 30 * _DAY_MS))
        return True


def _decoded(rows: list[bytes]) -> staging.Staged:
    try:
        return staging.decode(rows)
    except (struct.error, ValueError):
        # SQLite does not notice a flipped bit within a row; one such row must not stop the others from being packed.
        whole = [row for row in rows if _readable(row)]
        logging.getLogger(__name__).warning("%d staged rows were damaged on disk and are lost", len(rows) - len(whole))
        return staging.decode(whole)


def _readable(row: bytes) -> bool:
    try:
        decoded = staging.decode([row])
    except (struct.error, ValueError):
        return False
    return len(decoded.ids) == len(decoded.times_ms) == len(decoded.values)
