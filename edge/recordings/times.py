"""Times as people and loggers write them: ISO, German and American dates, times of day, epochs, Excel days, seconds."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from edge.recordings.time_numbers import DAY_NS, NS, TimeFormat, number_format, whole_ns

_ZONES = {"z": 0, "utc": 0, "gmt": 0, "mez": 60, "cet": 60, "mesz": 120, "cest": 120}
"""Minutes before UTC that a zone's short name stands for."""
_MONTHS = {
    name: at
    for at, names in enumerate(
        ("jan jän", "feb", "mar mär mae mrz", "apr", "may mai", "jun", "jul", "aug", "sep", "oct okt", "nov", "dec dez"), 1
    )
    for name in names.split()
}  # fmt: skip
_DAYS_BEFORE = r"(?:(?P<days>\d{1,5})(?:\s*(?:d|T|[Dd]ays?|Tage?),?\s*|\.(?=\d{2}:\d{2}:\d{2}(?:\.\d{7})?$)))?"
"""Of what has elapsed, as pandas (`0 days 00:00:01`), Python (`1 day, 0:00:01`) and .NET (`1.00:00:01`) write it."""
_TIME_OF_DAY = (
    r"(?P<hour>\d{1,3}):(?P<minute>\d{1,2})(?::(?P<second>\d{1,2}))?(?:[.,](?P<fraction>\d{1,12})|(?<=:\d\d:\d\d):(?P<ms>\d{1,3}))?"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?(?:\s*Uhr)?(?:\s*(?P<offset>[+-]\d{2}:?\d{2}))?(?:\s*(?P<zone>[A-Za-z]{1,4}))?"
)
_TIME_BEHIND_DAY = _TIME_OF_DAY.replace(r":(?P<minute>\d{1,2})", r"(?::(?P<minute>\d{1,2}))?", 1)
"""Behind a date the hour is enough."""
_DAY = (
    r"(?:[A-Za-zä]{2,10}\.?,?\s+)?(?:"
    r"(?P<y>\d{4})[./-](?P<m>\d{1,2})[./-](?P<d>\d{1,2})"
    r"|(?P<first>\d{1,2})(?P<sign>[./-]| (?=\d{1,2} \d{4}\b))(?P<second_part>\d{1,2})(?P=sign)(?P<third>\d{4}|\d{2})"
    r"|(?P<nd>\d{1,2})\.?[ -](?P<nm>[A-Za-zä]{3,9})\.?[ -](?P<ny>\d{4}|\d{2})"
    r"|(?P<am>[A-Za-z]{3,9})\.? (?P<ad>\d{1,2}),?\s+(?P<ay>\d{4})"
    r"|(?P<cy>(?:19|20)\d{2})(?P<cm>\d{2})(?P<cd>\d{2})(?=[T_ -]\d{6}))"
)
_DIGITS = r"[T_ -](?P<h>\d{2})(?P<min>\d{2})(?P<s>\d{2})(?:[.,](?P<f>\d{1,9}))?Z?"
_WRITTEN = re.compile(rf"{_DAY}(?:(?:[T\s,_]+|\s+-\s+){_TIME_BEHIND_DAY}|{_DIGITS})?")
_YEAR_LAST = re.compile(r"[A-Za-z]{3}\s+([A-Za-z]{3})\s+(\d{1,2})\s+(\d{1,2}:\d{2}:\d{2})\s+(?:[A-Z]{3,4}\s+)?(\d{4})")
"""As C's `ctime` and the command `date` write it."""
_CLOCK = re.compile(_DAYS_BEFORE + _TIME_OF_DAY)
_ISO = re.compile(r"^\d{4}-\d{2}-\d{2}")
_ISO_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:.(?!24)\d{2}(?::?\d{2}(?::?\d{2}(?:[.,]\d+)?)?)?\s*(?:Z|UTC|GMT|CES?T|MES?Z|[+-]\d{2}(?::?\d{2}){0,2})?)?",
    re.IGNORECASE,
)
"""What is otherwise, such as an hour of one digit, people have written: they are told of what is none, as `08.30.00`."""
_ZONE_WORD = re.compile(r"\s*(UTC|GMT|CET|CEST|MEZ|MESZ)$", re.IGNORECASE)
_MINUTES = "the time is taken for minutes and seconds, as it counts"
_ELAPSED = "the time is taken for what has elapsed, as it has more hours than a day"
_FRACTION = re.compile(r"[.,](\d+)")


