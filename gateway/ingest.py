"""From the broker into the gateway's journal: validate, append, and only then acknowledge.

The link's thread only queues; one worker takes whole batches: decode, check, apply the acceptance rule
(`gateway/sequence.py`), append everything accepted in one transaction together with the marks that say how far each
log is, then acknowledge to the broker and to the nodes. While the journal cannot take more, the batch is kept and nothing
is acknowledged: the broker stops at the receive-maximum and the nodes keep the rest.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread

from gateway.intake import Batch, Intake
from gateway.origins import Key, OriginState
from wire import topics
from wire.backoff import Backoff
from wire.clock import kernel_synchronised
from wire.codec import Codec, Refused
from wire.commands import Command
from wire.journal import Journal, JournalCorrupt
from wire.link import Delivery, Inbound, Link, LinkBusy, LinkConfig, LinkDown, LinkStats
from wire.messages import EARLIEST_NS, Ack, Status, TimeBeacon

BATCH = 500
"""So many waiting are worth a commit; fewer wait a moment for company."""
LARGEST_BATCH = 2000
LINGER_S = 0.05
LINGER_STEP_S = 0.01
BEACON_S = 5.0
TICK_S = 0.25
RETIRE_S = 10.0
"""Longest wait until a daemon has been forgotten."""
NS = 1_000_000_000

__all__ = ["Ingest", "IngestStats", "OriginState"]


@dataclass(frozen=True, slots=True)
class IngestStats:
    """What came in since start."""

    received: int
    """Data messages taken from the broker."""
    accepted: int
    """Appended to the journal."""
    duplicates: int
    gaps: int
    """Dropped because something before them was missing; asked for again."""
    early: int
    """Dropped because their log was not known yet; asked for again once it was."""
    evicted: int
    """Forced out by the nodes' own disk bounds, over all logs."""
    skipped: int
    """Given up because they could never be read, over all logs."""
    refused: dict[str, int]
    """By kind."""
    queued: int
    """Waiting for the worker."""
    journal_errors: int
    last_error: str
    """Of the journal; empty again once it works."""
    link: LinkStats


