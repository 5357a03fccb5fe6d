"""From the node's journal to the broker: in order, ahead of the gateway by a window, again when something was lost.

The reader position `publisher` is what the gateway acknowledged, so what broker, network or gateway lose is sent again
from the journal. Data goes out only while the gateway is online; the backlog stays in the bounded journal and not in the
broker. The rules are in docs/architecture.md, "How nothing gets lost".
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition, Event, Thread

from edge.window import Window
from wire import topics
from wire.clock import Clock, Stamp
from wire.codec import MAX_MESSAGE_BYTES, Codec, Refused
from wire.commands import Command
from wire.envelope import Draft, Envelope
from wire.journal import Entry, Journal, JournalCorrupt
from wire.link import Delivery, Inbound, Link, LinkBusy, LinkConfig, LinkDown, LinkStats, PayloadTooLarge
from wire.messages import EARLIEST_NS, Ack, Status, TimeBeacon, Trust
from wire.refusals import Refusals

READER = "publisher"
READ_COUNT = 200
READ_BYTES = 1_000_000
IDLE_S = 0.25
BUSY_S = 0.02
ERROR_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class PublisherStats:
    """What the publisher did since start."""

    acked: int
    """Everything up to here is durable at the gateway."""
    sent: int
    resends: int
    """Those of `sent` that had been sent before."""
    window: int
    """Sent and not acknowledged."""
    gateway_online: bool
    clock_known: bool
    """False while the next message waits for a time."""
    unsendable: int
    """Entries that no message could be made of; passed over, logged."""
    failed_deliveries: int
    """Refused by the broker, or lost with a connection; sent again."""
    refused: dict[str, int]
    """Commands and control messages refused, by kind."""
    last_error: str
    turns: int
    """How often the publisher's thread went round; it moves several times a second, for the watchdog."""
    link: LinkStats


