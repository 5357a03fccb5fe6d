"""A link with its ears open: what tests use at the other end of a real broker."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from typing import Any, Self

from wire.link import Inbound, Link, LinkConfig

_NUMBERS = itertools.count()


def config(port: int, client_id: str = "", **fields: Any) -> LinkConfig:
    """A link to a loopback broker that comes back quickly."""
    fields.setdefault("backoff_min_s", 0.05)
    fields.setdefault("backoff_max_s", 0.2)
    fields.setdefault("host", "127.0.0.1")
    return LinkConfig(port=port, client_id=client_id or f"test-{next(_NUMBERS)}", **fields)


class Party:
    """A client that remembers what it heard; `auto_ack` acknowledges at once."""

    def __init__(
        self, settings: LinkConfig, *filters: str, auto_ack: bool = True, will: tuple[str, bytes] | None = None
    ) -> None:
        self.heard: list[Inbound] = []
        self.disconnects: list[str] = []
        self.connects = 0
        self._auto_ack = auto_ack
        self._up = threading.Event()
        subscriptions: Sequence[tuple[str, int]] = [(name, 1) for name in filters]
        self.link = Link(
            settings,
            will=will,
            subscriptions=subscriptions,
            on_message=self._on_message,
            on_connected=self._on_connected,
            on_disconnected=self._on_disconnected,
        )

    def _on_message(self, inbound: Inbound) -> None:
        self.heard.append(inbound)
        if self._auto_ack:
            self.link.ack(inbound)

    def _on_connected(self) -> None:
        self.connects += 1
        self._up.set()

    def _on_disconnected(self, reason: str) -> None:
        self._up.clear()
        self.disconnects.append(reason)

    def up(self, timeout_s: float = 10.0) -> Party:
        """Waits for the connection."""
        assert self._up.wait(timeout_s), self.link.stats()
        return self

    def payloads(self, topic: str | None = None) -> list[bytes]:
        """What was heard, in order."""
        return [inbound.payload for inbound in list(self.heard) if topic is None or inbound.topic == topic]

    def __enter__(self) -> Self:
        self.link.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.link.stop()
