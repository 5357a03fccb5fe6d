"""What people read about alerts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from gateway.alerts import Alert, Reason, State
from gateway.catalogue import LANGUAGES, WordingError
from gateway.relation_wording import related_text
from gateway.speech import CauseText, Speech
from wire.messages import Evidence, Severity

__all__ = ["LANGUAGES", "CauseText", "Description", "Wording", "WordingError", "machine_causes"]

_NOT_OF_MACHINES = re.compile(r"unknown|own|(camera|node)_.*|rejects_high|(colour|size)_drift|too_dark|too_light|shape")
_HALF_DAY_NS = 12 * 3600 * 10**9
_MUCH, _VERY_MUCH = 6.0, 15.0
"""Deviations from which something has moved clearly, and far."""
_SHOWN_EVIDENCE = 3
TOGETHER_NS = 30 * 60 * 10**9
"""Troubles that begin within this of each other began at about the same time."""
CERTAIN = 0.75
"""A normal that is known less well is said to be."""
_SHARES = frozenset({"reject_rate", "shift", "detail"})
"""Figures of goods and cameras that are shares of one."""


@dataclass(frozen=True, slots=True)
class Description:
    """One alert in plain words."""

    title: str
    explain: str
    since: str
    expected: str
    """When the next limit is expected to be reached; empty where nothing can be said."""
    sure: str
    also: str
    """Other possible causes; empty where there are none."""
    related: str
    """What of the machine moved when its goods did; empty where nothing can be defended."""
    evidence: tuple[str, ...]
    check: str

    @property
    def lines(self) -> tuple[str, ...]:
        """The body of a message, one statement a line."""
        return tuple(
            line
            for line in (
                self.explain,
                self.since,
                self.expected,
                self.sure,
                self.also,
                *self.evidence,
                self.related,
                self.check,
            )
            if line
        )


class Wording(Speech):
    """One language, and what is said in it of alerts; see `Speech`."""

    def expected(self, low_s: float, high_s: float, confidence: float, reaches: str) -> str:
        """When a limit is expected to be reached, and how sure that is."""
        key = "expected_alarm" if reaches == Severity.ALARM else "expected_limit"
        return self.text(key, span=self.span(low_s, high_s), percent=round(100 * confidence))

    def evidence(self, item: Evidence, *, at_ns: int, now_ns: int) -> str:
        """One feature that moved: what was measured, what is usual, in which direction, and since when.

        `at_ns` is the moment that the evidence is relative to; 0 where it is not known. Of goods and cameras some figures
        come with their limit instead of what is usual.

        >>> few = Evidence(feature="reject_rate", value=0.31, expected=0.1, unit="", deviation=7.0)
        >>> Wording("en").evidence(few, at_ns=0, now_ns=0)
        'Measured: Share of rejects 31 % (limit 10 %)'
        """
        limited = self.catalogue["features"]["limited"].get(item.feature)
        if limited is not None:
            value, limit = (self._figure(item.feature, each) for each in (item.value, item.expected))
            return self.text("evidence_limit", feature=limited, value=value, limit=limit)
        said = self.text(
            "evidence",
            feature=self.feature(item.feature),
            value=self.amount(item.value, item.unit),
            expected=self.amount(item.expected, item.unit),
        )
        size = "far" if abs(item.deviation) >= _VERY_MUCH else "clear" if abs(item.deviation) >= _MUCH else "some"
        change = item.value - item.expected
        # The deviation may be of many readings and the value of the last one alone. The word is about the numbers beside it: where they
        # went the other way, how far and since when the many did is not theirs.
        crossed = change * item.deviation < 0
        way = "up" if (change or item.deviation) >= 0 else "down"
        direction = self.word("directions", f"{'some' if crossed else size}_{way}")
        if item.since_ms is None or not at_ns or crossed:
            return self.text("moved", evidence=said, direction=direction)
        since_ns = at_ns + round(item.since_ms * 1e6)
        when = self.clock(since_ns)[:5] if now_ns - since_ns < _HALF_DAY_NS else self.when(since_ns)
        return self.text("moved_since", evidence=said, direction=direction, when=when)

    def _figure(self, name: str, value: float) -> str:
        return f"{self.number(100 * value)} %" if name in _SHARES else self.number(value)

    def describe(
        self,
        alert: Alert,
        *,
        now_ns: int,
        reason: Reason | None = None,
        called: Mapping[str, str] | None = None,
        beside: Sequence[Alert] = (),
    ) -> Description:
        """An alert in plain words: machine, what, since when, how sure, what to check first.

        `called` are the names that people gave products, where they are known; `beside` are other alerts that are open. One of the
        machine whose goods this one is about that began within `TOGETHER_NS` is looked at first: what helps against the goods' look may be wrong for its cause.
        """
        cause = self.cause(alert.cause, alert.label)
        title = self.text(
            "title", severity=self.severity(alert.severity), machine=self.machine(alert.machine), cause=cause.name
        )
        if reason is not None and reason != "opened":
            title = self.text("title_reason", reason=self.word("reasons", reason), title=title)
        others = [
            self.cause(other.code, other.label).name
            for other in alert.causes
            if other.code not in {alert.cause, "unknown"}
        ]
        explain = self.text("what", explain=self._drift(alert) or cause.explain)
        if alert.kind == "sensor" and alert.channel:
            explain += " " + self.text("channel", channel=self.feature(alert.channel))
        elif alert.kind == "quality" and alert.product:
            explain += " " + self.text("product", product=(called or {}).get(alert.product, alert.product))
        if alert.state is State.RESOLVED:
            explain = f"{self.text('over', state=self.word('resolutions', alert.resolution))} {explain}"
        elif alert.clear_since_ns is not None:
            explain = f"{self.text('calm', when=self.clock(alert.clear_since_ns)[:5])} {explain}"
        return Description(
            title=title,
            explain=explain,
            since=self.text(
                "since", when=self.when(alert.since_ns), duration=self.duration((now_ns - alert.since_ns) / 1e9)
            ),
            expected=self._expected(alert, now_ns),
            sure=self._known(alert) if alert.kind in {"machine", "quality"} else "",
            also=self.text("also", causes=", ".join(others[:2])) if others else "",
            related=related_text(self, alert, now_ns=now_ns, called=called),
            evidence=tuple(
                self.evidence(item, at_ns=alert.reported_ns, now_ns=now_ns) for item in alert.evidence[:_SHOWN_EVIDENCE]
            ),
            check=self._check(alert, beside) or self.text("check", check=cause.check),
        )

    def _check(self, alert: Alert, beside: Sequence[Alert]) -> str:
        of_machine = [
            each
            for each in beside
            if each.kind == "machine"
            and each.machine == alert.machine
            and abs(each.since_ns - alert.since_ns) <= TOGETHER_NS
        ]
        if alert.kind != "quality" or not of_machine:
            return ""
        first = self.cause(of_machine[0].cause, of_machine[0].label).name
        return self.text("check_beside", cause=first, machine=self.machine(alert.machine))

    def _drift(self, alert: Alert) -> str:
        """Which way goods drift, by the numbers that are shown beside it; empty where there are none."""
        feature = {"colour_drift": "lightness", "size_drift": "size"}.get(alert.cause)
        shown = next((each for each in alert.evidence if each.feature == feature), None)
        if feature is None or shown is None or shown.value == shown.expected:
            return ""
        return self.text(f"{alert.cause}_{'up' if shown.value > shown.expected else 'down'}")

    def _expected(self, alert: Alert, now_ns: int) -> str:
        between, prognosis = alert.expected_ns, alert.prognosis
        if between is None or prognosis is None or between[1] <= now_ns:
            return ""
        low_s, high_s = max(between[0] - now_ns, 0) / 1e9, (between[1] - now_ns) / 1e9
        return self.expected(low_s, high_s, prognosis.confidence, prognosis.reaches)

    def _known(self, alert: Alert) -> str:
        """How sure the cause is, and that little was learned before, where it was."""
        if alert.certainty is None or alert.certainty >= CERTAIN:
            return self._sure(alert)
        return f"{self._sure(alert)}. {self.text('young', percent=round(100 * alert.certainty))}"

    def _sure(self, alert: Alert) -> str:
        if alert.named is not None and alert.named.recognised:
            return self.text("sure_recognised", percent=round(100 * alert.named.confidence))
        if alert.cause not in self.catalogue["causes"] or alert.cause == "unknown":
            return self.text("sure_unknown")  # a number would be about the deviation, and be read as about the cause
        confidence = alert.confidence
        if confidence is None:
            return self.text("sure_none", word=self.word("confidence", "none"))
        grade = "high" if confidence >= 0.75 else "medium" if confidence >= 0.4 else "low"
        return self.text("sure", word=self.word("confidence", grade), percent=round(100 * confidence))


@cache
def machine_causes() -> frozenset[str]:
    """Codes of the catalogue that a person can confirm as what was wrong with a machine."""
    return frozenset(code for code in Wording(LANGUAGES[0]).catalogue["causes"] if not _NOT_OF_MACHINES.fullmatch(code))
