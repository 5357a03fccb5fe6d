"""Any sequence of findings, time and people's commands keeps the promises: over a book in memory and over the real ledger."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from support.alerts import SECOND, START, Clock, MemoryBook, ledger, seen

from gateway.alerts import Alert, Entry, Fault, Instruct, Notify, Policy, Publish, State
from gateway.triage import AlertError, Triage
from wire.messages import FindingType, Severity

POLICY = Policy()
IDS = st.sampled_from(["f1", "f2", "f3"])
MACHINES = st.sampled_from(["mixer", "oven"])
CAUSES = st.sampled_from(["bearing_outer", "bearing_inner", "imbalance", "unknown"])
GRADES = st.sampled_from([Severity.WATCH, Severity.WARNING, Severity.ALARM])
PAUSES = st.sampled_from([0.0, 1.0, 20.0, 40.0, 700.0, 4000.0, 40_000.0, 90_000.0])


class Promises(RuleBasedStateMachine):
    """Drives a memory book; the subclass drives the ledger beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.book = MemoryBook(POLICY)
        self.triage = Triage(self.book, POLICY)
        self.present: dict[tuple[str, str], FindingType] = {}
        self.remembered: list[Entry] = []

    def act(self, what: str, *args: object, **kwargs: object) -> None:
        with contextlib.suppress(AlertError):
            getattr(self.triage, what)(*args, **kwargs)

    def report(self, machine: str, name: str, **changes: object) -> None:
        self.act("observe", seen(self.now_s, machine=machine, id=name, **changes))

    @property
    def now_ns(self) -> int:
        return START + round(self.now_s * SECOND)

    def some(self, number: int) -> Alert | None:
        visible = sorted((a for a in self.book.alerts.values() if a.state.visible), key=lambda a: a.id)
        return visible[number % len(visible)] if visible else None

    @rule(machine=MACHINES, name=IDS, cause=CAUSES, grade=GRADES, state=st.sampled_from(["open", "changed"]))
    def found(self, machine: str, name: str, cause: str, grade: Severity, state: str) -> None:
        self.present[machine, name] = "machine"
        self.report(machine, name, cause=cause, severity=grade, state=state)

    @rule(machine=MACHINES, channel=st.sampled_from(["vibration", "power"]), grade=GRADES)
    def sensor_broke(self, machine: str, channel: str, grade: Severity) -> None:
        self.present[machine, f"s-{channel}"] = "sensor"
        self.report(machine, f"s-{channel}", kind="sensor", cause="sensor_stuck", channel=channel, severity=grade)

    @rule(machine=MACHINES, name=st.sampled_from(["f1", "f2", "f3", "s-vibration", "s-power"]))
    def cleared(self, machine: str, name: str) -> None:
        kind = self.present.pop((machine, name), "machine")
        self.report(machine, name, kind=kind, state="cleared")

    @rule(seconds=PAUSES, ticks=st.booleans())
    def time_passes(self, seconds: float, ticks: bool) -> None:  # noqa: FBT001  # drawn by hypothesis
        self.now_s += seconds
        if ticks:
            self.act("tick", self.now_ns)
            assert not self.book.due(self.now_ns), "one tick does everything that is due"

    @rule(number=st.integers(0, 5), what=st.sampled_from(["acknowledge", "confirm", "resolve", "false_alarm", "note"]))
    def person(self, number: int, what: str) -> None:
        alert = self.some(number)
        if alert is not None:
            said: dict[str, dict[str, object]] = {
                "resolve": {"done": "repaired"},
                "note": {"text": "heard it"},
                "confirm": {"fault": Fault("belt")},
            }
            text = said.get(what, {})
            self.act(what, alert.id, by="anna", at_ns=self.now_ns, version=alert.version, **text)

    @rule(number=st.integers(0, 5), seconds=st.sampled_from([60.0, 50_000.0]))
    def snooze(self, number: int, seconds: float) -> None:
        alert = self.some(number)
        if alert is not None:
            self.act("snooze", alert.id, until_ns=self.now_ns + round(seconds * SECOND), by="anna", at_ns=self.now_ns)

    @invariant()
    def one_open_alert_per_trouble(self) -> None:
        open_keys = [(a.machine, a.key) for a in self.book.alerts.values() if not a.state.closed]
        assert len(open_keys) == len(set(open_keys))

    @invariant()
    def every_present_finding_is_somewhere(self) -> None:
        for (machine, name), kind in self.present.items():
            holder = self.book.holding("bakery", f"pi-1/sense/{machine}/{name}")
            assert holder is not None, "no finding is lost"
            assert holder.kind == kind, "a sensor's fault is never a machine's"
            assert holder.machine == machine

    @invariant()
    def nothing_waits_without_a_reason(self) -> None:
        for alert in self.book.alerts.values():
            if alert.state.closed:
                assert not alert.active
                assert alert.resolution
                assert alert.resolved_ns is not None
                assert not alert.settled or alert.resolution in {"done", "false_alarm"}
            else:
                assert not alert.settled
                assert bool(alert.active) != (alert.clear_since_ns is not None)
                assert not (alert.state is State.PENDING and alert.severity is Severity.ALARM)

    @invariant()
    def history_only_grows(self) -> None:
        assert self.book.history[: len(self.remembered)] == self.remembered
        self.remembered = list(self.book.history)
        for alert in self.book.alerts.values():
            versions = [entry.version for entry in self.book.history if entry.alert == alert.id]
            assert versions == list(range(1, alert.version + 1))

    @invariant()
    def nobody_is_told_twice(self) -> None:
        told = [(e.alert.id, e.reason) for e in self.book.effects if isinstance(e, Notify)]
        for alert in self.book.alerts.values():
            entries = [entry.what for entry in self.book.history if entry.alert == alert.id]
            assert entries.count("opened") <= 1
            assert told.count((alert.id, "opened")) == entries.count("opened")
            assert told.count((alert.id, "escalated")) <= entries.count("escalated")
            assert told.count((alert.id, "reopened")) <= entries.count("reopened") + entries.count("still_there")

    @invariant()
    def every_publication_says_something_new(self) -> None:
        published = [(e.alert.id, e.alert.version) for e in self.book.effects if isinstance(e, Publish)]
        assert len(published) == len(set(published)), "the event's id is made of these"

    @invariant()
    def only_machines_are_taught(self) -> None:
        assert all(e.alert.kind == "machine" for e in self.book.effects if isinstance(e, Instruct))

    def teardown(self) -> None:
        for machine, name in list(self.present):
            self.cleared(machine, name)
        self.now_s += 2 * 86_400
        self.act("tick", self.now_ns)
        assert all(alert.state.closed for alert in self.book.alerts.values()), "quiet ends everything"


