"""One MQTT link that stays: persistent session, TLS, last will, jittered backoff, acknowledged send, manual ack.

What it promises
- Messages arrive in the broker's order. One that is not acknowledged comes again after the next connection (the
  session persists on the broker), and delivery stops at `receive_maximum` of them: back-pressure for free.
- `publish` gives a `Delivery` that ends as acknowledged by the broker or as failed with a reason: refused (an ACL, a
  quota), or the connection ended first. Nothing is queued while there is no connection and nothing is sent twice by the
  link itself; the sender, who has a journal, decides what to send again.
- Nothing ends its thread unseen: an exception in a handler is counted and shown, one in the link itself ends the
  connection and is followed by the next.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from threading import Event, Lock, Thread

from paho.mqtt.client import MQTTMessage

from wire.backoff import Backoff
from wire.connection import Connection, ConnectionFailed, Outgoing, Settings, Tls, Waker, Will
from wire.delivery import Delivery, Inbound, LinkBusy, LinkConfig, LinkDown, LinkStats, PayloadTooLarge

__all__ = ["Delivery", "Inbound", "Link", "LinkBusy", "LinkConfig", "LinkDown", "LinkStats", "PayloadTooLarge", "Tls"]

STOP_TIMEOUT_S = 10.0
STEADY_S = 5.0
"""A connection that held this long was a good one: the next wait is a short one."""
HEADER_BYTES = 8_192
"""What topic and properties may add to a payload."""


class Link:
    """A link to one broker with its own thread. `publish` and `ack` may be called from any thread.

    Args:
        config: where and who.
        will: topic and payload that the broker publishes, retained, when this client is gone, however it went.
        subscriptions: (filter, QoS 0 or 1), made anew with each connection.
        on_message: each message, in order, on the link's thread; must be quick. The receiver acknowledges with `ack`.
            When it raises, the link counts the error and acknowledges: sent again it would raise again.
        on_connected: the subscriptions are granted; messages of the persisting session and retained ones may have come before.
        on_disconnected: a connection that `on_connected` had announced is gone; with the reason.
    """

    def __init__(
        self,
        config: LinkConfig,
        *,
        on_message: Callable[[Inbound], None],
        will: tuple[str, bytes] | None = None,
        subscriptions: Sequence[tuple[str, int]] = (),
        on_connected: Callable[[], None] = lambda: None,
        on_disconnected: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        self._config = config
        self._will = None if will is None else Will(*will)
        self._subscriptions = tuple(subscriptions)
        self._on_message = on_message
        self._on_connected = on_connected
        self._on_disconnected = on_disconnected
        self._backoff = Backoff(config.backoff_min_s, config.backoff_max_s)
        self._log = logging.getLogger(__name__)
        self._thread: Thread | None = None
        self._stopping = Event()
        self._waker = Waker()
        self._lock = Lock()
        self._connection: Connection | None = None
        self._ready_since: float | None = None
        self._outstanding = 0
        self._reconnects = 0
        self._handler_errors = 0
        self._last_error = ""
        self._published = 0
        self._refused = 0
        self._received = 0
        self._oversize = 0
        self._refused_subscriptions: tuple[str, ...] = ()
        self.connected = False
        """Whether messages can be published now."""
        self.generation = 0
        """Counts connections."""

    def start(self) -> None:
        """Starts the link's thread; returns at once."""
        self._thread = Thread(target=self._run, name=f"link {self._config.client_id}", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Sends what is queued, lets the broker publish the last will, and ends the thread. Safe to call twice."""
        self._stopping.set()
        with self._lock:
            connection = self._connection
        if connection is not None:
            connection.finish("stopped")
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                self._log.warning("link %s did not stop within %s s", self._config.client_id, timeout_s)
            else:
                self._thread = None
                self._waker.close()

    @property
    def alive(self) -> bool:
        """Whether the link's thread runs; for watchdogs."""
        return self._thread is not None and self._thread.is_alive()

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        expiry_s: int | None = None,
        on_done: Callable[[Delivery], None] | None = None,
    ) -> Delivery:
        """Hands a message to the broker, after those published before it.

        Args:
            topic: without wildcards.
            payload: bytes.
            qos: 0 or 1.
            retain: the broker keeps it for later subscribers.
            expiry_s: whole seconds after which the broker no longer delivers it.
            on_done: called on the link's thread when it ended.

        Raises:
            LinkDown: no connection now.
            LinkBusy: `inflight` messages are unacknowledged.
            PayloadTooLarge: more than the broker takes.
        """
        delivery = Delivery(on_done)
        with self._lock:
            connection = self._connection
            if not self.connected or connection is None:
                raise LinkDown(self._last_error or "not connected")
            if len(payload) + HEADER_BYTES > connection.max_packet_bytes:
                raise PayloadTooLarge(f"{len(payload)} bytes; the broker takes {connection.max_packet_bytes} a packet")
            if self._outstanding >= self._config.inflight:
                raise LinkBusy(f"{self._outstanding} messages unacknowledged")
            self._outstanding += 1
        outgoing = Outgoing(topic, payload, qos, retain, expiry_s, lambda failed: self._done(delivery, failed))
        if not connection.send(outgoing):
            with self._lock:
                self._outstanding -= 1
            raise LinkDown(self._last_error or "not connected")
        return delivery

    def ack(self, inbound: Inbound) -> None:
        """The message has been dealt with; one of an earlier connection is ignored (it comes again)."""
        self.ack_all((inbound,))

    def ack_all(self, inbounds: Iterable[Inbound]) -> None:
        """As `ack`, for many at the price of one."""
        with self._lock:
            connection, generation = self._connection, self.generation
        if connection is not None:
            connection.acknowledge([i.token[1] for i in inbounds if i.token is not None and i.token[0] == generation])

    def stats(self) -> LinkStats:
        """Counters and the last error."""
        with self._lock:
            return LinkStats(
                connected=self.connected,
                generation=self.generation,
                reconnects=self._reconnects,
                handler_errors=self._handler_errors,
                last_error=self._last_error,
                published=self._published,
                refused=self._refused,
                received=self._received,
                oversize=self._oversize,
                inflight=self._outstanding,
                refused_subscriptions=self._refused_subscriptions,
            )

    # Below: the link's thread only.

    def _run(self) -> None:
        while not self._stopping.is_set():
            reason = ""
            try:
                reason = self._connect_and_serve()
            except ConnectionFailed as exc:
                reason = str(exc)
            except BaseException as exc:  # noqa: BLE001  # whatever it was, the link goes on, and says so
                self._count_error("link", exc)
                reason = f"{type(exc).__name__}: {exc}"
            self._ended(reason)
            if not self._stopping.is_set():
                self._stopping.wait(self._backoff.next())

    def _connect_and_serve(self) -> str:
        config = self._config
        connection = Connection(
            Settings(
                host=config.host,
                port=config.port,
                client_id=config.client_id,
                username=config.username,
                password=_password(config.password_file),
                tls=config.tls,
                keepalive_s=config.keepalive_s,
                session_expiry_s=config.session_expiry_s,
                receive_maximum=config.receive_maximum,
                inflight=config.inflight,
                max_packet_bytes=config.max_packet_bytes,
                will=self._will,
                subscriptions=self._subscriptions,
            ),
            self._waker,
            self._arrived,
            self._ready,
        )
        with self._lock:
            self._connection = connection
            self.generation += 1
        try:
            connection.open()
            if self._stopping.is_set():
                return "stopped"
            connection.serve()
        finally:
            connection.close(connection.failure or "connection lost")
        return connection.failure

    def _ended(self, reason: str) -> None:
        with self._lock:
            self._connection = None
            self.connected = False
            since, self._ready_since = self._ready_since, None
            news = since is not None or reason != self._last_error
            self._last_error = reason
            if since is not None:
                self._reconnects += 1
        if since is not None:
            # One that is thrown out at once, again and again, is no reason to come back quickly.
            if time.monotonic() - since >= STEADY_S:
                self._backoff.reset()
            self._guard("on_disconnected", self._on_disconnected, reason)
        if news and not self._stopping.is_set():
            self._log.warning("link %s: %s", self._config.client_id, reason)

    def _ready(self) -> None:
        with self._lock:
            connection = self._connection
            self._refused_subscriptions = () if connection is None else connection.refused_subscriptions
            if self._refused_subscriptions:
                self._last_error = f"subscription refused: {self._refused_subscriptions[0]}"
            self.connected = True
            self._ready_since = time.monotonic()
        self._log.info("link %s: connected to %s:%s", self._config.client_id, self._config.host, self._config.port)
        self._guard("on_connected", self._on_connected)

    def _arrived(self, message_id: int | None, message: MQTTMessage) -> None:
        self._received += 1
        token = None if message_id is None else (self.generation, message_id)
        payload, size = bytes(message.payload), len(message.payload)
        if size > self._config.max_payload_bytes:
            self._oversize += 1
            payload = b""
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        inbound = Inbound(topic, payload, message.retain, message.dup, token, size)
        try:
            self._on_message(inbound)
        except BaseException as exc:  # noqa: BLE001  # a handler's error must not end the link
            self._count_error("on_message", exc)
            self.ack(inbound)

    def _done(self, delivery: Delivery, failed: str | None) -> None:
        with self._lock:
            self._outstanding -= 1
            if failed is None:
                self._published += 1
            else:
                self._refused += 1
                self._last_error = failed
        self._guard("on_done", delivery.finish, failed)

    def _guard(self, where: str, call: Callable[..., None], *arguments: object) -> None:
        try:
            call(*arguments)
        except BaseException as exc:  # noqa: BLE001  # as above
            self._count_error(where, exc)

    def _count_error(self, where: str, exc: BaseException) -> None:
        self._handler_errors += 1
        error = f"{where}: {type(exc).__name__}: {exc}"
        if error != self._last_error:
            self._log.error("link %s: error in %s", self._config.client_id, where, exc_info=exc)
        self._last_error = error


def _password(path: str | None) -> str | None:
    if path is None:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()[0]
    except (OSError, UnicodeDecodeError, IndexError) as exc:
        raise ConnectionFailed(f"password file {path}: {exc}") from exc
