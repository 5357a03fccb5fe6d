"""What happens in a demo: wait until the chain stands, break things on time or on a key, watch, stop, compare."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import msgspec

from gateway.wording import Wording
from werkpuls.demo.client import GatewayClient
from werkpuls.demo.goods import Goods, inspected
from werkpuls.demo.plan import CAMERA, MachinePlan
from werkpuls.demo.processes import Usage
from werkpuls.demo.proof import EmbeddedTimes, Proof, prove
from werkpuls.demo.site import RECEIVERS, SITE, Site
from werkpuls.words import Words

DRAIN_S = 20.0
LOOK_S = 0.25


@dataclass(slots=True)
class FaultRun:
    """One fault that was asked for, and what became of it."""

    name: str
    machine: MachinePlan
    due_s: float
    """Seconds after the chain stood."""
    command: str | None = None
    injected_ns: int | None = None
    """When the gateway had the command, nanoseconds since the epoch."""
    refused: str = ""
    alert: str | None = None
    alert_after_s: float | None = None
    """From the command to the opening of the alert."""
    cause: str = ""
    """What it was first called, once it had a name."""
    last_cause: str = ""
    """What it was called last."""
    severity: str = ""
    receivers_after_s: dict[str, float] = field(default_factory=dict)
    goods_after_s: float | None = None
    """From the command to the opening of an alert about the machine's goods."""
    goods_cause: str = ""


@dataclass(slots=True)
class Look:
    """The site as the API shows it at one moment."""

    stats: dict[str, Any] = field(default_factory=dict)
    machines: list[dict[str, Any]] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    """Open ones."""
    history: list[dict[str, Any]] = field(default_factory=list)
    """Every alert of the run, at its end."""
    nodes: list[dict[str, Any]] = field(default_factory=list)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    goods: list[dict[str, Any]] = field(default_factory=list)
    """Today's items by machine and product."""
    batches: list[dict[str, Any]] = field(default_factory=list)
    """Of goods, the latest first."""
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