class LedgerKeepsTheSame(Promises):
    """The ledger, closed and opened again now and then, holds exactly what the memory book holds."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.ledger = ledger(Path(self.folder.name), self.clock)

    def act(self, what: str, *args: object, **kwargs: object) -> None:
        super().act(what, *args, **kwargs)
        self.clock.now_ns = self.now_ns
        with contextlib.suppress(AlertError), self.ledger.transaction() as work:
            getattr(Triage(work, POLICY), what)(*args, **kwargs)

    @rule()
    def restart(self) -> None:
        self.ledger.close()
        self.ledger = ledger(Path(self.folder.name), self.clock)

    @invariant()
    def same(self) -> None:
        for alert in self.book.alerts.values():
            assert self.ledger.alert(alert.id) == alert
            assert self.ledger.history(alert.id) == [e for e in self.book.history if e.alert == alert.id]
        assert {a.id for a in self.ledger.open_alerts()} == {a.id for a in self.book.alerts.values() if a.state.visible}

    @invariant()
    def outbox_holds_every_message_once(self) -> None:
        with self.ledger.transaction() as work:
            (notices,) = work.execute("SELECT COUNT(*) FROM outbox WHERE type = 'notice'").fetchone()
        assert notices == len([e for e in self.book.effects if isinstance(e, Notify)])

    def teardown(self) -> None:
        super().teardown()
        self.same()
        self.ledger.close()
        self.folder.cleanup()


TestPromises = Promises.TestCase
TestPromises.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestLedger = LedgerKeepsTheSame.TestCase
TestLedger.settings = settings(
    max_examples=12, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
