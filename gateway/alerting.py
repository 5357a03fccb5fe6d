"""From the gateway's journal to alerts: the journal's reader `alerts`.

Findings are worked on at once; inspections and health wait for each other a few seconds, so that a gateway on an SD card does not
commit for every picture. The ledger's own position is what counts: it changes in the transaction that keeps the effects. The
journal's reader follows it, and only tells the journal what it need not hold any more.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.alerts import observe
from gateway.goods import Goods, GoodsUnavailable
from gateway.ledger import Ledger
from gateway.ledger_file import LedgerError, LedgerUnavailable, of_the_file
from gateway.ledger_transaction import COMMAND_RETRY_NS, Transaction
from gateway.nodewatch import NodeWatch
from gateway.passing import Passing
from gateway.stale import Good, StaleWatch
from gateway.stumbles import Stumble
from gateway.triage import Triage
from wire.backoff import Backoff
from wire.codec import Codec, Refused
from wire.commands import Command
from wire.journal import Entry, Journal, JournalError
from wire.messages import Condition, Finding, Health, Inspection, NodeMessage, Reply

READER = "alerts"
_AT_ONCE = frozenset({"finding", "reply"})
_IN_TIME = frozenset({"inspection", "health"})
_BATCH_ENTRIES = 500
_IDLE_COMMIT_S = 60.0
"""How long the position alone, with nothing to keep, may wait for its commit: a restart reads that much again."""
_DAY_NS = 86_400_000_000_000


class SendCommand(Protocol):
    """How a command gets to a node, as `Ingest.send_command`; raises when it cannot be sent now."""

    def __call__(self, node: str, origin: str, command: Command) -> object:
        """Sends it."""
        ...


@dataclass(frozen=True, slots=True)
class AlertingStats:
    """How alerting is doing, since start unless it says otherwise."""

    position: int
    """Everything up to here in the journal has had its effects, ever."""
    backlog: int
    """Entries not read, or read and with effects that are not kept yet."""
    findings: int
    inspections: int
    duplicates: int
    """Messages of a node's log that had had their effects before (a journal made anew from a damaged one)."""
    set_apart: dict[str, int]
    """Entries that could not be worked on, by reason; `batch`: batches that could not be read."""
    failures: int
    """Turns that did not work, and parts of them."""
    last_error: str
    """Why the last turn did not work; empty after one that did."""
    stumbles: dict[str, Stumble]
    """What cannot be worked on now, while the rest goes on."""
    batches_error: str
    """Why subscribers cannot be told of batches now; empty where they can."""
    goods_error: str
    """Why pictures of goods cannot be kept now; empty where they can."""
    running: bool
    progress_ns: int
    """Monotonic time of the last turn that worked, or that only the disk kept from it, for a watchdog."""


@dataclass(slots=True)
class _Tally:
    findings: int = 0
    inspections: int = 0
    duplicates: int = 0
    set_apart: dict[str, int] = field(default_factory=dict)
    seen: list[Inspection] = field(default_factory=list)


