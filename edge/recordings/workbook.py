"""Reads one sheet of an Excel workbook (.xlsx) as a text table: numbers with a point, dates as ISO, tabs between.

Source of the parts and of the number formats: ECMA-376, Office Open XML, part 1, chapter 18 (SpreadsheetML).
"""

from __future__ import annotations

import csv
import io
import re
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from edge.recordings.base import RecordingError
from edge.recordings.foreign import WORKBOOK

SEPARATOR = "\t"
_LARGEST = 1 << 30
"""Bytes of one unpacked part; larger ones are no sheet of people."""
_BUILT_IN = {
    **dict.fromkeys((*range(14, 18), *range(27, 32), 36, *range(50, 59)), "date"),
    **dict.fromkeys((*range(18, 22), *range(32, 36), 45, 46, 47), "clock"),
    22: "moment",
}
"""What the formats show that every workbook has, by their numbers (section 18.8.30)."""
_NO_LETTERS = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]')
_DAMAGED = (
    zipfile.BadZipFile,
    ET.ParseError,
    KeyError,
    ValueError,
    IndexError,
    OSError,
    NotImplementedError,
    RuntimeError,
)


class Sheet(NamedTuple):
    """A sheet of the book."""

    name: str
    part: str
    """Its member of the zip file."""


def sheet_as_text(name: str, archive: zipfile.ZipFile, wanted: str, notes: list[str]) -> bytes:
    """One sheet as UTF-8 text, one line for each of its rows, also for empty ones, so that line and row numbers agree.

    Args:
        name: the file, for messages.
        archive: the workbook.
        wanted: a sheet's name; empty: the visible one with the most rows.
        notes: takes which sheet is read where there are several.

    Raises:
        RecordingError: it is damaged, has no such sheet, or a part of it is larger than a gigabyte.
    """
    try:
        return _sheet_as_text(name, archive, wanted, notes)
    except _DAMAGED as exc:
        raise RecordingError(name, f"damaged Excel file: {exc}") from exc


def _sheet_as_text(name: str, archive: zipfile.ZipFile, wanted: str, notes: list[str]) -> bytes:
    if any(entry.file_size > _LARGEST for entry in archive.infolist()):
        raise RecordingError(name, "larger than a gigabyte unpacked; save its table as CSV")
    sheets, epoch = _sheets(archive)
    if wanted and wanted not in [sheet.name for sheet in sheets]:
        raise RecordingError(name, f"has no sheet {wanted!r}; it has for instance {sheets[0].name!r}")
    chosen = [sheet for sheet in sheets if sheet.name == wanted] or sheets
    shared, dates = _shared(archive), _date_formats(archive)
    read = [(sheet, list(_rows(archive, sheet, shared, dates, epoch))) for sheet in chosen]
    sheet, rows = max(read, key=lambda one: len(one[1]))
    if len(sheets) > 1 and not wanted:
        notes.append(f"sheet {sheet.name!r} is read; others are not unless they are named")
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=SEPARATOR, lineterminator="\n")
    line = 1
    for number, cells in rows:
        while line < number:
            text.write("\n")
            line += 1
        writer.writerow(cells)
        line += 1
    return text.getvalue().encode()


def _sheets(archive: zipfile.ZipFile) -> tuple[list[Sheet], datetime]:
    """The visible sheets, and the day from which dates count."""
    targets = {
        relation.get("Id", ""): relation.get("Target", "") for relation in _tree(archive, "xl/_rels/workbook.xml.rels")
    }
    sheets, epoch = [], datetime(1899, 12, 30)  # noqa: DTZ001  # a workbook knows no zones
    for element in _tree(archive, WORKBOOK).iter():
        tag = _tag(element)
        if tag == "workbookPr" and element.get("date1904") in ("1", "true"):
            epoch = datetime(1904, 1, 1)  # noqa: DTZ001  # as above
        if tag == "sheet" and element.get("state", "visible") == "visible":
            relation = next((value for key, value in element.attrib.items() if key.endswith("}id")), "")
            target = targets[relation]
            sheets.append(Sheet(element.get("name", ""), target[1:] if target.startswith("/") else f"xl/{target}"))
    if not sheets:
        raise ValueError("it has no sheet")
    return sheets, epoch


