"""A node's and a gateway's end of the protocol over a real broker, with real journals and a real clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from edge.publisher import READER, Publisher
from gateway.ingest import Ingest
from support.broker import until
from support.parties import config
from wire.clock import Clock
from wire.codec import Codec
from wire.commands import Command
from wire.envelope import Envelope
from wire.journal import Journal, Record
from wire.messages import NodeMessage, Series, Telemetry

SITE = "bakery"
FAR_NS = 4_102_444_800_000_000_000


def synced_clock() -> Clock:
    """A clock that knows the time."""
    clock = Clock(synced=lambda: True)
    clock.poll()
    return clock


class Node:
    """One daemon of a node: journal, clock, publisher. `open` again after `close` is a restart."""

    def __init__(
        self,
        folder: Path,
        port: int,
        *,
        name: str = "oven-pi",
        clock: Callable[[], Clock] = synced_clock,
        max_bytes: int = 8_000_000,
        **publisher: Any,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{name}.db"
        self.name = name
        self.port = port
        self.commands: list[Command] = []
        self.link: dict[str, Any] = {}
        self._make_clock = clock
        self._max_bytes = max_bytes
        self._publisher_options = publisher
        self._number = 0
        self.open()

    def open(self) -> None:
        """Opens the journal and starts publishing."""
        self.journal = Journal(
            self.path,
            readers=[READER],
            max_bytes=self._max_bytes,
            commit_interval_s=0.02,
            free_bytes=lambda _path: 1 << 40,
        )
        self.clock = self._make_clock()
        self.envelope = Envelope(SITE, self.name, "sense", self.journal.log)
        options = {"stall_s": 0.5, **self._publisher_options}
        self.publisher = Publisher(
            self.journal,
            self.envelope,
            self.clock,
            config(self.port, f"{self.name}-sense", **self.link),
            on_command=self.commands.append,
            **options,
        )
        self.publisher.start()

    def close(self) -> None:
        """Stops publishing and closes the journal."""
        self.publisher.stop()
        self.journal.close()

    def produce(self, count: int, *, size: int = 3, event: bool = False) -> list[int]:
        """Appends that many telemetry messages whose first value is a running number; these numbers."""
        numbers = list(range(self._number, self._number + count))
        self._number += count
        records = []
        for number in numbers:
            series = Series(unit="mm/s", values=[float(number), *([0.5] * (size - 1))], step_ms=1.0)
            message = self.envelope.new(Telemetry, self.clock.boot, machine="oven", series={"vibration": series})
            draft = self.envelope.draft(message)
            records.append(Record(draft.stream, draft.body, self.clock.monotonic_ns(), draft.boot, event))
        self.journal.append(records)
        return numbers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Gateway:
    """The gateway's end: journal and ingest."""

    def __init__(
        self,
        folder: Path,
        port: int,
        *,
        max_bytes: int = 64_000_000,
        link: Mapping[str, Any] | None = None,
        **ingest: Any,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "gateway.db"
        self.port = port
        self._max_bytes = max_bytes
        self._link = dict(link or {})
        self._options = ingest
        self._codec = Codec()
        self.open()

    def open(self) -> None:
        """Opens the journal and starts taking in."""
        self.journal = Journal(
            self.path,
            readers=["store"],
            max_bytes=self._max_bytes,
            commit_interval_s=0.02,
            free_bytes=lambda _path: 1 << 40,
        )
        self.ingest = Ingest(
            SITE, self.journal, config(self.port, "gateway", **self._link), beacon_s=0.2, **self._options
        )
        self.ingest.start()

    def up(self) -> Self:
        """Waits for the connection."""
        until(lambda: self.ingest.stats().link.connected)
        return self

    def close(self) -> None:
        """Stops taking in and closes the journal."""
        self.ingest.stop()
        self.journal.close()

    def messages(self, node: str = "oven-pi") -> list[NodeMessage]:
        """Everything in the journal of that node, in order."""
        entries = self.journal.read(0, limit=1_000_000, max_bytes=1 << 30)
        decoded = [self._codec.decode(entry.payload, now_ns=FAR_NS) for entry in entries]
        return [message for message in decoded if message.node == node]

    def numbers(self, node: str = "oven-pi") -> list[int]:
        """The running numbers of `Node.produce`, in order of arrival."""
        telemetry = [message for message in self.messages(node) if isinstance(message, Telemetry)]
        return [int(message.series["vibration"].values[0] or 0) for message in telemetry]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
