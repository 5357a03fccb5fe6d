"""From states to findings: opened once, changed when it matters, cleared when over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2s
from typing import Any, Literal

from edge.fading import Fading
from edge.sensors.base import Fault
from models.condition.contract import Deviation, Explanation, PossibleCause, Prognosis, Verdict

CHANGE_EVERY_NS = 10_000_000_000
"""At most one change of a finding in this time."""
PROGNOSIS_EVERY_NS = 600_000_000_000
"""At most one change that tells only a new prognosis in this time."""
STABLE_FOR = 3
"""Judgements that a new cause or severity must stand before it is told."""
MOST_EVIDENCE = 8


@dataclass(frozen=True, slots=True)
class FindingChange:
    """A finding that opened, changed or cleared. `since_ns` is monotonic."""

    id: str
    type: Literal["machine", "sensor"]
    state: Literal["open", "changed", "cleared"]
    cause: str
    severity: str
    since_ns: int
    channel: str | None = None
    regime: str | None = None
    score: float | None = None
    limit: float | None = None
    evidence: tuple[Deviation, ...] = ()
    causes: tuple[PossibleCause, ...] = ()
    detail: str = ""
    prognosis: Prognosis | None = None
    certainty: float | None = None
    """How well the normal was known when it opened: nothing is learned while it stands."""


class Findings:
    """What is open for one machine: at most one machine finding, and one per faulty channel.

    Args:
        machine: its name.
        boot: boot id; with the start time it makes an id that no restart repeats.
    """

    def __init__(self, machine: str, boot: str) -> None:
        self._machine = machine
        self._boot = boot
        self._open: FindingChange | None = None
        self._fading = Fading()
        self._told_ns = 0
        self._next: tuple[str, str] = ("", "")
        self._stood = 0
        self._sensors: dict[str, FindingChange] = {}

    def update(
        self,
        now_ns: int,
        verdict: Verdict | None,
        explanation: Explanation | None,
        faults: Mapping[str, tuple[Fault, str, int | None]],
        *,
        paused: bool,
    ) -> list[FindingChange]:
        """Takes one tick's verdict (None: nothing judged, the state stands) and faulty channels."""
        changes = self._sensor_changes(now_ns, {} if paused else faults)
        if paused:
            if self._open is not None:
                changes.append(self._clear("paused"))
        elif verdict is not None:
            change = self._machine_change(now_ns, verdict, explanation)
            if change is not None:
                changes.append(change)
        return changes

    def state(self) -> dict[str, Any]:
        """Open findings, for the snapshot."""
        entries = ([self._open] if self._open else []) + list(self._sensors.values())
        return {"open": [[e.id, e.type, e.cause, e.severity, e.channel] for e in entries]}

    def load(self, state: Mapping[str, Any]) -> None:
        """Takes up the findings that were open; they clear or change under their old ids."""
        for identifier, kind, cause, severity, channel in state["open"]:
            entry = FindingChange(
                str(identifier),
                "sensor" if kind == "sensor" else "machine",
                "open",
                str(cause),
                str(severity),
                0,
                channel,
            )
            if entry.type == "machine":
                self._open = entry
                self._next = (entry.cause, entry.severity)
            elif channel is not None:
                self._sensors[str(channel)] = entry

    def _machine_change(self, now_ns: int, verdict: Verdict, explanation: Explanation | None) -> FindingChange | None:
        if not verdict.alarm:
            return self._clear("") if self._open is not None else None
        causes = explanation.causes if explanation is not None else ()
        opened = self._open
        if opened is None:
            self._fading = Fading()
        self._fading.take(verdict.score, verdict.limit)
        return self._begin(now_ns, verdict, causes) if opened is None else self._go_on(now_ns, opened, verdict, causes)

    def _begin(self, now_ns: int, verdict: Verdict, causes: tuple[PossibleCause, ...]) -> FindingChange:
        cause, evidence = _first(causes), verdict.deviations[:MOST_EVIDENCE]
        since = min((d.since_s for d in evidence if d.since_s is not None), default=verdict.time_s)
        since_ns = min(round(since * 1e9), now_ns)
        identifier = self._id("machine", cause, now_ns)
        opened = FindingChange(
            identifier, "machine", "open", cause, verdict.severity, since_ns, certainty=verdict.certainty
        )
        self._open = _judged(opened, verdict, cause, causes, evidence)
        self._told_ns, self._next, self._stood = now_ns, (cause, verdict.severity), 0
        return self._open

    def _go_on(
        self, now_ns: int, opened: FindingChange, verdict: Verdict, causes: tuple[PossibleCause, ...]
    ) -> FindingChange | None:
        cause, evidence = _first(causes), verdict.deviations[:MOST_EVIDENCE]
        recognised = opened.cause != "unknown"
        if recognised and verdict.limit is None and self._next[0] != opened.cause and self._next[1] == verdict.severity:
            # Where there is no limit, as at rest, there is too little to say, also against the name that is being considered.
            return None
        if cause == "unknown" or (recognised and (self._fading or verdict.limit is None)):
            # While a machine recovers, the evidence fades before the alarm ends, and what is left of it may look like something else:
            # what was recognised stands.
            cause, causes = opened.cause, opened.causes
            evidence = opened.evidence if cause != "unknown" else evidence
        seen = (cause, verdict.severity)
        self._stood = self._stood + 1 if seen == self._next else 1
        self._next = seen
        age_ns = now_ns - self._told_ns
        another = seen != (opened.cause, opened.severity) and age_ns >= CHANGE_EVERY_NS
        news = age_ns >= PROGNOSIS_EVERY_NS and moved(opened.prognosis, verdict.prognosis, age_ns / 1e9)
        if self._stood < STABLE_FOR or not (another or news):
            return None
        changed = replace(opened, state="changed", since_ns=min(opened.since_ns, now_ns) or now_ns)
        self._open = _judged(changed, verdict, cause, causes, evidence)
        self._told_ns = now_ns
        return self._open

    def _clear(self, detail: str) -> FindingChange:
        opened = self._open
        if opened is None:
            raise RuntimeError("no finding is open")
        self._open = None
        return replace(opened, state="cleared", severity="good", detail=detail, prognosis=None)

    def _sensor_changes(self, now_ns: int, faults: Mapping[str, tuple[Fault, str, int | None]]) -> list[FindingChange]:
        over = [name for name in self._sensors if name not in faults]
        changes = [replace(self._sensors.pop(name), state="cleared", severity="good", detail="") for name in over]
        for channel, (fault, text, since_ns) in faults.items():
            known = self._sensors.get(channel)
            if known is None:
                entry = FindingChange(
                    self._id("sensor", f"{channel}:{fault.value}", now_ns),
                    "sensor",
                    "open",
                    fault.value,
                    "warning",
                    since_ns if since_ns is not None else now_ns,
                    channel=channel,
                    detail=text[:500],
                )
            elif known.cause != fault.value:
                entry = replace(known, state="changed", cause=fault.value, detail=text[:500])
            else:
                continue
            self._sensors[channel] = entry
            changes.append(entry)
        return changes

    def _id(self, kind: str, cause: str, now_ns: int) -> str:
        digest = blake2s(f"{self._machine}|{kind}|{cause}|{now_ns}|{self._boot}".encode(), digest_size=10).hexdigest()
        return f"{kind[0]}-{digest}"


