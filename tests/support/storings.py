"""What the tests of storing put into a journal and wait for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from gateway.store.base import SeriesKey
from gateway.storing import Storing
from support.messages import SECOND, T0, Node
from wire import journal as wire_journal
from wire.codec import Codec
from wire.journal import Journal
from wire.messages import NodeMessage

TEMP = SeriesKey("bakery", "oven-pi", "oven", "temp")


def until(true: Callable[[], bool], timeout_s: float = 15.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def append(journal: Journal, messages: Sequence[NodeMessage], codec: Codec | None = None) -> None:
    codec = codec or Codec()
    journal.append(
        [wire_journal.Record("telemetry", codec.encode(message), time.time_ns()) for message in messages], commit=True
    )


def telemetry(node: Node, count: int) -> list[NodeMessage]:
    """One value a second from T0 on, numbered like the messages."""
    first = node.seq + 1
    return [node.telemetry(T0 + n * SECOND, {"temp": [float(n)]}) for n in range(first, first + count)]


def settled(storing: Storing) -> Callable[[], bool]:
    return lambda: storing.stats().backlog == 0
