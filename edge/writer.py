"""Collects what the machines' threads have to say and writes it to the journal in shared commits.

The machines tick together, so what belongs to one tick arrives within milliseconds: it waits a moment for the others
and goes to disk in one transaction. Events do not wait. A flash card so sees one write a second and not one a message, and
a sample is still durable some hundredths of a second after it was judged.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from threading import Condition, Thread

from wire.journal import Journal, JournalCorrupt, JournalError, JournalFull, Record

GATHER_S = 0.05
RETRY_S = 1.0
MOST_ALLOWED = 2.0
"""Commits that may be saved up."""
HELD_RECORDS = 20_000
"""Kept in memory while the journal cannot take them; telemetry beyond it is dropped and counted, events are kept on."""
HELD_EVENTS = 100_000
PROMPT_S = 5.0
"""Longest wait for a commit that somebody waits for."""


class Writer:
    """The only one who appends to a daemon's journal and sets its marks: what is handed over later is never committed earlier.

    Args:
        journal: where to.
        commit_s: telemetry is committed at most this often, on average.
        moved: called whenever the thread has done some work or found none to do.
        monotonic_ns: the clock.
    """

    def __init__(
        self, journal: Journal, *, commit_s: float, moved: Callable[[], None], monotonic_ns: Callable[[], int]
    ) -> None:
        self.dropped: dict[str, int] = {}
        """Records that the journal did not take and memory could not hold, by stream, since start."""
        self.failing: str | None = None
        """Why the journal takes nothing now; None while it does."""
        self.broken: str | None = None
        """The journal is damaged and takes nothing any more; it must be opened anew."""
        self._journal = journal
        self._commit_s = commit_s
        self._moved = moved
        self._monotonic_ns = monotonic_ns
        self._changed = Condition()
        self._held: list[Record] = []
        self._marks: dict[str, str] = {}
        self._handed = 0
        self._written = 0
        self._failures = 0
        self._urgent = False
        self._stopping = False
        self._allowed = MOST_ALLOWED
        self._counted_ns = monotonic_ns()
        self._thread = Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        """Starts writing."""
        self._thread.start()

    def put(self, records: Sequence[Record], marks: Mapping[str, str] | None = None) -> None:
        """Hands over records, and marks that become durable in the same transaction. Any thread; does not wait."""
        if not records and not marks:
            return
        with self._changed:
            self._handed += 1
            self._held.extend(records)
            self._marks.update(marks or {})
            self._urgent = self._urgent or any(record.event for record in records)
            if len(self._held) > HELD_RECORDS:
                self._shed()
            self._changed.notify_all()

    def flush(self) -> None:
        """Waits until everything handed over so far is durable.

        Raises:
            JournalError: it is not: the journal takes nothing now, or not in time. What was handed over is kept, and written
                when it works again.
        """
        with self._changed:
            wanted, failures = self._handed, self._failures
            if self._written < wanted and self.failing is None and self._thread.is_alive():
                self._urgent = True
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._written >= wanted or self._failures != failures, PROMPT_S)
            if self._written < wanted:
                raise JournalError(self.failing or "the journal does not take it in time")

    def stop(self, timeout_s: float) -> bool:
        """Writes what is held and ends; True when everything is durable."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._held and not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._held and not self._marks:
                    if self._stopping:
                        return
                    self._changed.wait(1.0)
                elif not self._urgent and not self._stopping:
                    wait_s = max(GATHER_S, (1.0 - self._earned()) * self._commit_s)
                    self._changed.wait_for(lambda: self._urgent or self._stopping, min(wait_s, self._commit_s))
                records, marks, urgent, handed = self._held, self._marks, self._urgent, self._handed
                self._held, self._marks, self._urgent = [], {}, False
            written = not (records or marks) or self._write(records, marks)
            with self._changed:
                if written:
                    self._written = handed
                else:
                    self._failures += 1
                    self._held = records + self._held
                    self._marks = {**marks, **self._marks}
                    self._urgent = self._urgent or urgent
                    if len(self._held) > HELD_RECORDS:
                        self._shed()
                self._changed.notify_all()
                if not written:
                    if self._stopping:
                        return
                    self._changed.wait_for(lambda: self._stopping, RETRY_S)
            self._moved()

    def _write(self, records: list[Record], marks: dict[str, str]) -> bool:
        # An event is not held against the telemetry that follows it.
        self._allowed = max(self._earned() - 1.0, 0.0)
        try:
            if records:
                self._journal.append(records, marks=marks or None, commit=True)
            else:
                self._journal.set_marks(marks)
        except JournalCorrupt as exc:
            self.broken = self.failing = str(exc)
            return False
        except (JournalError, sqlite3.Error, OSError) as exc:
            if self.failing is None:
                full = "the disk bound is reached" if isinstance(exc, JournalFull) else "the journal fails"
                log = logging.getLogger(__name__)
                log.error("%s, kept in memory until it works again: %s", full, exc)  # noqa: TRY400  # the text says it; a trace each time would fill the log
            self.failing = str(exc) or type(exc).__name__
            return False
        if self.failing is not None:
            logging.getLogger(__name__).warning("the journal works again")
            self.failing = None
        return True

    def _earned(self) -> float:
        """Commits allowed by now; one more with every `commit_s`.

        Counted in this way, and not as a pause after the last commit, one that came late does not make all later ones late.
        """
        now_ns = self._monotonic_ns()
        since_s = (now_ns - self._counted_ns) / 1e9
        self._counted_ns = now_ns
        self._allowed = min(self._allowed + since_s / self._commit_s, MOST_ALLOWED)
        return self._allowed

    def _shed(self) -> None:
        """Drops the oldest telemetry, and events only beyond any reason; the caller holds the lock."""
        spare = len(self._held) - HELD_RECORDS
        kept: list[Record] = []
        for place, record in enumerate(self._held):
            if spare > 0 and (not record.event or len(self._held) - place > HELD_EVENTS):
                spare -= 1
                self.dropped[record.stream] = self.dropped.get(record.stream, 0) + 1
            else:
                kept.append(record)
        self._held = kept
