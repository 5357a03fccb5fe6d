"""Which alert an observation, a moment or a person's word concerns. Pure over a `Book`, which is where alerts are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from gateway.alerts import SECOND_NS, SYSTEM, Alert, Change, Fault, Observation, Policy, State
from gateway.lifecycle import begin, clear, confirm, pass_time, reopen, resolve, restate, sight, take_over
from gateway.pen import Pen
from gateway.related import Relation


class AlertError(Exception):
    """A person's command that cannot be carried out."""


class UnknownAlert(AlertError):
    """There is no alert of that id."""


class WrongState(AlertError):
    """The alert is not in a state in which that makes sense."""


class StaleVersion(AlertError):
    """The alert has changed since the person looked at it; look again."""


class Due(NamedTuple):
    """An alert whose time has come."""

    id: str
    machine: str


class Book(Protocol):
    """Where alerts are kept. Whatever is `put` is durable together with its history and effects, or not at all."""

    def get(self, alert: str) -> Alert | None:
        """By id."""
        ...

    def holding(self, site: str, source: str) -> Alert | None:
        """The alert that has this finding among its active or settled ones."""
        ...

    def latest(self, site: str, machine: str, key: str) -> Alert | None:
        """The alert of this trouble that is not closed; without one, the one closed last."""
        ...

    def due(self, now_ns: int) -> Sequence[Due]:
        """Alerts whose `due_ns` has come."""
        ...

    def put(self, change: Change) -> None:
        """Keeps the alert, appends its history, performs its effects."""
        ...


