"""Opens any recording, chooses its columns and dates its rows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edge.recordings.base import MOST_JUMPS, Chunk, Layout, Options, Raw, RecordingError, Source, column_index
from edge.recordings.container import DAMAGED, Kind, Opened, open_container
from edge.recordings.delimited import Delimited
from edge.recordings.onward import Onward
from edge.recordings.time_numbers import NS, TimeFormat
from edge.recordings.times import time_format

RATE_TOLERANCE = 0.02
"""How far a time column may differ from the rate that was given."""


class Recording:
    """One open recording: its columns, and its rows once from the start.

    Raises:
        RecordingError: a column is missing, nothing numeric is left, or the rate is not a rate.
    """

    def __init__(self, name: str, source: Source, options: Options) -> None:
        self.name = name
        self._source = source
        layout = source.layout
        self.notes: list[str] = layout.notes
        if options.rate_hz is not None and not (np.isfinite(options.rate_hz) and options.rate_hz > 0):
            raise RecordingError(name, f"a rate of {options.rate_hz:g} Hz is not a rate")
        if options.rate_hz and layout.rate_hz and abs(options.rate_hz / layout.rate_hz - 1) > RATE_TOLERANCE:
            raise RecordingError(name, f"is sampled at {layout.rate_hz:g} Hz, not at {options.rate_hz:g} Hz")
        self.rate_hz: float | None = options.rate_hz or layout.rate_hz
        self._time, self._picked = _choose(name, layout, options)
        self._labels = layout.names
        self._lines = layout.lines
        self.columns: tuple[str, ...] = tuple(layout.names[at] for at in self._picked)
        """Names of the columns that `chunks` delivers; numbers as text where the file has none."""
        self.asked = bool(options.columns)
        """Whether these columns were asked for by name or number."""
        self.named = layout.named
        self.restarts: list[int] = []
        """Rows that were read at which time begins again, as where the runs of several machines follow on each other."""
        self.dated = False
        """Whether times count from 1970; known once the first chunk was read."""
        self._format: TimeFormat | None = None
        self._onward: Onward | None = None
        self._chunks = self._read()
        self._first: Chunk | None = None

    @property
    def has_time(self) -> bool:
        """Whether a column says the time; if not, the row number does, at the rate or one row a second."""
        return self._time is not None

    @property
    def unit_told(self) -> bool:
        """Whether the unit of the time is known and not guessed; known once the first chunk was read."""
        return self._format is None or self._format.told

    def head(self) -> Chunk:
        """The first chunk, which `chunks` delivers again.

        Raises:
            RecordingError: it has no rows, or they cannot be read.
        """
        if self._first is None:
            self._first = next(self._chunks, None)
            if self._first is None:
                raise RecordingError(self.name, "has no rows")
            self._chunks = chain([self._first], self._chunks)
        return self._first

    def chunks(self) -> Iterator[Chunk]:
        """All rows, once.

        Raises:
            RecordingError: naming the row.
        """
        self.head()
        return self._chunks

    def line(self, row: int) -> int | None:
        """The line of the text file, counted from 1 as editors do, that holds a row that was read; None where there is no telling."""
        at = bisect_right(self._lines, row, key=lambda known: known[0]) - 1
        known = 0 <= at < MOST_JUMPS - 1
        return self._lines[at][1] + row - self._lines[at][0] if known else None

    def progress(self) -> float:
        """Share of the file that was read, 0 to 1."""
        return self._source.progress()

    def close(self) -> None:
        """Closes the file; safe to call twice."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self) -> Iterator[Chunk]:
        for raw in self._source.rows(self._picked, self._time):
            time_ns, written_ns = self._times(raw)
            if raw.row == 0 and self.rate_hz and raw.times is not None:
                self._check_rate(time_ns)
            yield Chunk(raw.row, time_ns, raw.values, written_ns)

    def _times(self, raw: Raw) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
        """When the rows were, and what their clock said where it says something else."""
        if raw.times is None:
            period_ns = NS / (self.rate_hz or 1.0)
            return np.round((raw.row + np.arange(len(raw.values))) * period_ns).astype(np.int64), None
        written = raw.times if isinstance(raw.times, np.ndarray) else self._parsed(raw.times, raw.row)
        if self._onward is None:
            self.dated = self._format is None or self._format.dated
            wraps = self._format is not None and self._format.wraps
            self._onward = Onward(self.name, self._time_label, self.notes, self.restarts, wraps=wraps, dated=self.dated)
        times = self._onward.take(written, raw.row)
        return times, written if self.dated and (times != written).any() else None

    @property
    def _time_label(self) -> str:
        return self._labels[self._time] if self._time is not None else ""

    def _parsed(self, cells: list[str], row: int) -> NDArray[np.int64]:
        column = self._time_label
        if self._format is None:
            try:
                self._format = time_format(column, cells[:2000])
            except ValueError as exc:
                raise RecordingError(self.name, f"time column {column!r}: {exc}", row=row) from exc
            if self._format.note:
                self.notes.append(self._format.note)
        parse, times = self._format.parse, np.empty(len(cells), dtype=np.int64)
        for at, cell in enumerate(cells):
            try:
                times[at] = parse(cell)
            except (ValueError, OverflowError) as exc:
                what = f"{cell.strip()[:40]!r} is no time" if cell.strip() else "has no time"
                raise RecordingError(
                    self.name, f"time column {column!r}: {what}", row=row + at, line=self.line(row + at)
                ) from exc
        return times

    def _check_rate(self, times: NDArray[np.int64]) -> None:
        """A time column against the rate; not where its stamps are coarser than the samples, or count ms or µs."""
        steps = np.diff(times)
        rate_hz = self.rate_hz or 0.0
        if len(steps) < 2 or np.count_nonzero(steps) < 0.9 * len(steps):
            return
        found_hz = NS / float(steps.mean())
        factors = (1.0,) if self.dated else (1.0, 1e3, 1e6)
        if all(abs(found_hz * factor / rate_hz - 1) > RATE_TOLERANCE for factor in factors):
            raise RecordingError(
                self.name,
                f"time column {self._time_label!r} says {found_hz:.6g} Hz, which contradicts the rate of {rate_hz:g} Hz",
            )


