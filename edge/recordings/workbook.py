"""Reads one sheet of an Excel workbook (.xlsx) as a text table, by openpyxl: numbers with a point, dates as ISO, tabs between."""

from __future__ import annotations

import csv
import difflib
import io
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import IO, Any

from edge.recordings.base import RecordingError

SEPARATOR = "\t"
_LARGEST = 1 << 30
"""Bytes of one unpacked part; larger ones are no sheet of people."""
_ROWS = 1 << 20
"""Of a sheet at most (ECMA-376, part 1, section 18.3.1.73). openpyxl makes each row up to the last that is named."""


def sheet_as_text(name: str, disk: IO[bytes], wanted: str, notes: list[str]) -> bytes:
    """One sheet as UTF-8 text, one line for each of its rows, also for empty ones, so that line and row numbers agree.

    Args:
        name: the file, for messages.
        disk: the workbook, of which a person may have made anything.
        wanted: a sheet's name; empty: the visible one with the most rows that hold something.
        notes: takes which sheet is read where there are several.

    Raises:
        RecordingError: it is damaged, has no such sheet, or a part of it is larger than a gigabyte.
    """
    try:
        import openpyxl  # noqa: PLC0415  # loaded when a file is a workbook, and a node may lack it
    except ImportError as exc:
        raise RecordingError(
            name, "Excel files need openpyxl: .venv/bin/pip install -e '.[recordings]' in Werkpuls' folder brings it"
        ) from exc
    try:
        # What openpyxl warns of, as a date that is none, is told as an unreadable cell.
        with warnings.catch_warnings(action="ignore"):
            return _sheet_as_text(name, openpyxl.load_workbook, disk, wanted, notes)
    except (RecordingError, MemoryError):
        raise
    except Exception as exc:
        # openpyxl raises whatever a damaged part leads to: KeyError, TypeError, ParseError, BadZipFile, zlib.error …
        raise RecordingError(name, f"damaged Excel file: {exc or type(exc).__name__}") from exc


def _sheet_as_text(
    name: str, load_workbook: Callable[..., Any], disk: IO[bytes], wanted: str, notes: list[str]
) -> bytes:
    with zipfile.ZipFile(disk) as archive:
        if any(entry.file_size > _LARGEST for entry in archive.infolist()):
            raise RecordingError(name, "larger than a gigabyte unpacked; save its table as CSV")
    book = load_workbook(disk, read_only=True, data_only=True)
    sheets = {sheet.title: sheet for sheet in book.worksheets if sheet.sheet_state == "visible"}
    if not sheets:
        raise ValueError("it has no sheet")
    if wanted and wanted not in sheets:
        lowered = {title.lower(): title for title in sheets}
        near = difflib.get_close_matches(wanted.lower(), lowered, n=1, cutoff=0.5)
        hint = f"did you mean {lowered[near[0]]!r}?" if near else f"it has for instance {next(iter(sheets))!r}"
        raise RecordingError(name, f"has no sheet {wanted!r}; {hint}")
    tables = {title: _table(sheet) for title, sheet in sheets.items() if wanted in ("", title)}
    chosen = max(tables, key=lambda title: len(tables[title]))
    if len(sheets) > 1 and not wanted:
        notes.append(f"sheet {chosen!r} is read; others are not unless they are named")
    return _text(tables[chosen]).encode()


def _table(sheet: Any) -> list[tuple[int, list[str]]]:
    """(row number counted from 1, cells up to the last that holds something) of each row that has any."""
    # What a program wrote down as the sheet's size may be wrong.
    sheet.reset_dimensions()
    table = []
    for number, row in enumerate(sheet.values, 1):
        if number > _ROWS:
            raise ValueError(f"more rows than a sheet can have ({_ROWS})")
        cells = list(_cells(row))
        if cells:
            table.append((number, cells))
    return table


def _cells(row: Iterable[Any]) -> Iterator[str]:
    empty = 0
    for value in row:
        text = _cell(value)
        if not text:
            empty += 1
            continue
        yield from [""] * empty
        empty = 0
        yield text


def _text(table: list[tuple[int, list[str]]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=SEPARATOR, lineterminator="\n")
    line = 1
    for number, cells in table:
        text.write("\n" * (number - line))
        writer.writerow(cells)
        line = number + 1
    return text.getvalue()


def _cell(value: object) -> str:
    """What a cell holds, as text.

    >>> [_cell(datetime(2026, 11, 27, 6, 30)), _cell(datetime(2026, 11, 27)), _cell(timedelta(hours=30, seconds=0.25)), _cell(True)]
    ['2026-11-27 06:30:00', '2026-11-27', '30:00:00.250', '1']
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, datetime) and value.time() != time():
        return value.isoformat(" ", timespec="milliseconds" if value.microsecond else "seconds")
    if isinstance(value, date):
        # A datetime is one too.
        return value.strftime("%Y-%m-%d")
    if isinstance(value, time):
        value = timedelta(hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond)
    if isinstance(value, timedelta):
        # To the millisecond: the digits of a day carry no more.
        seconds, rest = divmod(round(value / timedelta(milliseconds=1)), 1000)
        return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}" + (f".{rest:03d}" if rest else "")
    return str(value).replace("\n", " ").strip()
