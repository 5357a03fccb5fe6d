"""One alert's life: every arrow of the picture in gateway/alerts.py, and what people are told."""

from __future__ import annotations

import pytest
from support.alerts import SECOND, START, MemoryBook, seen

from gateway.alerts import Alert, Fault, Instruct, Notify, Policy, Publish, State
from gateway.triage import StaleVersion, Triage, UnknownAlert, WrongState
from wire.messages import Cause, Prognosis, Severity

POLICY = Policy()
HOUR = 3600


class Desk:
    """Triage over a memory book."""

    def __init__(self, policy: Policy = POLICY) -> None:
        self.book = MemoryBook(policy)
        self.triage = Triage(self.book, policy)

    def see(self, at_s: float, **changes: object) -> None:
        self.triage.observe(seen(at_s, **changes))

    def clear(self, at_s: float, **changes: object) -> None:
        self.triage.observe(seen(at_s, state="cleared", **changes))

    def tick(self, at_s: float) -> None:
        self.triage.tick(START + round(at_s * SECOND))

    def only(self) -> Alert:
        (alert,) = self.book.alerts.values()
        return alert

    @property
    def what(self) -> list[str]:
        return [entry.what for entry in self.book.history]


def at(seconds: float) -> int:
    return START + round(seconds * SECOND)


def test_a_warning_must_persist_before_it_bothers_anybody() -> None:
    desk = Desk()
    desk.see(0)
    desk.tick(29)
    assert desk.only().state is State.PENDING
    assert not desk.book.effects
    desk.tick(31)
    assert desk.only().state is State.OPEN
    assert desk.only().opened_ns == at(30)
    assert desk.book.told(Notify) == ["opened"]
    assert desk.book.told(Publish) == ["opened"]


def test_an_alarm_opens_at_once() -> None:
    desk = Desk()
    desk.see(0, severity=Severity.ALARM)
    assert desk.only().state is State.OPEN
    assert desk.book.told(Notify) == ["opened"]


def test_a_short_one_passes_silently_and_stays_on_record() -> None:
    desk = Desk()
    desk.see(0)
    desk.clear(10)
    desk.tick(HOUR + 11)
    assert desk.only().state is State.PASSED
    assert desk.what == ["suspected", "passed"]
    assert not desk.book.effects


def test_coming_and_going_becomes_one_alert_with_a_count() -> None:
    desk = Desk()
    for start in (0, 60, 120):
        desk.see(start)
        desk.clear(start + 5)
    assert desk.only().state is State.OPEN
    assert desk.only().flaps == 2
    assert desk.only().count == 3
    assert desk.book.told(Notify) == ["opened"]
    for start in range(180, 1200, 60):
        desk.see(start)
        desk.clear(start + 5)
    assert desk.book.told(Notify) == ["opened"]
    assert desk.only().flaps == 19


def test_it_resolves_after_quiet_only() -> None:
    desk = Desk()
    desk.see(0, severity=Severity.ALARM)
    desk.clear(100)
    desk.tick(100 + 599)
    assert desk.only().state is State.OPEN
    desk.tick(100 + 601)
    assert desk.only().state is State.RESOLVED
    assert desk.only().resolution == "cleared"
    assert desk.book.told(Publish) == ["opened", "resolved"]
    assert desk.book.told(Notify) == ["opened"]


def test_the_same_trouble_within_a_day_reopens_the_same_alert() -> None:
    desk = Desk()
    desk.see(0, severity=Severity.ALARM)
    desk.clear(100)
    desk.tick(1000)
    desk.see(5 * HOUR, id="f2", cause="bearing_inner", severity=Severity.ALARM)
    assert desk.only().state is State.OPEN
    assert desk.only().reopened == 1
    assert desk.only().cause == "bearing_inner"
    assert desk.book.told(Notify) == ["opened"], "it came back by itself, the message is not old"
    desk.clear(5 * HOUR + 1, id="f2")
    desk.tick(7 * HOUR)
    desk.see(15 * HOUR, id="f3", severity=Severity.ALARM)
    assert desk.book.told(Notify) == ["opened", "reopened"], "the message is older than renotify_s"


def test_after_a_day_it_is_a_new_alert() -> None:
    desk = Desk()
    desk.see(0, severity=Severity.ALARM)
    desk.clear(100)
    desk.tick(1000)
    desk.see(30 * HOUR, id="f2", severity=Severity.ALARM)
    assert len(desk.book.alerts) == 2


