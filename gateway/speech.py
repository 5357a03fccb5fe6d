"""One language: what things are called, numbers and times, from its catalogue `gateway/web/locale/<language>.json`.

The catalogue's sections hold plain texts by code; `causes` and `faults` hold a name, an explanation and what to check first.
Every language has the same keys; a test holds that, and that every code the program can produce is there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from gateway.catalogue import LOCALE, read_catalogue
from wire.messages import Severity

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_PHASE = re.compile(r"(.+)_l([1-9])")
_NUMBERED = re.compile(r"(.+?)_?([0-9]+)")
_AXIS = re.compile(r"[xyz]|a[0-9]+")


@dataclass(frozen=True, slots=True)
class CauseText:
    """What a cause is called, what it means, and what to check first."""

    name: str
    explain: str
    check: str


class Speech:
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

        >>> Speech("de").zone
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

        >>> Speech("de").feature("vibration.x.order_1"), Speech("en").feature("current_l2")
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

        >>> Speech("de").number(12.345), Speech("en").number(0.0012345)
        ('12,3', '0.00123')
        """
        text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
        return text.replace(".", str(self.catalogue["language"]["decimal"]))

    def amount(self, value: float, unit: str) -> str:
        """A measured value with its unit, where it has one."""
        return f"{self.number(value)} {self.word('units', unit)}".rstrip()

    def duration(self, seconds: float) -> str:
        """How long, in the largest unit that leaves at least two of it.

        >>> Speech("en").duration(7200), Speech("en").duration(5400)
        ('2 h', '90 min')
        """
        for unit, length in (("days", _DAY), ("hours", _HOUR), ("minutes", _MINUTE)):
            if seconds >= 2 * length:
                return str(self.catalogue["durations"][unit]).format(n=round(seconds / length))
        return str(self.catalogue["durations"]["seconds"]).format(n=max(round(seconds), 0))

    def span(self, low_s: float, high_s: float) -> str:
        """A time to come as people say it, in the unit that suits its end.

        >>> Speech("de").span(3 * 86_400, 9 * 86_400), Speech("en").span(100, 7000), Speech("en").span(5500, 8000)
        ('in 3 bis 9 Tagen', 'in 2 to 117 min', 'in about 2 h')
        """
        for unit, length in (("days", _DAY), ("hours", _HOUR), ("minutes", _MINUTE), ("seconds", 1)):
            if high_s >= 2 * length or unit == "seconds":
                break
        low, high = round(low_s / length), max(round(high_s / length), 1)
        kind = "within" if low < 1 else "about" if low == high else "between"
        return str(self.catalogue["spans"][kind]).format(low=low, high=high, unit=self.catalogue["spans"][unit])

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
        >>> Speech("de", zone=ZoneInfo("Europe/Berlin")).midnight(1_790_000_100_000_000_000) / 1e9
        1789941600.0
        """
        moment = datetime.fromtimestamp(time_ns / 1e9, tz=UTC).astimezone(self._zone)
        return round(moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).timestamp()) * 1_000_000_000
