"""From the gateway's journal into the time-series store: the journal's reader `store`.

The reader's position moves only when what it passes is durable in the store or set apart with its reason. A store that
cannot be reached costs nothing but time: the journal holds the rest.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.store.apart import Apart
from gateway.store.base import HandInAgain, Record, Rejected, Store, StoreUnavailable, WriteReport
from gateway.store.latency import Latency
from wire.backoff import Backoff
from wire.codec import Codec, Refused
from wire.journal import Entry, Journal

READER = "store"
_ANY_TIME_NS = 2**62
_BATCH_ENTRIES = 500
_BATCH_BYTES = 1_000_000
"""About 40,000 points: few enough for a slow server to take before a watchdog thinks that nothing moves."""
_WAIT_S = 0.5
_BREATH_S = 0.02
"""A journal that is closed does not wait; the loop must not spin until it is stopped."""
_LOG_EVERY_S = 60.0
_JOIN_S = 30.0
_EXCERPT = 500


@dataclass(frozen=True, slots=True)
class StoringStats:
    """How storing is doing, since start unless it says otherwise."""

    stored: int
    """Messages whose points the store took."""
    points: int
    rejected: int
    """Lines and messages set apart, ever."""
    backlog: int
    """Entries of the journal not yet durable in the store."""
    position: int
    """The reader's durable position."""
    latency_p50_s: float | None
    """From sample to stored; None before the first message."""
    latency_p99_s: float | None
    available: bool
    """Whether the last write went through."""
    last_error: str
    """Why the last write that failed did; empty if none did."""
    failures: int
    """Writes that failed and were tried again."""
    running: bool
    """Whether the thread lives."""
    progress_ns: int
    """Monotonic time (`time.monotonic_ns`) of the loop's last turn, for a watchdog."""