def moved(told: Prognosis | None, now: Prognosis | None, age_s: float) -> bool:
    """Whether a prognosis says something else than the one told `age_s` seconds ago.

    It came or went, or the middle of either interval lies outside the other.
    """
    if told is None or now is None:
        return (told is None) != (now is None)
    low_s, high_s = told.low_s - age_s, told.high_s - age_s
    return not (low_s <= (now.low_s + now.high_s) / 2 <= high_s and now.low_s <= (low_s + high_s) / 2 <= now.high_s)


def _first(causes: Sequence[PossibleCause]) -> str:
    return causes[0].code if causes else "unknown"


def _judged(
    finding: FindingChange,
    verdict: Verdict,
    cause: str,
    causes: tuple[PossibleCause, ...],
    evidence: tuple[Deviation, ...],
) -> FindingChange:
    """A finding with what is said of it now."""
    return replace(
        finding,
        cause=cause,
        severity=verdict.severity,
        regime=verdict.regime,
        score=verdict.score,
        limit=verdict.limit,
        evidence=evidence,
        causes=causes,
        detail=_detail(evidence),
        prognosis=verdict.prognosis,
    )


def _detail(evidence: Sequence[Deviation]) -> str:
    parts = [f"{d.feature} {d.value:.4g} (expected {d.expected:.4g}, {d.sigma:+.1f} sigma)" for d in evidence[:4]]
    return "; ".join(parts)[:500]
