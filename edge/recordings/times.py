"""Times as people and loggers write them: ISO, German and American dates, times of day, epochs, Excel days, seconds."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from edge.recordings.time_names import unit_ns

NS = 1_000_000_000
DAY_NS = 86_400 * NS
_ZONES = {"z": 0, "utc": 0, "gmt": 0, "mez": 60, "cet": 60, "mesz": 120, "cest": 120}
"""Minutes before UTC that a zone's short name stands for."""
_MONTHS = {
    name: at
    for at, names in enumerate(
        ("jan jän", "feb", "mar mär mae mrz", "apr", "may mai", "jun", "jul", "aug", "sep", "oct okt", "nov", "dec dez"), 1
    )
    for name in names.split()
}  # fmt: skip
_TIME_OF_DAY = (
    r"(?P<hour>\d{1,3}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?(?:[.,](?P<fraction>\d{1,12}))?"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?(?:\s*Uhr)?(?:\s*(?P<zone>[A-Za-z]{1,4}))?"
)
_DAY = (
    r"(?:[A-Za-zä]{2,10}\.?,?\s+)?(?:"
    r"(?P<y>\d{4})[./-](?P<m>\d{1,2})[./-](?P<d>\d{1,2})"
    r"|(?P<first>\d{1,2})(?P<sign>[./-])(?P<second_part>\d{1,2})(?P=sign)(?P<third>\d{4}|\d{2})"
    r"|(?P<nd>\d{1,2})\.?[ -](?P<nm>[A-Za-zä]{3,9})\.?[ -](?P<ny>\d{4}|\d{2})"
    r"|(?P<am>[A-Za-z]{3,9})\.? (?P<ad>\d{1,2}),? (?P<ay>\d{4})"
    r"|(?P<cy>(?:19|20)\d{2})(?P<cm>\d{2})(?P<cd>\d{2})(?=T\d{6}))"
)
_DIGITS = r"T(?P<h>\d{2})(?P<min>\d{2})(?P<s>\d{2})(?:[.,](?P<f>\d{1,9}))?Z?"
_WRITTEN = re.compile(rf"{_DAY}(?:(?:[T\s,_]+|\s+-\s+){_TIME_OF_DAY}|{_DIGITS})?")
_CLOCK = re.compile(_TIME_OF_DAY)
_ISO = re.compile(r"^\d{4}-\d{2}-\d{2}")
_ZONE_WORD = re.compile(r"\s*(UTC|GMT|CET|CEST|MEZ|MESZ)$", re.IGNORECASE)
_FRACTION = re.compile(r"[.,](\d+)")
_CALENDAR = re.compile(r"^(19|20)\d{6}(\d{4}(\d{2})?)?$")
_DAY_NAMES = ("date", "datum", "day", "tag")
_EXCEL_DAYS = (30_000.0, 60_000.0)
"""Days since the end of 1899 that a recording may be of: 1982 to 2064."""
_EXCEL_EPOCH_DAYS = 25_569


class TimeFormat(NamedTuple):
    """How one column writes its time."""

    parse: Callable[[str], int]
    """Text to nanoseconds; raises ValueError."""
    dated: bool
    """Whether the nanoseconds count from 1970."""
    wraps: bool = False
    """Whether they begin again at midnight."""


def looks_dated(text: str) -> bool:
    """Whether one cell is a date."""
    text = text.strip()
    return bool(_ISO.match(text) or _WRITTEN.fullmatch(text))


def is_day(text: str) -> bool:
    """Whether one cell is a date without a time of day.

    >>> is_day("09.03.2020"), is_day("2020-03-09"), is_day("09.03.2020 14:34")
    (True, True, False)
    """
    return looks_dated(text) and ":" not in text and len(text.strip()) <= 12


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
    if _WRITTEN.fullmatch(first):
        return TimeFormat(_written_parser(_order(cells)), dated=True)
    if is_clock(first):
        return _clock_format(cells)
    if all(map(_is_calendar, cells)) and (len(first) > 8 or any(word in name.lower() for word in _DAY_NAMES)):
        return TimeFormat(_calendar_ns, dated=True)
    if _is_excel(name, cells):
        return TimeFormat(_excel_ns, dated=True)
    scale, dated = number_scale(name, _number(first))
    return TimeFormat(_number_parser(scale), dated=dated)


def number_scale(name: str, first: float) -> tuple[float, bool]:
    """Nanoseconds in one unit of a numeric time column, and whether it counts from 1970; see `time_format`.

    >>> number_scale("time", 0.0), number_scale("t_ms", 12.0), number_scale("ts", 1.7e12)
    ((1000000000.0, False), (1000000.0, False), (1000000.0, True))
    """
    size = abs(first)
    for bound, scale in ((1e17, 1.0), (1e14, 1e3), (1e11, 1e6), (1e8, 1e9)):
        if size > bound:
            return scale, True
    return (unit_ns(name) or 1e9), False


