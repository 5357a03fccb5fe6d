"""Reads text tables (CSV and its relatives) row by row, in bounded memory."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.recordings.base import CHUNK_ROWS, MOST_JUMPS, Layout, Options, Raw, RecordingError
from edge.recordings.container import DAMAGED
from edge.recordings.dialect import (
    MISSING,
    SWITCHES,
    Cell,
    column_kinds,
    encoding_of,
    find_dialect,
    has_thousands,
    is_german,
    ungrouped,
)
from edge.recordings.foreign import text_instead
from edge.recordings.preamble import is_rule
from edge.recordings.roles import Parts, Sample, roles
from edge.recordings.time_names import name_says_time
from edge.recordings.times import is_clock, is_day

_LOOK_BYTES = 65_536
_LOOK_ROWS = 2000
_BEGINS_NUMBER = re.compile(r"\s*[+-]?[.,]?\d")
_Row = tuple[int, list[str]]
"""Line number in the file and fields."""


class Record(NamedTuple):
    """One value of a table whose rows say what they are of."""

    row: int
    line: int
    """In the file, counted from 1."""
    names: tuple[str, ...]
    """What the value is of."""
    value: float
    """NaN where it is missing or no number."""
    unreadable: bool
    """Whether it is no number and not missing."""
    time: str


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
        instead = text_instead(text)
        if instead:
            raise RecordingError(name, instead)
        self._dialect = find_dialect(name, text, options.separator)
        self._text = io.TextIOWrapper(stream, encoding=encoding, errors="replace", newline="")
        self._notes: list[str] = []
        self._lines: list[tuple[int, int]] = []
        if self._dialect.preamble:
            self._notes.append(
                "the first line is no part of the table and is ignored"
                if self._dialect.preamble == 1
                else f"the first {self._dialect.preamble} lines are no part of the table and are ignored"
            )
        if self._dialect.below:
            self._notes.append(
                f"words below the header belong to it: the columns are {', '.join(self._dialect.names[:8])}"
            )
        rows = self._without_end(self._split_rows())
        self._head = list(islice(rows, _LOOK_ROWS))
        if not self._head:
            raise RecordingError(name, "has a header but no rows" if self._dialect.header else "has no rows")
        self._rows = chain(self._head, rows)
        self._parts: Parts | None = None
        self._grouped = self._find_grouped()
        self.texts: tuple[int, ...] = ()
        """Columns that hold text."""
        self.layout = self._lay_out()

    def rows(self, columns: Sequence[int], time: int | None) -> Iterator[Raw]:
        """See `Source.rows`."""
        self._head = []
        row = 0
        while chunk := list(islice(self._rows, CHUNK_ROWS)):
            values = self._numbers(chunk, columns, row)
            times = None if time is None else self._times(chunk, time)
            yield Raw(row, values, times)
            row += len(chunk)

    def beginning(self, column: int) -> list[str]:
        """The first cells of a column; only before its rows are read."""
        return [fields[column].strip() for _, fields in self._head]

    def labelled(self, names: Sequence[int], values: Sequence[int], time: int) -> Iterator[list[Record]]:
        """Columns of values beside what other columns say as text; instead of `rows`, and once as well.

        Of several columns of values each is a record of its own, and its name is the last of the record's names.
        """
        self._head = []
        row = 0
        titles = [(self._dialect.names[at],) if len(values) > 1 else () for at in values]
        while chunk := list(islice(self._rows, CHUNK_ROWS)):
            stretch = []
            for (line, fields), when in zip(chunk, self._times(chunk, time), strict=True):
                of = tuple(fields[at].strip() for at in names)
                for at, title in zip(values, titles, strict=True):
                    number = self._lenient(fields[at], at)
                    unreadable = math.isnan(number) and fields[at].strip().lower() not in MISSING
                    stretch.append(Record(row, line, of + title, number, unreadable, when))
                row += 1
            yield stretch

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
        header: list[str] | None = None
        row = 0
        try:
            for fields in reader:
                if not fields or (len(fields) == 1 and not fields[0].strip() and dialect.width > 1):
                    continue
                if pending:
                    if is_rule(fields) or (dialect.separator.isspace() and not any(map(str.strip, fields))):
                        continue  # drawn, or of tabs: not counted as one
                    pending -= 1
                    header = fields if dialect.header and pending == dialect.below else header
                    continue
                line = reader.line_num
                if self._is_beside(fields, header, row):
                    continue
                if len(fields) != dialect.width:
                    if row and len(fields) < dialect.width and next(reader, None) is None:
                        self._notes.append(f"the last line ({line}) is incomplete and is left out")
                        return
                    fields = self._fit(fields, row, line)  # noqa: PLW2901  # the same row, cut to width
                self._keep_line(row, line)
                yield line, fields
                row += 1
        except (csv.Error, *DAMAGED) as exc:
            raise RecordingError(
                self._name, f"cannot be split into fields: {exc}", row=row, line=reader.line_num
            ) from exc

    def _without_end(self, rows: Iterator[_Row]) -> Iterator[_Row]:
        """The rows but for empty ones at the end, as spreadsheets leave them."""
        held: list[_Row] = []
        for row in rows:
            if any(map(str.strip, row[1])):
                yield from held
                held.clear()
                yield row
            else:
                held.append(row)
        if held and len(held) < held[-1][0] - self._dialect.skipped:
            self._notes.append("empty lines at the end are ignored")
        else:
            yield from held

    def _is_beside(self, fields: list[str], header: list[str] | None, row: int) -> bool:
        """Whether a line below the names is no row: the names again, a comment, or drawn."""
        if fields == header:
            self._note_once("the header comes again in the table, as where files were joined, and is ignored there")
            return True
        measured = len(fields) == self._dialect.width and any(_BEGINS_NUMBER.match(field) for field in fields[1:])
        if fields[0].lstrip().startswith("#") and not measured:
            self._note_once("lines that begin with # are ignored")
            return True
        return row == 0 and is_rule(fields)

    def _keep_line(self, row: int, line: int) -> None:
        follows = bool(self._lines) and line - row == self._lines[-1][1] - self._lines[-1][0]
        if not follows and len(self._lines) < MOST_JUMPS:
            self._lines.append((row, line))

    def _note_once(self, text: str) -> None:
        if text not in self._notes:
            self._notes.append(text)

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
                if column in self._grouped:
                    raise ValueError  # noqa: TRY301  # 1.408 would be taken for a decimal
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
            return float(ungrouped(text, grouped=column in self._grouped) if self._dialect.decimal_comma else text)
        except ValueError as exc:
            raise self._no_number(text, column, row, line) from exc

    def _no_number(self, text: str, column: int, row: int, line: int) -> RecordingError:
        why = f"column {self._dialect.names[column]!r}: {text[:40]!r} is not a number"
        if has_thousands(text):
            why += "; it has a sign between its thousands: save the file without"
        return RecordingError(self._name, why, row=row, line=line)

    def _times(self, chunk: Sequence[_Row], time: int) -> list[str]:
        """The time column as written; joined with others where they are the time together."""
        if time != self.layout.time or not self.layout.parts:
            return [fields[time] for _, fields in chunk]
        if self._parts is None:
            return [" ".join(fields[at].strip() for at in self.layout.parts) for _, fields in chunk]
        made = []
        for line, fields in chunk:
            try:
                made.append(self._parts.text([self._number(fields[at], at, 0, line) for at in self._parts.columns]))
            except (ValueError, RecordingError):
                made.append("")  # no time: the row is refused by its number
        return made

    def _find_grouped(self) -> frozenset[int]:
        """The columns that have points between their thousands beside decimal commas."""
        if not self._dialect.decimal_comma:
            return frozenset()
        found = {}
        for _, fields in self._head:
            for index, cell in enumerate(fields):
                if index not in found and is_german(cell):
                    found[index] = cell.strip()
        for index, cell in found.items():
            self._note_once(f"column {self._dialect.names[index]!r} has points between its thousands, as in {cell}")
        return frozenset(found)

    def _lay_out(self) -> Layout:
        dialect, cells = self._dialect, [fields for _, fields in self._head]
        kinds = column_kinds(cells, dialect.width, decimal_comma=dialect.decimal_comma)
        named = any(not name.isdecimal() for name in dialect.names)
        self.texts = tuple(at for at, kind in enumerate(kinds) if kind is Cell.TEXT)
        samples = [self._sample(index, kind) for index, kind in enumerate(kinds)]
        day = next((at for at, kind in enumerate(kinds) if kind is Cell.TIME and not samples[at].precise), None)
        clock = next((at for at, sample in enumerate(samples) if sample.clock), None)
        if day is not None and clock is not None:
            # A day's date stands still beside the time of day that makes it a time.
            samples[clock] = Sample("", None)
            samples[day] = samples[day]._replace(precise=True, moves=True)
        found = roles(samples, named=named)
        self._notes.extend(found.notes)
        self._parts = found.parts
        together = (day, clock) if day is not None and clock is not None and found.time == day else ()
        odd = odd_column = None
        for index, (name, kind) in enumerate(zip(dialect.names, kinds, strict=True)):
            if index in found.numeric or index == found.time or index in together:
                continue
            if found.parts and index in found.parts.columns:
                continue
            column = [fields[index] for fields in cells]
            if kind is Cell.TEXT and any(map(has_thousands, column)):
                at = next(at for at, cell in enumerate(column) if has_thousands(cell))
                raise self._no_number(column[at].strip(), index, at, self._head[at][0])
            if kind is Cell.TEXT and found.time is None and odd is None and named and name_says_time(name):
                odd_column = index
                odd = f"column {name!r}: {next(cell.strip()[:40] for cell in column if cell.strip())!r} is no time"
            why = {Cell.EMPTY: "is empty", Cell.TIME: "holds dates", Cell.NUMBER: "is no measurement"}.get(
                kind, "holds text"
            )
            shown = repr(name) if named and name else str(index)
            self._notes.append(f"column {shown} {found.left_out.get(index, why)} and is ignored")
        parts = together or (found.parts.columns if found.parts else ())
        return Layout(
            dialect.names,
            tuple(found.numeric),
            found.time,
            named,
            None,
            self._notes,
            parts,
            odd,
            odd_column,
            self._lines,
        )

    def _sample(self, index: int, kind: Cell) -> Sample:
        """What the beginning of one column says of its role."""
        cells = [fields[index] for _, fields in self._head]
        name = self._dialect.names[index]
        if kind is Cell.NUMBER:
            return Sample(name, np.array([self._lenient(cell, index) for cell in cells]))
        filled = [cell for cell in cells if cell.strip().lower() not in MISSING]
        if kind is Cell.TIME:
            moves = len(filled) < 3 or any(cell != filled[0] for cell in filled)
            return Sample(name, None, dated=True, moves=moves, precise=not all(map(is_day, filled)))
        clock = kind is Cell.TEXT and len(filled) == len(cells) and all(map(is_clock, filled))
        return Sample(name, None, clock=clock)

    def _lenient(self, cell: str, column: int) -> float:
        try:
            return self._number(cell, column, 0, 0)
        except RecordingError:
            return math.nan
