"""Reads text tables (CSV and its relatives) row by row, in bounded memory."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import IO

import numpy as np
from numpy.typing import NDArray

from edge.recordings.base import CHUNK_ROWS, Layout, Options, Raw, RecordingError
from edge.recordings.container import DAMAGED
from edge.recordings.dialect import (
    MISSING,
    SWITCHES,
    Cell,
    column_kinds,
    encoding_of,
    find_dialect,
    has_thousands,
    is_index,
)
from edge.recordings.times import is_clock, is_day, name_says_time

_LOOK_BYTES = 65_536
_LOOK_ROWS = 2000
_Row = tuple[int, list[str]]
"""Line number in the file and fields."""


class Delimited:
    """A text table: separator, header, decimal sign and column kinds are found by looking at its beginning.

    Raises:
        RecordingError: there is nothing to read in it.
    """

    def __init__(self, name: str, stream: IO[bytes], options: Options, progress: Callable[[], float]) -> None:
        self._name = name
        self._progress = progress
        head = stream.read(_LOOK_BYTES)
        stream.seek(0)
        encoding = encoding_of(head)
        text = head.decode(encoding, errors="replace")
        if len(head) == _LOOK_BYTES:  # the last line is cut: leave it out
            text = text[: text.rfind("\n") + 1] or text
        self._dialect = find_dialect(name, text, options.separator)
        self._text = io.TextIOWrapper(stream, encoding=encoding, errors="replace", newline="")
        self._notes: list[str] = []
        if self._dialect.preamble:
            self._notes.append(f"the first {self._dialect.preamble} lines are no part of the table and are ignored")
        rows = self._split_rows()
        self._head = list(islice(rows, _LOOK_ROWS))
        if not self._head:
            raise RecordingError(name, "has a header but no rows" if self._dialect.header else "has no rows")
        self._rows = chain(self._head, rows)
        self.layout = self._lay_out()

    def rows(self, columns: Sequence[int], time: int | None) -> Iterator[Raw]:
        """See `Source.rows`."""
        self._head = []
        row = 0
        while chunk := list(islice(self._rows, CHUNK_ROWS)):
            values = self._numbers(chunk, columns, row)
            clock = None if time != self.layout.time else self.layout.clock
            times = None if time is None else [fields[time] for _, fields in chunk]
            if times is not None and clock is not None:
                times = [
                    f"{day.strip()} {fields[clock].strip()}" for day, (_, fields) in zip(times, chunk, strict=True)
                ]
            yield Raw(row, values, times)
            row += len(chunk)

    def progress(self) -> float:
        """See `Source.progress`."""
        return self._progress()

    def close(self) -> None:
        """See `Source.close`."""
        self._text.close()

    def _split_rows(self) -> Iterator[_Row]:
        dialect = self._dialect
        reader = csv.reader(self._text, delimiter=dialect.separator, skipinitialspace=True)
        pending = dialect.skipped
        row = 0
        try:
            for fields in reader:
                if not fields or (len(fields) == 1 and not fields[0].strip() and dialect.width > 1):
                    continue
                if pending:
                    pending -= 1
                    continue
                line = reader.line_num
                if len(fields) != dialect.width:
                    if row and len(fields) < dialect.width and next(reader, None) is None:
                        self._notes.append(f"the last line ({line}) is incomplete and is left out")
                        return
                    fields = self._fit(fields, row, line)  # noqa: PLW2901  # the same row, cut to width
                yield line, fields
                row += 1
        except (csv.Error, *DAMAGED) as exc:
            raise RecordingError(
                self._name, f"cannot be split into fields: {exc}", row=row, line=reader.line_num
            ) from exc

    def _fit(self, fields: list[str], row: int, line: int) -> list[str]:
        """A row of another length: blanks behind the last field are harmless, and so is more in the first row."""
        width = self._dialect.width
        extra = fields[width:]
        if extra and not any(cell.strip() for cell in extra):
            return fields[:width]
        if extra and row == 0 and not self._dialect.header:
            self._notes.append(f"row 0 has {len(extra)} more values than the others; they are ignored")
            return fields[:width]
        counted = f"{len(fields)} field{'s' if len(fields) != 1 else ''} where the others have {width}"
        raise RecordingError(
            self._name,
            f"{counted} (separator {self._dialect.separator!r}); are the separators mixed?",
            row=row,
            line=line,
        )

    def _numbers(self, chunk: Sequence[_Row], columns: Sequence[int], first: int) -> NDArray[np.float64]:
        values = np.empty((len(chunk), len(columns)))
        for position, column in enumerate(columns):
            try:
                values[:, position] = [float(fields[column]) for _, fields in chunk]
            except ValueError:
                values[:, position] = [
                    self._number(fields[column], column, first + at, line) for at, (line, fields) in enumerate(chunk)
                ]
            if np.isinf(values[:, position]).any():
                at = int(np.flatnonzero(np.isinf(values[:, position]))[0])
                raise RecordingError(
                    self._name, f"column {self._dialect.names[column]!r} is infinite", row=first + at, line=chunk[at][0]
                )
        return values

    def _number(self, cell: str, column: int, row: int, line: int) -> float:
        text = cell.strip()
        lowered = text.lower()
        if lowered in MISSING:
            return math.nan
        if lowered in SWITCHES:
            return SWITCHES[lowered]
        try:
            return float(text.replace(",", ".") if self._dialect.decimal_comma else text)
        except ValueError as exc:
            raise self._no_number(text, column, row, line) from exc

    def _no_number(self, text: str, column: int, row: int, line: int) -> RecordingError:
        why = f"column {self._dialect.names[column]!r}: {text[:40]!r} is not a number"
        if has_thousands(text):
            why += "; it has a sign between its thousands: save the file without"
        return RecordingError(self._name, why, row=row, line=line)

    def _lay_out(self) -> Layout:
        dialect, cells = self._dialect, [fields for _, fields in self._head]
        kinds = column_kinds(cells, dialect.width, decimal_comma=dialect.decimal_comma)
        named = any(not name.isdecimal() for name in dialect.names)
        numeric, time = [], None
        clock = next((at for at in range(dialect.width) if all(is_clock(fields[at]) for fields in cells)), None)
        for index, (name, kind) in enumerate(zip(dialect.names, kinds, strict=True)):
            column = [fields[index] for fields in cells]
            shown = repr(name) if named and name else f"number {index}"
            if index == clock and any(all(is_day(fields[at]) for fields in cells) for at in range(dialect.width)):
                continue
            if time is None and self._is_time(name, kind, column, index, named=named):
                time = index
            elif is_index(name, column, named=named) and index == 0 and dialect.width > 1:
                self._notes.append(f"column {shown} only numbers the rows and is ignored")
            elif kind is Cell.NUMBER:
                numeric.append(index)
            elif kind is Cell.TEXT and any(map(has_thousands, column)):
                at = next(at for at, cell in enumerate(column) if has_thousands(cell))
                raise self._no_number(column[at].strip(), index, at, self._head[at][0])
            else:
                what = {Cell.EMPTY: "is empty", Cell.TIME: "holds dates"}.get(kind, "holds text")
                self._notes.append(f"column {shown} {what} and is ignored")
        if time is None or not all(is_day(fields[time]) for fields in cells):
            clock = None
        return Layout(dialect.names, tuple(numeric), time, named, None, self._notes, clock)

    def _is_time(self, name: str, kind: Cell, column: Sequence[str], index: int, *, named: bool) -> bool:
        """Dates; or numbers under a name that says time; or unnamed numbers in front that rise evenly from 0."""
        if kind is Cell.TIME:
            return True
        if kind is not Cell.NUMBER:
            return False
        if named and name:
            return name_says_time(name)
        return index == 0 and self._dialect.width > 1 and _rises_evenly(column)


def _rises_evenly(column: Sequence[str]) -> bool:
    """Whether these cells count up from 0 in equal steps that are not 1: seconds, not row numbers."""
    try:
        values = np.array([float(cell.replace(",", ".")) for cell in column])
    except ValueError:
        return False
    steps = np.diff(values)
    if len(steps) < 8 or values[0] != 0 or not steps.min() > 0 or np.all(steps == 1):
        return False
    return bool(steps.std() <= 0.02 * steps.mean())