class Ingest:
    """Takes in a site's messages, until stopped.

    Args:
        site: whose.
        journal: where to; its marks that begin with `ingest:` belong to this class.
        link: to which broker, as whom.
        wall_ns: present wall time, nanoseconds.
        synced: whether that clock is synchronised.
        on_status: called on the worker's thread when a daemon came or went.
        beacon_s: how often the nodes are told the time.
        linger_s: how long a message waits for company before it is committed; more saves writes where the disk is an
            SD card (one commit writes a few kilobytes), and delays what is stored and shown by as much.
    """

    def __init__(
        self,
        site: str,
        journal: Journal,
        link: LinkConfig,
        *,
        wall_ns: Callable[[], int] = time.time_ns,
        synced: Callable[[], bool] = kernel_synchronised,
        on_status: Callable[[OriginState], None] = lambda _state: None,
        beacon_s: float = BEACON_S,
        linger_s: float = LINGER_S,
    ) -> None:
        self._site = site
        self._journal = journal
        self._wall_ns = wall_ns
        self._synced = synced
        self._on_status = on_status
        self._beacon_s = beacon_s
        self._linger_s = linger_s
        self._log = logging.getLogger(__name__)
        self._codec = Codec()
        self._intake = Intake(site, self._log)
        self._intake.origins.restore(journal.mark)
        # What is told to the nodes: never ahead of the disk, as the intake is while the journal cannot append.
        self._durable = {key: self._intake.origins.last(key) for key in self._intake.origins.present()}
        self._queue: SimpleQueue[Inbound] = SimpleQueue()
        self._leaving: SimpleQueue[tuple[str, str, Future[None]]] = SimpleQueue()
        self._queue_limit = 4 * link.receive_maximum
        self._lock = Lock()
        self._stopping = Event()
        self._thread: Thread | None = None
        self._greet = False
        self._unsaid: dict[Key, bool] = {}
        self._next_beacon = 0.0
        self._accepted = 0
        self._journal_errors = 0
        self._overrun = 0
        self._last_error = ""
        self.progress_ns = time.monotonic_ns()
        """Monotonic time of the worker's last turn, for a watchdog."""
        self._link = Link(
            link,
            will=(topics.gateway_status(site), self._status(online=False)),
            subscriptions=[(name, 1) for name in topics.ingest_filters(site)],
            on_message=self._arrived,
            on_connected=self._connected,
            on_disconnected=self._disconnected,
        )

    def start(self) -> None:
        """Starts the link's and the worker's threads."""
        self._thread = Thread(target=self._run, name="ingest", daemon=True)
        self._thread.start()
        self._link.start()

    def stop(self) -> None:
        """Ends both threads; what was not appended was not acknowledged and comes again."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(10)
        self._link.stop()

    @property
    def alive(self) -> bool:
        """Whether both threads run; false after damage to the journal, which the daemon has to open anew."""
        return self._thread is not None and self._thread.is_alive() and self._link.alive

    def nodes(self) -> list[OriginState]:
        """Every daemon heard of, by node and origin."""
        with self._lock:
            return self._intake.origins.states()

    def retired(self) -> frozenset[tuple[str, str]]:
        """Node and origin of those that are no longer in use."""
        return self._intake.origins.retired

    def retire(self, node: str, origin: str) -> None:
        """Forgets a daemon, durably; when it comes back it is a new one.

        Raises:
            KeyError: it is not known.
            StillOnline: it is connected.
            JournalError, TimeoutError: that cannot be kept now; it is still known.
        """
        done: Future[None] = Future()
        self._leaving.put((node, origin, done))
        try:
            done.result(RETIRE_S)
        except TimeoutError:
            done.cancel()
            raise

    def send_command(self, node: str, origin: str, command: Command) -> Delivery:
        """Hands a command to the broker, which keeps it for an offline node until it expires.

        Raises:
            Refused: kind `expired`; or `not_finite`.
            LinkDown, LinkBusy: no way to the broker now.
        """
        left_s = -(-(command.expires_ns - self._wall_ns()) // NS)
        if left_s <= 0:
            raise Refused("expired", f"command {command.id} has expired already")
        # A codec of its own: those of the worker are for one thread.
        payload = Codec().encode(command)
        return self._link.publish(topics.command(self._site, node, origin), payload, expiry_s=min(left_s, 2**32 - 1))

    def stats(self) -> IngestStats:
        """Counters and state."""
        states = self.nodes()
        refused = self._intake.refusals.counts()
        if self._overrun:
            refused["overrun"] = self._overrun
        return IngestStats(
            received=self._intake.received,
            accepted=self._accepted,
            duplicates=self._intake.duplicates,
            gaps=self._intake.gaps,
            early=self._intake.early,
            evicted=sum(state.evicted for state in states),
            skipped=sum(state.skipped for state in states),
            refused=refused,
            queued=self._queue.qsize(),
            journal_errors=self._journal_errors,
            last_error=self._last_error,
            link=self._link.stats(),
        )

    # The link's thread.

    def _arrived(self, inbound: Inbound) -> None:
        # QoS 1 is bounded by the receive-maximum; nodes use nothing else, and nobody else shall fill the memory.
        if inbound.token is None and self._queue.qsize() >= self._queue_limit:
            self._overrun += 1
        else:
            self._queue.put(inbound)

    def _connected(self) -> None:
        # Before anything else on this connection: nodes begin to send when they hear it.
        self._link.publish(topics.gateway_status(self._site), self._status(online=True), retain=True)
        self._greet = True

    def _disconnected(self, _reason: str) -> None:
        # What is queued was not acknowledged and comes again.
        while True:
            try:
                self._queue.get_nowait()
            except Empty:
                return

    # The worker's thread.

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._tick()
                self._let_go()
                inbounds = self._take()
                if inbounds:
                    self._work(inbounds)
            except JournalCorrupt as exc:
                self._fail(exc)
                return
            except Exception as exc:  # noqa: BLE001  # counted, shown; not acknowledged, so it comes again
                self._fail(exc)
                self._stopping.wait(TICK_S)

    def _let_go(self) -> None:
        # On this thread, so that marks of a batch and these cannot overtake each other.
        while not self._leaving.empty():
            node, origin, done = self._leaving.get_nowait()
            if not done.set_running_or_notify_cancel():
                continue
            try:
                with self._lock:
                    marks = self._intake.origins.leaving(node, origin)
                    self._journal.append([], marks=marks, commit=True)
                    self._intake.origins.retire(node, origin)
                self._durable = {key: last for key, last in self._durable.items() if key[:2] != (node, origin)}
                self._unsaid = {key: resend for key, resend in self._unsaid.items() if key in self._durable}
            except JournalCorrupt as exc:
                done.set_exception(exc)
                raise
            except Exception as exc:  # noqa: BLE001  # whatever it is, who asked hears it
                done.set_exception(exc)
            else:
                done.set_result(None)

    def _take(self) -> list[Inbound]:
        try:
            inbounds = [self._queue.get(timeout=TICK_S)]
        except Empty:
            return []
        # Sleeping and then taking all at once: waiting for each would cost a change of threads per message.
        until = time.monotonic() + self._linger_s
        while self._queue.qsize() < BATCH and time.monotonic() < until and not self._stopping.wait(LINGER_STEP_S):
            pass
        try:
            while len(inbounds) < LARGEST_BATCH:
                inbounds.append(self._queue.get_nowait())
        except Empty:
            pass
        return inbounds

    def _work(self, inbounds: list[Inbound]) -> None:
        with self._lock:
            batch = self._intake.judge(inbounds, self._wall_ns())
        if batch.marks and not self._append(batch):
            return  # stopped before it was durable
        self._accepted += len(batch.records)
        self._durable.update({key: self._intake.origins.last(key) for key in batch.answers})
        self._link.ack_all(inbounds)
        self._say(batch.answers)
        for node, origin in batch.daemons:
            self._tell(node, origin)
        if batch.daemons:
            self._next_beacon = (
                0.0  # one that just came may be without a clock, and sends nothing until it knows the time
            )

    def _tell(self, node: str, origin: str) -> None:
        try:
            self._on_status(self._intake.origins.state(node, origin))
        except Exception:  # noqa: BLE001  # a listener of ours, logged
            self._log.exception("error over the status of %s/%s", node, origin)

    def _append(self, batch: Batch) -> bool:
        """Until it is durable; False when stopped before."""
        backoff = Backoff(0.2, 10.0)
        while True:
            try:
                self._journal.append(batch.records, marks=batch.marks, commit=True)
            except JournalCorrupt:
                raise
            except Exception as exc:  # noqa: BLE001  # whatever it is, what was accepted must not be dropped
                self._fail(exc)
            else:
                self._last_error = ""
                return True
            pause = backoff.next()
            while pause > 0:
                if self._stopping.wait(min(pause, TICK_S)):
                    return False
                pause -= TICK_S
                self._tick_safely()

    def _say(self, answers: dict[Key, bool]) -> None:
        for key, resend in answers.items():
            self._unsaid[key] = resend or self._unsaid.get(key, False)
        while self._unsaid:
            key, resend = next(iter(self._unsaid.items()))
            payload = self._codec.encode(Ack(log=key.log, seq=self._durable[key], resend=resend))
            try:
                self._link.publish(topics.ack(self._site, key.node, key.origin), payload, retain=True)
            except (LinkDown, LinkBusy):
                return  # said with the next batch or tick
            del self._unsaid[key]

    def _tick_safely(self) -> None:
        """While a batch waits: the intake counts it as taken already, so nothing may make the worker drop it."""
        try:
            self._tick()
        except Exception as exc:  # noqa: BLE001  # counted, shown, as in `_run`
            self._fail(exc)

    def _tick(self) -> None:
        self.progress_ns = time.monotonic_ns()
        self._intake.refusals.tick()
        if self._greet:
            # A broker that lost its memory has no acknowledgements for the nodes any more.
            self._greet = False
            self._say(dict.fromkeys((key for key in self._intake.origins.present() if key in self._durable), False))
        elif self._unsaid:
            self._say({})
        now = time.monotonic()
        if now >= self._next_beacon and self._link.connected:
            self._next_beacon = now + self._beacon_s
            self._say_time()

    def _say_time(self) -> None:
        wall_ns = self._wall_ns()
        if wall_ns < EARLIEST_NS:
            return  # no time is better than a wrong one
        beacon = self._codec.encode(TimeBeacon(time_ns=wall_ns, synced=self._synced()))
        try:
            self._link.publish(topics.time(self._site), beacon, qos=0)
        except (LinkDown, LinkBusy):
            return  # the next one is soon

    def _status(self, *, online: bool) -> bytes:
        return Codec().encode(
            Status(site=self._site, node=topics.GATEWAY, origin="gateway", online=online, log=self._journal.log)
        )

    def _fail(self, exc: Exception) -> None:
        self._journal_errors += 1
        error = f"{type(exc).__name__}: {exc}"
        if error != self._last_error:
            self._log.error("taking in failed, nothing is acknowledged: %s", error, exc_info=exc)
        self._last_error = error
