"""Steps become messages that the wire's own rules take."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config import ReportOptions
from edge.drafts import Drafter, shorten
from edge.machine import Column, FindingChange, Step
from edge.reporter import Reporter
from edge.sensors.base import Fault
from models.condition.contract import Deviation, Explanation, FeatureInfo, PossibleCause, Prognosis, Sample, Verdict
from wire.clock import Stamp
from wire.codec import Codec
from wire.envelope import Draft, Envelope
from wire.journal import Record
from wire.messages import EARLIEST_NS, Condition, Finding, NodeMessage, Telemetry, Trust

NOW = 5_000_000_000_000
INFO = {"vibration.rms": FeatureInfo("mm/s", "vibration", "vibration")}
ENVELOPE = Envelope("bakery", "pi", "sense", "log")


def drafter() -> Drafter:
    return Drafter(ENVELOPE, "boot", "condition-1")


def sealed(record: Record) -> NodeMessage:
    """What the gateway would read."""
    payload = ENVELOPE.seal(
        Draft(record.stream, record.boot, record.payload), seq=1, prev=0, stamp=Stamp(EARLIEST_NS, Trust.SYNCED)
    )
    return Codec().decode(payload, now_ns=EARLIEST_NS)


def step(at_s: float = 0.0, **fields: object) -> Step:
    given: dict[str, object] = {
        "series": {},
        "sample": None,
        "verdict": None,
        "explanation": None,
        "sensor_faults": {},
        "findings": (),
        "paused": False,
        **fields,
    }
    return Step(time_ns=NOW + round(at_s * 1e9), **given)  # type: ignore[arg-type]  # a test's shorthand


def verdict(at_s: float = 0.0, **fields: object) -> Verdict:
    given: dict[str, object] = {
        "regime": "loaded", "score": 0.5, "limit": 1.0, "severity": "good", "alarm": False, "learned": 1.0, **fields
    }  # fmt: skip
    return Verdict(NOW / 1e9 + at_s, **given)  # type: ignore[arg-type]  # a test's shorthand


def test_even_rows_get_a_step_and_uneven_ones_their_times() -> None:
    even = Column("A", [NOW - 2_000_000_000, NOW - 1_000_000_000], [1.0, 2.0])
    late = Column("A", [NOW], [3.0])
    uneven = Column("°C", [NOW - 300_000_000, NOW - 100_000_000, NOW], [1.0, math.nan, 3.123456789123])
    (record,) = drafter().telemetry("oven", NOW, {"current": [even, late], "temperature": [uneven], "none": []})
    message = sealed(record)
    assert isinstance(message, Telemetry)
    assert set(message.series) == {"current", "temperature"}
    current, temperature = message.series["current"], message.series["temperature"]
    assert (current.start_ms, current.step_ms, current.values) == (-2000.0, 1000.0, [1.0, 2.0, 3.0])
    assert (temperature.at_ms, temperature.values) == ([-300.0, -100.0, 0.0], [1.0, None, 3.12345679])


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=4), st.integers(0, 3))
def test_any_amount_fits_into_messages_and_none_is_lost(lengths: list[int], jitter: int) -> None:
    series = {
        f"c{i}": [Column("A", [NOW - k * 1_000_000 - (k % 3) * jitter * 1000 for k in range(n)][::-1], [0.1] * n)]
        for i, n in enumerate(lengths)
    }
    records = drafter().telemetry("oven", NOW, series)
    found = dict.fromkeys(series, 0)
    for record in records:
        message = sealed(record)
        assert isinstance(message, Telemetry)
        for name, one in message.series.items():
            found[name] += len(one.values)
    assert list(found.values()) == lengths


def test_a_name_the_wire_does_not_take_is_left_out_and_named(caplog: pytest.LogCaptureFixture) -> None:
    made = drafter()
    column = Column("A", [NOW], [1.0])
    for _ in range(3):
        records = made.telemetry("oven", NOW, {"Strom L1": [column], "current": [column]})
    message = sealed(records[0])
    assert isinstance(message, Telemetry)
    assert list(message.series) == ["current"]
    assert caplog.text.count("'Strom L1'") == 1


@given(st.floats())
def test_a_shortened_value_is_close_or_none(value: float) -> None:
    short = shorten(value)
    if short is None:
        assert not math.isfinite(value)
    else:
        assert math.isclose(short, value, rel_tol=1e-8)


def test_a_finding_carries_why_and_since_when() -> None:
    change = FindingChange(
        id="m-1",
        type="machine",
        state="open",
        cause="bearing_outer",
        severity="alarm",
        since_ns=NOW - 3_000_000_000,
        regime="loaded",
        score=math.inf,
        limit=1.0,
        evidence=(
            Deviation("vibration.rms", 4.0, 1.0, 9.5, NOW / 1e9 - 2.0),
            Deviation("vibration.kurtosis", math.nan, 1.0, 1.0),
        ),
        causes=(PossibleCause("bearing_outer", 1.7, ("vibration.rms",)),),
        detail="x" * 900,
    )
    record = drafter().finding("mixer", step(), change, INFO)
    message = sealed(record)
    assert record.event
    assert isinstance(message, Finding)
    assert message.since_ms == -3000.0
    assert message.score == 1e9
    assert len(message.detail) == 500
    (evidence,) = message.evidence
    assert (evidence.unit, evidence.channel) == ("mm/s", "vibration")
    assert evidence.since_ms == pytest.approx(-2000.0)
    assert message.causes[0].confidence == 1.0
    # One taken up from an earlier boot does not know when it began.
    older = FindingChange(id="m-1", type="sensor", state="cleared", cause="sensor_bus", severity="good", since_ns=0)
    message = sealed(drafter().finding("mixer", step(), older, {}))
    assert isinstance(message, Finding)
    assert (message.since_ms, message.model) == (0.0, "")


def test_what_is_to_come_and_what_is_recognised_reach_the_wire() -> None:
    known = PossibleCause("own-1", 0.93, ("vibration.rms",), label="Splint fehlt", recognised=True)
    coming = Prognosis(259_200.4, 777_600.6, 0.8, "alarm")
    change = FindingChange(
        id="m-1",
        type="machine",
        state="open",
        cause="own-1",
        severity="warning",
        since_ns=NOW,
        causes=(known,),
        prognosis=coming,
        certainty=0.45,
    )
    message = sealed(drafter().finding("mixer", step(), change, INFO))
    assert isinstance(message, Finding)
    assert (message.causes[0].label, message.causes[0].recognised) == ("Splint fehlt", True)
    assert message.certainty == 0.45
    assert message.prognosis is not None
    assert (message.prognosis.low_s, message.prognosis.high_s) == (259_200.0, 777_601.0)
    reporter = Reporter("oven", drafter(), ReportOptions(condition_s=10))
    learning = verdict(0, limit=None, learned=0.4, certainty=0.0, learning_left_s=1500.04)
    (said,) = conditions(reporter.take(step(0, verdict=learning)))
    assert (said.certainty, said.learning_left_s, said.prognosis) == (0.0, 1500.0, None)
    (said,) = conditions(reporter.take(step(1, verdict=verdict(1, certainty=0.7, prognosis=coming))))
    assert said.prognosis == message.prognosis, "a prognosis is told at once"
    assert (said.certainty, said.learning_left_s, said.unsteady) == (0.7, None, [])
    asked = step(11, verdict=verdict(11, certainty=0.7))
    (said,) = conditions(reporter.take(asked, lambda: ("vibration.rms", "no name", *("c",) * 40), ("d", "e")))
    assert said.unsteady == ["vibration.rms", *("c",) * 31]
    assert said.unjudged == 2


def test_a_time_to_learn_that_nobody_lives_to_see_is_cut_to_what_the_wire_takes() -> None:
    # Half an hour's pause after the first of a month of samples, one a second.
    learning = verdict(0, limit=None, learned=0.0, learning_left_s=1800.0 * 2_592_000)
    (said,) = conditions(Reporter("oven", drafter(), ReportOptions()).take(step(0, verdict=learning)))
    assert said.learning_left_s == 3.2e9


def conditions(records: list[Record]) -> list[Condition]:
    return [one for one in map(sealed, records) if isinstance(one, Condition)]


def test_a_condition_is_said_at_every_change_and_once_in_a_while() -> None:
    reporter = Reporter("oven", drafter(), ReportOptions(condition_s=10))
    said = []
    for second in range(31):
        now = verdict(second, severity="warning" if 14 <= second < 17 else "good")
        said.extend([second] * len(conditions(reporter.take(step(second, verdict=now)))))
    assert said == [0, 10, 14, 17, 27]


def test_while_paused_or_blind_the_last_word_stands() -> None:
    reporter = Reporter("oven", drafter(), ReportOptions())
    assert conditions(reporter.take(step(-20))) == []
    assert conditions(reporter.take(step(-6))) == []
    (first,) = conditions(reporter.take(step(0)))
    assert (first.regime, first.learned, first.limit) == ("unknown", 0.0, None)
    sample = Sample(NOW / 1e9, {"vibration.rms": 1.0}, INFO)
    explanation = Explanation((Deviation("vibration.rms", 4.0, 1.0, 9.5),), (PossibleCause("unbalance", 0.6),))
    reporter.take(step(1, sample=sample, verdict=verdict(1, severity="warning", alarm=True), explanation=explanation))
    (paused,) = conditions(reporter.take(step(2, paused=True, paused_until_ns=NOW + 62_000_000_000)))
    assert (paused.paused, paused.severity, paused.causes[0].code) == (True, "warning", "unbalance")
    assert paused.evidence[0].unit == "mm/s"
    assert paused.paused_left_s == 60.0
    (longer,) = conditions(reporter.take(step(3, paused=True, paused_until_ns=NOW + 123_000_000_000)))
    assert longer.paused_left_s == 120.0
    (blind,) = conditions(reporter.take(step(3, sensor_faults={"vibration": (Fault.NO_DATA, "nothing")})))
    assert blind.sensor_faults == ["vibration"]


def test_measured_values_are_gathered_for_as_long_as_asked() -> None:
    reporter = Reporter("oven", drafter(), ReportOptions(telemetry_s=5, condition_s=3600))
    counts = []
    for second in range(12):
        at = NOW + second * 1_000_000_000
        records = reporter.take(step(second, series={"level": Column("1", [at], [1.0])}))
        messages = [one for one in map(sealed, records) if isinstance(one, Telemetry)]
        counts.append(sum(len(one.series["level"].values) for one in messages))
    assert counts == [1, 0, 0, 0, 0, 5, 0, 0, 0, 0, 5, 0]
    (rest,) = reporter.rest(NOW + 12_000_000_000)
    message = sealed(rest)
    assert isinstance(message, Telemetry)
    assert message.series["level"].start_ms == -1000.0
    assert reporter.rest(NOW) == []
