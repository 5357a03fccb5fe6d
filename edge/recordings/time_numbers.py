"""Times that are written as numbers: digits of a date, a spreadsheet's days, seconds since 1970, or what has elapsed."""

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
_CALENDAR = re.compile(r"^(19|20)\d{6}(\d{4}(\d{2})?)?$")
_DAY_NAMES = ("date", "datum", "day", "tag")
_EXCEL_DAYS = (30_000.0, 60_000.0)
"""Days since the end of 1899 that a recording may be of: 1982 to 2064."""
_EXCEL_EPOCH_DAYS = 25_569
_LEAST_STEPS, _EVENLY = 8, 0.9
_FEW_SECONDS, _PARTS_OF_MINUTE, _LONGEST_MINUTES = 12, (15, 20, 30), 3600
_LEAST_TREMBLING, _TREMBLING = 90, 0.2
_DAY_S = 86_400
_S, _MS = 1e9, 1e6
_TAKEN = {
    _S: "the time has no unit and is taken for seconds, as it counts; if it is another, name the column with it, as time_ms",
    _MS: "the time has no unit and is taken for milliseconds, as it counts; if it is another, name the column with it, as time_s",
}


class TimeFormat(NamedTuple):
    """How one column writes its time."""

    parse: Callable[[str], int]
    """Text to nanoseconds; raises ValueError."""
    dated: bool
    """Whether the nanoseconds count from 1970."""
    wraps: bool = False
    """Whether they begin again at midnight."""
    told: bool = True
    """Whether its unit is told or plain, and not guessed."""
    note: str = ""
    """What was decided without being told, in English."""


def number_format(name: str, cells: Sequence[str]) -> TimeFormat:
    """How a column of numbers counts the time; see `edge.recordings.times.time_format`.

    Raises:
        ValueError: the first of them is no number.
    """
    if all(map(_is_calendar, cells)) and (len(cells[0]) > 8 or any(word in name.lower() for word in _DAY_NAMES)):
        return TimeFormat(_calendar_ns, dated=True)
    if _is_excel(name, cells):
        return TimeFormat(_excel_ns, dated=True)
    scale, dated = number_scale(name, _number(cells[0]))
    if dated or unit_ns(name) is not None:
        return TimeFormat(_number_parser(scale), dated=dated)
    usual_s, guess = _without_unit(cells)
    return TimeFormat(_number_parser(guess), dated=False, note=_TAKEN[guess] if usual_s > 1 else "", told=usual_s == 0)


def _without_unit(cells: Sequence[str]) -> tuple[float, float]:
    """The usual step of whole numbers without a unit, 0 where they are no such numbers, and the nanoseconds in what they count.

    No clock counts seconds in steps such as 25 or 500: they go in steps of some few, of parts of a minute, or of whole
    minutes and hours. Steps that tremble a little around a hundred or more are a processor's milliseconds as well.
    """
    try:
        numbers = [_number(cell) for cell in cells]
    except ValueError:
        return 0.0, _S
    steps = sorted(later - earlier for earlier, later in itertools.pairwise(numbers) if later > earlier)
    if len(steps) < _LEAST_STEPS or any(number != round(number) for number in numbers):
        return 0.0, _S
    usual = steps[len(steps) // 2]
    if steps.count(usual) < _EVENLY * len(steps):
        trembling = sum(abs(step / usual - 1.0) <= _TREMBLING for step in steps)
        return usual, _MS if usual >= _LEAST_TREMBLING and trembling >= _EVENLY * len(steps) else _S
    minutes = usual % 60 == 0 and usual % 1000 != 0 and usual <= _LONGEST_MINUTES
    hours = usual % 3600 == 0 and usual <= _DAY_S
    return usual, _S if usual <= _FEW_SECONDS or usual in _PARTS_OF_MINUTE or minutes or hours else _MS


def number_scale(name: str, first: float) -> tuple[float, bool]:
    """Nanoseconds in one unit of a numeric time column, and whether it counts from 1970; see `time_format`.

    >>> number_scale("time", 0.0), number_scale("t_ms", 12.0), number_scale("ts", 1.7e12)
    ((1000000000.0, False), (1000000.0, False), (1000000.0, True))
    """
    size = abs(first)
    for bound, scale in ((1e17, 1.0), (1e14, 1e3), (1e11, 1e6), (3e8, 1e9)):
        if size > bound:
            return scale, True
    return (unit_ns(name) or 1e9), False


def whole_ns(moment: datetime) -> int:
    """Nanoseconds since 1970 of a moment to the second; without a zone it is UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1) * NS


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
    return whole_ns(datetime.strptime(text.ljust(14, "0"), "%Y%m%d%H%M%S").replace(tzinfo=UTC))


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
    value = float(text.replace(",", ".").replace("_", "no number"))
    if not math.isfinite(value):
        raise ValueError(f"not a time: {text!r}")
    return value


def _number_parser(scale: float) -> Callable[[str], int]:
    def parse(text: str) -> int:
        return round(_number(text) * scale)

    return parse
