"""Long tables: one value a row, or those of one machine of several, and a column that says of what.

Databases and home automation export them so. They are read whole, put in order of time and made wide: one column for each name, one row for each moment.
"""

from __future__ import annotations

import itertools
import math
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.recordings.base import CHUNK_ROWS, Layout, Raw, RecordingError
from edge.recordings.delimited import Delimited
from edge.recordings.labels import called_as, is_label
from edge.recordings.time_numbers import NS, TimeFormat
from edge.recordings.times import time_format

_NAMES = frozenset(
    {
        "attribute", "channel", "channel_id", "channel_name", "data_point", "datapoint", "datenpunkt", "entity", "entity_id", "field",
        "item", "kanal", "key", "measure", "measurement", "messgroesse", "messpunkt", "messstelle", "metric", "name", "parameter",
        "point", "quantity", "sensor", "sensor_id", "sensor_name", "series", "serie", "signal", "signal_name", "statistic_id", "tag",
        "tag_name", "tagname", "topic", "var", "var_name", "variable", "variable_name", "varname",
    }
)  # fmt: skip
_WEAK = frozenset({"attribute", "item", "key", "measure", "name", "point", "quantity"})
"""Such columns say of what a value is only where they change from row to row; `name` may be a person's."""
_VALUES = frozenset(
    {
        "value", "wert", "messwert", "state", "zustand", "var_value", "varvalue", "val", "reading", "numeric_value", "payload", "mean",
    }
)  # fmt: skip
_BESIDE = frozenset({"validity", "quality", "qualitaet", "status", "flag", "flags", "qc", "good", "table"})
"""What is said of a value, and is none itself."""
_INFLUX = ("_time", "_field", "_value")
"""Columns of InfluxDB's annotated CSV; those that begin without a sign, other than `result` and `table`, are tags."""
_MACHINES = re.compile(
    r"^(device|machine|maschine|unit|engine|asset|anlage|geraet|station|node|host|motor|pump|pumpe|turbine|compressor|sensor|mote|"
    r"module|modul|room|raum|zone)_?(id|name|nr|no|number|nummer|mac|address)?$"
)
_NUMBERED = re.compile(
    r"(id|nr|no|number|nummer|channel|kanal|sensor|device|machine|maschine|unit|asset|anlage|geraet|station|node|mote)$"
)
"""What may be told apart by whole numbers; a number called otherwise, as `room` or `signal`, was measured."""
_MIXED = 0.1
"""Rows that are of another machine than the row before: fewer, and runs follow on each other."""
_OFTEN = 3
_SWITCH = frozenset({"0", "1"})
_MOST_VALUES = 20_000_000
_MOST_NAMES = 256
_MOST_MACHINES = 20_000
_MOST_TOGETHER = 64
"""More columns than that are not judged together: the machines then stand one after the other."""
_FEWEST = 3
_MOSTLY = 0.5
_MOST_CLASSES = 32


class Parts(NamedTuple):
    """The columns of a long table that matter."""

    names: tuple[int, ...]
    values: tuple[int, ...]
    time: int
    machines: bool = False
    """Whether the names are those of machines, each of which may stand by itself."""


def long_parts(table: Delimited, time: int | None) -> Parts | None:
    """Which columns of a table say what was measured, and how much; None where it is a wide one.

    Args:
        table: not yet read.
        time: its time column.
    """
    layout = table.layout
    if time is None:
        return None
    if not layout.named:
        only = len(table.texts) == 1 == len(layout.numeric)
        return Parts(table.texts, layout.numeric, time) if only and _mixed(table.beginning(table.texts[0])) else None
    called = [called_as(name) for name in layout.names]
    value = next((at for at in layout.numeric if called[at] in _VALUES), None)
    telling = [at for at, word in enumerate(called) if at not in (value, time) and _tells(table, at, word)]
    names = [at for at in telling if called[at] in _NAMES and (called[at] not in _WEAK or _mixed(table.beginning(at)))]
    if set(_INFLUX) <= set(layout.names):
        names += [
            at for at in table.texts
            if at not in names and not layout.names[at].startswith("_") and called[at] not in ("", "result", "table")
        ]  # fmt: skip
    measured = tuple(at for at in layout.numeric if at not in names and called[at] not in _BESIDE)
    if names and measured == (value,):
        return Parts(tuple(names), measured, time)
    if measured and any(_mixed(table.beginning(at)) for at in names):
        return Parts(tuple(names), measured, time)
    machines = next((at for at in telling if _MACHINES.match(called[at]) and _mixed(table.beginning(at))), None)
    measured = tuple(at for at in measured if at != machines)
    return Parts((machines,), measured, time, machines=True) if machines is not None and measured else None


