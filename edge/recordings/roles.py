"""What each column of a recording is for: the time, a measurement, or what a model must never be fed with.

Row numbers, labels, identities and further clocks look like measurements to a reader of numbers. Names say what a column
is called, and its beginning says whether it behaves like that; both have to agree.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.recordings.labels import called_as, failure_bits, is_identity, is_label, is_remaining, tells_runs_apart
from edge.recordings.naming import fold, meaning
from edge.recordings.time_names import name_says_time
from edge.sensors.base import Quantity

Values = NDArray[np.float64]
_DATED, _NUMBERED, _CLOCKED, _DAYS, _COUNTED, _STILL = range(6)
_ROW_NUMBERS = "only numbers the rows"
_COUNTS = "counts evenly from row to row"
_IS_LABEL = "is called a label"
_IS_IDENTITY = "is called an identity"
_TELLS_RUNS = "only tells machines or runs apart"
_MOST_CLASSES, _NOT_LABELLED = 31, -999
_LEAST_COUNTED = 20
"""Rows after which an even count is no coincidence."""
_MOST = 0.95
_IN_ORDER = 0.5
"""A time whose share of steps forward (or of steps back) is less is no time."""
_EVEN = 0.02
_EPOCHS = ((3.0e8, 4.2e9), (3.0e11, 4.2e12), (3.0e14, 4.2e15), (3.0e17, 4.2e18), (1.9e13, 2.1e13))
"""1979 to 2103 in s, ms, µs and ns; and written 20240501083000."""
_COUNTERS = re.compile(
    r"^(|index_level_\d+|#|n|i|nr|no|num|number|nummer|index|idx|rows?|id|zeile|lfd|lfd_?nr|counter|count|zaehler|seq|sequence|samples?|record|"
    r"entry|eintrag|punkt|messpunkt|messung|unnamed_\d+|level_\d+|"
    r"(row|sample|record|line|seq|packet|data|mess|messwert|zeilen|datensatz)_?(id|nr|no|number|nummer|index|idx|count|counter))$"
)
_PARTS = {
    "year": "y", "jahr": "y", "yyyy": "y", "month": "m", "monat": "m", "mon": "m", "day": "d", "tag": "d", "hour": "h",
    "hours": "h", "hh": "h", "stunde": "h", "stunden": "h", "std": "h", "minute": "min", "minutes": "min", "minuten": "min",
    "min": "min", "second": "s", "seconds": "s", "sec": "s", "sek": "s", "sekunde": "s", "sekunden": "s",
    "millisecond": "ms", "milliseconds": "ms", "ms": "ms", "microsecond": "us", "microseconds": "us", "us": "us",
}  # fmt: skip
_LIMITS = {"y": (1970, 2100), "m": (1, 12), "d": (1, 31), "h": (0, 23), "min": (0, 59), "s": (0, 60),
           "ms": (0, 999), "us": (0, 999_999)}  # fmt: skip
_IN_SECOND = {"tenths": 10, "hundredths": 100, "ms": 1000, "us": 1_000_000}
_SPOKEN = {"y": "year", "m": "month", "d": "day", "h": "hour", "min": "minute", "s": "second", "ms": "millisecond",
           "us": "microsecond", "tenths": "tenth of a second", "hundredths": "hundredth of a second"}  # fmt: skip


class Sample(NamedTuple):
    """The beginning of one column."""

    name: str
    """Empty, or its number, where the file has no name for it."""
    values: Values | None
    """NaN where a value is missing; None where it holds no numbers."""
    dated: bool = False
    """Whether it holds dates."""
    moves: bool = True
    """Whether not all its dates are the same."""
    precise: bool = True
    """Whether its dates have a time of day."""
    clock: bool = False
    """Whether it holds times of day alone."""


class Parts(NamedTuple):
    """A time whose hour, minute, … each have a column."""

    columns: tuple[int, ...]
    roles: tuple[str, ...]

    @property
    def spoken(self) -> str:
        """What the columns are, for a note."""
        return ", ".join(_SPOKEN[role] for role in self.roles)

    def text(self, values: Sequence[float]) -> str:
        """ISO time of one row, without a day where no column says it.

        >>> Parts((0, 1, 2, 3), ("h", "min", "s", "us")).text([9.0, 10.0, 39.0, 118790.0])
        '09:10:39.118790000'
        """
        by = dict(zip(self.roles, values, strict=True))
        day = f"{int(by['y']):04d}-{int(by['m']):02d}-{int(by['d']):02d} " if "y" in by else ""
        second = by.get("s", 0.0) + sum(by[role] / parts for role, parts in _IN_SECOND.items() if role in by)
        return f"{day}{int(by.get('h', 0)):02d}:{int(by.get('min', 0)):02d}:{second:012.9f}"

    def seconds(self, samples: Sequence[Sample]) -> Values | None:
        """Seconds of each row of the sample; None where the columns are no such numbers."""
        whole = []
        for column, role in zip(self.columns, self.roles, strict=True):
            values = samples[column].values
            low, high = _LIMITS.get(role, (0, _IN_SECOND.get(role, 1) - 1))
            if values is None or not _whole(values) or values.min() < low or values.max() > high:
                return None
            whole.append(values)
        try:
            return np.array([_seconds(self.text(row)) for row in zip(*whole, strict=True)])
        except ValueError:
            return None


@dataclass(slots=True)
class Roles:
    """What the columns are for."""

    numeric: list[int]
    time: int | None = None
    parts: Parts | None = None
    left_out: dict[int, str] = field(default_factory=dict)
    """Columns with numbers or times that are not read, and why (`only numbers the rows`)."""
    notes: list[str] = field(default_factory=list)


def roles(samples: Sequence[Sample], *, named: bool, joined: bool = True) -> Roles:
    """Decides what each column is for.

    Args:
        samples: every column.
        named: whether the names are the file's own.
        joined: whether a time may be in several columns; if not, they are left out.
    """
    found = Roles([at for at, sample in enumerate(samples) if sample.values is not None])
    _find_time(found, samples, named=named, joined=joined)
    parts = found.parts.columns if found.parts else ()
    for at, sample in enumerate(samples):
        if at == found.time or at in found.left_out or at in parts or sample.values is None:
            continue
        reason = _reason(sample, at, named=named)
        if reason is None and found.time is not None and named and _is_part(sample):
            reason = "is a part of the time"
        if reason is not None:
            found.left_out[at] = reason
    _leave_out_beside(found, samples, named=named)
    taken = {found.time, *parts, *found.left_out}
    if taken.issuperset(found.numeric):
        # Something has to be read: a count is then what was measured.
        counts = {at for at, reason in found.left_out.items() if reason == _COUNTS}
        taken -= counts
        found.left_out = {at: reason for at, reason in found.left_out.items() if at not in counts}
    found.numeric = [at for at in found.numeric if at not in taken]
    return found


def _leave_out_beside(found: Roles, samples: Sequence[Sample], *, named: bool) -> None:
    """Leaves out what only another column that is left out tells to be no measurement."""
    values = {at: sample.values for at, sample in enumerate(samples) if sample.values is not None}
    left = {at: column for at, column in values.items() if at not in found.left_out and at != found.time}
    counts = [at for at, reason in found.left_out.items() if reason in (_COUNTS, _ROW_NUMBERS)]
    identities = [at for at, reason in found.left_out.items() if reason == _IS_IDENTITY]
    for at in (*left, *identities):
        count = next((one for one in counts if _whole(values[at]) and tells_runs_apart(values[at], values[one])), None)
        if count is not None:
            found.left_out[at] = _TELLS_RUNS
            if found.time is None:
                # What counts each run from its beginning is the only time there is.
                found.time = count
                del found.left_out[count]
                found.notes.append(f"column {repr(samples[count].name) if named else count} is the time")
    if not named:
        return
    labels = {at: values[at] for at, reason in found.left_out.items() if reason == _IS_LABEL}
    bits = {
        at: column for at, column in left.items() if set(np.unique(column[~np.isnan(column)])) in ({0.0}, {0.0, 1.0})
    }
    kinds = failure_bits(labels, bits, max(values, default=0))
    if kinds.keys() < left.keys():
        found.left_out.update({at: f"is a label as {samples[label].name!r} is" for at, label in kinds.items()})


def _find_time(found: Roles, samples: Sequence[Sample], *, named: bool, joined: bool) -> None:
    """The best time; what else says one is left out."""
    first = next((at for at, sample in enumerate(samples) if sample.values is not None), None)
    ranks = {at: _time_rank(sample, first=at == first, named=named) for at, sample in enumerate(samples)}
    ranked = sorted((rank, at) for at, rank in ranks.items() if rank is not None)
    if ranked and ranked[0][0] < _STILL:
        found.time = ranked[0][1]
    else:
        parts = _named_parts(samples) if named else _leading_parts(samples)
        if parts and joined:
            found.parts, found.time = parts, parts.columns[0]
            found.notes.append(f"columns {', '.join(map(str, parts.columns))} are the time: {parts.spoken}")
        elif parts:
            found.left_out.update(dict.fromkeys(parts.columns, "is a part of the time"))
    for rank, at in ranked:
        if at != found.time:
            found.left_out[at] = "says the same moment in every row" if rank >= _STILL else "says a time as well"


def _time_rank(sample: Sample, *, first: bool, named: bool) -> int | None:
    """How good a time a column makes, the least is best; None where it makes none."""
    if sample.dated:
        return _STILL if not sample.moves else _DATED if sample.precise else _DAYS
    if sample.clock:
        return _CLOCKED
    values = _known(sample.values)
    if sample.values is None or values is None or len(values) < _MOST * len(sample.values):
        return None
    dated = any(low < values.min() and values.max() < high for low, high in _EPOCHS)
    if named and sample.name and name_says_time(sample.name):
        return _rank_by_name(sample.name, values, dated=dated)
    if dated and len(values) > 2 and _in_order(values):
        return _NUMBERED
    plain = len(values) >= _LEAST_COUNTED and meaning(sample.name)[:2] == (Quantity.LEVEL, "")
    even = first and rises_evenly(values) and not (named and _whole(values))
    return _COUNTED if even and (plain or not (named and sample.name)) else None


def _rank_by_name(name: str, values: Values, *, dated: bool) -> int | None:
    """The rank of numbers that are called a time."""
    if len(values) > 2 and np.ptp(values) == 0:
        return _STILL
    if len(fold(name)) == 1 and not dated and len(values) >= _LEAST_COUNTED:
        # T is a temperature as often: that rises now and then.
        return _NUMBERED if float(np.mean(np.diff(values) > 0)) >= _MOST else None
    return _NUMBERED if _in_order(values) else None


def _reason(sample: Sample, at: int, *, named: bool) -> str | None:
    """Why a column of numbers is no measurement; None where it is one."""
    known = _known(sample.values)
    if sample.values is None or known is None:
        return None
    called = called_as(sample.name) if named else None
    whole = _whole(known)
    counted = _counted(sample, known, at, called) if whole and len(known) == len(sample.values) else None
    if counted or not called:
        return counted
    classes = whole and bool((((known >= -1) & (known <= _MOST_CLASSES)) | (known == _NOT_LABELLED)).all())
    if is_remaining(called) or (classes and is_label(called)):
        return _IS_LABEL
    switch = set(np.unique(known)) == {0.0, 1.0}
    return _IS_IDENTITY if whole and is_identity(called, switch=switch) else None


def _counted(sample: Sample, known: Values, at: int, called: str | None) -> str | None:
    """Why whole numbers are only a count; None where they are none."""
    steps = np.diff(known)
    if len(steps) < 2:
        return None
    if called is None and at == 0 and bool((steps == 1).all()):
        return _ROW_NUMBERS
    if called is not None and _COUNTERS.match(called) and float(np.mean(steps >= 1)) >= _MOST:
        return _ROW_NUMBERS
    usual = float(np.median(steps))
    even = usual >= 1 and float(np.mean(steps == usual)) >= _MOST and len(known) >= _LEAST_COUNTED
    return _COUNTS if even and meaning(sample.name)[:2] == (Quantity.LEVEL, "") else None


def _is_part(sample: Sample) -> bool:
    """Whether a column is called an hour, a month, …, and could be one."""
    role, values = _PARTS.get(fold(sample.name)), sample.values
    if role is None:
        return False
    low, high = _LIMITS[role]
    return values is not None and _whole(values) and bool(values.min() >= low and values.max() <= high)


def _named_parts(samples: Sequence[Sample]) -> Parts | None:
    """Columns called year, month, day, hour, minute …, where together they go on."""
    by: dict[str, int] = {}
    for at, sample in enumerate(samples):
        role = _PARTS.get(fold(sample.name))
        if role and sample.values is not None:
            by.setdefault(role, at)
    if not ({"y", "m", "d"} <= by.keys() or {"h", "min"} <= by.keys()):
        return None
    order = [role for role in _LIMITS if role in by and (role not in "ymd" or {"y", "m", "d"} <= by.keys())]
    parts = Parts(tuple(by[role] for role in order), tuple(order))
    return parts if _goes_on(parts.seconds(samples)) else None


def _leading_parts(samples: Sequence[Sample]) -> Parts | None:
    """Hour, minute, second and a fraction of it as the first columns of a table without names."""
    if len(samples) < 4:
        return None
    fourth = samples[3].values
    if len(samples) > 4 and fourth is not None and _whole(fourth):
        most = float(fourth.max())
        role = next((role for role, parts in _IN_SECOND.items() if most < parts), None)
        if role and most > 1:
            parts = Parts((0, 1, 2, 3), ("h", "min", "s", role))
            if _goes_on(parts.seconds(samples)):
                return parts
    parts = Parts((0, 1, 2), ("h", "min", "s"))
    seconds = parts.seconds(samples)
    return parts if _goes_on(seconds) and seconds is not None and float(np.mean(np.diff(seconds) > 0)) > _MOST else None


def _goes_on(seconds: Values | None) -> bool:
    """Whether times never go back but at midnight, and do not stand still."""
    if seconds is None or len(seconds) < 3:
        return False
    steps = np.diff(seconds)
    steps = np.where(steps < -43_200, steps + 86_400, steps)
    return bool((steps >= 0).all() and (steps > 0).mean() >= _IN_ORDER)


def _seconds(text: str) -> float:
    day, _, clock = text.rpartition(" ")
    hour, minute, second = clock.split(":")
    whole = int(hour) * 3600.0 + int(minute) * 60.0 + float(second)
    return whole + (datetime.fromisoformat(day).toordinal() * 86_400.0 if day else 0.0)


def _whole(values: Values) -> bool:
    return bool(len(values)) and bool(np.isfinite(values).all()) and bool((values == np.round(values)).all())


def _known(values: Values | None) -> Values | None:
    """Those that are there; None where none is."""
    if values is None:
        return None
    known = values[~np.isnan(values)]
    return known if len(known) else None


def _in_order(values: Values) -> bool:
    """Whether numbers go on as a time does, now and then back, or backwards throughout."""
    if len(values) < 3:
        return True
    steps = np.diff(values)
    forward, back = float(np.mean(steps >= 0)), float(np.mean(steps <= 0))
    return forward >= _MOST or (
        max(forward, back) >= _IN_ORDER and abs(values[-1] - values[0]) >= 0.5 * float(np.ptp(values)) > 0
    )


def rises_evenly(values: Values) -> bool:
    """Whether numbers count up in equal steps as seconds do, and row numbers do not."""
    steps = np.diff(values)
    if len(steps) < 8 or not steps.min() > 0 or (_whole(values) and bool(np.all(steps == 1))):
        return False
    return bool(steps.std() <= _EVEN * steps.mean())