class Show:
    """One run of the demo. `begin`, then `turn` a few times a second, then `end`."""

    def __init__(self, site: Site, faults: list[FaultRun], language: str) -> None:
        self.site = site
        self.faults = faults
        self.wording = Wording(
            language, zone=_here(), titles={machine.name: machine.titles[language] for machine in site.machines}
        )
        self.words = Words(language)
        self.look = Look()
        self.goods = Goods()
        """What the camera saw, once everything has stopped."""
        self._client = GatewayClient(site.url)
        self._language = language
        self._began_s: float | None = None
        self._read: dict[str, int] = dict.fromkeys(RECEIVERS, 0)
        self.latency_samples: list[float] = []

    @property
    def running_s(self) -> float:
        """Seconds since every node was online; 0 before."""
        return 0.0 if self._began_s is None else time.monotonic() - self._began_s

    def begin(self) -> None:
        """Starts every process.

        Raises:
            ProcessFailed: one of them did not come up.
        """
        self.site.start()

    def turn(self) -> None:
        """Looks, and does what is due.

        Raises:
            ProcessFailed: a process ended that nobody stopped.
        """
        self.site.tend()
        for child in self.site.children.values():
            child.require_running()
        self._observe()
        if self._began_s is None and self._standing():
            self._began_s = time.monotonic()
        for fault in self.faults:
            self._attend(fault)

    def ask(self, name: str, machine: MachinePlan) -> None:
        """A person pressed a key: this fault now."""
        self.faults.append(FaultRun(name, machine, self.running_s))

    def heal(self) -> None:
        """Takes every injected fault away again."""
        for machine in self.site.machines:
            if machine.faults:
                self._command(machine, {"action": "clear_fault"})

    def acknowledge(self) -> None:
        """Takes on the worst open alert, as the button on the page does."""
        for view in self.look.alerts:
            if view["alert"]["state"] == "open":
                self._client.post(f"/api/v1/alerts/{view['alert']['id']}/acknowledge", {"by": "demo"})
                return

    def end(self) -> tuple[Proof, dict[str, Usage]]:
        """Stops the sources, lets everything arrive, stops the rest, compares, and counts what the camera saw."""
        self._observe()
        self.site.stop_nodes()
        deadline = time.monotonic() + DRAIN_S
        while time.monotonic() < deadline and not self._drained():
            time.sleep(0.2)
        self._observe()
        for fault in self.faults:
            if fault.command is not None and not fault.refused:
                self._follow(fault)
        self.look.history = self._client.get("/api/v1/alerts", state="all", lang=self._language) or self.look.alerts
        usage = {name: child.usage() for name, child in self.site.children.items()}
        self._client.close()
        self.site.stop()
        return self._compare(), usage

    def _compare(self) -> Proof:
        site = self.site
        gateway = site.state("gateway") / "journal.sqlite"
        self.goods = inspected(gateway)
        times = EmbeddedTimes(site.state("gateway") / "store")
        camera = site.state(CAMERA.node) / "watch" / "journal.sqlite"
        try:
            return prove(
                {node: site.state(node) / "sense" / "journal.sqlite" for node in site.nodes},
                gateway,
                times,
                SITE,
                watch_journals={CAMERA.node: camera} if camera.exists() else None,
            )
        finally:
            times.close()

    def _observe(self) -> None:
        look = self.look
        for name in ("stats", "machines", "nodes", "deliveries"):
            answer = self._client.get(f"/api/v1/{name}")
            if answer is not None:
                setattr(look, name, answer)
        alerts = self._client.get("/api/v1/alerts", lang=self._language)
        if alerts is not None:
            look.alerts = alerts
        if self.site.sees:
            look.goods = self._client.get("/api/v1/goods/today") or look.goods
            look.batches = self._client.get("/api/v1/goods/batches", limit=1) or look.batches
        for name in RECEIVERS:
            look.events.setdefault(name, []).extend(self._new_events(name))

    def _new_events(self, receiver: str) -> list[dict[str, Any]]:
        path: Path = self.site.received(receiver)
        if not path.exists():
            return []
        with path.open("rb") as file:
            file.seek(self._read[receiver])
            lines = [line for line in file.readlines() if line.endswith(b"\n")]
        self._read[receiver] += sum(map(len, lines))
        return [msgspec.json.decode(line) for line in lines]

    def _standing(self) -> bool:
        daemons = [node for node in self.look.nodes if node["online"] and node["last"] > 0]
        online = {node["node"] for node in daemons if node["origin"] == "sense"}
        return online >= set(self.site.nodes)

    def _drained(self) -> bool:
        stats = self._client.get("/api/v1/stats")
        deliveries = self._client.get("/api/v1/deliveries")
        if stats is None or deliveries is None:
            return False
        waiting = sum(int(target["pending"]) for target in deliveries)
        return not (stats["backlog"] or stats["alerts_backlog"] or waiting)

    def _attend(self, fault: FaultRun) -> None:
        if fault.refused:
            return
        if fault.command is None:
            if self._began_s is not None and self.running_s >= fault.due_s and self._learned(fault.machine):
                answer = self._command(fault.machine, {"action": "inject_fault", "fault": fault.name})
                if answer and "id" in answer:
                    fault.command, fault.injected_ns = answer["id"], time.time_ns()
            return
        fate = self._client.get(f"/api/v1/commands/{fault.command}")
        if fate is not None and fate["state"] in ("refused", "expired"):
            fault.refused = fate["reason"] or fate["state"]
        self._follow(fault)

    def _follow(self, fault: FaultRun) -> None:
        """Finds the alerts that the fault caused, and when each receiver heard of the machine's."""
        injected_ns = fault.injected_ns or 0
        for view in self.look.alerts:
            alert = view["alert"]
            if alert["machine"] != fault.machine.name or (alert["opened_ns"] or 0) < injected_ns:
                continue
            if alert["kind"] == "quality":
                if fault.goods_after_s is None:
                    fault.goods_after_s, fault.goods_cause = (alert["opened_ns"] - injected_ns) / 1e9, alert["cause"]
            elif fault.alert in (None, alert["id"]):
                fault.alert, fault.last_cause, fault.severity = alert["id"], alert["cause"], alert["severity"]
                if fault.cause in ("", "unknown"):
                    # What it is becomes clearer within seconds.
                    fault.cause = alert["cause"]
                fault.alert_after_s = (alert["opened_ns"] - injected_ns) / 1e9
        for name, events in self.look.events.items():
            if name not in fault.receivers_after_s and fault.alert is not None:
                told = any(
                    fault.alert in (event["data"].get("alert"), event["data"].get("reference")) for event in events
                )
                if told:
                    fault.receivers_after_s[name] = (time.time_ns() - injected_ns) / 1e9

    def _learned(self, machine: MachinePlan) -> bool:
        return any(m["machine"] == machine.name and m["learned"] >= 1.0 for m in self.look.machines)

    def _command(self, machine: MachinePlan, body: dict[str, Any]) -> Any:
        return self._client.post(f"/api/v1/machines/{machine.node}/{machine.name}/commands", {**body, "by": "demo"})


def _here() -> tzinfo:
    """The time zone of this computer."""
    return datetime.now(tz=UTC).astimezone().tzinfo or UTC


def until(show: Show, seconds: float | None, stopped: Callable[[], bool], draw: Callable[[], None]) -> None:
    """Turns until the time is up or somebody has had enough.

    Args:
        show: begun.
        seconds: counted from when every node was online; None: until `stopped`.
        stopped: whether to end now.
        draw: called after every turn.
    """
    while not stopped() and (seconds is None or show.running_s < seconds):
        began = time.monotonic()
        show.turn()
        draw()
        time.sleep(max(LOOK_S - (time.monotonic() - began), 0.0))