def test_a_person_who_repaired_it_is_told_when_it_is_back() -> None:
    desk = Desk()
    desk.see(0, severity=Severity.ALARM)
    desk.triage.resolve(desk.only().id, done="new bearing", by="anna", at_ns=at(50))
    assert desk.only().resolved_by == "anna"
    desk.see(60, state="changed", severity=Severity.ALARM)
    assert desk.only().state is State.RESOLVED, "the node has not noticed the repair yet"
    desk.clear(100)
    desk.see(2 * HOUR, id="f2", severity=Severity.ALARM)
    assert desk.only().state is State.OPEN
    assert desk.book.told(Notify) == ["opened", "reopened"]


def test_what_was_declared_settled_but_stays_comes_back() -> None:
    desk = Desk()
    desk.see(0, severity=Severity.ALARM)
    desk.triage.resolve(desk.only().id, done="nothing found", by="anna", at_ns=at(50))
    desk.tick(23 * HOUR)
    assert desk.only().state is State.RESOLVED
    desk.tick(25 * HOUR)
    assert desk.only().state is State.OPEN
    assert desk.what[-1] == "still_there"
    assert desk.book.told(Notify) == ["opened", "reopened"]


def test_a_settled_finding_that_gets_worse_comes_back_at_once() -> None:
    desk = Desk()
    desk.see(0)
    desk.tick(31)
    desk.triage.resolve(desk.only().id, done="greased", by="anna", at_ns=at(50))
    desk.see(60, state="changed", severity=Severity.ALARM)
    assert desk.only().state is State.OPEN


def test_getting_worse_ends_snooze_and_acknowledgement_and_tells_once() -> None:
    desk = Desk()
    desk.see(0, severity=Severity.WATCH)
    desk.tick(31)
    desk.triage.acknowledge(desk.only().id, by="anna", at_ns=at(40), note="looking")
    desk.triage.snooze(desk.only().id, until_ns=at(9 * HOUR), by="anna", at_ns=at(41))
    desk.see(50, state="changed", severity=Severity.ALARM)
    assert desk.only().state is State.OPEN
    assert desk.only().snoozed_until_ns is None
    assert desk.only().owner == "anna"
    assert desk.book.told(Notify) == ["opened", "escalated"]
    desk.see(60, state="changed", severity=Severity.WATCH)
    desk.see(70, state="changed", severity=Severity.ALARM)
    assert desk.book.told(Notify) == ["opened", "escalated"]


def test_severity_follows_down_with_patience() -> None:
    desk = Desk()
    desk.see(0, severity=Severity.ALARM)
    desk.see(100, state="changed", severity=Severity.WATCH)
    assert desk.only().severity is Severity.ALARM
    desk.tick(100 + 1801)
    assert desk.only().severity is Severity.WATCH
    assert desk.what == ["opened", "eased"]
    assert desk.book.told(Publish) == ["opened", "changed"]


def test_a_snooze_ends_by_itself() -> None:
    desk = Desk()
    desk.see(0, severity=Severity.ALARM)
    desk.triage.snooze(desk.only().id, until_ns=at(HOUR), by="anna", at_ns=at(10))
    desk.tick(HOUR - 1)
    assert desk.only().snoozed_until_ns == at(HOUR)
    desk.tick(HOUR)
    assert desk.only().snoozed_until_ns is None
    assert desk.what == ["opened", "snoozed", "snooze_ended"]


def test_findings_of_one_bearing_are_one_alert_and_of_another_machine_are_not() -> None:
    desk = Desk()
    desk.see(0, severity=Severity.ALARM)
    desk.see(10, id="f2", cause="bearing_cage", severity=Severity.WATCH)
    assert desk.only().cause == "bearing_outer", "the worse finding explains it"
    assert desk.only().count == 2
    desk.see(20, id="f3", machine="oven", severity=Severity.ALARM)
    assert len(desk.book.alerts) == 2
    desk.clear(30)
    desk.tick(2000)
    assert next(a for a in desk.book.alerts.values() if a.machine == "mixer").state is State.OPEN, "f2 is still there"


