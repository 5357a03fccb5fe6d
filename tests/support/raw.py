"""A node spoken by hand: messages as JSON, for saying what a real node never would."""

from __future__ import annotations

import json
import time
from typing import Any

from support.parties import Party, config
from support.spine import SITE
from wire import topics
from wire.codec import Codec
from wire.link import Delivery
from wire.messages import Ack, Status


class RawNode(Party):
    """Connects as a node would and publishes what the test says."""

    def __init__(self, port: int, *, name: str = "oven-pi", log: str = "log-1") -> None:
        self.name = name
        self.log = log
        super().__init__(
            config(port, f"{name}-raw"), topics.ack(SITE, name, "sense"), topics.command(SITE, name, "sense")
        )

    def status(self, *, online: bool = True, oldest: int = 1, acked: int = 0, next: int = 1, log: str = "") -> Delivery:  # noqa: A002  # the field's name
        """Publishes the retained status."""
        status = Status(
            site=SITE,
            node=self.name,
            origin="sense",
            online=online,
            log=log or self.log,
            oldest=oldest,
            acked=acked,
            next=next,
        )
        return self.link.publish(topics.status(SITE, self.name, "sense"), Codec().encode(status), retain=True)

    def message(self, seq: int, /, **changes: Any) -> dict[str, Any]:
        """A sound telemetry message, with changes."""
        return {
            "kind": "telemetry",
            "v": 1,
            "site": SITE,
            "node": self.name,
            "origin": "sense",
            "log": self.log,
            "seq": seq,
            "prev": seq - 1,
            "boot": "boot-1",
            "time_ns": time.time_ns(),
            "trust": "synced",
            "machine": "oven",
            "series": {"vibration": {"unit": "mm/s", "values": [float(seq)]}},
        } | changes

    def say(
        self, message: dict[str, Any] | bytes, *, stream: str = "telemetry", node: str = "", qos: int = 1
    ) -> Delivery:
        """Publishes it."""
        payload = message if isinstance(message, bytes) else json.dumps(message).encode()
        return self.link.publish(topics.data(SITE, node or self.name, stream), payload, qos=qos)

    def acks(self) -> list[Ack]:
        """What the gateway acknowledged."""
        codec = Codec()
        return [codec.decode_as(Ack, payload) for payload in self.payloads(topics.ack(SITE, self.name, "sense"))]
