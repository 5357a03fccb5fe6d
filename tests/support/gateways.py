"""A whole gateway over a folder, and an HTTP client for its page; messages go straight into its journal or over a broker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.config import GatewayOptions, read_gateway
from gateway.daemon import Gateway
from gateway.ingest import IngestStats
from support.broker import free_port, until
from support.messages import Node
from wire.codec import Codec
from wire.journal import Record
from wire.messages import Condition, Finding, Message, Severity, Telemetry

PASSWORD = "correct horse battery"  # noqa: S105  # a test's
TEXT = """
site = "bakery"
language = "de"
timezone = "Europe/Berlin"
[state]
dir = "state"
[mqtt]
port = {broker}
tls = false
[journal]
min_free_mb = 0
[store]
type = "embedded"
dir = "store"
commit_s = 0.0
[alerts]
min_open_s = 0.0
clear_after_s = 0.5
[web]
port = {web}
{more_web}
[[machine]]
name = "mixer"
title = "Spiralkneter"
{more}
"""


def write_gateway(folder: Path, *, broker: int = 1, web: int = 0, more_web: str = "", more: str = "") -> Path:
    """A gateway.toml; without a broker it never connects."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "gateway.toml"
    path.write_text(TEXT.format(broker=broker, web=web or free_port(), more_web=more_web, more=more), encoding="utf-8")
    return path


def options_in(folder: Path, **values: Any) -> GatewayOptions:
    """The same, read."""
    return read_gateway(write_gateway(folder, **values))


@contextmanager
def running(folder: Path, **values: Any) -> Iterator[Gateway]:
    """A running gateway."""
    with Gateway(options_in(folder, **values)) as gateway:
        yield gateway


@contextmanager
def client(gateway: Gateway, **values: Any) -> Iterator[httpx.Client]:
    """A client of its page that trusts nothing of the environment."""
    web = gateway.options.web
    scheme = "http" if web.cert is None else "https"
    values.setdefault("verify", web.cert is not None)  # loading the authorities takes longer than a request
    with httpx.Client(base_url=f"{scheme}://127.0.0.1:{web.port}", trust_env=False, timeout=10.0, **values) as made:
        yield made


class Feed:
    """A node's messages, written straight into a gateway's journal as if they had been taken in."""

    def __init__(self, gateway: Gateway, node: str = "oven-pi", log: str = "log1") -> None:
        self.gateway = gateway
        self.node = Node(node=node, log=log)
        self._codec = Codec()

    def tell(self, message: Message) -> None:
        """Appends it."""
        stream = str(message.__struct_config__.tag)
        event = stream not in ("telemetry", "condition", "health")
        record = Record(stream, self._codec.encode(message), time.time_ns(), message.boot, event)
        self.gateway.journal.append([record], commit=True)

    def telemetry(
        self, values: dict[str, float], *, machine: str = "mixer", unit: str = "mm/s", ago_s: float = 0.0
    ) -> Telemetry:
        """One value of some channels, now or so long ago."""
        made = self.node.telemetry(
            time.time_ns() - round(ago_s * 1e9),
            {name: [value] for name, value in values.items()},
            machine=machine,
            unit=unit,
        )
        self.tell(made)
        return made

    def condition(self, *, machine: str = "mixer", **fields: Any) -> Condition:
        """What it is doing."""
        values: dict[str, Any] = {
            "regime": "running",
            "score": 1.0,
            "limit": 4.0,
            "severity": Severity.GOOD,
            "learned": 1.0,
        }
        made = Condition(machine=machine, **{**values, **self.node.envelope(time.time_ns()), **fields})
        self.tell(made)
        return made

    def finding(self, *, machine: str = "mixer", **fields: Any) -> Finding:
        """Trouble."""
        values: dict[str, Any] = {
            "id": "f1",
            "type": "machine",
            "state": "open",
            "cause": "bearing_outer",
            "severity": Severity.ALARM,
            "since_ms": 0.0,
        }
        made = Finding(machine=machine, **{**values, **fields}, **self.node.envelope(time.time_ns()))
        self.tell(made)
        return made

    def alert(self, **fields: Any) -> str:
        """Trouble, until it is an open alert; its id."""
        before = {alert.id for alert in self.gateway.ledger.open_alerts()}
        self.finding(**fields)

        def opened() -> list[str]:
            return [alert.id for alert in self.gateway.ledger.open_alerts() if alert.id not in before]

        until(lambda: bool(opened()), what="the finding became no alert")
        return opened()[0]


def hears_its_broker(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the connection stood, for tests of what is only said then; messages come straight into the journal."""
    real = gateway.ingest.stats

    def stats() -> IngestStats:
        now = real()
        return replace(now, link=replace(now.link, connected=True))

    monkeypatch.setattr(gateway.ingest, "stats", stats)
