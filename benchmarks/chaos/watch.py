"""Looks at the site while it is broken: who is heard again, and how long that took after each mending."""

from __future__ import annotations

import sqlite3
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.chaos.schedule import Action
from werkpuls.demo.client import GatewayClient
from werkpuls.demo.site import RECEIVERS, Site


@dataclass(slots=True)
class _Waiting:
    kind: str
    since_s: float
    nodes: dict[str, int]
    stored: int


@dataclass(slots=True)
class Watch:
    """The gateway's own counters, as its API gives them.

    `last` never goes back and survives the gateway: that it grows for every node is the sign that messages flow again.
    """

    site: Site
    client: GatewayClient
    last: dict[str, int] = field(default_factory=dict)
    online: set[str] = field(default_factory=set)
    stats: dict[str, Any] = field(default_factory=dict)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    machines: list[dict[str, Any]] = field(default_factory=list)
    recovered_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    answers: bool = False
    well: bool = False
    """Whether the gateway says that everything works."""
    looks: int = 0
    slowest_s: float = 0.0
    """The longest that the gateway let one look wait while it ran."""
    _waiting: list[_Waiting] = field(default_factory=list)

    def look(self) -> None:
        """Asks once."""
        began = time.monotonic()
        nodes = self.client.get("/api/v1/nodes")
        stats = self.client.get("/api/v1/stats")
        self.answers = nodes is not None and stats is not None
        if not self.answers:
            return
        self.stats = stats
        for node in nodes:
            if node["origin"] == "sense":
                self.last[node["node"]] = node["last"]
        self.online = {node["node"] for node in nodes if node["online"] and node["last"] > 0}
        self.deliveries = self.client.get("/api/v1/deliveries") or self.deliveries
        self.machines = self.client.get("/api/v1/machines") or self.machines
        self.well = self.client.get("/health") is not None
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        self._check_recoveries()
        self.looks += 1

    def mended(self, action: Action) -> None:
        """Begins to count the seconds until everything flows again."""
        if action.kind != "receiver":
            nodes = {node: self.held(node) for node in self.site.nodes}
            self._waiting.append(_Waiting(action.kind, time.monotonic(), nodes, self.stats.get("points", 0)))

    def held(self, node: str) -> int:
        """The newest number in a node's journal, read beside its owner; 0 while it cannot be read."""
        return newest(self.site.state(node) / "sense" / "journal.sqlite")

    def standing(self) -> bool:
        """Whether every node is heard."""
        return self.answers and self.online >= set(self.site.nodes)

    def behind(self) -> int:
        """Messages in the nodes' journals that the gateway has not."""
        return sum(max(self.held(node) - self.last.get(node, 0), 0) for node in self.site.nodes)

    def drained(self, *, store: bool) -> bool:
        """Whether store, alerts and every receiver have all that the gateway has."""
        pending = sum(target["pending"] for target in self.deliveries)
        backlog = self.stats.get("backlog", 1) if store else 0
        return self.answers and len(self.deliveries) >= len(RECEIVERS) and not (
            backlog or self.stats.get("alerts_backlog", 1) or pending
        )  # fmt: skip

    def _check_recoveries(self) -> None:
        now = time.monotonic()
        for waiting in list(self._waiting):
            flows = all(self.last.get(node, 0) > seq for node, seq in waiting.nodes.items())
            if self.stats["points"] < waiting.stored:
                waiting.stored = 0  # a new gateway counts anew
            stores = waiting.kind != "store" or self.stats["points"] > waiting.stored
            if flows and stores:
                self._waiting.remove(waiting)
                self.recovered_s[waiting.kind].append(now - waiting.since_s)


def newest(path: Path) -> int:
    """The highest number in a journal's file that may be in use; 0 when it cannot be read now."""
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=1.0)
    except sqlite3.Error:
        return 0
    try:
        rows = [connection.execute(f"SELECT max(seq) FROM {table}").fetchone()[0] for table in ("telemetry", "events")]  # noqa: S608  # two constants
    except sqlite3.Error:
        return 0
    finally:
        connection.close()
    return max(int(row or 0) for row in rows)
