"""What people read, from one catalogue per language: `gateway/web/locale/<language>.json`.

The catalogue's sections hold plain texts by code; `causes` and `faults` hold a name, an explanation and what to check first.
Every language has the same keys; a test holds that, and that every code the program can produce is there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cache
from pathlib import Path

from gateway.alerts import Alert, Reason, State
from gateway.catalogue import LANGUAGES, LOCALE, WordingError, read_catalogue
from gateway.relation_wording import related_text
from wire.messages import Evidence, Severity

__all__ = ["LANGUAGES", "CauseText", "Description", "Wording", "WordingError", "machine_causes"]

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_PHASE = re.compile(r"(.+)_l([1-9])")
_NUMBERED = re.compile(r"(.+?)_?([0-9]+)")
_AXIS = re.compile(r"[xyz]|a[0-9]+")
_NOT_OF_MACHINES = re.compile(r"unknown|own|(camera|node)_.*|rejects_high|(colour|size)_drift|too_dark|too_light|shape")
_MUCH, _VERY_MUCH = 6.0, 15.0
"""Deviations from which something has moved clearly, and far."""
_SHOWN_EVIDENCE = 3
CERTAIN = 0.75
"""A normal that is known less well is said to be."""
_SHARES = frozenset({"reject_rate", "shift", "detail"})
"""Figures of goods and cameras that are shares of one."""


@dataclass(frozen=True, slots=True)
class CauseText:
    """What a cause is called, what it means, and what to check first."""

    name: str
    explain: str
    check: str


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


class Wording:
    """One language. `zone` is where the people are; `titles` are the machines' names as people call them."""

    def __init__(
        self,
        language: str,
        *,
        zone: tzinfo = UTC,
        titles: Mapping[str, str] | None = None,
        folder: Path = LOCALE,
    ) -> None:
        self.catalogue = read_catalogue(language, folder)
        self.language = language
        self._zone = zone
        self._titles = dict(titles or {})

    @property
    def zone(self) -> str:
        """The name of the people's time zone, as `Europe/Berlin`; empty where it has none.

        >>> Wording("de").zone
        'UTC'
        """
        name = str(self._zone)
        return name if "/" in name or name == "UTC" else ""

    def cause(self, code: str, label: str = "") -> CauseText:
        """A cause or sensor fault; one with a person's own label is called that, and one nobody knows `unknown`, with its code."""
        if label:
            own = self.catalogue["causes"]["own"]
            return CauseText(label, own["explain"], own["check"])
        found = self.catalogue["causes"].get(code) or self.catalogue["faults"].get(code)
        if found is not None:
            return CauseText(found["name"], found["explain"], found["check"])
        unknown = self.catalogue["causes"]["unknown"]
        name = self.text("cause_code", name=unknown["name"], code=code)
        return CauseText(name, unknown["explain"], unknown["check"])

    def word(self, section: str, code: str) -> str:
        """A plain text of a section, such as `severities`; the code itself where there is none."""
        found = self.catalogue.get(section, {}).get(code)
        return found if isinstance(found, str) else code

    def text(self, key: str, **values: object) -> str:
        """A sentence of section `texts`, filled in."""
        return str(self.catalogue["texts"][key]).format(**values)

    def severity(self, severity: Severity) -> str:
        """Its name."""
        return self.word("severities", severity)

    def machine(self, name: str) -> str:
        """What people call the machine."""
        return self._titles.get(name) or name

    def feature(self, name: str) -> str:
        """A channel or a feature, `<channel>[.<axis>][.<feature>]`, as people call it.

        Channels and features that the catalogue does not know keep their names, without underscores.

        >>> Wording("de").feature("vibration.x.order_1"), Wording("en").feature("current_l2")
        ('Schwingung: Rütteln einmal je Umdrehung (Richtung X)', 'Current phase 2')
        """
        known = self.catalogue["features"]
        if name in known["channels"]:
            return str(known["channels"][name])
        first, *rest = name.split(".")
        axis = rest.pop(0) if rest and _AXIS.fullmatch(rest[0]) else ""
        values = {"channel": self._channel(first), "axis": self._axis(axis, electric="current" in first)}
        if rest:
            ending = ".".join(rest)
            values["ending"] = str(known["endings"].get(ending) or ending.replace("_", " "))
        pattern = "_".join(part for part in ("axis" * bool(axis), "ending" * bool(rest)) if part)
        return str(known["patterns"][pattern]).format(**values) if pattern else values["channel"]

    def _channel(self, name: str) -> str:
        known = self.catalogue["features"]
        if name in known["channels"]:
            return str(known["channels"][name])
        for form, pattern in ((_PHASE, "phase"), (_NUMBERED, "numbered")):
            found = form.fullmatch(name)
            if found is not None and found[1] in known["channels"]:
                return str(known["patterns"][pattern]).format(channel=known["channels"][found[1]], number=found[2])
        return name.replace("_", " ")

    def _axis(self, axis: str, *, electric: bool) -> str:
        known = self.catalogue["features"]
        numbered = str(known["patterns"]["numbered_axis"]).format(number=axis[1:])
        return str(known["phases" if electric else "axes"].get(axis, numbered))

    def number(self, value: float) -> str:
        """A measured value in three significant digits.

        >>> Wording("de").number(12.345), Wording("en").number(0.0012345)
        ('12,3', '0.00123')
        """
        text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
        return text.replace(".", str(self.catalogue["language"]["decimal"]))

    def amount(self, value: float, unit: str) -> str:
        """A measured value with its unit, where it has one."""
        return f"{self.number(value)} {self.word('units', unit)}".rstrip()

    def duration(self, seconds: float) -> str:
        """How long, in the largest unit that leaves at least two of it.

        >>> Wording("en").duration(7200), Wording("en").duration(5400)
        ('2 h', '90 min')
        """
        for unit, length in (("days", _DAY), ("hours", _HOUR), ("minutes", _MINUTE)):
            if seconds >= 2 * length:
                return str(self.catalogue["durations"][unit]).format(n=round(seconds / length))
        return str(self.catalogue["durations"]["seconds"]).format(n=max(round(seconds), 0))

    def span(self, low_s: float, high_s: float) -> str:
        """A time to come as people say it, in the unit that suits its end.

        >>> Wording("de").span(3 * 86_400, 9 * 86_400), Wording("en").span(100, 7000), Wording("en").span(5500, 8000)
        ('in 3 bis 9 Tagen', 'in 2 to 117 min', 'in about 2 h')
        """
        for unit, length in (("days", _DAY), ("hours", _HOUR), ("minutes", _MINUTE), ("seconds", 1)):
            if high_s >= 2 * length or unit == "seconds":
                break
        low, high = round(low_s / length), max(round(high_s / length), 1)
        kind = "within" if low < 1 else "about" if low == high else "between"
        return str(self.catalogue["spans"][kind]).format(low=low, high=high, unit=self.catalogue["spans"][unit])

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
        when = self.clock(since_ns)[:5] if now_ns - since_ns < 12 * _HOUR * 1e9 else self.when(since_ns)
        return self.text("moved_since", evidence=said, direction=direction, when=when)

    def _figure(self, name: str, value: float) -> str:
        return f"{self.number(100 * value)} %" if name in _SHARES else self.number(value)

    def when(self, time_ns: int) -> str:
        """A moment in the people's own time."""
        return self.local(time_ns).strftime(str(self.catalogue["language"]["date"]))

    def clock(self, time_ns: int) -> str:
        """A time of day in the people's own time, to the second."""
        return self.local(time_ns).strftime("%H:%M:%S")

    def local(self, time_ns: int) -> datetime:
        """A moment in the people's own time zone."""
        return datetime.fromtimestamp(time_ns / 1e9, tz=UTC).astimezone(self._zone)

    def midnight(self, time_ns: int) -> int:
        """When that day began where the people are.

        >>> from zoneinfo import ZoneInfo
        >>> Wording("de", zone=ZoneInfo("Europe/Berlin")).midnight(1_790_000_100_000_000_000) / 1e9
        1789941600.0
        """
        moment = datetime.fromtimestamp(time_ns / 1e9, tz=UTC).astimezone(self._zone)
        return round(moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).timestamp()) * 1_000_000_000

    def describe(
        self, alert: Alert, *, now_ns: int, reason: Reason | None = None, called: Mapping[str, str] | None = None
    ) -> Description:
        """An alert in plain words: machine, what, since when, how sure, what to check first.

        `called` are the names that people gave products, where they are known.
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
        explain = self.text("what", explain=cause.explain)
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
            check=self.text("check", check=cause.check),
        )

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
