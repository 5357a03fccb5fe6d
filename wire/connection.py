"""One MQTT 5 connection over paho, from connecting to its end; who reconnects is `wire/link.py`.

Every call into paho happens on the thread that calls `open` and `serve`, with this module's own poll loop: paho's
threads and its loop would write from any thread, forget errors, and end silently on an exception in a callback. Every
connection is a new paho client, because a used one resends its queue on reconnect without regard to the window and may
publish twice; what was not acknowledged when a connection ends fails, and whoever sent it decides.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from msgspec import Struct
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

CONNACK_TIMEOUT_S = 10.0
FINISH_TIMEOUT_S = 2.0
POLL_S = 0.5
READS_PER_POLL = 64
"""Packets taken from the socket before acknowledgements and sends get their turn."""
OVERRUN = 2
"""mosquitto 2.0.11 sends a whole receive-maximum more for each acknowledgement. At so many times the receive-maximum
unacknowledged the socket is left unread; a broker that is left so for two keep-alives is connected to anew."""
PROTOCOL_MAX_BYTES = 268_435_455
DISCONNECT_WITH_WILL = 0x04


class Tls(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Files for TLS, all PEM."""

    ca: str
    """Certificate authority that signed the broker's certificate."""
    cert: str | None = None
    """This client's certificate."""
    key: str | None = None
    """Its private key."""


class Will(NamedTuple):
    """What the broker publishes (retained, QoS 1) when this connection ends."""

    topic: str
    payload: bytes


class ConnectionFailed(Exception):
    """The broker could not be reached, or would not have us; the text says why."""


