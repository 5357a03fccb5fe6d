"""What one step of an alert's life changes: fields, entries in its history, and who is told."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.alerts import SYSTEM, Alert, Change, Effect, Entry, Fault, Instruct, Notify, Publish, Reason
from wire.commands import Action


class Pen:
    """Collects what one step changes; `version` counts the entries written."""

    def __init__(self, alert: Alert) -> None:
        self.alert = alert
        self._entries: list[Entry] = []
        self._effects: list[tuple[type[Notify | Publish], Reason]] = []
        self._instructions: list[tuple[Action, str, Fault | None]] = []

    def set(self, **changes: Any) -> None:
        """Changes fields without an entry."""
        self.alert = msgspec.structs.replace(self.alert, **changes)

    def write(self, what: str, at_ns: int, *, by: str = SYSTEM, text: str = "", **changes: Any) -> None:
        """Changes fields and says so in the history."""
        self.set(version=self.alert.version + 1, **changes)
        alert = self.alert
        self._entries.append(
            Entry(
                alert=alert.id,
                version=alert.version,
                at_ns=at_ns,
                what=what,
                by=by,
                text=text,
                state=alert.state,
                severity=alert.severity,
                cause=alert.cause,
            )
        )

    def notify(self, reason: Reason, at_ns: int) -> None:
        """Tells people, once the step is done."""
        self.set(notified=self.alert.severity, notified_ns=at_ns)
        self._effects.append((Notify, reason))

    def publish(self, reason: Reason, at_ns: int) -> None:
        """Tells subscribers, once the step is done."""
        self.set(published_ns=at_ns, restate=False)
        self._effects.append((Publish, reason))

    def instruct(self, action: Action, by: str, fault: Fault | None = None) -> None:
        """Tells the node, once the step is done."""
        self._instructions.append((action, by, fault))

    def change(self) -> Change:
        """The step's result. Every effect carries the alert as it is after the whole step, so one of a kind is enough."""
        effects: list[Effect] = [kind(self.alert, reason) for kind, reason in dict(self._effects).items()]
        effects += [Instruct(self.alert, action, by, fault) for action, by, fault in self._instructions]
        return Change(self.alert, tuple(self._entries), tuple(effects))