class Storing:
    """One thread that moves entries from the journal to the store.

    Args:
        journal: the gateway's, with a reader `store`.
        store: where to; owned by the caller, closed after `stop`.
        apart: file for what the store refuses for good.
        pause_s: least seconds between two writes while there is no backlog (`EmbeddedConfig.commit_s`).
        wall_ns: the wall clock, nanoseconds, for the latency.
        backoff: delays while the store is unavailable.
    """

    def __init__(
        self,
        journal: Journal,
        store: Store,
        *,
        apart: Path,
        pause_s: float = 0.0,
        wall_ns: Callable[[], int] = time.time_ns,
        backoff: Backoff | None = None,
    ) -> None:
        self._journal = journal
        self._store = store
        self._apart = Apart(apart, wall_ns=wall_ns)
        self._pause_s = pause_s
        self._wall_ns = wall_ns
        self._backoff = backoff or Backoff(0.5, 60.0)
        self._codec = Codec()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._main, name="storing", daemon=True)
        self._settled = 0
        self._highest = 0
        self._stored = self._points = self._failures = 0
        self._available = True
        self._last_error = ""
        self._next_log_s = 0.0
        self._progress_ns = time.monotonic_ns()
        self.latency = Latency()
        """From sample to stored, of every message once."""

    def start(self) -> None:
        """Begins; call once."""
        self._thread.start()

    def stop(self) -> None:
        """Finishes the write under way, if any, and ends the thread; safe to call twice, and without `start`."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN_S)
        if not self._thread.is_alive():
            self._apart.close()

    def stats(self) -> StoringStats:
        """The state now; while the journal is open, also after `stop`."""
        position = self._journal.position(READER)
        return StoringStats(
            stored=self._stored,
            points=self._points,
            rejected=self._apart.total,
            backlog=max(self._journal.stats().next - 1 - position, 0),
            position=position,
            latency_p50_s=self.latency.quantile(0.5),
            latency_p99_s=self.latency.quantile(0.99),
            available=self._available,
            last_error=self._last_error,
            failures=self._failures,
            running=self._thread.is_alive(),
            progress_ns=self._progress_ns,
        )

    def rejected(self, limit: int = 100) -> Sequence[Rejected]:
        """What was set apart last, newest first."""
        return self._apart.latest(limit)

    def _main(self) -> None:
        cursor: int | None = None
        while not self._stopping.is_set():
            self._progress_ns = time.monotonic_ns()
            try:
                if cursor is None:
                    cursor = self._resume()
                cursor = self._turn(cursor)
            except HandInAgain as exc:
                cursor = None
                logging.getLogger(__name__).info("storing again what had not settled: %s", exc)
                self._stopping.wait(_BREATH_S)
            except Exception as exc:  # noqa: BLE001 - whatever it was, the thread lives on and says so
                cursor = None
                self._failed(exc)
                self._pause(self._backoff.next())

    def _pause(self, seconds: float) -> None:
        """Waits; a wait that was meant is progress, too."""
        end = time.monotonic() + seconds
        while not self._stopping.is_set() and (rest := end - time.monotonic()) > 0:
            self._progress_ns = time.monotonic_ns()
            self._stopping.wait(min(rest, 1.0))

    def _resume(self) -> int:
        position = self._journal.position(READER)
        known = self._store.resume_after
        self._settled = position
        return position if known is None else min(position, known)

    def _turn(self, cursor: int) -> int:
        """Moves at most one batch, and returns the position behind it."""
        if not self._journal.wait(cursor, _WAIT_S):
            if self._settled < cursor:
                self._settle(self._store.write(()), cursor)
            self._stopping.wait(_BREATH_S)
            return cursor
        entries = self._journal.read(cursor, _BATCH_ENTRIES, _BATCH_BYTES)
        if not entries:
            return cursor
        records, undecodable = self._decode(entries)
        report = self._write(records)
        self._keep((*undecodable, *report.rejected))
        self._count(records, report)
        self._settle(report, entries[-1].seq)
        if len(entries) < _BATCH_ENTRIES // 2:
            self._pause(self._pause_s)
        return entries[-1].seq

    def _decode(self, entries: Sequence[Entry]) -> tuple[list[Record], list[Rejected]]:
        records: list[Record] = []
        undecodable: list[Rejected] = []
        for entry in entries:
            try:
                records.append(Record(entry.seq, self._codec.decode(entry.payload, now_ns=_ANY_TIME_NS)))
            except Refused as exc:
                excerpt = entry.payload[:_EXCERPT].decode("utf-8", "replace")
                undecodable.append(Rejected(entry.seq, excerpt, str(exc)))
        return records, undecodable

    def _write(self, records: Sequence[Record]) -> WriteReport:
        try:
            return self._store.write(records)
        except (StoreUnavailable, OSError, MemoryError):
            raise  # the computer's trouble and not the message's: it is tried again
        except Exception as exc:
            if len(records) == 1:
                message = records[0].message
                line = f"{message.site}/{message.node}/{message.origin} {message.log} {message.seq}"
                return WriteReport(0, (Rejected(records[0].position, line, f"{type(exc).__name__}: {exc}"),))
            logging.getLogger(__name__).exception("a batch of %d messages failed; storing one by one", len(records))
        # One message that the store stumbles over must not hold back the others for ever.
        reports = [self._write([record]) for record in records]
        return WriteReport(
            sum(report.points for report in reports),
            tuple(each for report in reports for each in report.rejected),
            reports[-1].settled if reports else None,
        )

    def _keep(self, rejected: Sequence[Rejected]) -> None:
        new = self._apart.keep(rejected)
        if new and time.monotonic() >= self._next_log_s:
            self._next_log_s = time.monotonic() + _LOG_EVERY_S
            first = rejected[0]
            logging.getLogger(__name__).warning(
                "%d set apart, now %d; e.g. entry %d: %s", new, self._apart.total, first.position, first.reason
            )

    def _count(self, records: Sequence[Record], report: WriteReport) -> None:
        now_ns = self._wall_ns()
        for position, message in records:
            if position > self._highest:
                self._highest = position
                self._stored += 1
                self.latency.add((now_ns - message.time_ns) / 1e9)
        self._points += report.points

    def _settle(self, report: WriteReport, written: int) -> None:
        settled = written if report.settled is None else min(report.settled, written)
        if settled > self._settled:
            self._settled = settled
            self._journal.advance(READER, settled)
        if not self._available:
            self._available = True
            logging.getLogger(__name__).warning("the store is available again")
        self._backoff.reset()

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        before, self._last_error = self._last_error, str(error) or type(error).__name__
        if isinstance(error, StoreUnavailable):
            if self._available:
                logging.getLogger(__name__).warning("the store is unavailable: %s", error)
        elif self._last_error != before:
            logging.getLogger(__name__).error("storing failed and will be tried again", exc_info=error)
        self._available = False
