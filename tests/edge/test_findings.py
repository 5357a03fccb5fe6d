"""What is told of a machine while its alarm lasts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.findings import PROGNOSIS_EVERY_NS, Findings, moved
from models.condition.contract import Deviation, Explanation, PossibleCause, Prognosis, Verdict

SECOND = 1_000_000_000
EVIDENCE = (Deviation("vibration.envelope_bpfo", 9.0, 1.0, 12.0),)


def verdict(at_s: float, severity: str = "alarm") -> Verdict:
    return Verdict(at_s, "on", 3.0, 1.0, severity, alarm=True, learned=1.0, deviations=EVIDENCE)


def explained(cause: str) -> Explanation:
    return Explanation(EVIDENCE, (PossibleCause(cause, 0.6),))


def test_a_diagnosis_stands_while_the_evidence_fades() -> None:
    findings = Findings("mixer", "boot")
    (opened,) = findings.update(SECOND, verdict(1.0), explained("bearing_outer"), {}, paused=False)
    assert (opened.state, opened.cause) == ("open", "bearing_outer")
    told = []
    for tick in range(2, 120):
        told += findings.update(tick * SECOND, verdict(tick, "warning"), explained("unknown"), {}, paused=False)
    assert {(change.cause, change.severity) for change in told} == {("bearing_outer", "warning")}
    assert all(change.causes == opened.causes for change in told)


def test_a_better_diagnosis_replaces_an_unclear_one() -> None:
    findings = Findings("mixer", "boot")
    findings.update(SECOND, verdict(1.0), explained("unknown"), {}, paused=False)
    told = []
    for tick in range(2, 60):
        told += findings.update(tick * SECOND, verdict(tick), explained("imbalance"), {}, paused=False)
    assert [change.cause for change in told] == ["imbalance"]


def course(causes: dict[str, list[float]]) -> list[tuple[str, str]]:
    """What is told after the opening while the score goes so (in multiples of the limit), recognised as that."""
    findings, told, tick = Findings("mixer", "boot"), [], 0
    for cause, scores in causes.items():
        for score in scores:
            tick += 1
            severity = "alarm" if score > 3.0 else "warning"
            said = replace(verdict(tick, severity), score=2.0 * score, limit=2.0)
            told += findings.update(tick * SECOND, said, explained(cause), {}, paused=False)
    assert told[0].state == "open"
    return [(change.cause, change.severity) for change in told[1:]]


REPAIRED = [10.0, 10.0, 7.4, 6.1, 5.1, 4.4]
"""What the score of a bearing is in the first judgements after its fault was taken away."""


def test_a_fault_that_fades_is_not_renamed_by_what_is_left_of_it() -> None:
    fading = [3.9 * 0.93**tick for tick in range(30)]
    told = course({"bearing_outer": [10.0] * 20 + REPAIRED, "bearing_cage": fading})
    assert told == [("bearing_outer", "warning")], "that it is less bad is told"
    fast = [5.2, 1.92, 1.92, 1.92, 1.34, 1.07]
    assert course({"bearing_outer": [7.2] * 20, "bearing_cage": fast}) == [("bearing_outer", "warning")]
    swinging = [score * swing for score in fading for swing in (0.8, 1.2)]
    assert {cause for cause, _ in course({"bearing_outer": [300.0] * 20, "bearing_cage": swinging})} == {
        "bearing_outer"
    }


@pytest.mark.parametrize(
    "after",
    [
        [10.0] * 20,
        [10.0 * 1.05**tick for tick in range(20)],
        [6.0] * 20,
        [10.0 * swing for _ in range(10) for swing in (0.7, 1.3)],
        # Much of it was repaired, but what is left grows again, or stays.
        [*REPAIRED, *(2.0 * 1.1**tick for tick in range(20))],
        [*REPAIRED, *[2.5] * 150],
    ],
    ids=["stands", "grows", "less", "swings", "grows again", "stays"],
)
def test_another_cause_of_a_fault_that_stands_or_grows_is_told(after: list[float]) -> None:
    told = course({"bearing_outer": [10.0] * 20, "bearing_cage": after})
    assert told[-1][0] == "bearing_cage"


def test_a_machine_at_rest_does_not_rename_the_fault_it_had_while_it_ran() -> None:
    findings = Findings("mixer", "boot")
    findings.update(SECOND, verdict(1.0), explained("bearing_outer"), {}, paused=False)
    resting = replace(verdict(0.0), regime="off", score=0.0, limit=None, deviations=())
    told = []
    for tick in range(2, 60):
        told += findings.update(tick * SECOND, resting, explained("bearing_cage"), {}, paused=False)
    assert told == []
    for tick in range(60, 80):
        said = resting if tick % 2 else verdict(tick)
        told += findings.update(tick * SECOND, said, explained("imbalance"), {}, paused=False)
    assert [change.cause for change in told] == ["imbalance"], "what is seen while it runs, a rest does not take back"
    lighter = replace(resting, severity="warning")
    for tick in range(80, 100):
        told += findings.update(tick * SECOND, lighter, explained("bearing_cage"), {}, paused=False)
    assert [(change.cause, change.severity) for change in told[1:]] == [("imbalance", "warning")]


def test_a_fault_that_was_unclear_may_get_a_name_also_while_it_fades() -> None:
    assert course({"unknown": [10.0] * 20, "bearing_cage": [4.0] * 15})[-1] == ("bearing_cage", "alarm")


def test_a_prognosis_is_told_when_it_comes_and_when_it_has_moved_but_rarely() -> None:
    findings = Findings("mixer", "boot")
    findings.update(SECOND, verdict(1.0, "warning"), explained("imbalance"), {}, paused=False)
    told = []
    for tick in range(2, 3000):
        left_s = 90_000.0 - tick if tick < 1500 else 30_000.0 - tick
        said = replace(verdict(tick, "warning"), prognosis=Prognosis(0.8 * left_s, 1.2 * left_s, 0.8, "alarm"))
        told += findings.update(tick * SECOND, said, explained("imbalance"), {}, paused=False)
    assert [change.state for change in told] == ["changed", "changed"], "once when it came, once when it was another"
    first, second = (change.prognosis for change in told)
    assert first is not None
    assert second is not None
    assert first.low_s > 2 * second.high_s
    (cleared,) = findings.update(
        4000 * SECOND, replace(verdict(4000), alarm=False, severity="good"), None, {}, paused=False
    )
    assert (cleared.state, cleared.prognosis) == ("cleared", None)
    assert PROGNOSIS_EVERY_NS >= 60 * SECOND


@pytest.mark.parametrize(
    ("now", "age_s", "is_news"),
    [
        (Prognosis(100.0, 200.0, 0.8), 0.0, False),
        (Prognosis(50.0, 150.0, 0.8), 50.0, False),
        (Prognosis(100.0, 200.0, 0.8), 90.0, True),
        (Prognosis(1000.0, 2000.0, 0.8), 0.0, True),
        (None, 0.0, True),
    ],
)
def test_the_same_moment_seen_from_later_is_no_news(now: Prognosis | None, age_s: float, *, is_news: bool) -> None:
    assert moved(Prognosis(100.0, 200.0, 0.8), now, age_s) is is_news
    assert not moved(None, None, 0.0)
