"""Excel workbooks are read like the table they hold; other files of offices and archives are told what to do with."""

from __future__ import annotations

import contextlib
import sys
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.recordings import RecordingError, open_recording

MOMENT, DAY, CLOCK, SECONDS = "DD.MM.YYYY HH:MM:SS", "DD.MM.YYYY", "hh:mm:ss", '0.00" s"'
Cell = float | str | tuple[float, str] | None
"""A number with a number format, where it is a pair."""


def book(path: Path, sheets: dict[str, list[list[Cell]]], hidden: str = "") -> str:
    """A workbook; what is not there is left out, as Excel does it."""
    made = openpyxl.Workbook()
    made.remove(made.worksheets[0])
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        sheet.sheet_state = "hidden" if name == hidden else "visible"
        for row, cells in enumerate(rows, 1):
            for column, value in enumerate(cells, 1):
                if isinstance(value, tuple):
                    sheet.cell(row, column, value[0]).number_format = value[1]
                elif value is not None:
                    sheet.cell(row, column, value)
    made.save(path)
    return str(path)


def measured(head: list[list[Cell]], times: list[list[Cell]]) -> list[list[Cell]]:
    return [*head, *([*time, 20.5 + row, (row % 3 / 4, SECONDS)] for row, time in enumerate(times))]


COVER: list[list[Cell]] = [["Messung Ofen 2"], ["Gerät", "4711"]]
ROWS = 40


@pytest.mark.parametrize(
    ("names", "times"),
    [
        (["Datum/Uhrzeit"], [[(43_899.5 + row / 2880, MOMENT)] for row in range(ROWS)]),
        (["Datum", "Uhrzeit"], [[(43_899.0, DAY), (0.5 + row / 2880, CLOCK)] for row in range(ROWS)]),
    ],
)
def test_a_sheet_with_lines_above_a_german_header_is_read(
    tmp_path: Path, names: list[str], times: list[list[Cell]]
) -> None:
    head: list[list[Cell]] = [["Messprotokoll"], [], [*names, "Ofentemperatur [°C]", "Öffnung", "Störung"]]
    sheets = {
        "Deckblatt": COVER,
        "Messwerte": [[*row, "nein"] if at > 2 else row for at, row in enumerate(measured(head, times))],
    }
    path = book(tmp_path / "ofen.xlsx", sheets)
    for name in (path, f"{path}!Messwerte"):
        with open_recording(name) as recording:
            assert recording.columns == ("Ofentemperatur [°C]", "Öffnung")
            (chunk,) = recording.chunks()
            assert recording.dated
            assert chunk.time_ns[0] == np.datetime64("2020-03-09T12:00:00", "ns").astype(np.int64)
            assert (np.diff(chunk.time_ns) == 30 * 10**9).all()
            assert chunk.values[:2].tolist() == [[20.5, 0.0], [21.5, 0.25]]
            assert recording.line(7) == 11, "its number in the sheet"
            told = "sheet 'Messwerte' is read; others are not unless they are named" in recording.notes
            assert told == (name == path)


def test_a_stray_cell_at_the_far_end_of_a_sheet_and_hidden_sheets_cost_nothing(tmp_path: Path) -> None:
    sheet = measured([["t", "Temperatur", "b"]], [[(43_899.5 + row / 2880, MOMENT)] for row in range(ROWS)])
    far: list[list[Cell]] = [*sheet, *([[]] * 100_000), [*([None] * 700), " "]]
    path = book(tmp_path / "ofen.xlsx", {"Blatt": far, "Alt": [*sheet, *sheet]}, hidden="Alt")
    with open_recording(path) as recording:
        assert recording.columns == ("Temperatur", "b")
        (chunk,) = recording.chunks()
        assert chunk.values[-1].tolist() == [20.5 + ROWS - 1, (ROWS - 1) % 3 / 4]


def test_a_workbook_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", {"Blatt": COVER})
    with pytest.raises(RecordingError, match="has no sheet 'Tabelle1'; it has for instance 'Blatt'"):
        open_recording(f"{path}!Tabelle1")
    path = book(tmp_path / "c.xlsx", {"Übersicht": COVER, "Messung": COVER})
    with pytest.raises(RecordingError, match=r"has no sheet 'messungen'; did you mean 'Messung'\?"):
        open_recording(f"{path}!messungen")
    with zipfile.ZipFile(tmp_path / "b.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook>")
    with pytest.raises(RecordingError, match="damaged Excel file"):
        open_recording(str(tmp_path / "b.xlsx"))


def test_a_row_number_beyond_what_a_sheet_can_have_is_refused(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", {"Blatt": [["t", "a"]]})
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "b.xlsx", "w") as new:
        for part in old.namelist():
            new.writestr(part, old.read(part).replace(b'<row r="1"', b'<row r="2000000000"'))
    with pytest.raises(RecordingError, match="damaged Excel file"):
        open_recording(str(tmp_path / "b.xlsx"))


def test_without_openpyxl_a_workbook_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = book(tmp_path / "a.xlsx", {"Blatt": COVER})
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(RecordingError, match=r"Excel files need openpyxl: .*'\.\[recordings\]'"):
        open_recording(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=30))
def test_a_damaged_workbook_is_read_or_refused(tmp_path: Path, place: int, rubbish: bytes) -> None:
    path = tmp_path / "ofen.xlsx"
    book(path, {"Blatt": measured([["t", "a", "b"]], [[(43_899.5 + row, MOMENT)] for row in range(ROWS)])})
    content = bytearray(path.read_bytes())
    at = place % len(content)
    content[at : at + len(rubbish)] = rubbish
    path.write_bytes(content)
    with contextlib.suppress(RecordingError), open_recording(str(path)) as recording:
        assert recording.head().values.shape[1] >= 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "is an old Excel or Office file; save it as .xlsx or CSV"),
        (b"\x89HDF\r\n\x1a\n" + bytes(600), "is an HDF5 file; save its table as CSV, NPY or Parquet"),
        (b"\x80\x04\x95" + bytes(600), "holds Python objects, which are not read for safety"),
        (b"ARROW1\x00\x00" + bytes(600), "is a Feather or Arrow file; save it as Parquet or CSV"),
        (bytes(257) + b"ustar" + bytes(300), "is a tar archive; unpack it first"),
        (b'{"data": [1, 2]}', "is JSON and no table; save it as CSV"),
        (b"<?xml version='1.0'?><a/>", "is XML or HTML and no table; save it as CSV"),
    ],
)
def test_other_files_are_told_what_to_do_with(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "run").write_bytes(content)
    with pytest.raises(RecordingError, match=said):
        open_recording(str(tmp_path / "run"))


def test_other_files_of_offices_are_told_what_to_do_with(tmp_path: Path) -> None:
    for members, said in (
        (["mimetype", "content.xml"], "OpenDocument"),
        (["[Content_Types].xml"], "Office file without"),
    ):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            for member in members:
                archive.writestr(member, "x")
        with pytest.raises(RecordingError, match=said):
            open_recording(str(tmp_path / "a.zip"))
