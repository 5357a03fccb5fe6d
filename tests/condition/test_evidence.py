"""Evidence belongs to the alarm: what noise cannot swing, what a new fault can, and what is forgotten."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.condition.causes import LEAST_CONFIDENCE, MOST_CAUSES, UNKNOWN
from models.condition.contract import PossibleCause
from models.condition.evidence import AHEAD, MEMORY, Evidence

CODES = ("bearing_outer", "bearing_cage", "looseness", "imbalance", "belt", "gear", "fan_blocked")
WORDS = st.dictionaries(st.sampled_from(CODES), st.floats(0.01, 0.99), max_size=len(CODES))
ALARMS = st.lists(WORDS, max_size=80)


def said(word: dict[str, float]) -> list[PossibleCause]:
    causes = [PossibleCause(code, confidence, (f"of_{code}",)) for code, confidence in word.items()]
    return [*sorted(causes, key=lambda cause: -cause.confidence), PossibleCause(UNKNOWN, 0.25)]


def heard(alarm: list[dict[str, float]], evidence: Evidence | None = None, sure: float = 1.0) -> Evidence:
    evidence = Evidence() if evidence is None else evidence
    for word in alarm:
        evidence.weigh(said(word), sure)
    return evidence


@given(ALARMS, st.floats(0.0, 1.0))
def test_the_leader_is_told_first_as_the_surest_and_unknown_last(alarm: list[dict[str, float]], sure: float) -> None:
    causes = heard(alarm, sure=sure).ranked()
    confidences = [cause.confidence for cause in causes[:-1]]
    assert confidences == sorted(confidences, reverse=True)
    assert all(0.0 < confidence < 1.0 for confidence in confidences)
    assert [cause.code for cause in causes].count(UNKNOWN) == 1
    assert causes[-1].code == UNKNOWN
    assert len(causes) <= MOST_CAUSES + 1
    assert all(cause.evidence == (f"of_{cause.code}",) for cause in causes[:-1])


@given(st.floats(0.3, 0.8), st.lists(st.tuples(st.floats(0.9, 1.1), st.floats(0.9, 1.1)), min_size=1, max_size=200))
def test_two_causes_that_are_about_as_sure_do_not_take_turns(
    confidence: float, noise: list[tuple[float, float]]
) -> None:
    assert AHEAD > 1.1 / 0.9
    evidence, first = Evidence(), set()
    for mine, other in noise:
        evidence.weigh(said({"bearing_outer": confidence * mine, "bearing_cage": confidence * other}))
        first.add(evidence.ranked()[0].code)
    assert len(first) == 1


@given(st.lists(st.floats(0.15, 0.35), min_size=1, max_size=200))
def test_a_cause_that_is_hardly_sure_enough_is_named_once_and_then_stays(confidences: list[float]) -> None:
    evidence, named = Evidence(), []
    for confidence in confidences:
        evidence.weigh(said({"bearing_inner": confidence}))
        named.append(evidence.ranked()[0].code != UNKNOWN)
    assert named == sorted(named)
    assert named[-1] == (max(confidences) >= LEAST_CONFIDENCE)


@given(ALARMS, st.floats(LEAST_CONFIDENCE, 0.99))
def test_a_new_fault_within_the_same_alarm_takes_the_lead(alarm: list[dict[str, float]], confidence: float) -> None:
    evidence = heard(alarm)
    heard([{"misalignment": confidence}] * (2 * MEMORY), evidence)
    assert evidence.ranked()[0].code == "misalignment"
    assert evidence.ranked()[0].confidence == pytest.approx(confidence, rel=0.2)


def test_a_second_fault_that_is_plainly_surer_takes_the_lead_beside_the_first() -> None:
    evidence = heard([{"looseness": 0.5}] * 500)
    heard([{"looseness": 0.5, "bearing_outer": 0.8}] * (MEMORY // 2), evidence)
    assert evidence.ranked()[0].code == "looseness", "it may be a passing thing"
    heard([{"looseness": 0.5, "bearing_outer": 0.8}] * MEMORY, evidence)
    assert [cause.code for cause in evidence.ranked()] == ["bearing_outer", "looseness", UNKNOWN]


def test_one_odd_picture_among_many_changes_nothing() -> None:
    evidence = heard([{"imbalance": 0.6}] * 30)
    before = evidence.ranked()[0]
    evidence.weigh(said({"gear": 0.99}))
    assert evidence.ranked()[0].code == before.code
    assert evidence.ranked()[0].confidence > 0.9 * before.confidence


@given(ALARMS)
def test_what_nothing_speaks_for_any_more_is_not_named(alarm: list[dict[str, float]]) -> None:
    evidence = heard([*alarm, *([{}] * (3 * MEMORY))])
    assert [cause.code for cause in evidence.ranked()] == [UNKNOWN]
    evidence.clear()
    assert not evidence


@given(ALARMS, ALARMS)
def test_a_restart_within_an_alarm_changes_nothing(
    before: list[dict[str, float]], after: list[dict[str, float]]
) -> None:
    going_on, again = heard(before), Evidence()
    again.load(json.loads(json.dumps(going_on.state())))
    assert bool(again) == bool(going_on)
    assert heard(after, again).ranked() == heard(after, going_on).ranked()


def test_what_is_told_from_a_normal_that_nobody_knows_yet_names_nothing() -> None:
    assert heard([{"imbalance": 0.9}] * 10, sure=0.2).ranked()[0].code == UNKNOWN
    assert heard([{"imbalance": 0.9}] * 10, sure=0.8).ranked()[0].confidence == pytest.approx(0.72)