def iso_ns(text: str) -> int:
    """Nanoseconds since 1970 of an ISO 8601 time; without an offset it is taken as UTC.

    >>> iso_ns("2020-03-09 14:34:41"), iso_ns("2024-07-25T08:28:19.384086858Z") % NS
    (1583764481000000000, 384086858)
    """
    text = text.strip()
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
    return _whole_ns(datetime.fromisoformat(text)) + nanoseconds - ahead_ns


def _whole_ns(moment: datetime) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1) * NS


def _order(cells: Sequence[str]) -> str:
    """How three numbers with a sign between them are a date: `dmy`, `mdy`, or `ymd` with a year of two digits.

    Dates with dots are German. Otherwise it is the reading that all cells bear and in which time goes on least far.
    """
    parts = [found for found in map(_WRITTEN.fullmatch, cells) if found and found["first"]]
    if not parts or parts[0]["sign"] == ".":
        return "dmy"
    spans: dict[str, float] = {}
    orders = ("mdy", "dmy") if parts[0]["half"] and parts[0]["sign"] == "/" else ("dmy", "mdy")
    for order in (*orders, "ymd")[: 3 if len(parts[0]["third"]) == 2 else 2]:
        try:
            days = [_whole_ns(_moment(found, order)) for found in parts]
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
        found = _WRITTEN.fullmatch(text.strip())
        if not found:
            raise ValueError(f"not a date: {text!r}")
        day_ns = _whole_ns(_moment(found, order))
        if found["h"]:
            seconds = int(found["h"]) * 3600 + int(found["min"]) * 60 + int(found["s"])
            return day_ns + seconds * NS + _fraction_ns(found["f"])
        return day_ns + (_of_day_ns(found) if found["hour"] else 0)

    return parse


def _of_day_ns(found: re.Match[str]) -> int:
    hour, minute, second = int(found["hour"]), int(found["minute"]), int(found["second"] or 0)
    if found["half"]:
        hour = hour % 12 + (12 if found["half"] in "pP" else 0)
    if minute > 59 or second > 60:
        raise ValueError("no time of day")
    ahead = _ZONES.get((found["zone"] or "z").lower())
    if ahead is None:
        raise ValueError(f"no zone {found['zone']!r}")
    return ((hour * 60 + minute - ahead) * 60 + second) * NS + _fraction_ns(found["fraction"])


def _fraction_ns(digits: str | None) -> int:
    return int(digits[:9].ljust(9, "0")) if digits else 0


def _clock_format(cells: Sequence[str]) -> TimeFormat:
    """Times of day; or what has elapsed, where there are more hours than in a day or seconds with a fraction."""
    found = [match for match in map(_CLOCK.fullmatch, cells) if match]
    most = max(int(match["hour"]) for match in found)
    minutes = all(match["second"] is None for match in found) and (most > 23 or any(m["fraction"] for m in found))

    def parse(text: str) -> int:
        match = _CLOCK.fullmatch(text.strip())
        if not match:
            raise ValueError(f"not a time of day: {text!r}")
        if minutes:
            return (int(match["hour"]) * 60 + int(match["minute"])) * NS + _fraction_ns(match["fraction"])
        return _of_day_ns(match)

    return TimeFormat(parse, dated=False, wraps=most <= 23 and not minutes)


def _is_calendar(text: str) -> bool:
    if not _CALENDAR.match(text):
        return False
    try:
        _calendar_ns(text)
    except ValueError:
        return False
    return True


def _calendar_ns(text: str) -> int:
    """20240501, 202405010830 or 20240501083000."""
    text = text.strip()
    if not _CALENDAR.match(text):
        raise ValueError(f"not a date: {text!r}")
    return _whole_ns(datetime.strptime(text.ljust(14, "0"), "%Y%m%d%H%M%S").replace(tzinfo=UTC))


def _is_excel(name: str, cells: Sequence[str]) -> bool:
    """Whether numbers are a spreadsheet's days: all in its range, and called a date or in steps of whole seconds."""
    try:
        days = [_number(cell) for cell in cells]
    except ValueError:
        return False
    if not all(_EXCEL_DAYS[0] < day < _EXCEL_DAYS[1] for day in days):
        return False
    if any(word in name.lower() for word in ("date", "datum")):
        return True
    if min(len(re.sub(r"^\d*[.,]?", "", cell)) for cell in cells[1:] or cells) < 5:
        return False  # as few digits as plain seconds have
    steps = sorted(later - earlier for earlier, later in itertools.pairwise(days) if later > earlier)
    second = steps[len(steps) // 2] * 86_400 if steps else 0.0
    return 0.99 < second < 3600.5 and abs(second - round(second)) < 0.02


def _excel_ns(text: str) -> int:
    """To the millisecond: the digits of a spreadsheet carry no more."""
    return round((_number(text) - _EXCEL_EPOCH_DAYS) * 86_400_000) * 1_000_000


def _number(text: str) -> float:
    value = float(text.replace(",", "."))
    if not math.isfinite(value):
        raise ValueError(f"not a time: {text!r}")
    return value


def _number_parser(scale: float) -> Callable[[str], int]:
    def parse(text: str) -> int:
        return round(_number(text) * scale)

    return parse