def looks_dated(text: str) -> bool:
    """Whether one cell is a date."""
    text = text.strip()
    return bool(_ISO.match(text) or _written(text))


def _written(text: str) -> re.Match[str] | None:
    """A date as people and loggers write it, with or without a time of day."""
    text = text.strip()
    if text[:1].isalpha():
        text = _YEAR_LAST.sub(r"\2 \1 \4 \3", text)
    return _WRITTEN.fullmatch(text)


def is_day(text: str) -> bool:
    """Whether one cell is a date without a time of day.

    >>> is_day("09.03.2020"), is_day("2020-03-09"), is_day("09.03.2020 14:34")
    (True, True, False)
    """
    found = _written(text)
    return found is not None and found["hour"] is None and found["h"] is None


def is_clock(text: str) -> bool:
    """Whether one cell is a time of day alone, as loggers write it beside the date."""
    found = _CLOCK.fullmatch(text.strip())
    return found is not None and (not found["zone"] or found["zone"].lower() in _ZONES)


def time_format(name: str, sample: Sequence[str]) -> TimeFormat:
    """Chooses how to read a time column from its name and its first cells.

    Numbers above 10^8 count from 1970, in s, ms, µs or ns by their size, or are written as 20240501083000; numbers like
    45413.3541667 are a spreadsheet's days where the name says date or no clock counts in such steps; smaller ones are
    seconds, or the unit in the column's name (`time_ms`, `Zeit [ms]`).

    Raises:
        ValueError: no cell, or one that is neither a date nor a number.
    """
    cells = [cell.strip() for cell in sample if cell.strip()]
    if not cells:
        raise ValueError("no time in it")
    first = cells[0]
    if _ISO.match(first):
        return TimeFormat(iso_ns, dated=True)
    if _written(first):
        return TimeFormat(_written_parser(_order(cells)), dated=True)
    if is_clock(first):
        return _clock_format(cells)
    return number_format(name, cells)


def iso_ns(text: str) -> int:
    """Nanoseconds since 1970 of an ISO 8601 time; without an offset it is taken as UTC.

    >>> iso_ns("2020-03-09 14:34:41"), iso_ns("2024-07-25T08:28:19.384086858Z") % NS
    (1583764481000000000, 384086858)
    """
    text = text.strip()
    if not _ISO_TIME.fullmatch(text):
        return _written_parser("ymd")(text)
    zone = _ZONE_WORD.search(text)
    ahead_ns = 0
    if zone:
        text = text[: zone.start()]
        ahead_ns = _ZONES[zone[1].lower()] * 60 * NS
    fraction = _FRACTION.search(text)
    nanoseconds = 0
    if fraction:
        nanoseconds = int(fraction[1][:9].ljust(9, "0"))
        text = text[: fraction.start()] + text[fraction.end() :]
    return whole_ns(datetime.fromisoformat(text)) + nanoseconds - ahead_ns


def _order(cells: Sequence[str]) -> str:
    """How three numbers with a sign between them are a date: `dmy`, `mdy`, or `ymd` with a year of two digits.

    Dates with dots are German. Otherwise it is the reading that all cells bear and in which time goes on least far.
    """
    parts = [found for found in map(_written, cells) if found and found["first"]]
    if not parts or parts[0]["sign"] == ".":
        return "dmy"
    spans: dict[str, float] = {}
    orders = ("mdy", "dmy") if parts[0]["half"] and parts[0]["sign"] == "/" else ("dmy", "mdy")
    for order in (*orders, "ymd")[: 3 if len(parts[0]["third"]) == 2 else 2]:
        try:
            days = [whole_ns(_moment(found, order)) for found in parts]
        except ValueError:
            continue
        spans[order] = max(days) - min(days)
    return min(spans, key=lambda order: spans[order]) if spans else "dmy"