class Triage:
    """Routes to the right alert. One transaction's worth of work at a time; the book is the only state."""

    def __init__(self, book: Book, policy: Policy) -> None:
        self._book = book
        self._policy = policy

    def observe(self, seen: Observation) -> None:
        """A report from a node."""
        held = self._held(seen)
        if held is not None and held.kind != seen.kind:
            self._book.put(clear(held, seen.source, seen.at_ns, self._policy))
            held = None
        if seen.state == "cleared":
            if held is not None:
                self._book.put(clear(held, seen.source, seen.at_ns, self._policy))
            return
        if held is not None and not held.state.closed:
            self._again(held, seen)
        elif held is not None and self._settled(held, seen):
            self._book.put(Change(_touched(held, seen)))
        else:
            self._anew(seen, held)

    def tick(self, now_ns: int) -> int:
        """Lets time pass for every alert that waits for it; returns how many changed."""
        due = self._book.due(now_ns)
        for listed in due:
            self.wait(listed.id, now_ns)
        return len(due)

    def wait(self, alert: str, now_ns: int) -> None:
        """Lets time pass for one alert, as it is now: one before it may have changed it."""
        held = self._book.get(alert)
        if held is not None:
            self._present(held, now_ns)

    def acknowledge(
        self,
        alert: str,
        *,
        by: str,
        at_ns: int,
        note: str = "",
        fault: Fault | None = None,
        version: int | None = None,
    ) -> Alert:
        """Somebody takes it on, and may say what it is. Acknowledging again changes the owner."""
        pen = self._pen(alert, version, visible=True)
        pen.write("acknowledged", at_ns, by=by, text=note, state=State.ACKNOWLEDGED, owner=by)
        _found(pen, fault, at_ns, by)
        return self._keep(pen)

    def confirm(self, alert: str, *, fault: Fault, by: str, at_ns: int, version: int | None = None) -> Alert:
        """It was a fault, and this is what it was; also of an alert that is over.

        Raises:
            WrongState: also for what is no machine's alert, or never became one.
        """
        pen = self._pen(alert, version, visible=False)
        if pen.alert.opened_ns is None:
            raise WrongState(f"alert {alert} is {pen.alert.state}")
        _found(pen, fault, at_ns, by)
        return self._keep(pen)

    def snooze(
        self, alert: str, *, until_ns: int, by: str, at_ns: int, note: str = "", version: int | None = None
    ) -> Alert:
        """Hides it until a moment, or until it gets worse.

        Raises:
            WrongState: also when `until_ns` is not in the future.
        """
        if until_ns <= at_ns:
            raise WrongState("a snooze ends in the future")
        pen = self._pen(alert, version, visible=True)
        pen.write("snoozed", at_ns, by=by, text=note, snoozed_until_ns=until_ns)
        return self._keep(pen)

    def resolve(  # one argument per thing that a person can say with it
        self,
        alert: str,
        *,
        done: str,
        by: str,
        at_ns: int,
        new_normal: bool = False,
        fault: Fault | None = None,
        version: int | None = None,
    ) -> Alert:
        """Somebody did something about it, and says what; `new_normal`: the model takes what follows as normal."""
        pen = self._pen(alert, version, visible=True)
        machine = pen.alert.kind == "machine"
        _found(pen, fault, at_ns, by)
        resolve(pen, at_ns, by=by, resolution="done", text=done)
        if machine and new_normal:
            pen.instruct("confirm_normal", by)
        return self._keep(pen)

    def false_alarm(self, alert: str, *, by: str, at_ns: int, note: str = "", version: int | None = None) -> Alert:
        """There was nothing; the node's model is told to take it as normal."""
        pen = self._pen(alert, version, visible=True)
        machine = pen.alert.kind == "machine"
        resolve(pen, at_ns, by=by, resolution="false_alarm", text=note)
        if machine:
            pen.instruct("false_alarm", by)
        return self._keep(pen)

    def note(self, alert: str, *, text: str, by: str, at_ns: int, version: int | None = None) -> Alert:
        """Adds a line to the history of any alert."""
        pen = self._pen(alert, version, visible=False)
        pen.write("note", at_ns, by=by, text=text)
        return self._keep(pen)

    def relate(self, alert: str, relation: Relation, *, at_ns: int) -> bool:
        """What of the machine moved with its goods was found; False where the alert is over or says so already.

        People are not told again for it: it stands with the alert.
        """
        held = self._book.get(alert)
        if held is None or held.state.closed or held.relation == relation:
            return False
        pen = Pen(held)
        pen.write("related", at_ns, text=relation.text, relation=relation)
        if held.state.visible:
            restate(pen, at_ns)
        self._keep(pen)
        return True

    def _held(self, seen: Observation) -> Alert | None:
        held = self._book.holding(seen.site, seen.source)
        if held is None:
            return None
        self._present(held, seen.at_ns)
        return self._book.holding(seen.site, seen.source)

    def _latest(self, seen: Observation) -> Alert | None:
        latest = self._book.latest(seen.site, seen.machine, seen.key)
        return self._present(latest, seen.at_ns) if latest is not None else None

    def _present(self, alert: Alert, at_ns: int) -> Alert:
        # A backlog of a day arrives in seconds: what time alone had done by then comes before what is reported now.
        change = pass_time(alert, at_ns, self._policy)
        if not change.entries and not change.effects:
            return alert
        if alert.state.closed and not change.alert.state.closed:
            other = self._book.latest(alert.site, alert.machine, alert.key)
            if other is not None and other.id != alert.id and not other.state.closed:
                mine, theirs = take_over(alert, other, at_ns, self._policy)
                self._book.put(mine)
                self._book.put(theirs)
                return mine.alert
        self._book.put(change)
        return change.alert

    def _again(self, held: Alert, seen: Observation) -> None:
        if seen.key == held.key:
            self._book.put(sight(held, seen, self._policy))
            return
        other = self._latest(seen)
        if other is None or other.state.closed:
            self._book.put(sight(held, seen, self._policy))
            return
        left = clear(held, seen.source, seen.at_ns, self._policy)
        self._book.put(left)
        if not left.alert.active:
            pen = Pen(left.alert)
            resolve(pen, seen.at_ns, by=SYSTEM, resolution="merged", text=other.id)
            self._book.put(pen.change())
        self._book.put(sight(other, seen, self._policy))

    def _anew(self, seen: Observation, held: Alert | None) -> None:
        latest = self._latest(seen)
        if held is not None and (latest is None or latest.id != held.id):
            self._book.put(clear(held, seen.source, seen.at_ns, self._policy))
        if latest is None:
            self._begin(seen)
        elif not latest.state.closed:
            self._book.put(sight(latest, seen, self._policy))
        elif latest.resolution not in {"merged", "retired"} and self._recent(latest, seen.at_ns):
            self._book.put(reopen(latest, seen, self._policy))
        else:
            self._begin(seen)

    def _begin(self, seen: Observation) -> None:
        change, taken = begin(seen, self._policy), 0
        while self._book.get(change.alert.id) is not None:
            taken += 1
            change = begin(seen, self._policy, taken=taken)
        self._book.put(change)

    def _recent(self, alert: Alert, at_ns: int) -> bool:
        window_s = self._policy.flap_window_s if alert.state is State.PASSED else self._policy.reopen_s
        return at_ns - (alert.resolved_ns or 0) <= window_s * SECOND_NS

    @staticmethod
    def _settled(held: Alert, seen: Observation) -> bool:
        known = held.settled.get(seen.source)
        return known is not None and seen.severity.rank <= known.rank

    def _pen(self, alert_id: str, version: int | None, *, visible: bool) -> Pen:
        alert = self._book.get(alert_id)
        if alert is None:
            raise UnknownAlert(f"no alert {alert_id!r}")
        if version is not None and version != alert.version:
            raise StaleVersion(f"alert {alert_id} is at version {alert.version}, not {version}")
        if visible and not alert.state.visible:
            raise WrongState(f"alert {alert_id} is {alert.state}")
        return Pen(alert)

    def _keep(self, pen: Pen) -> Alert:
        self._book.put(pen.change())
        return pen.alert


def _found(pen: Pen, fault: Fault | None, at_ns: int, by: str) -> None:
    if fault is None:
        return
    if pen.alert.kind != "machine":
        raise WrongState(f"alert {pen.alert.id} is about a {pen.alert.kind}, which has no cause to confirm")
    confirm(pen, fault, at_ns, by=by)


def _touched(alert: Alert, seen: Observation) -> Alert:
    pen = Pen(alert)
    pen.set(last_seen_ns=max(alert.last_seen_ns, seen.at_ns))
    return pen.alert
