"""What people read, from one catalogue per language: `gateway/web/locale/<language>.json`.

The catalogue's sections hold plain texts by code; `causes` and `faults` hold a name, an explanation and what to check first.
Every language has the same keys; a test holds that, and that every code the program can produce is there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

from gateway.alerts import Alert, Reason, State
from wire.messages import Severity

LANGUAGES = ("de", "en")
"""German first: it is what the people at the machine speak."""
LOCALE = Path(__file__).parent / "web" / "locale"
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_PHASE = re.compile(r"(.+)_l([1-9])")
_NUMBERED = re.compile(r"(.+?)_?([0-9]+)")
_AXIS = re.compile(r"[xyz]|a[0-9]+")


class WordingError(Exception):
    """A language that does not exist, or a catalogue that cannot be read."""


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
    sure: str
    also: str
    """Other possible causes; empty where there are none."""
    evidence: tuple[str, ...]
    check: str

    @property
    def lines(self) -> tuple[str, ...]:
        """The body of a message, one statement a line."""
        return tuple(
            line for line in (self.explain, self.since, self.sure, self.also, *self.evidence, self.check) if line
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
        if language not in LANGUAGES:
            raise WordingError(f"language {language!r}: one of {', '.join(LANGUAGES)}")
        path = folder / f"{language}.json"
        try:
            self.catalogue: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as exc:
            raise WordingError(f"{path}: {exc}") from exc
        self.language = language
        self._zone = zone
        self._titles = dict(titles or {})

    def cause(self, code: str) -> CauseText:
        """A cause or sensor fault; one the catalogue does not know is called `unknown`, with its code."""
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

    def duration(self, seconds: float) -> str:
        """How long, in the largest unit that leaves at least two of it.

        >>> Wording("en").duration(7200), Wording("en").duration(5400)
        ('2 h', '90 min')
        """
        for unit, length in (("days", _DAY), ("hours", _HOUR), ("minutes", _MINUTE)):
            if seconds >= 2 * length:
                return str(self.catalogue["durations"][unit]).format(n=round(seconds / length))
        return str(self.catalogue["durations"]["seconds"]).format(n=max(round(seconds), 0))

    def when(self, time_ns: int) -> str:
        """A moment in the people's own time."""
        moment = datetime.fromtimestamp(time_ns / 1e9, tz=UTC).astimezone(self._zone)
        return moment.strftime(str(self.catalogue["language"]["date"]))

    def clock(self, time_ns: int) -> str:
        """A time of day in the people's own time, to the second."""
        return datetime.fromtimestamp(time_ns / 1e9, tz=UTC).astimezone(self._zone).strftime("%H:%M:%S")

    def describe(self, alert: Alert, *, now_ns: int, reason: Reason | None = None) -> Description:
        """An alert in plain words: machine, what, since when, how sure, what to check first."""
        cause = self.cause(alert.cause)
        title = self.text(
            "title", severity=self.severity(alert.severity), machine=self.machine(alert.machine), cause=cause.name
        )
        if reason is not None and reason != "opened":
            title = self.text("title_reason", reason=self.word("reasons", reason), title=title)
        others = [self.cause(other.code).name for other in alert.causes if other.code not in {alert.cause, "unknown"}]
        explain = self.text("what", explain=cause.explain)
        if alert.kind == "sensor" and alert.channel:
            explain += " " + self.text("channel", channel=self.feature(alert.channel))
        if alert.state is State.RESOLVED:
            explain = f"{self.text('over', state=self.word('resolutions', alert.resolution))} {explain}"
        return Description(
            title=title,
            explain=explain,
            since=self.text(
                "since", when=self.when(alert.since_ns), duration=self.duration((now_ns - alert.since_ns) / 1e9)
            ),
            sure=self._sure(alert) if alert.kind in {"machine", "quality"} else "",
            also=self.text("also", causes=", ".join(others[:2])) if others else "",
            evidence=tuple(
                self.text(
                    "evidence",
                    feature=self.feature(item.feature),
                    value=self.number(item.value),
                    expected=self.number(item.expected),
                    unit=self.word("units", item.unit),
                )
                for item in alert.evidence[:2]
            ),
            check=self.text("check", check=cause.check),
        )

    def _sure(self, alert: Alert) -> str:
        if alert.cause not in self.catalogue["causes"] or alert.cause == "unknown":
            return self.text("sure_unknown")  # a number would be about the deviation, and be read as about the cause
        confidence = alert.confidence
        if confidence is None:
            return self.text("sure_none", word=self.word("confidence", "none"))
        grade = "high" if confidence >= 0.75 else "medium" if confidence >= 0.4 else "low"
        return self.text("sure", word=self.word("confidence", grade), percent=round(100 * confidence))