def _shared(archive: zipfile.ZipFile) -> list[str]:
    """The texts that cells refer to by number."""
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    return [_text(item) for item in _tree(archive, "xl/sharedStrings.xml") if _tag(item) == "si"]


def _date_formats(archive: zipfile.ZipFile) -> list[str]:
    """Of each cell style what it shows: `date`, `moment` (with a time of day), `clock`, or nothing where it is a number."""
    if "xl/styles.xml" not in archive.namelist():
        return []
    root = _tree(archive, "xl/styles.xml")
    own = {part.get("numFmtId", ""): part.get("formatCode", "") for part in root.iter() if _tag(part) == "numFmt"}
    styles = next((part for part in root if _tag(part) == "cellXfs"), ())
    numbers = [style.get("numFmtId", "0") for style in styles]
    return [_shows(own[number]) if number in own else _BUILT_IN.get(int(number), "") for number in numbers]


def _shows(code: str) -> str:
    """What a number format shows.

    >>> [_shows(code) for code in ("DD.MM.YYYY hh:mm", 'yyyy"-"mm', "[h]:mm:ss", '0.00" s"', "[Red]General")]
    ['moment', 'date', 'clock', '', '']
    """
    letters = _NO_LETTERS.sub("", code.lower().replace("general", ""))
    day, clock = bool(re.search("[yd]", letters)), bool(re.search("[hs]", letters))
    return "moment" if day and clock else "date" if day else "clock" if clock else ""


def _rows(
    archive: zipfile.ZipFile, sheet: Sheet, shared: Sequence[str], dates: Sequence[str], epoch: datetime
) -> Iterator[tuple[int, list[str]]]:
    """(row number counted from 1, cells) of each row that has any."""
    number = 0
    with archive.open(sheet.part) as stream:
        for _, element in ET.iterparse(stream):  # noqa: S314  # expat resolves no external entities and bounds others
            if _tag(element) != "row":
                continue
            number = int(element.get("r", number + 1))
            cells: list[str] = []
            for cell in element:
                at = _column(cell.get("r", "")) if cell.get("r") else len(cells)
                cells += [""] * (at + 1 - len(cells))
                cells[at] = _cell(cell, shared, dates, epoch)
            element.clear()
            if any(cells):
                yield number, cells


def _cell(cell: ET.Element, shared: Sequence[str], dates: Sequence[str], epoch: datetime) -> str:
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        return _text(cell)
    value = next((element.text or "" for element in cell if _tag(element) == "v"), "")
    if kind == "s" and value:
        return shared[int(value)]
    style = int(cell.get("s", "0"))
    if kind != "n" or not value or style >= len(dates) or not dates[style]:
        return value
    days = float(value)
    # To the millisecond: the digits of a day carry no more.
    moment = epoch + timedelta(milliseconds=round(days * 86_400_000))
    if dates[style] == "date" and days == int(days):
        return moment.date().isoformat()
    if dates[style] != "clock":
        return moment.isoformat(" ", timespec="milliseconds" if moment.microsecond else "seconds")
    seconds, rest = divmod(round(days * 86_400_000), 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}" + (f".{rest:03d}" if rest else "")


def _tree(archive: zipfile.ZipFile, part: str) -> ET.Element:
    return ET.fromstring(archive.read(part))  # noqa: S314  # as above


def _tag(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(element: ET.Element) -> str:
    return "".join(part.text or "" for part in element.iter() if _tag(part) == "t").replace("\n", " ")


def _column(reference: str) -> int:
    """0-based column of a cell.

    >>> _column("A1"), _column("AB12")
    (0, 27)
    """
    at = 0
    for letter in reference:
        if not letter.isalpha():
            break
        at = at * 26 + ord(letter.upper()) - 64
    return at - 1