def test_a_finding_that_finds_its_cause_keeps_its_alert() -> None:
    desk = Desk()
    desk.see(0, cause="unknown", severity=Severity.ALARM)
    desk.see(
        10,
        state="changed",
        cause="imbalance",
        severity=Severity.ALARM,
        causes=(Cause(code="imbalance", confidence=0.8),),
    )
    assert desk.only().cause == "imbalance"
    assert desk.only().key == "machine:imbalance"
    assert desk.only().confidence == 0.8
    assert desk.book.told(Notify) == ["opened"]
    assert desk.book.told(Publish) == ["opened"], "too soon"
    desk.see(30, state="changed", cause="bearing_outer", severity=Severity.ALARM)
    desk.tick(59)
    assert desk.book.told(Publish) == ["opened"]
    desk.tick(60)
    assert desk.book.told(Publish) == ["opened", "changed"]
    desk.tick(500)
    desk.see(600, state="changed", cause="imbalance", severity=Severity.ALARM)
    assert desk.book.told(Publish) == ["opened", "changed", "changed"]


def test_two_findings_that_turn_out_to_be_one_trouble_merge() -> None:
    desk = Desk()
    desk.see(0, severity=Severity.ALARM)
    desk.see(1, id="f2", cause="unknown", severity=Severity.ALARM)
    assert len(desk.book.alerts) == 2
    desk.see(10, id="f2", state="changed", cause="bearing_inner", severity=Severity.ALARM)
    states = sorted((a.state.value, a.resolution) for a in desk.book.alerts.values())
    assert states == [("open", ""), ("resolved", "merged")]


def test_a_sensor_fault_is_an_alert_of_the_sensor() -> None:
    desk = Desk()
    desk.see(0, kind="sensor", cause="sensor_stuck", channel="vibration", severity=Severity.WATCH)
    desk.see(1, id="f2", kind="sensor", cause="sensor_no_data", channel="vibration", severity=Severity.WATCH)
    desk.see(2, id="f3", kind="sensor", cause="sensor_open", channel="temperature", severity=Severity.WATCH)
    assert {a.key for a in desk.book.alerts.values()} == {"sensor:vibration", "sensor:temperature"}
    assert {a.kind for a in desk.book.alerts.values()} == {"sensor"}


def test_a_false_alarm_tells_the_node() -> None:
    desk = Desk()
    desk.see(0, severity=Severity.ALARM)
    desk.triage.false_alarm(desk.only().id, by="anna", at_ns=at(20), note="cleaning")
    (instruct,) = [effect for effect in desk.book.effects if isinstance(effect, Instruct)]
    assert (instruct.action, instruct.by, instruct.alert.machine) == ("false_alarm", "anna", "mixer")
    assert desk.only().resolution == "false_alarm"


def test_a_sensor_fault_called_false_does_not_teach_the_machine() -> None:
    desk = Desk()
    desk.see(0, kind="sensor", cause="sensor_stuck", channel="t")
    desk.tick(40)
    desk.triage.false_alarm(desk.only().id, by="anna", at_ns=at(50))
    assert not [effect for effect in desk.book.effects if isinstance(effect, Instruct)]


def test_a_repair_may_make_a_new_normal() -> None:
    desk = Desk()
    desk.see(0, severity=Severity.ALARM)
    desk.triage.resolve(desk.only().id, done="new motor", by="anna", at_ns=at(20), new_normal=True)
    (instruct,) = [effect for effect in desk.book.effects if isinstance(effect, Instruct)]
    assert instruct.action == "confirm_normal"


def test_commands_that_make_no_sense_are_refused() -> None:
    desk = Desk()
    desk.see(0)
    with pytest.raises(WrongState, match="pending"):
        desk.triage.acknowledge(desk.only().id, by="anna", at_ns=at(1))
    with pytest.raises(UnknownAlert):
        desk.triage.acknowledge("nothing", by="anna", at_ns=at(1))
    desk.tick(31)
    with pytest.raises(StaleVersion, match="version 2, not 1"):
        desk.triage.acknowledge(desk.only().id, by="anna", at_ns=at(32), version=1)
    with pytest.raises(WrongState, match="future"):
        desk.triage.snooze(desk.only().id, until_ns=at(1), by="anna", at_ns=at(32))
    desk.triage.resolve(desk.only().id, done="x", by="anna", at_ns=at(33), version=2)
    with pytest.raises(WrongState, match="resolved"):
        desk.triage.resolve(desk.only().id, done="x", by="anna", at_ns=at(34))
    assert desk.triage.note(desk.only().id, text="kept the old part", by="anna", at_ns=at(35)).version == 4


