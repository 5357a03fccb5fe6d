"""What passes over a link: its configuration, messages received, deliveries under way, errors and counters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Lock
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from wire.codec import MAX_MESSAGE_BYTES
from wire.connection import Tls


class LinkDown(Exception):
    """There is no connection at this moment; try again when `on_connected` has been called."""


class LinkBusy(Exception):
    """As many messages as allowed wait for the broker's acknowledgement; try again when one is done."""


class PayloadTooLarge(Exception):
    """The broker would end the connection over this payload; it can never be sent."""


class LinkConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the broker is, who we are, and how much may be under way."""

    host: str
    port: Annotated[int, Meta(ge=1, le=65535)]
    client_id: Annotated[str, Meta(min_length=1, max_length=200)]
    """Unique per broker: a second client of the same name throws the first one out."""
    username: str | None = None
    password_file: str | None = None
    """A file with the password in its first line; read at each connection."""
    tls: Tls | None = None
    keepalive_s: Annotated[int, Meta(ge=1, le=3600)] = 30
    """A dead connection is noticed after at most twice this."""
    session_expiry_s: Annotated[int, Meta(ge=0, le=2**32 - 2)] = 7 * 86_400
    receive_maximum: Annotated[int, Meta(ge=1, le=65535)] = 2000
    """Messages received and not acknowledged."""
    inflight: Annotated[int, Meta(ge=1, le=65535)] = 500
    """Messages published and not acknowledged."""
    backoff_min_s: Annotated[float, Meta(gt=0)] = 0.5
    backoff_max_s: Annotated[float, Meta(gt=0)] = 60.0
    max_payload_bytes: Annotated[int, Meta(ge=1)] = MAX_MESSAGE_BYTES
    """A larger payload received is dropped at once and handed on empty, with its size."""
    max_packet_bytes: Annotated[int, Meta(ge=1024, le=268_435_455)] = 16 * 1024 * 1024
    """Larger packets are not even sent to us by the broker."""


class Inbound(NamedTuple):
    """A received message. `payload` is empty when `size` is more than the link takes."""

    topic: str
    payload: bytes
    retain: bool
    duplicate: bool
    token: tuple[int, int] | None
    """For `Link.ack`: generation and message id; None for QoS 0, which needs none."""
    size: int


class Delivery:
    """What becomes of a published message."""

    __slots__ = ("_event", "_lock", "_on_done", "acknowledged", "failed")

    def __init__(self, on_done: Callable[[Delivery], None] | None = None) -> None:
        self.acknowledged = False
        """The broker has it (for QoS 0: it was written to the socket's queue)."""
        self.failed: str | None = None
        """Why it did not get there, or may not have."""
        self._on_done = on_done
        self._lock = Lock()
        self._event: Event | None = None

    @property
    def done(self) -> bool:
        """Whether it ended, either way."""
        return self.acknowledged or self.failed is not None

    def wait(self, timeout_s: float) -> bool:
        """Waits until it ended; True if it was acknowledged."""
        with self._lock:
            if not self.done and self._event is None:
                self._event = Event()
            event = self._event
        if event is not None:
            event.wait(timeout_s)
        return self.acknowledged

    def finish(self, failed: str | None) -> None:
        """Called by the link, once; calls the sender's `on_done` on the link's thread."""
        with self._lock:
            if failed is None:
                self.acknowledged = True
            else:
                self.failed = failed
            event = self._event
        if event is not None:
            event.set()
        if self._on_done is not None:
            self._on_done(self)


@dataclass(frozen=True, slots=True)
class LinkStats:
    """What a link has seen since it was made."""

    connected: bool
    generation: int
    reconnects: int
    handler_errors: int
    """Exceptions in the handlers given to the link, and in its own thread."""
    last_error: str
    published: int
    """Acknowledged by the broker."""
    refused: int
    """Published but refused, or lost with the connection."""
    received: int
    oversize: int
    inflight: int
    refused_subscriptions: tuple[str, ...]