def _tells(table: Delimited, column: int, called: str) -> bool:
    """Whether a column can say what a value is of: it holds text, or few whole numbers and is called like it."""
    if column in table.texts:
        return True
    cells = table.beginning(column) if _NUMBERED.search(called) else []
    return bool(cells) and all(map(str.isdecimal, cells)) and not set(cells) <= _SWITCH and _mixed(cells)


def _mixed(cells: Sequence[str]) -> bool:
    """Whether a column names some few machines whose rows are mixed."""
    counts = Counter(cells)
    changes = sum(before != after for before, after in itertools.pairwise(cells))
    often = sum(count >= _OFTEN for count in counts.values())
    return 1 < often <= _MOST_NAMES and often > _MOSTLY * len(counts) and changes >= _MIXED * len(cells)


class Long:
    """A long table made wide.

    Raises:
        RecordingError: a time or a value cannot be read, or there are more rows or names than can be put in order.
    """

    def __init__(self, name: str, table: Delimited, parts: Parts) -> None:
        self._name = name
        self._table = table
        self._notes = table.layout.notes
        self._codes: dict[tuple[str, ...], int] = {}
        self._unreadable: dict[int, int] = {}
        self._format: TimeFormat | None = None
        times, codes, values = self._read(parts)
        self._done = 0.0
        self._apart = parts.machines and len(self._codes) > _MOST_TOGETHER
        machines = self._set_apart(codes) if self._apart else np.zeros_like(codes)
        order = np.lexsort((times, machines))
        times, machines = times[order], machines[order]
        starts = np.flatnonzero((np.diff(times, prepend=times[0] - 1) != 0) | (np.diff(machines, prepend=-1) != 0))
        self._times = times[starts]
        self._starts = np.append(starts, len(order))
        self._series, self._values = codes[order], values[order]
        self.layout = self._lay_out(parts)

    def _set_apart(self, codes: NDArray[np.int32]) -> NDArray[np.int32]:
        """The machine of each value, of which `codes` then only say the column."""
        machines: dict[tuple[str, ...], int] = {}
        columns: dict[tuple[str, ...], int] = {}
        unreadable: Counter[int] = Counter()
        machine_of = np.empty(len(self._codes), dtype=np.int32)
        column_of = np.empty(len(self._codes), dtype=np.int32)
        for name, code in self._codes.items():
            machine_of[code] = machines.setdefault(name[:1], len(machines))
            column_of[code] = columns.setdefault(name[1:] or ("value",), len(columns))
            unreadable[int(column_of[code])] += self._unreadable.get(code, 0)
        self._codes, self._unreadable = columns, dict(+unreadable)
        found = machine_of[codes]
        codes[:] = column_of[codes]
        return found

    def rows(self, columns: Sequence[int], time: int | None) -> Iterator[Raw]:
        """See `Source.rows`."""
        position = np.full(len(self._codes), -1)
        for at, column in enumerate(columns):
            position[self._kept[column]] = at
        for row in range(0, len(self._times), CHUNK_ROWS):
            last = min(row + CHUNK_ROWS, len(self._times))
            part = slice(self._starts[row], self._starts[last])
            wide = np.full((last - row, len(columns)), np.nan)
            places = position[self._series[part]]
            moments = np.repeat(np.arange(last - row), np.diff(self._starts[row : last + 1]))
            wanted = (places >= 0) & ~np.isnan(self._values[part])
            wide[moments[wanted], places[wanted]] = self._values[part][wanted]
            self._done = last / len(self._times)
            yield Raw(row, wide, None if time is None else self._spoken(self._times[row:last]))

    def progress(self) -> float:
        """See `Source.progress`."""
        return self._done

    def close(self) -> None:
        """See `Source.close`."""
        self._table.close()

    def _spoken(self, times: NDArray[np.int64]) -> list[str] | NDArray[np.int64]:
        return times if self._format is None or self._format.dated else [repr(moment / NS) for moment in times.tolist()]

    def _read(self, parts: Parts) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
        """(times in ns, number of the name, value) of each row as it comes."""
        times, codes, values = array("q"), array("i"), array("d")
        label = self._table.layout.names[parts.time]
        for stretch in self._table.labelled(parts.names, parts.values, parts.time):
            if self._format is None:
                try:
                    self._format = time_format(label, [record.time for record in stretch[:2000]])
                except ValueError as exc:
                    raise RecordingError(self._name, f"time column {label!r}: {exc}", row=0) from exc
            for record in stretch:
                try:
                    times.append(self._format.parse(record.time))
                except (ValueError, OverflowError) as exc:
                    what = f"{record.time.strip()[:40]!r} is no time" if record.time.strip() else "has no time"
                    raise RecordingError(
                        self._name, f"time column {label!r}: {what}", row=record.row, line=record.line
                    ) from exc
                if math.isinf(record.value):
                    raise RecordingError(self._name, "a value is infinite", row=record.row, line=record.line)
                code = self._codes.setdefault(record.names, len(self._codes))
                codes.append(code)
                values.append(record.value)
                if record.unreadable:
                    self._unreadable[code] = self._unreadable.get(code, 0) + 1
            most = _MOST_MACHINES if parts.machines else _MOST_NAMES
            if len(times) > _MOST_VALUES or len(self._codes) > most:
                raise RecordingError(
                    self._name,
                    f"its rows say what they are of, and more than {_MOST_VALUES} values or {most} names; export it in parts",
                )
        return np.array(times, dtype=np.int64), np.array(codes, dtype=np.int32), np.array(values)

    def _lay_out(self, parts: Parts) -> Layout:
        names = list(self._codes)
        told = [at for at in range(len(names[0])) if len({name[at] for name in names}) > 1] or [0]
        spoken = [".".join(name[at] for at in told) for name in names]
        own = self._table.layout
        shown = [repr(own.names[at]) if own.named else str(at) for at in parts.names]
        columns = ", ".join(shown)
        self._notes[:] = [note for note in self._notes if not any(note.startswith(f"column {name} ") for name in shown)]
        if self._apart:
            self._notes.append(
                f"rows of several machines are mixed: they are put one machine after the other, as {columns} says"
            )
        else:
            what = "rows of several machines are mixed" if parts.machines else "one value a row"
            self._notes.append(f"{what}: what it is of is said by {columns}, and a row is a moment")
        self._notes.extend(
            f"column {self._table.layout.names[at]!r} is no measurement and is ignored"
            for at in self._table.layout.numeric
            if at not in (*parts.values, *parts.names)
        )
        self._kept = []
        for code, word in enumerate(spoken):
            of_it = self._values[self._series == code]
            known = of_it[~np.isnan(of_it)]
            if self._unreadable.get(code, 0) > _MOSTLY * len(of_it):
                self._notes.append(f"column {word!r} holds text and is ignored")
            elif len(known) < _FEWEST:
                self._notes.append(f"column {word!r} has only {len(known)} values and is ignored")
            elif is_label(called_as(word)) and len(np.unique(known)) <= _MOST_CLASSES:
                self._notes.append(f"column {word!r} is called a label and is ignored")
            else:
                self._kept.append(code)
                if code in self._unreadable:
                    self._notes.append(
                        f"column {word!r} has {self._unreadable[code]} cells that are no numbers; they are missing"
                    )
        labels = tuple(spoken[code] for code in self._kept)
        others = dict.fromkeys((self._table.layout.names[parts.time], *self._table.layout.names, *spoken))
        named = (*labels, *(name for name in others if name not in labels))
        return Layout(named, tuple(range(len(labels))), len(labels), True, None, self._notes)
