"""The store on a server: InfluxDB 1.x, 2.x, 3.x or VictoriaMetrics.

Lines go out in batches, each of which is answered before `write` returns; what the server cannot take now stays in the
journal. A line that it refuses for good is found by halving the batch and set apart, everything around it is stored.

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
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, NamedTuple

from gateway.store.base import Chart, HandInAgain, Record, Rejected, SeriesKey, WriteReport
from gateway.store.config import InfluxConfig
from gateway.store.influxql import InfluxQL
from gateway.store.lines import Lines
from gateway.store.metricsql import MetricsQL
from gateway.store.sending import Sending
from gateway.store.server import Server

_MOST_REWINDS = 5


class _Pending(NamedTuple):
    """A batch that was acknowledged and has not settled: before which position, when and over which connection."""

    before: int
    sent_s: float
    connection: int


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
        self._thread = ThreadPoolExecutor(1, "lines")
        self._reading = threading.Lock()
        self._reader = Server(config)
        self._charts = InfluxQL(self._reader, config) if config.reads == "influxql" else MetricsQL(self._reader, config)
        self._pending: deque[_Pending] = deque()
        self._connection = 0
        self._rewinds = 0

    def write(self, records: Sequence[Record]) -> WriteReport:
        """Sends every point; lines and messages that will never be taken are in the report."""
        sending = Sending(self._server, self._thread, self._config.batch_lines)
        starts: list[int] = []
        rejected: list[Rejected] = []
        try:
            for position, message in records:
                lines, unfit = self._lines.of(message)
                starts.append(len(sending.lines))
                sending.lines += lines
                sending.go_on()
                rejected.extend(Rejected(position, text, reason) for text, reason in unfit)
            refused = sending.finish()
            settled = self._settled(records, sending.requests)
        except HandInAgain:
            raise
        except BaseException:
            sending.abandon()
            # Whatever made it fail, what the server still held in memory may be gone.
            self._pending.clear()
            raise
        for at, reason in refused:
            position = records[bisect_right(starts, at) - 1].position
            rejected.append(Rejected(position, sending.lines[at], reason))
        return WriteReport(len(sending.lines) - len(refused), tuple(rejected), settled)

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
        self._thread.shutdown()
        self._server.close()
        with self._reading:
            self._reader.close()

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
