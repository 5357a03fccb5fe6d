"""What a recording is to the rest: columns of numbers with a time, in chunks; and how it says that it cannot be read."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

CHUNK_ROWS = 8192
"""Rows handed on at once: small enough that a file of gigabytes needs some megabytes."""
MOST_JUMPS = 1000
"""Places that are kept of a text where lines and rows go apart, as blank lines make them."""


class RecordingError(Exception):
    """A recording that cannot be used as asked; the text names the file and, where there is one, the row.

    `row` is 0-based and counts data rows, without a header line.
    """

    def __init__(self, file: str, text: str, *, row: int | None = None, line: int | None = None) -> None:
        where = file if row is None else f"{file}: row {row}"
        if line is not None:
            where += f" (line {line})"
        super().__init__(f"{where}: {text}")
        self.file = file
        self.row = row
        self.reason = text


@dataclass(frozen=True, slots=True)
class Options:
    """How a recording is to be read; everything can be left to its content.

    Columns are given by name or by 0-based number.
    """

    separator: str | None = None
    """Field separator of a CSV file; None: found by looking."""
    time: str | None = None
    """Time column; None: found by name and content, or else the row number is the time."""
    columns: tuple[str, ...] = ()
    """Columns to read, in this order; empty: every numeric one."""
    ignore: tuple[str, ...] = ()
    """Columns to leave out, for instance labels."""
    rate_hz: float | None = None
    """Sample rate of a waveform; None: the file's own (WAV), or it is a table."""


class Raw(NamedTuple):
    """A stretch of rows as a file format delivers it."""

    row: int
    """0-based number of the first row."""
    values: NDArray[np.float64]
    """(rows, columns) float64, NaN where a value is missing."""
    times: list[str] | NDArray[np.int64] | None
    """The time column: text as written, or nanoseconds; None where none was asked for."""


class Chunk(NamedTuple):
    """A stretch of rows with its time."""

    row: int
    time_ns: NDArray[np.int64]
    """(rows,) nanoseconds: since 1970 where the recording is dated, else since its own start; never decreasing."""
    values: NDArray[np.float64]
    """(rows, columns) float64, NaN where a value is missing."""
    written_ns: NDArray[np.int64] | None = None
    """(rows,) what the clock said where that differs from `time_ns`, as it was set back; None where it does not."""


@dataclass(slots=True)
class Layout:
    """What was found in a file before its rows are read."""

    names: tuple[str, ...]
    """Every column: its name, or its number where the file has no names."""
    numeric: tuple[int, ...]
    """Columns that hold numbers and are worth reading unasked."""
    time: int | None = None
    """The column that is evidently the time."""
    named: bool = True
    """Whether the names are the file's own."""
    rate_hz: float | None = None
    """The file's own sample rate."""
    notes: list[str] = field(default_factory=list)
    """What was left out or decided, in English."""
    parts: tuple[int, ...] = ()
    """Columns that are the time together, such as a date and a time of day; `time` is the first, and `rows` joins them."""
    odd_time: str | None = None
    """Set where a column is called a time, none other is the time, and it cannot be read: `column 'time': 'x' is no time`."""
    odd_column: int | None = None
    """That column."""
    lines: list[tuple[int, int]] = field(default_factory=list)
    """Of text: (row, its line in the file, counted from 1) wherever a row does not follow on the line before.

    Grows with reading up to `MOST_JUMPS`, behind which lines are not known.
    """


class Source(Protocol):
    """One file format: what is in it, and its rows once from the start."""

    @property
    def layout(self) -> Layout:
        """Known once opened."""
        ...

    def rows(self, columns: Sequence[int], time: int | None) -> Iterator[Raw]:
        """The rows of some columns; may be called once.

        Raises:
            RecordingError: naming the file and the row.
        """
        ...

    def progress(self) -> float:
        """Share of the file that was read, 0 to 1."""
        ...

    def close(self) -> None:
        """Safe to call twice."""
        ...


def column_index(file: str, names: Sequence[str], wanted: str) -> int:
    """Position of a column given by name, by name in other letter case, or by 0-based number.

    Raises:
        RecordingError: there is none; the text offers the nearest right name.

    >>> column_index("a.csv", ["time", "Current"], "current"), column_index("a.csv", ["time", "Current"], "0")
    (1, 0)
    """
    wanted = wanted.strip()
    if wanted in names:
        return list(names).index(wanted)
    lowered = [name.lower() for name in names]
    if wanted.lower() in lowered:
        return lowered.index(wanted.lower())
    if wanted.isdecimal():
        if int(wanted) < len(names):
            return int(wanted)
        raise RecordingError(file, f"no column {wanted}: it has {len(names)}, numbered from 0")
    near = difflib.get_close_matches(wanted.lower(), lowered, n=1, cutoff=0.5)
    hint = f"; did you mean {names[lowered.index(near[0])]!r}?" if near else ""
    raise RecordingError(file, f"no column {wanted!r}{hint}; the columns are: {', '.join(names[:20])}")
