"""What is told of a machine while its alarm lasts."""

from __future__ import annotations

from edge.findings import Findings
from models.condition.contract import Deviation, Explanation, PossibleCause, Verdict

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
