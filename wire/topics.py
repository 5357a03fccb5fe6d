"""Topic names, built and parsed in one place.

`werkpuls/v1/<site>/<node>/<stream>` carries a node's messages; control topics add the origin:
`…/status/<origin>` (retained, last will), `…/ack/<origin>` and `…/command/<origin>` (gateway to node).
The gateway speaks for the whole site under the reserved node name `gateway`.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, TypeAlias, get_args

from wire.codec import Refused
from wire.messages import NAME_PATTERN, Message

ROOT = "werkpuls/v1"
GATEWAY = "gateway"

Stream: TypeAlias = Literal["telemetry", "condition", "finding", "inspection", "health", "reply"]
STREAMS: tuple[str, ...] = get_args(Stream)
CONTROLS = ("status", "ack", "command")
_NAME = re.compile(NAME_PATTERN)


class Topic(NamedTuple):
    """A parsed topic; `origin` is empty for data streams."""

    site: str
    node: str
    stream: str
    origin: str = ""


def data(site: str, node: str, stream: str) -> str:
    """Where a node publishes messages of one kind."""
    return f"{ROOT}/{site}/{node}/{stream}"


def of(message: Message) -> str:
    """The topic a message belongs under; its stream is the message's kind."""
    return data(message.site, message.node, str(message.__struct_config__.tag))


def status(site: str, node: str, origin: str) -> str:
    """Retained online/offline status of one daemon, also its last will."""
    return f"{ROOT}/{site}/{node}/status/{origin}"


def ack(site: str, node: str, origin: str) -> str:
    """Where the gateway says how far a daemon's log is durable."""
    return f"{ROOT}/{site}/{node}/ack/{origin}"


def command(site: str, node: str, origin: str) -> str:
    """Where one daemon receives commands."""
    return f"{ROOT}/{site}/{node}/command/{origin}"


def time(site: str) -> str:
    """The gateway's time beacon."""
    return f"{ROOT}/{site}/{GATEWAY}/time"


def gateway_status(site: str) -> str:
    """Retained status of the gateway, also its last will."""
    return status(site, GATEWAY, GATEWAY)


def ingest_filters(site: str) -> tuple[str, ...]:
    """What the gateway subscribes to: every stream and status of every node of its site."""
    return (*(data(site, "+", stream) for stream in STREAMS), f"{ROOT}/{site}/+/status/+")


def parse(topic: str) -> Topic:
    """Splits and validates a topic.

    Raises:
        Refused: kind `topic`.

    >>> parse("werkpuls/v1/bakery/oven-pi/telemetry")
    Topic(site='bakery', node='oven-pi', stream='telemetry', origin='')
    """
    parts = topic.split("/")
    if len(parts) in (5, 6) and parts[:2] == ROOT.split("/"):
        site, node, stream = parts[2:5]
        origin = parts[5] if len(parts) == 6 else ""
        named = all(_NAME.match(part) for part in (site, node))
        if named and ((stream in STREAMS and not origin) or (stream in CONTROLS and _NAME.match(origin))):
            return Topic(site, node, stream, origin)
    raise Refused("topic", f"not a Werkpuls topic: {topic[:120]!r}")
