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
    is_index,
)
from edge.recordings.times import name_says_time

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
            times = None if time is None else [fields[time] for _, fields in chunk]
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
        pending = dialect.comments + dialect.header
        row = 0
        try:
            for fields in reader:
                if not fields or (len(fields) == 1 and not fields[0].strip() and dialect.width > 1):
                    continue
                if pending:
                    pending -= 1
                    continue
                if len(fields) != dialect.width:
                    fields = self._fit(fields, row, reader.line_num)  # noqa: PLW2901  # the same row, cut to width
                yield reader.line_num, fields
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
            name = self._dialect.names[column]
            raise RecordingError(
                self._name, f"column {name!r}: {text[:40]!r} is not a number", row=row, line=line
            ) from exc

    def _lay_out(self) -> Layout:
        dialect, cells = self._dialect, [fields for _, fields in self._head]
        kinds = column_kinds(cells, dialect.width, decimal_comma=dialect.decimal_comma)
        named = any(not name.isdecimal() for name in dialect.names)
        numeric, time = [], None
        for index, (name, kind) in enumerate(zip(dialect.names, kinds, strict=True)):
            column = [fields[index] for fields in cells]
            shown = repr(name) if named and name else f"number {index}"
            if time is None and self._is_time(name, kind, column, index, named=named):
                time = index
            elif is_index(name, column, named=named) and index == 0 and dialect.width > 1:
                self._notes.append(f"column {shown} only numbers the rows and is ignored")
            elif kind is Cell.NUMBER:
                numeric.append(index)
            else:
                what = {Cell.EMPTY: "is empty", Cell.TIME: "holds dates"}.get(kind, "holds text")
                self._notes.append(f"column {shown} {what} and is ignored")
        return Layout(dialect.names, tuple(numeric), time, named, None, self._notes)

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