def test_a_backlog_of_a_day_gives_the_same_as_live() -> None:
    live, late = Desk(), Desk()
    story = [(0, "open"), (100, "cleared"), (5 * HOUR, "open"), (5 * HOUR + 20, "cleared"), (9 * HOUR, "open")]
    for number, (when, state) in enumerate(story):
        live.tick(when)
        live.triage.observe(seen(when, id=f"f{(number // 2)}", state=state))
        late.triage.observe(seen(when, id=f"f{(number // 2)}", state=state))
    live.tick(30 * HOUR)
    late.tick(30 * HOUR)
    assert late.what == live.what
    assert late.only() == live.only()


def test_clearing_what_nobody_reported_is_nothing() -> None:
    desk = Desk()
    desk.clear(0)
    assert not desk.book.alerts


def test_a_change_of_what_was_never_opened_counts_as_opening() -> None:
    desk = Desk()
    desk.see(0, state="changed", severity=Severity.ALARM)
    assert desk.only().state is State.OPEN


def test_a_person_confirms_the_cause_and_the_node_is_told_to_know_it_again() -> None:
    desk = Desk()
    desk.see(0, severity=Severity.ALARM)
    fault = Fault.of(None, "Splint  fehlt")
    assert fault is not None
    desk.triage.confirm(desk.only().id, fault=fault, by="anna", at_ns=at(10))
    alert = desk.only()
    assert (alert.state, alert.cause) == (State.OPEN, "bearing_outer"), "the node says what it is now"
    assert (alert.confirmed, alert.confirmed_label, alert.confirmed_by) == (fault.code, "Splint fehlt", "anna")
    (instruct,) = [effect for effect in desk.book.effects if isinstance(effect, Instruct)]
    assert (instruct.action, instruct.by, instruct.fault) == ("confirm_fault", "anna", fault)
    assert (desk.book.history[-1].what, desk.book.history[-1].text) == ("confirmed", "Splint fehlt")
    desk.triage.resolve(alert.id, done="new pin", by="anna", at_ns=at(20))
    desk.triage.confirm(alert.id, fault=Fault("belt"), by="bert", at_ns=at(30))
    assert desk.only().confirmed == "belt", "also when it is over"


def test_the_cause_can_be_confirmed_with_taking_it_on_and_with_the_repair() -> None:
    desk = Desk()
    desk.see(0, severity=Severity.ALARM)
    desk.triage.acknowledge(desk.only().id, by="anna", at_ns=at(10), fault=Fault("belt"))
    assert (desk.only().state, desk.only().confirmed) == (State.ACKNOWLEDGED, "belt")
    desk.triage.resolve(
        desk.only().id, done="new belt", by="anna", at_ns=at(20), new_normal=True, fault=Fault("looseness")
    )
    assert (desk.only().state, desk.only().confirmed) == (State.RESOLVED, "looseness")
    told = [effect.action for effect in desk.book.effects if isinstance(effect, Instruct)]
    assert sorted(told) == ["confirm_fault", "confirm_fault", "confirm_normal"]


def test_only_a_machines_alert_has_a_cause_to_confirm() -> None:
    desk = Desk()
    desk.see(0, kind="sensor", cause="sensor_stuck", channel="power")
    with pytest.raises(WrongState):
        desk.triage.confirm(desk.only().id, fault=Fault("belt"), by="anna", at_ns=at(10))
    desk.tick(31)
    with pytest.raises(WrongState):
        desk.triage.acknowledge(desk.only().id, fault=Fault("belt"), by="anna", at_ns=at(40))
    assert desk.only().state is State.OPEN
    assert not [effect for effect in desk.book.effects if isinstance(effect, Instruct)]


def test_a_prognosis_is_kept_told_and_gone_with_the_alert() -> None:
    desk = Desk()
    desk.see(0)
    desk.tick(31)
    assert desk.only().expected_ns is None
    coming = Prognosis(low_s=7200.0, high_s=90_000.0, confidence=0.8, reaches=Severity.ALARM)
    desk.see(600, state="changed", prognosis=coming)
    assert desk.only().expected_ns == (at(600 + 7200), at(600 + 90_000))
    assert (desk.book.history[-1].what, desk.book.history[-1].text) == ("foreseen", "alarm in 2 to 25 h (80 %)")
    assert desk.book.told(Publish) == ["opened", "changed"]
    assert desk.book.told(Notify) == ["opened"], "people are told of what is, not of every guess"
    desk.see(700, state="changed", prognosis=coming, cause="imbalance")
    desk.clear(800)
    desk.tick(800 + 601)
    assert desk.only().state is State.RESOLVED
    assert desk.only().expected_ns is None