def _moment(found: re.Match[str], order: str) -> datetime:
    """The day of a written date.

    Raises:
        ValueError: there is no such day.
    """
    if found["first"]:
        by = dict(zip(order, (found["first"], found["second_part"], found["third"]), strict=True))
        year, month, day = by["y"], int(by["m"]), by["d"]
    elif found["nm"] or found["am"]:
        year, day = found["ny"] or found["ay"], found["nd"] or found["ad"]
        month = _MONTHS.get((found["nm"] or found["am"]).lower()[:3], 0)
    else:
        year, day = found["y"] or found["cy"], found["d"] or found["cd"]
        month = int(found["m"] or found["cm"])
    return datetime(int(year) + (2000 if len(year) == 2 else 0), month, int(day), tzinfo=UTC)


def _written_parser(order: str) -> Callable[[str], int]:
    def parse(text: str) -> int:
        found = _written(text)
        if not found:
            raise ValueError(f"not a date: {text!r}")
        day_ns = whole_ns(_moment(found, order))
        if found["h"]:
            seconds = int(found["h"]) * 3600 + int(found["min"]) * 60 + int(found["s"])
            return day_ns + seconds * NS + _fraction_ns(found["f"])
        return day_ns + (_of_day_ns(found, of_day=True) if found["hour"] else 0)

    return parse


def _of_day_ns(found: re.Match[str], *, of_day: bool) -> int:
    """Nanoseconds since midnight, or those that have elapsed where it is not `of_day`.

    Raises:
        ValueError: there is no such time.
    """
    hour, minute, second = int(found["hour"]), int(found["minute"] or 0), int(found["second"] or 0)
    if found["half"]:
        hour = hour % 12 + (12 if found["half"] in "pP" else 0)
    if minute > 59 or second > 60 or (of_day and (hour > 24 or (hour == 24 and minute + second > 0))):
        raise ValueError("no time of day")
    ahead = _ZONES.get((found["zone"] or "z").lower())
    if ahead is None:
        raise ValueError(f"no zone {found['zone']!r}")
    if found["offset"]:
        sign, digits = found["offset"][0], found["offset"][1:].replace(":", "")
        ahead = (int(digits[:2]) * 60 + int(digits[2:])) * (-1 if sign == "-" else 1)
    fraction = found["ms"].zfill(3) if found["ms"] else found["fraction"]
    return ((hour * 60 + minute - ahead) * 60 + second) * NS + _fraction_ns(fraction)


def _fraction_ns(digits: str | None) -> int:
    return int(digits[:9].ljust(9, "0")) if digits else 0


def _clock_format(cells: Sequence[str]) -> TimeFormat:
    """Times of day; or what has elapsed, where there are more hours than in a day or seconds with a fraction."""
    found = [match for match in map(_CLOCK.fullmatch, cells) if match]
    most = max(int(match["hour"]) + 24 * int(match["days"] or 0) for match in found)
    minutes = all(match["second"] is None for match in found) and (most > 23 or any(m["fraction"] for m in found))

    def parse(text: str) -> int:
        match = _CLOCK.fullmatch(text.strip())
        if not match:
            raise ValueError(f"not a time of day: {text!r}")
        if minutes:
            return (int(match["hour"]) * 60 + int(match["minute"])) * NS + _fraction_ns(match["fraction"])
        return int(match["days"] or 0) * DAY_NS + _of_day_ns(match, of_day=False)

    elapsed = most > 24 or any(match["days"] for match in found)
    note = _MINUTES if minutes else _ELAPSED if elapsed else ""
    return TimeFormat(parse, dated=False, wraps=most <= 23 and not minutes and not elapsed, note=note)