def open_recording(name: str, options: Options | None = None) -> Recording:
    """Opens a file, or a member of a zip file (`runs.zip!run1.csv`), whatever its format.

    Raises:
        RecordingError: it cannot be used; the text says which file, which row and why.
    """
    options = options or Options()
    opened = open_container(name)
    try:
        return Recording(name, _source(opened, options), options)
    except DAMAGED as exc:
        opened.close()
        raise RecordingError(name, f"damaged packing: {exc}") from exc
    except BaseException:
        opened.close()
        raise


def _source(opened: Opened, options: Options) -> Source:
    if opened.kind is Kind.TEXT:
        return _wide(opened.name, Delimited(opened.name, opened.stream, options, opened.progress), options)
    if opened.kind in (Kind.NPY, Kind.NPZ, Kind.MAT):
        from edge.recordings.arrays import Arrays  # noqa: PLC0415  # each format is loaded when a file is of it

        return Arrays(opened)
    if opened.kind is Kind.WAV:
        from edge.recordings.wav import Wav  # noqa: PLC0415  # as above

        return Wav(opened)
    if opened.kind is Kind.WORKBOOK:
        from edge.recordings.workbook import SEPARATOR  # noqa: PLC0415  # as above

        sheet = Delimited(opened.name, opened.stream, replace(options, separator=SEPARATOR), opened.progress)
        sheet.layout.notes.extend(opened.notes)
        return _wide(opened.name, sheet, options)
    from edge.recordings.parquet import Parquet  # noqa: PLC0415  # as above

    return Parquet(opened)


def _wide(name: str, table: Delimited, options: Options) -> Source:
    """A table with one value a row as a wide one, unless its own columns are asked for; any other as it is."""
    from edge.recordings.long import Long, long_parts  # noqa: PLC0415  # loaded where a file may be one

    asked = any(column in table.layout.names for column in options.columns)
    time = table.layout.time if options.time is None else _time_column(name, table.layout, options.time)
    parts = None if asked or options.rate_hz else long_parts(table, time)
    return table if parts is None else Long(name, table, parts)


def _choose(name: str, layout: Layout, options: Options) -> tuple[int | None, tuple[int, ...]]:
    """The time column and the columns to read."""
    ignored = {at for wanted in options.ignore for at in _positions(name, layout.names, wanted)}
    time = layout.time if options.time is None else _time_column(name, layout, options.time)
    if options.time is None and time in ignored:
        time = None
    if options.columns:
        picked = tuple(at for wanted in options.columns for at in _positions(name, layout.names, wanted))
        if options.time is None and time in picked:
            time = None
    else:
        picked = layout.numeric
        if layout.time is not None and time != layout.time and options.time is not None:
            layout.notes.append(f"column {layout.names[layout.time]!r} looks like a time too and is ignored")
    if (
        layout.odd_time
        and not (options.columns or options.time or options.rate_hz)
        and layout.odd_column not in ignored
    ):
        raise RecordingError(name, f"{layout.odd_time}; name the time column, or have this one ignored")
    parts = layout.parts if time == layout.time else ()
    picked = tuple(dict.fromkeys(at for at in picked if at not in ignored and at != time and at not in parts))
    if not picked:
        raise RecordingError(name, "no column with numbers is left to read")
    return time, picked


def _time_column(name: str, layout: Layout, wanted: str) -> int:
    """The time column that was asked for; of `date,time of day` the date's, which `Source.rows` joins with the other."""
    day, pair, clock = wanted.partition(",")
    if not pair or wanted in layout.names:
        return column_index(name, layout.names, wanted)
    found = column_index(name, layout.names, day), column_index(name, layout.names, clock)
    if found != layout.parts:
        raise RecordingError(
            name, f"columns {day!r} and {clock!r} are not a date and a time of day (08:30:00) throughout"
        )
    return found[0]


def _positions(name: str, names: tuple[str, ...], wanted: str) -> list[int]:
    """Where a column is; all columns of a matrix that is named as a whole."""
    wanted = wanted.strip()
    if wanted not in names:
        parts = [
            at
            for at, label in enumerate(names)
            if label.startswith(f"{wanted}.") and label[len(wanted) + 1 :].isdecimal()
        ]
        if parts:
            return parts
    return [column_index(name, names, wanted)]
