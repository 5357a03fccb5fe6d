"""The store on a server: InfluxDB 1.x, 2.x, 3.x or VictoriaMetrics.

Lines go out synchronously in batches; what the server cannot take now stays in the journal. A line that it refuses for
good is found by halving the batch and set apart, everything around it is stored.

Some servers acknowledge what they hold only in memory (VictoriaMetrics: several seconds). Then `settle_s` says for how
long, and the position of the journal's reader follows that much later, provided that the connection lived on in
between: if it broke, the server may have been restarted, and what had not settled is asked for again.
"""

from __future__ import annotations

import logging
import threading
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from gateway.store.base import Chart, HandInAgain, Record, Rejected, SeriesKey, StoreUnavailable, WriteReport
from gateway.store.config import InfluxConfig
from gateway.store.influxql import InfluxQL
from gateway.store.lines import Lines
from gateway.store.metricsql import MetricsQL
from gateway.store.server import LinesRefused, Server

_MOST_REWINDS = 5


class _Pending(NamedTuple):
    """A batch that was acknowledged and has not settled: before which position, when and over which connection."""

    before: int
    sent_s: float
    connection: int


class _Batch(NamedTuple):
    """Lines of several messages; message i has those from `starts[i]` on."""

    lines: list[str]
    starts: list[int]
    positions: list[int]

    def position(self, line: int) -> int:
        """The journal position of the message that this line is of."""
        return self.positions[bisect_right(self.starts, line) - 1]


class InfluxStore:
    """See `gateway.store.base.Store`. Reads may come from any thread; they have a connection of their own.

    Args:
        config: where the server is and how it is spoken to.
        monotonic_s: a clock for `settle_s`.

    Raises:
        StoreConfigError: the token cannot be read.
    """

    kind: Literal["embedded", "influx"] = "influx"
    resume_after: int | None = None

    def __init__(self, config: InfluxConfig, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._monotonic_s = monotonic_s
        self._lines = Lines()
        self._server = Server(config)
        self._reading = threading.Lock()
        self._reader = Server(config)
        self._charts = InfluxQL(self._reader, config) if config.reads == "influxql" else MetricsQL(self._reader, config)
        self._pending: deque[_Pending] = deque()
        self._connection = 0
        self._rewinds = 0

    def write(self, records: Sequence[Record]) -> WriteReport:
        """Sends every point; lines and messages that will never be taken are in the report."""
        batch = _Batch([], [], [])
        rejected: list[Rejected] = []
        for position, message in records:
            lines, unfit = self._lines.of(message)
            batch.starts.append(len(batch.lines))
            batch.positions.append(position)
            batch.lines.extend(lines)
            rejected.extend(Rejected(position, text, reason) for text, reason in unfit)
        try:
            refused = self._send(batch.lines)
            settled = self._settled(records, -(-len(batch.lines) // self._config.batch_lines))
        except HandInAgain:
            raise
        except StoreUnavailable:
            # Whatever made it fail, what the server still held in memory may be gone.
            self._pending.clear()
            raise
        rejected.extend(Rejected(batch.position(at), batch.lines[at], reason) for at, reason in refused)
        return WriteReport(len(batch.lines) - len(refused), tuple(rejected), settled)

    def read(self, key: SeriesKey, start_ns: int, end_ns: int, max_points: int = 600) -> Chart:
        """Buckets computed by the server."""
        with self._reading:
            return self._charts.read(key, start_ns, end_ns, max_points)

    def texts(self, key: SeriesKey, start_ns: int, end_ns: int) -> Sequence[tuple[int, str]]:
        """Changes of a text, oldest first; raises `StoreUnavailable` where the server has no text."""
        with self._reading:
            return self._charts.texts(key, start_ns, end_ns)

    def series(self) -> Sequence[tuple[SeriesKey, str]]:
        """Series that had points within `history_days`."""
        with self._reading:
            return self._charts.series()

    def close(self) -> None:
        """Closes both connections."""
        self._server.close()
        with self._reading:
            self._reader.close()

    def _send(self, lines: Sequence[str]) -> list[tuple[int, str]]:
        """Sends all lines and returns (index, reason) of those that are refused for good."""
        refused: list[tuple[int, str]] = []
        doubtful: list[tuple[int, str]] = []
        accepted = 0
        size = self._config.batch_lines
        todo = [(start, min(start + size, len(lines))) for start in range(0, len(lines), size)][::-1]
        while todo:
            start, end = todo.pop()
            try:
                self._server.write("\n".join(lines[start:end]).encode())
                accepted += end - start
            except LinesRefused as exc:
                if end - start > 1 and (exc.too_large or exc.dropped != end - start):
                    middle = (start + end) // 2
                    todo += [(middle, end), (start, middle)]
                else:
                    (refused if exc.about_lines or exc.too_large else doubtful).extend(
                        (at, exc.reason) for at in range(start, end)
                    )
        if doubtful and not accepted:
            # It took nothing and does not speak of lines: more likely the request is wrong than every line.
            raise StoreUnavailable(f"{self._config.url} refuses everything: {doubtful[0][1]}")
        return sorted(refused + doubtful)

    def _settled(self, records: Sequence[Record], requests: int) -> int | None:
        if not self._config.settle_s:
            return None
        if not records and self._pending:
            self._server.alive()
        self._check_connection(requests)
        now_s = self._monotonic_s()
        if records:
            self._pending.append(_Pending(records[0].position - 1, now_s, self._connection))
        while self._pending and now_s - self._pending[0].sent_s >= self._config.settle_s:
            if self._pending.popleft().connection == self._connection:
                self._rewinds = 0
        return self._pending[0].before if self._pending else None

    def _check_connection(self, requests: int) -> None:
        """Asks for everything again that an earlier connection had carried, unless no connection ever lives."""
        known, self._connection = self._connection, self._server.connections
        if self._connection == max(known, 1) or not (self._pending or requests > 1):
            return
        self._rewinds += 1
        if self._rewinds <= _MOST_REWINDS:
            self._pending.clear()
            raise HandInAgain(f"the connection to {self._config.url} was renewed")
        if self._rewinds == _MOST_REWINDS + 1:
            logging.getLogger(__name__).warning(
                "no connection to %s lives for %g s; a restart of it can no longer be told from that",
                self._config.url,
                self._config.settle_s,
            )