class Publisher:
    """Publishes what the journal commits, until stopped.

    Args:
        journal: with a reader `publisher`.
        envelope: this daemon's identity, of the journal's log.
        clock: dates the entries; hears the gateway's beacons.
        link: to which broker, as whom.
        on_command: called with each command, on the link's thread: quick. The same command may come twice.
        window, window_bytes: how far to run ahead of the gateway.
        stall_s: without progress for so long, send again.

    Raises:
        ValueError: journal and envelope belong to different logs.
    """

    def __init__(
        self,
        journal: Journal,
        envelope: Envelope,
        clock: Clock,
        link: LinkConfig,
        *,
        on_command: Callable[[Command], None],
        window: int = 500,
        window_bytes: int = 4_000_000,
        stall_s: float = 10.0,
    ) -> None:
        if envelope.log != journal.log:
            raise ValueError(f"envelope of log {envelope.log}, journal {journal.log}")
        self._journal = journal
        self._envelope = envelope
        self._clock = clock
        self._on_command = on_command
        self._log = logging.getLogger(__name__)
        self._codec = Codec()
        self._refusals = Refusals(self._log)
        self._window = Window(journal.position(READER), count=window, size_bytes=window_bytes, stall_s=stall_s)
        self._changed = Condition()
        self._stopping = Event()
        self._thread: Thread | None = None
        self._announce = False
        self._epoch = 0
        self._gateway_online = False
        self._durable = 0
        self._ahead_of_us: int | None = None
        self._skipped: dict[int, int] = {}
        self._sent = 0
        self._resends = 0
        self._unsendable = 0
        self._failed_deliveries = 0
        self._turns = 0
        self._clock_known = True
        self._last_error = ""
        site, node, origin = envelope.site, envelope.node, envelope.origin
        self._status_topic = topics.status(site, node, origin)
        self._ack_topic = topics.ack(site, node, origin)
        self._command_topic = topics.command(site, node, origin)
        self._gateway_topic = topics.gateway_status(site)
        self._time_topic = topics.time(site)
        self._link = Link(
            link,
            will=(self._status_topic, self._status(online=False)),
            subscriptions=[
                (self._gateway_topic, 1),
                (self._ack_topic, 1),
                (self._command_topic, 1),
                (self._time_topic, 0),  # a beacon that waited in a session would tell a wrong time
            ],
            on_message=self._arrived,
            on_connected=self._connected,
            on_disconnected=self._disconnected,
        )

    def start(self) -> None:
        """Starts the link's and the publisher's threads."""
        self._link.start()
        self._thread = Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stops sending, goes offline, ends both threads. What is not acknowledged stays in the journal."""
        self._stopping.set()
        self._wake()
        if self._thread is not None:
            self._thread.join(10)
        self._link.stop()

    @property
    def alive(self) -> bool:
        """Whether both threads run; false after damage to the journal, which the daemon has to open anew."""
        return self._thread is not None and self._thread.is_alive() and self._link.alive

    def stats(self) -> PublisherStats:
        """Counters and state."""
        link = self._link.stats()
        with self._changed:
            return PublisherStats(
                acked=self._window.acked,
                sent=self._sent,
                resends=self._resends,
                window=len(self._window),
                gateway_online=self._gateway_online,
                clock_known=self._clock_known,
                unsendable=self._unsendable,
                failed_deliveries=self._failed_deliveries,
                refused=self._refusals.counts(),
                last_error=self._last_error or link.last_error,
                turns=self._turns,
                link=link,
            )

    # The link's thread.

    def _connected(self) -> None:
        with self._changed:
            self._epoch += 1
            self._announce = True
            self._window.rewind()
            self._changed.notify_all()

    def _disconnected(self, _reason: str) -> None:
        with self._changed:
            self._epoch += 1
            self._gateway_online = False
            self._changed.notify_all()

    def _arrived(self, inbound: Inbound) -> None:
        try:
            self._hear(inbound)
        except Refused as exc:
            self._refusals.count(exc.kind, inbound.topic, exc.reason)
        self._link.ack(inbound)

    def _hear(self, inbound: Inbound) -> None:
        if inbound.size > MAX_MESSAGE_BYTES:
            raise Refused("too_large", f"{inbound.size} bytes")
        if inbound.topic == self._ack_topic:
            self._hear_ack(self._codec.decode_as(Ack, inbound.payload))
        elif inbound.topic == self._time_topic:
            self._hear_time(inbound)
        elif inbound.topic == self._gateway_topic:
            self._hear_gateway(inbound.payload)
        elif inbound.topic == self._command_topic:
            self._on_command(self._codec.decode_as(Command, inbound.payload))
        else:
            raise Refused("topic", "not for this node")

    def _hear_time(self, inbound: Inbound) -> None:
        if inbound.retain:
            raise Refused("time", "a retained time beacon tells an old time")
        beacon = self._codec.decode_as(TimeBeacon, inbound.payload)
        self._clock.hear(beacon.time_ns)
        if not self._clock_known:
            self._wake()

    def _hear_gateway(self, payload: bytes) -> None:
        online = bool(payload) and self._codec.decode_as(Status, payload).online
        with self._changed:
            self._gateway_online = online
            if online:
                # It came back, or is a new one: it hears where this log stands, then what it has not acknowledged.
                self._epoch += 1
                self._announce = True
                self._window.rewind()
            self._changed.notify_all()

    def _hear_ack(self, ack: Ack) -> None:
        if ack.log != self._journal.log:
            return  # retained, for a journal that was here before this one
        with self._changed:
            now = time.monotonic()
            if ack.seq > self._window.highest and ack.seq >= self._journal.stats().next:
                self._ahead_of_us = ack.seq
            elif self._ahead_of_us is None:
                if ack.resend:
                    self._window.resend_asked(ack.seq, now)
                else:
                    self._window.acknowledged(ack.seq, now)
                self._durable = max(self._durable, ack.seq)
            self._changed.notify_all()

    def _ended(self, delivery: Delivery) -> None:
        if delivery.failed is not None:
            with self._changed:
                self._failed_deliveries += 1
                self._last_error = delivery.failed

    # The publisher's thread.

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._turns += 1
            try:
                self._step()
            except JournalCorrupt as exc:
                self._fail(exc)
                return
            except Exception as exc:  # noqa: BLE001  # counted, shown, tried again: the thread must not end over it
                self._fail(exc)
                self._stopping.wait(ERROR_PAUSE_S)

    def _step(self) -> None:
        self._refusals.tick()
        with self._changed:
            epoch, announce, self._announce = self._epoch, self._announce, False
            durable = self._durable
        if durable > self._journal.position(READER):
            self._journal.advance(READER, durable)
        if announce and not self._say_online():
            with self._changed:
                self._announce = self._announce or self._link.connected
        with self._changed:
            if self._ahead_of_us is not None:
                self._last_error = (
                    f"the gateway holds log {self._journal.log} up to {self._ahead_of_us}, this journal ends before it: "
                    "was an older copy of the card put in? Nothing is sent; set the journal file aside to begin a new log"
                )
            if not self._link.connected or not self._gateway_online or self._ahead_of_us is not None:
                self._changed.wait(IDLE_S)
                return
            self._window.poll(time.monotonic())
            cursor, room, room_bytes = self._window.cursor, self._window.room, self._window.room_bytes
            if room <= 0:
                self._changed.wait(IDLE_S)
                return
        entries = self._journal.read(cursor, min(room, READ_COUNT), min(room_bytes, READ_BYTES))
        if not entries:
            self._journal.wait(cursor, IDLE_S)
        for entry in entries:
            if self._stopping.is_set() or self._epoch != epoch or not self._publish(entry):
                return

    def _publish(self, entry: Entry) -> bool:
        """False when it could not go out now."""
        prev = self._skipped.get(entry.prev, entry.prev)
        stamp = self._stamp(entry)
        if stamp is None:
            return False
        draft = Draft(entry.stream, entry.boot, entry.payload)
        payload = self._envelope.seal(draft, seq=entry.seq, prev=prev, stamp=stamp)
        if len(payload) > MAX_MESSAGE_BYTES:
            self._pass_over(entry, prev, f"{len(payload)} bytes")
            return True
        topic = topics.data(self._envelope.site, self._envelope.node, entry.stream)
        try:
            self._link.publish(topic, payload, on_done=self._ended)
        except (LinkDown, LinkBusy):
            with self._changed:
                self._changed.wait(BUSY_S)
            return False
        except PayloadTooLarge as exc:
            self._pass_over(entry, prev, str(exc))
            return True
        with self._changed:
            self._sent += 1
            self._resends += self._window.sent(entry.seq, len(payload), time.monotonic())
        return True

    def _stamp(self, entry: Entry) -> Stamp | None:
        stamp = self._clock.stamp(entry.boot, entry.at_ns)
        if stamp is not None and stamp.time_ns < EARLIEST_NS:
            stamp = None
        now_ns = self._clock.wall_ns()
        if stamp is not None and now_ns is not None and stamp.time_ns > now_ns:
            # What was sampled cannot lie ahead; the gateway would refuse it and everything behind it.
            stamp = Stamp(now_ns, Trust.ESTIMATED)
        with self._changed:
            self._clock_known = stamp is not None
            if stamp is None:
                self._changed.wait(IDLE_S)
        return stamp

    def _pass_over(self, entry: Entry, prev: int, why: str) -> None:
        """The next message names the one before this as its `prev`, so that nobody waits for this one."""
        if entry.seq not in self._skipped:
            self._unsendable += 1
            self._log.error("entry %s (%s) cannot be sent and is passed over: %s", entry.seq, entry.stream, why)
        self._skipped[entry.seq] = prev
        with self._changed:
            acked = self._window.acked
            self._window.passed(entry.seq)
        for seq in [seq for seq in self._skipped if seq < acked]:
            del self._skipped[seq]

    def _say_online(self) -> bool:
        try:
            self._link.publish(self._status_topic, self._status(online=True), retain=True, on_done=self._ended)
        except (LinkDown, LinkBusy):
            return False
        return True

    def _status(self, *, online: bool) -> bytes:
        stats = self._journal.stats()
        envelope = self._envelope
        return self._codec.encode(
            Status(
                site=envelope.site,
                node=envelope.node,
                origin=envelope.origin,
                online=online,
                log=stats.log,
                oldest=stats.oldest,
                acked=stats.positions[READER],
                next=stats.next,
            )
        )

    def _fail(self, exc: Exception) -> None:
        error = f"{type(exc).__name__}: {exc}"
        if error != self._last_error:
            self._log.error("publishing failed: %s", error, exc_info=exc)
        self._last_error = error

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
