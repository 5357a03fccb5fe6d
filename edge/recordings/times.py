"""Times as people and loggers write them: ISO and German dates, epoch seconds or milliseconds, plain seconds."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

NS = 1_000_000_000
TIME_NAMES = frozenset(
    {"time", "timestamp", "datetime", "date", "date_time", "ts", "t", "time_s", "time_ms", "zeit", "zeitstempel", "datum",
     "uhrzeit", "datum_uhrzeit", "seconds", "sekunden", "elapsed"}
)  # fmt: skip
_SEPARATED = re.compile(
    r"^(\d{1,2})([./])(\d{1,2})\2(\d{4})(?:[ T,]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?$"
)
_CLOCK = re.compile(r"^\d{1,2}:\d{2}(:\d{2}([.,]\d{1,9})?)?$")
_ISO = re.compile(r"^\d{4}-\d{2}-\d{2}")
_ISO_SLASH = re.compile(r"^(\d{4})/(\d{2})/(\d{2})")
_FRACTION = re.compile(r"[.,](\d+)")
_UNITS = {"ns": 1.0, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9, "sec": 1e9, "min": 60e9, "h": 3600e9}
_UNIT_IN_NAME = re.compile(r"(?:[_\s(\[/]|^)(ns|us|µs|ms|sec|s|min|h)[)\]]?$")


class TimeFormat(NamedTuple):
    """How one column writes its time."""

    parse: Callable[[str], int]
    """Text to nanoseconds; raises ValueError."""
    dated: bool
    """Whether the nanoseconds count from 1970."""


def name_says_time(name: str) -> bool:
    """Whether a column is called like a time.

    >>> name_says_time("DateTime"), name_says_time("Zeit [s]"), name_says_time("Temperature")
    (True, True, False)
    """
    bare = re.sub(r"[\s_]*[\[(].*$", "", name.strip().lower()).replace(" ", "_").replace("-", "_")
    return bare in TIME_NAMES


def looks_dated(text: str) -> bool:
    """Whether one cell is a date."""
    text = text.strip()
    return bool(_ISO.match(text) or _ISO_SLASH.match(text) or _SEPARATED.match(text))


def is_day(text: str) -> bool:
    """Whether one cell is a date without a time of day.

    >>> is_day("09.03.2020"), is_day("2020-03-09"), is_day("09.03.2020 14:34")
    (True, True, False)
    """
    return looks_dated(text) and ":" not in text


def is_clock(text: str) -> bool:
    """Whether one cell is a time of day alone, as loggers write it beside the date."""
    return bool(_CLOCK.match(text.strip()))


def time_format(name: str, sample: Sequence[str]) -> TimeFormat:
    """Chooses how to read a time column from its name and its first cells.

    Numbers above 10^8 count from 1970, in s, ms, µs or ns by their size; smaller ones are seconds, or the unit in the
    column's name (`time_ms`, `Zeit [ms]`).

    Raises:
        ValueError: no cell, or one that is neither a date nor a number.
    """
    cells = [cell.strip() for cell in sample if cell.strip()]
    if not cells:
        raise ValueError("no time in it")
    first = cells[0]
    if _SEPARATED.match(first):
        return TimeFormat(_separated_parser(day_first=not _month_first(cells)), dated=True)
    if _ISO.match(first) or _ISO_SLASH.match(first):
        return TimeFormat(iso_ns, dated=True)
    scale, dated = number_scale(name, float(first.replace(",", ".")))
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
    unit = _UNIT_IN_NAME.search(name.strip().lower())
    return (_UNITS[unit[1]] if unit else 1e9), False


def iso_ns(text: str) -> int:
    """Nanoseconds since 1970 of an ISO 8601 time; without an offset it is taken as UTC.

    >>> iso_ns("2020-03-09 14:34:41"), iso_ns("2024-07-25T08:28:19.384086858Z") % NS
    (1583764481000000000, 384086858)
    """
    text = text.strip()
    if _ISO_SLASH.match(text):
        text = text.replace("/", "-", 2)
    fraction = _FRACTION.search(text)
    nanoseconds = 0
    if fraction:
        nanoseconds = int(fraction[1][:9].ljust(9, "0"))
        text = text[: fraction.start()] + text[fraction.end() :]
    return _whole_ns(datetime.fromisoformat(text)) + nanoseconds


def _whole_ns(moment: datetime) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * NS


def _separated_parser(*, day_first: bool) -> Callable[[str], int]:
    def parse(text: str) -> int:
        found = _SEPARATED.match(text.strip())
        if not found:
            raise ValueError(f"not a date: {text!r}")
        first, _, second, year, hour, minute, whole, fraction = found.groups()
        day, month = (first, second) if day_first else (second, first)
        moment = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(whole or 0), tzinfo=UTC
        )
        return _whole_ns(moment) + (int(fraction.ljust(9, "0")) if fraction else 0)

    return parse


def _month_first(cells: Sequence[str]) -> bool:
    """Dates with dots are German; with slashes the month comes first where some second part exceeds 12."""
    parts = [found for found in map(_SEPARATED.match, cells) if found]
    return any(int(found[3]) > 12 for found in parts) and all(int(found[1]) <= 12 for found in parts)


def _number_parser(scale: float) -> Callable[[str], int]:
    def parse(text: str) -> int:
        return round(float(text.replace(",", ".")) * scale)

    return parse
