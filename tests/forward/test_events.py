"""What subscribers are told: the arithmetic of the costs, the envelope, stable ids, and no names of people."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.alerts import SECOND, START, inspection, seen, translator

from gateway.alerts import Alert, Policy, State
from gateway.batches import Batch, BatchPolicy, due, tally
from gateway.costs import BySeverity, Costs, LeadHours, MachineFacts, extra_power_kw, money, outage, scrap
from gateway.events import ALERT, CAPACITY, COST, EVENT_TYPES, SCRAP, CloudEvent, rfc3339
from gateway.lifecycle import begin
from gateway.translate import Translator
from gateway.wording import Wording
from wire.codec import Codec
from wire.messages import Evidence, Inspection, Prognosis, Severity

HOUR = 3600 * SECOND
FACTS = MachineFacts(
    name="mixer",
    capacity_share=0.25,
    hourly_downtime_cost=100.0,
    outage_hours={"default": 8.0, "bearing": 6.0, "bearing_cage": 4.0},
    repair_cost={"default": 200.0, "bearing": 900.0},
)
COSTS = Costs(energy_price_per_kwh=0.3, item_cost={"roll": 0.25, "default": 0.1})


def alert(**changes: Any) -> Alert:
    return begin(seen(0, **{"severity": Severity.ALARM, **changes}), Policy()).alert


def resolved(made: Alert, after_h: float, resolution: str = "done") -> Alert:
    return msgspec.structs.replace(
        made,
        state=State.RESOLVED,
        resolved_ns=made.since_ns + round(after_h * HOUR),
        resolution=resolution,
        resolved_by="anna",
    )


def test_an_outage_lies_between_now_and_lead_plus_repair() -> None:
    expected = outage(alert(severity=Severity.WARNING), COSTS, FACTS, now_ns=START)
    assert (expected.from_ns, expected.until_ns) == (START, START + (72 + 6) * HOUR)
    assert (expected.hours, expected.share, expected.probability) == (6.0, 0.25, 0.3)
    assert expected.expected_lost_hours == pytest.approx(0.3 * 6 * 0.25)
    assert outage(alert(cause="bearing_cage"), COSTS, FACTS, now_ns=START).hours == 4.0
    assert outage(alert(cause="looseness"), COSTS, FACTS, now_ns=START).hours == 8.0


def test_money_is_expected_repair_downtime_and_energy() -> None:
    made = alert(
        severity=Severity.WARNING, evidence=(power(3500.0, 1500.0, "W"), power(2.1, 1.0, "kW"), power(0.0, 9e9, "W"))
    )
    expected = money(made, COSTS, FACTS, now_ns=START)
    assert expected.repair == pytest.approx(0.3 * 900)
    assert expected.downtime == pytest.approx(0.3 * 6 * 100)
    assert expected.energy == pytest.approx(2.0 * 72 * 0.3)
    assert expected.total == expected.repair + expected.downtime + expected.energy


def power(value: float, expected: float, unit: str) -> Evidence:
    return Evidence(feature="power", value=value, expected=expected, unit=unit, deviation=5.0)


def test_a_figure_for_power_beats_what_was_measured() -> None:
    facts = msgspec.structs.replace(FACTS, extra_power_kw={"bearing": 0.5})
    made = alert(severity=Severity.WATCH, evidence=(power(9000.0, 0.0, "W"),))
    assert money(made, COSTS, facts, now_ns=START).energy == pytest.approx(0.5 * 336 * 0.3)


def test_once_resolved_only_the_energy_that_was_wasted_remains() -> None:
    made = resolved(alert(evidence=(power(2000.0, 1000.0, "W"),)), 10)
    assert money(made, COSTS, FACTS, now_ns=START + 99 * HOUR) == msgspec.convert(
        {"repair": 0.0, "downtime": 0.0, "energy": 3.0}, type(money(made, COSTS, FACTS, now_ns=START))
    )
    assert outage(made, COSTS, FACTS, now_ns=START).probability == 0.0
    assert money(resolved(made, 10, "false_alarm"), COSTS, FACTS, now_ns=START).total == 0.0


def test_the_largest_figures_that_may_be_given_still_make_dates_and_amounts() -> None:
    century_h, much, century_s = 876_000.0, 1e12, 3.2e9
    costs = Costs(energy_price_per_kwh=much, lead_hours=LeadHours(watch=century_h, warning=century_h, alarm=century_h))
    facts = MachineFacts(
        name="mixer", outage_hours={"default": century_h}, hourly_downtime_cost=much, repair_cost={"default": much}
    )
    made = alert(
        evidence=(power(1e308, -1e308, "W"), power(9e8, 0.0, "W")),
        since_ns=START - round(century_s * SECOND),
        prognosis=Prognosis(low_s=0.0, high_s=century_s, confidence=0.8, reaches=Severity.ALARM),
    )
    told = Translator(costs, [facts], [Wording("de"), Wording("en")]).of_alert(made, "opened", now_ns=START)
    assert [event.type for event in told] == [ALERT, CAPACITY, COST]
    for event in told:
        msgspec.json.decode(json.dumps(json.loads(event.body)["data"]), type=EVENT_TYPES[event.type])
    assert extra_power_kw(made.evidence) == 9e5


@given(
    severity=st.sampled_from([Severity.WATCH, Severity.WARNING, Severity.ALARM]),
    share=st.floats(0, 1),
    probability=st.floats(0, 1),
    lead=st.floats(0, 10_000),
    hours=st.floats(0, 1000),
)
def test_figures_stay_within_their_meaning(
    severity: Severity, share: float, probability: float, lead: float, hours: float
) -> None:
    costs = Costs(
        probability=BySeverity(watch=probability, warning=probability, alarm=probability),
        lead_hours=LeadHours(watch=lead, warning=lead, alarm=lead),
    )
    facts = MachineFacts(name="mixer", capacity_share=share, outage_hours={"default": hours}, hourly_downtime_cost=1.0)
    expected = outage(alert(severity=severity), costs, facts, now_ns=START)
    assert expected.from_ns <= expected.until_ns
    assert 0 <= expected.expected_lost_hours <= hours
    assert 0 <= money(alert(severity=severity), costs, facts, now_ns=START).total <= hours + 0.01


def test_every_event_is_a_cloudevent_of_its_type() -> None:
    made = translator().of_alert(alert(), "opened", now_ns=START)
    assert [event.type for event in made] == [ALERT, CAPACITY, COST]
    for event in made:
        envelope = json.loads(event.body)
        assert (envelope["specversion"], envelope["id"], envelope["type"]) == ("1.0", event.id, event.type)
        assert (envelope["source"], envelope["subject"]) == ("/werkpuls/bakery", "mixer")
        assert envelope["time"] == rfc3339(START)
        assert envelope["dataschema"].endswith(event.type)
        assert msgspec.convert(envelope["data"], EVENT_TYPES[event.type])
        assert set(envelope) == set(CloudEvent.__struct_fields__)


def test_ids_are_the_same_whenever_made_and_differ_by_version() -> None:
    once = translator().of_alert(alert(), "opened", now_ns=START)
    again = translator().of_alert(alert(), "opened", now_ns=START + 5 * SECOND)
    assert [event.id for event in once] == [event.id for event in again]
    later = translator().of_alert(msgspec.structs.replace(alert(), version=2), "changed", now_ns=START)
    assert not {event.id for event in once} & {event.id for event in later}


def test_both_languages_travel_and_nobodys_name_does() -> None:
    made = resolved(msgspec.structs.replace(alert(), owner="anna", done="new bearing"), 1)
    bodies = b"".join(event.body for event in translator().of_alert(made, "resolved", now_ns=START))
    assert b"anna" not in bodies
    assert b"new bearing" in bodies
    assert b"Lagerschaden" in bodies
    assert b"Bearing damage" in bodies


@pytest.mark.parametrize("kind", ["sensor", "node", "camera", "quality"])
def test_only_machines_in_trouble_cost_capacity(kind: str) -> None:
    made = translator().of_alert(alert(kind=kind, cause="sensor_stuck", channel="x"), "opened", now_ns=START)
    assert [event.type for event in made] == [ALERT]


def test_without_figures_nobody_is_told_money() -> None:
    made = translator().of_alert(alert(machine="oven"), "opened", now_ns=START)
    assert [event.type for event in made] == [ALERT, CAPACITY]


def tallied(good: int, bad: int, batch: Batch | None = None, at_ns: int = START) -> Batch:
    seen_one = Codec().decode(inspection(1, at_ns, good=good, bad=bad), now_ns=at_ns)
    assert isinstance(seen_one, Inspection)
    return tally(batch, seen_one, now_ns=at_ns)


def test_scrap_and_its_cost() -> None:
    batch = tallied(5, 3, tallied(8, 2))
    (told, cost) = (json.loads(event.body) for event in translator().of_batch(batch, now_ns=START))
    assert told["type"] == SCRAP
    assert told["data"]["rejects"] == 5
    assert told["data"]["items"] == 18
    assert told["data"]["reasons"] == {"broken": 5}
    assert not told["data"]["final"]
    assert cost["data"]["scrap"] == cost["data"]["total"] == 1.25
    assert scrap(10, "bun", COSTS) == 1.0
    assert scrap(10, "bun", Costs(item_cost={"roll": 0.25})) is None, "nobody said what a bun costs"


def test_a_batch_is_due_when_rejects_changed_a_while_ago_or_it_ended() -> None:
    policy = BatchPolicy()
    assert due(tallied(1, 1), policy, now_ns=START)
    assert not due(tallied(9, 0), policy, now_ns=START)
    assert due(tallied(9, 0), policy, now_ns=START + 1800 * SECOND)
    told = msgspec.structs.replace(tallied(1, 1), reported_ns=START, reported_rejects=0)
    assert not due(told, policy, now_ns=START + 899 * SECOND)
    assert due(told, policy, now_ns=START + 900 * SECOND)
    assert not due(msgspec.structs.replace(told, closed=True), policy, now_ns=START + 99 * HOUR)


def test_who_heard_of_an_alarm_hears_of_its_end() -> None:
    eased = msgspec.structs.replace(resolved(alert(), 1), severity=Severity.WATCH)
    made = translator().of_alert(eased, "resolved", now_ns=START)
    assert {event.severity for event in made} == {"alarm"}
    assert json.loads(made[0].body)["data"]["severity"] == "watch"