class Alerting:
    """One thread that turns journal entries into alerts.

    Args:
        ledger: where alerts are kept.
        journal: the gateway's, with a reader `alerts`.
        goods: where pictures and charts of goods are kept; without it they are not.
        send: how commands get to nodes; without it they wait.
        now_ns: the wall clock.
        gather_s: how long inspections and health may wait for their transaction.
        keep_days: delivered events older than this are forgotten.
        retired: node and origin of daemons that are no longer in use; of what was still on its way, nothing becomes an alert.
    """

    def __init__(
        self,
        ledger: Ledger,
        journal: Journal,
        *,
        goods: Goods | None = None,
        send: SendCommand | None = None,
        now_ns: Callable[[], int] = time.time_ns,
        gather_s: float = 5.0,
        keep_days: float = 400.0,
        retired: Callable[[], Collection[tuple[str, str]]] = frozenset,
    ) -> None:
        self._ledger = ledger
        self._journal = journal
        self._goods = goods
        self._send = send
        self._now_ns = now_ns
        self._gather_s = gather_s
        self._retired = retired
        self._keep_ns = round(keep_days * _DAY_NS)
        self._codec = Codec()
        self._nodes = NodeWatch(ledger.policy.node_offline_s)
        self._lock = threading.Lock()
        self._heard: list[tuple[str, str, str, bool | None, int]] = []
        """Site, node, origin, whether it is online (None: no longer in use), and when."""
        self._stale = StaleWatch(ledger.policy.stale_s)
        self._good: list[Good] = []
        self._back: set[tuple[str, str, str]] = set()
        """Daemons that came online; what was ended when they were no longer in use is there again."""
        self._passing = Passing(ledger.policy)
        self._waiting: list[Entry] = []
        self._cursor: int | None = None
        self._committed = 0
        self._last_commit_s = time.monotonic()
        self._pruned_ns = 0
        self._tally = _Tally()
        self._failures = 0
        self._last_error = ""
        self._goods_error = ""
        self._progress_ns = time.monotonic_ns()
        self._backoff = Backoff(0.5, 30.0)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._main, name="alerting", daemon=True)

    def start(self) -> None:
        """Begins; call once."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread after the transaction under way; safe without `start`."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(30.0)

    def hear_node(self, site: str, node: str, origin: str, *, online: bool) -> None:
        """A node's status, from any thread."""
        with self._lock:
            self._heard.append((site, node, origin, online, self._now_ns()))

    def forget_node(self, site: str, node: str, origin: str) -> None:
        """It is no longer in use, from any thread."""
        with self._lock:
            self._heard.append((site, node, origin, None, self._now_ns()))

    def stats(self) -> AlertingStats:
        """The state now."""
        return AlertingStats(
            position=self._committed,
            backlog=max(self._journal.stats().next - 1 - (self._cursor or self._committed), 0) + len(self._waiting),
            findings=self._tally.findings,
            inspections=self._tally.inspections,
            duplicates=self._tally.duplicates,
            set_apart=dict(self._tally.set_apart),
            failures=self._failures + self._passing.stumbles.count,
            last_error=self._last_error,
            stumbles=self._passing.stumbles.present(),
            batches_error=self._passing.batches_error,
            goods_error=self._goods_error,
            running=self._thread.is_alive(),
            progress_ns=self._progress_ns,
        )

    def turn(self, wait_s: float = 0.0) -> bool:
        """One round: read, work, commit, let time pass, send commands. True when there is more to read at once.

        Raises:
            LedgerUnavailable: nothing of the round was kept; call again.
        """
        if self._cursor is None:
            newest = self._journal.stats().next - 1  # an older copy of a journal ends before what was worked on
            self._cursor = self._committed = min(self._ledger.position(READER, self._journal.log), newest)
            self._journal.flush()
            self._journal.advance(READER, self._cursor)
        entries: list[Entry] = []
        if len(self._waiting) < _BATCH_ENTRIES:  # else the ledger is unavailable, and the journal holds the rest
            self._journal.wait(self._cursor, wait_s)
            entries = self._journal.read(self._cursor, _BATCH_ENTRIES)
        if entries:
            self._cursor = entries[-1].seq
            self._good += [good for good in map(self._condition, entries) if good is not None]
            self._waiting += [entry for entry in entries if entry.stream not in {"telemetry", "condition"}]
        caught_up = len(entries) < _BATCH_ENTRIES
        urgent = any(entry.stream not in _IN_TIME for entry in self._waiting)
        patience_s = self._gather_s if self._waiting else max(self._gather_s, _IDLE_COMMIT_S)
        aged = time.monotonic() - self._last_commit_s >= patience_s
        if urgent or aged or not caught_up:
            self._commit(self._waiting, up_to=self._cursor)
            self._waiting = []
        if caught_up:
            self._pass_time()
            self._send_commands()
        return not caught_up

    def _condition(self, entry: Entry) -> Good | None:
        if entry.stream != "condition":
            return None
        try:
            message = self._codec.decode(entry.payload, now_ns=max(self._now_ns(), entry.at_ns))
        except Refused:
            return None  # the store's business, which sets it apart
        if not isinstance(message, Condition):
            return None
        return self._stale.hear(message, at_ns=min(message.time_ns, entry.at_ns))

    def _commit(self, entries: Sequence[Entry], *, up_to: int) -> None:
        if not entries and up_to == self._committed:
            self._last_commit_s = time.monotonic()
            return
        tally = _Tally()
        with self._ledger.transaction() as work:
            triage = Triage(work, self._ledger.policy)
            for entry in entries:
                self._work_on(entry, work, triage, tally)
            work.advance(READER, self._journal.log, up_to)
            self._passing.untold(work, self._now_ns())
        self._committed = up_to
        self._last_commit_s = time.monotonic()
        self._count(tally)
        self._look_after_goods(tally.seen)
        self._journal.advance(READER, up_to)

    def _work_on(self, entry: Entry, work: Transaction, triage: Triage, tally: _Tally) -> None:
        work.savepoint()
        try:
            message = self._codec.decode(entry.payload, now_ns=max(self._now_ns(), entry.at_ns))
            if work.is_new(message.site, message.node, message.origin, message.log, message.seq):
                self._apply(message, entry, work, triage, tally)
            else:
                tally.duplicates += 1
        except Exception as exc:  # a message that the code stumbles over must not block those behind it
            if of_the_file(exc):
                raise
            work.take_back()
            reason = exc.kind if isinstance(exc, Refused) else "error"
            tally.set_apart[reason] = tally.set_apart.get(reason, 0) + 1
            work.set_apart(
                log=self._journal.log,
                seq=entry.seq,
                stream=entry.stream,
                reason=reason,
                detail=f"{type(exc).__name__}: {exc}",
                payload=entry.payload,
            )
            if reason not in self._tally.set_apart:
                logging.getLogger(__name__).warning("entry %d set apart (%s): %s", entry.seq, reason, exc)
        else:
            work.release()

    def _apply(self, message: NodeMessage, entry: Entry, work: Transaction, triage: Triage, tally: _Tally) -> None:
        if isinstance(message, Finding | Health) and (message.node, message.origin) in self._retired():
            return
        if isinstance(message, Finding):
            triage.observe(observe(message, now_ns=entry.at_ns))
            tally.findings += 1
        elif isinstance(message, Inspection):
            work.inspected(message)
            tally.inspections += 1
            tally.seen.append(message)
        elif isinstance(message, Health):
            self._nodes.health(message, at_ns=min(message.time_ns, entry.at_ns))
        elif isinstance(message, Reply):
            work.replied(message)

    def _look_after_goods(self, seen: Sequence[Inspection]) -> None:
        """Pictures may be lost, counts and alerts never: so they come after these, and their trouble holds up nothing."""
        if self._goods is None:
            return
        try:
            self._goods.take(seen, now_ns=self._now_ns())
            self._goods.tidy(self._now_ns())
            self._goods_error = ""
        except Exception as exc:  # whatever it is, alerts go on
            if not self._goods_error:
                known = isinstance(exc, GoodsUnavailable)
                trace = None if known else exc
                logging.getLogger(__name__).error("pictures of goods are not kept: %s", exc, exc_info=trace)  # noqa: TRY400
            self._goods_error = str(exc) or type(exc).__name__

    def _pass_time(self) -> None:
        now_ns = self._now_ns()
        with self._lock:
            heard, self._heard = self._heard, []
        for site, node, origin, online, at_ns in heard:
            if online is None:
                self._nodes.forget(site, node, origin)
            else:
                self._nodes.hear(site, node, origin, online=online, at_ns=at_ns)
            if online:
                self._back.add((site, node, origin))
            else:
                self._back.discard((site, node, origin))
        seen = self._nodes.observations(now_ns)
        with self._ledger.transaction() as work:
            kept = self._passing.work(work, seen, self._good, sorted(self._back), now_ns)
            unreadable = work.goods.unreadable
        if unreadable:
            self._count(_Tally(set_apart={"batch": unreadable}))
        self._nodes.told(kept)
        self._good = []
        self._back.clear()
        self._look_after_goods(())
        if now_ns - self._pruned_ns >= _DAY_NS:
            self._ledger.prune(now_ns - self._keep_ns)
            self._pruned_ns = now_ns

    def _send_commands(self) -> None:
        if self._send is None:
            return
        for site, node, origin, command in self._ledger.queue.due():
            sent, reason = True, ""
            state = self._ledger.command_state(command.id)
            if state is not None and state.state == "sent" and self._nodes.is_offline(site, node, origin):
                # The broker keeps it for the node; a copy a minute would only fill its queue.
                sent, reason = False, "sent; the node is offline"
            else:
                try:
                    self._send(node, origin, command)
                except Exception as exc:  # noqa: BLE001  # whatever keeps it from going out now, it is tried again
                    sent, reason = False, f"{type(exc).__name__}: {exc}"
            retry_ns = self._now_ns() + COMMAND_RETRY_NS
            self._ledger.queue.tried(command.id, sent=sent, retry_ns=retry_ns, reason=reason)

    def _count(self, tally: _Tally) -> None:
        self._tally.findings += tally.findings
        self._tally.inspections += tally.inspections
        self._tally.duplicates += tally.duplicates
        for reason, count in tally.set_apart.items():
            self._tally.set_apart[reason] = self._tally.set_apart.get(reason, 0) + count

    def _main(self) -> None:
        more = False
        while not self._stopping.is_set():
            try:
                more = self.turn(0.0 if more else 0.5)
                self._backoff.reset()
                self._last_error = ""
                self._progress_ns = time.monotonic_ns()
            except LedgerError as exc:
                # Nothing that is read from it can be trusted. The daemon ends with its thread, and its start says what is damaged.
                self._failed(exc)
                return
            except Exception as exc:  # noqa: BLE001  # whatever it was, the thread lives on and says so
                self._failed(exc)
                if isinstance(exc, LedgerUnavailable | JournalError):  # a new process would find the same disk
                    self._progress_ns = time.monotonic_ns()
                self._stopping.wait(self._backoff.next())
        try:
            # What waited for company; and the position, so that the next start reads nothing again.
            if self._cursor is not None:
                self._commit(self._waiting, up_to=self._cursor)
                self._waiting = []
        except Exception as exc:  # noqa: BLE001  # the journal still holds it for the next start
            self._failed(exc)

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        text = str(error) or type(error).__name__
        if text != self._last_error:
            known = isinstance(error, LedgerUnavailable)
            logging.getLogger(__name__).error(
                "alerting stopped for a moment: %s", text, exc_info=None if known else error
            )
        self._last_error = text