class Outgoing(NamedTuple):
    """A message waiting for its turn; `done(None)` when acknowledged, else with the reason why not."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    expiry_s: int | None
    done: Callable[[str | None], None]


class Settings(NamedTuple):
    """What one connection needs to know; the fields as in `wire.link.LinkConfig`."""

    host: str
    port: int
    client_id: str
    username: str | None
    password: str | None
    tls: Tls | None
    keepalive_s: int
    session_expiry_s: int
    receive_maximum: int
    inflight: int
    max_packet_bytes: int
    will: Will | None
    subscriptions: Sequence[tuple[str, int]]


class Waker:
    """Ends another thread's poll; many calls before it looks cost one byte."""

    def __init__(self) -> None:
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)
        self._called = False

    def fileno(self) -> int:
        """To be polled for input."""
        return self._read.fileno()

    def wake(self) -> None:
        """From any thread."""
        if not self._called:
            self._called = True
            try:
                self._write.send(b"\0")
            except OSError:
                # Full: bytes enough are waiting. Closed: nobody polls any more.
                return

    def clear(self) -> None:
        """By the polling thread, before it looks at what it was woken for."""
        self._called = False

    def drain(self) -> None:
        """By the polling thread, when its poll was ended by this."""
        try:
            self._read.recv(4096)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Frees both ends."""
        self._read.close()
        self._write.close()


def tls_context(tls: Tls) -> ssl.SSLContext:
    """TLS 1.2 or newer, the broker's certificate and name verified.

    Raises:
        ConnectionFailed: a file is missing, unreadable or no PEM; the text names it.
    """
    for name, path in (("ca", tls.ca), ("cert", tls.cert), ("key", tls.key)):
        if path is not None and not Path(path).is_file():
            raise ConnectionFailed(f"TLS {name} file {path} does not exist")
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=tls.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls.cert is not None:
            context.load_cert_chain(tls.cert, tls.key, password="")  # "": an encrypted key fails instead of asking
    except (OSError, ValueError) as exc:
        raise ConnectionFailed(f"TLS files {tls.ca}, {tls.cert}, {tls.key}: {exc}") from exc
    return context


class Connection:
    """One connection. `open`, `serve`, `close` belong to one thread; `send`, `acknowledge`, `finish` to any.

    Args:
        settings: to whom and as whom.
        waker: ends this connection's wait when another thread has something for it.
        on_message: called with (message id or None for QoS 0, paho's message); must not raise.
        on_ready: called once, when the broker has granted the subscriptions.
    """

    def __init__(
        self,
        settings: Settings,
        waker: Waker,
        on_message: Callable[[int | None, MQTTMessage], None],
        on_ready: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._waker = waker
        self._on_message = on_message
        self._on_ready = on_ready
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        self._queue: deque[Outgoing] = deque()
        self._acks: deque[int] = deque()
        self._pending: dict[int, Outgoing] = {}
        self._window = settings.inflight
        self._received = 0
        self._unacknowledged = 0
        self._ready = False
        self._finishing: str | None = None
        self._finish_by = 0.0
        self._lock = Lock()
        self._closed = False
        self.failure = ""
        """Why it ended or could not begin."""
        self.refused_subscriptions: tuple[str, ...] = ()
        self.max_packet_bytes = PROTOCOL_MAX_BYTES
        """What the broker takes at most, from its CONNACK."""

    def open(self) -> None:
        """Connects and sends CONNECT; the answer comes while serving.

        Raises:
            ConnectionFailed: not reachable, TLS refused, files wrong.
        """
        settings, client = self._settings, self._client
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_message = self._arrived
        client.on_publish = self._published
        client.on_disconnect = self._disconnected
        # With this set paho queues what other calls produce and leaves the writing to `serve`.
        client.on_socket_register_write = _nothing
        client.max_inflight_messages = settings.inflight
        client.username_pw_set(settings.username, settings.password)
        if settings.tls is not None:
            client.tls_set_context(tls_context(settings.tls))
        if settings.will is not None:
            client.will_set(settings.will.topic, settings.will.payload, qos=1, retain=True)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it untyped
        properties.SessionExpiryInterval = settings.session_expiry_s
        properties.ReceiveMaximum = settings.receive_maximum
        properties.MaximumPacketSize = settings.max_packet_bytes
        try:
            client.connect(settings.host, settings.port, settings.keepalive_s, clean_start=False, properties=properties)
        except (OSError, ValueError) as exc:
            raise ConnectionFailed(f"{settings.host}:{settings.port}: {exc or type(exc).__name__}") from exc

    def serve(self) -> None:
        """Runs until the connection has ended; `failure` then says why."""
        deadline = time.monotonic() + CONNACK_TIMEOUT_S
        poll = select.poll()
        poll.register(self._waker.fileno(), select.POLLIN)
        registered: tuple[int, int] | None = None
        client = self._client
        while client.socket() is not None:
            self._waker.clear()
            self._flush()
            sock = client.socket()
            if sock is None:
                return
            reading = self._unacknowledged < OVERRUN * self._settings.receive_maximum
            events_wanted = (select.POLLIN if reading else 0) | (select.POLLOUT if client.want_write() else 0)
            wanted = (sock.fileno(), events_wanted)
            if wanted != registered:
                poll.register(*wanted)
                registered = wanted
            buffered = reading and isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
            events = dict(poll.poll(0 if buffered else POLL_S * 1000))
            if self._waker.fileno() in events:
                self._waker.drain()
            happened = events.get(wanted[0], 0)
            if buffered or happened & ~select.POLLOUT:
                self._read()
            if client.want_write():
                client.loop_write()
            client.loop_misc()
            if not self._ready and time.monotonic() > deadline:
                self.failure = self.failure or "no answer from the broker"
                return

    def close(self, failure: str) -> None:
        """Frees the socket and fails what was not acknowledged. Safe to call twice."""
        with self._lock:
            self._closed = True
            waiting = [*self._pending.values(), *self._queue]
            self._pending.clear()
            self._queue.clear()
        sock = self._client.socket()
        if sock is not None:
            sock.close()
        for outgoing in waiting:
            outgoing.done(failure)

    def send(self, outgoing: Outgoing) -> bool:
        """Queues a message, in order of the calls; False when the connection has already ended."""
        with self._lock:
            if self._closed:
                return False
            self._queue.append(outgoing)
        self._waker.wake()
        return True

    def acknowledge(self, message_ids: Sequence[int]) -> None:
        """Tells the broker that these messages have been dealt with."""
        self._acks.extend(message_ids)
        self._waker.wake()

    def finish(self, failure: str) -> None:
        """Ends the connection after what is queued has been handed to the broker; it publishes the last will."""
        self._finish_by = time.monotonic() + FINISH_TIMEOUT_S
        self._finishing = failure
        self._waker.wake()

    # Below: the serving thread only.

    def _flush(self) -> None:
        client = self._client
        while self._acks:
            client.ack(self._acks.popleft(), 1)
            self._unacknowledged -= 1
        if self._ready:
            while self._queue and len(self._pending) < self._window:
                self._publish(self._queue.popleft())
        if self._finishing is not None and (not self._queue or time.monotonic() > self._finish_by):
            self.failure = self.failure or self._finishing
            self._finishing = None
            client.disconnect(ReasonCode(PacketTypes.DISCONNECT, identifier=DISCONNECT_WITH_WILL))
        if client.want_write():
            client.loop_write()

    def _publish(self, outgoing: Outgoing) -> None:
        properties = None
        if outgoing.expiry_s is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # as above
            properties.MessageExpiryInterval = outgoing.expiry_s
        info = self._client.publish(outgoing.topic, outgoing.payload, outgoing.qos, outgoing.retain, properties)
        if info.rc != 0:
            outgoing.done(f"not sent: {info.rc.name}")
        elif outgoing.qos == 0:
            outgoing.done(None)
        else:
            self._pending[info.mid] = outgoing

    def _read(self) -> None:
        # paho takes one packet a call; going on until nothing more came saves a poll for each.
        client = self._client
        for _ in range(READS_PER_POLL):
            before = self._received
            client.loop_read()
            if self._received == before or client.socket() is None:
                return

    def _connected(self, client: Client, _data: Any, _flags: Any, reason: ReasonCode, properties: Any) -> None:
        if reason.is_failure:
            self.failure = f"refused by the broker: {reason}"
            return
        # Both are left out of CONNACK when there is no limit.
        self._window = min(self._window, getattr(properties, "ReceiveMaximum", 65_535))
        self.max_packet_bytes = getattr(properties, "MaximumPacketSize", PROTOCOL_MAX_BYTES)
        if self._settings.subscriptions:
            client.subscribe(list(self._settings.subscriptions))
        else:
            self._ready = True
            self._on_ready()

    def _subscribed(self, _client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], _properties: Any) -> None:
        topics = [topic for topic, _ in self._settings.subscriptions]
        self.refused_subscriptions = tuple(
            f"{topic}: {reason}" for topic, reason in zip(topics, reasons, strict=False) if reason.is_failure
        )
        if not self._ready:
            self._ready = True
            self._on_ready()

    def _arrived(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self._received += 1
        if message.qos:
            self._unacknowledged += 1
        self._on_message(message.mid if message.qos else None, message)

    def _published(self, _client: Client, _data: Any, mid: int, reason: ReasonCode, _properties: Any) -> None:
        outgoing = self._pending.pop(mid, None)
        if outgoing is not None:
            outgoing.done(f"refused by the broker: {reason} (0x{reason.value:02x})" if reason.is_failure else None)

    def _disconnected(self, _client: Client, _data: Any, flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if not self.failure:
            by_broker = flags.is_disconnect_packet_from_server
            self.failure = f"ended by the broker: {reason}" if by_broker else f"connection lost ({reason})"


def _nothing(*_: object) -> None:
    """A callback that has nothing to do."""
