"""Findings, observations and ledgers for tests of everything between a finding and an action."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gateway.alerts import Alert, Change, Entry, Notify, Observation, Policy, Publish
from gateway.costs import Costs, MachineFacts
from gateway.ledger import Ledger
from gateway.lifecycle import due_ns
from gateway.translate import Translator
from gateway.triage import Due, Triage
from gateway.wording import Wording
from wire.codec import Codec
from wire.messages import Finding, Inspection, Item, Severity, Trust

SECOND = 1_000_000_000
START = 1_780_000_000 * SECOND
KEY = b"0123456789abcdef0123456789abcdef"


class Clock:
    """A wall clock that a test moves by hand."""

    def __init__(self, now_ns: int = START) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        return self.now_ns

    def pass_s(self, seconds: float) -> int:
        """Lets time pass; returns the new time."""
        self.now_ns += round(seconds * SECOND)
        return self.now_ns


def seen(at_s: float, **changes: Any) -> Observation:
    """An observation at so many seconds after START."""
    at_ns = START + round(at_s * SECOND)
    fields: dict[str, Any] = {
        "site": "bakery",
        "node": "pi-1",
        "origin": "sense",
        "id": "f1",
        "machine": "mixer",
        "kind": "machine",
        "state": "open",
        "cause": "bearing_outer",
        "severity": Severity.WARNING,
        "at_ns": at_ns,
        "since_ns": at_ns,
    }
    return Observation(**{**fields, **changes})


class MemoryBook:
    """A `Book` in memory; remembers every effect."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.alerts: dict[str, Alert] = {}
        self.history: list[Entry] = []
        self.effects: list[object] = []

    def get(self, alert: str) -> Alert | None:
        return self.alerts.get(alert)

    def holding(self, site: str, source: str) -> Alert | None:
        found = [a for a in self.alerts.values() if a.site == site and source in a.held]
        assert len(found) <= 1
        return found[0] if found else None

    def latest(self, site: str, machine: str, key: str) -> Alert | None:
        found = [a for a in self.alerts.values() if (a.site, a.machine, a.key) == (site, machine, key)]
        return min(found, key=lambda a: (a.state.closed, -(a.resolved_ns or 0)), default=None)

    def due(self, now_ns: int) -> list[Due]:
        found = [(due_ns(a, self.policy), a) for a in self.alerts.values()]
        return [Due(a.id, a.machine) for moment, a in found if moment is not None and moment <= now_ns]

    def put(self, change: Change) -> None:
        self.alerts[change.alert.id] = change.alert
        self.history += change.entries
        self.effects += change.effects

    def told(self, kind: type[Notify | Publish]) -> list[str]:
        """Reasons of the effects of one kind, in order."""
        return [
            effect.reason for effect in self.effects if isinstance(effect, Notify | Publish) and type(effect) is kind
        ]


def envelope(seq: int, at_ns: int, **changes: Any) -> dict[str, Any]:
    """What every message carries."""
    fields: dict[str, Any] = {
        "site": "bakery",
        "node": "pi-1",
        "origin": "sense",
        "log": "log-a",
        "seq": seq,
        "prev": seq - 1,
        "boot": "boot-1",
        "time_ns": at_ns,
        "trust": Trust.SYNCED,
    }
    return {**fields, **changes}


def finding(seq: int, at_ns: int, **changes: Any) -> bytes:
    """A finding as it travels."""
    fields: dict[str, Any] = {
        "id": "f1",
        "machine": "mixer",
        "type": "machine",
        "state": "open",
        "cause": "bearing_outer",
        "severity": Severity.ALARM,
        "since_ms": 0.0,
    }
    return Codec().encode(Finding(**{**envelope(seq, at_ns), **fields, **changes}))


def inspection(seq: int, at_ns: int, *, good: int, bad: int, **changes: Any) -> bytes:
    """An inspection as it travels."""
    box = (0.1, 0.1, 0.1, 0.1)
    items = [Item(box=box, label="good", verdict="good", confidence=0.9)] * good
    items += [Item(box=box, label="broken", verdict="reject", confidence=0.8)] * bad
    fields: dict[str, Any] = {
        "id": f"i{seq}",
        "machine": "oven",
        "camera": "belt",
        "product": "roll",
        "batch": "b1",
        "items": items,
    }
    return Codec().encode(Inspection(**{**envelope(seq, at_ns, origin="watch"), **fields, **changes}))


def translator() -> Translator:
    """With costs for mixer and rolls, in both languages."""
    return Translator(
        Costs(energy_price_per_kwh=0.3, item_cost={"roll": 0.25}),
        [
            MachineFacts(
                name="mixer",
                title="Spiralkneter",
                capacity_share=0.5,
                hourly_downtime_cost=120.0,
                outage_hours={"default": 8.0, "bearing": 6.0},
                repair_cost={"bearing": 900.0},
            )
        ],
        [Wording(language, titles={"mixer": "Spiralkneter"}) for language in ("de", "en")],
    )


def ledger(folder: Path, clock: Clock, **changes: Any) -> Ledger:
    """A ledger in a folder, with a translator."""
    fields: dict[str, Any] = {"policy": Policy(), "translator": translator(), "now_ns": clock}
    return Ledger(folder / "ledger.sqlite", **{**fields, **changes})


def alarm(book: Ledger, **changes: object) -> str:
    """Opens an alert of a machine; its id."""
    with book.transaction() as work:
        Triage(work, book.policy).observe(seen(0, severity=Severity.ALARM, **changes))
    return next(a.id for a in book.open_alerts() if a.machine == changes.get("machine", "mixer"))
