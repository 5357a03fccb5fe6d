"""Excel workbooks are read like the table they hold; other files of offices and archives are told what to do with."""

from __future__ import annotations

import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import pytest

from edge.recordings import RecordingError, open_recording

SPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
FORMATS = ("0", "164", "14", "21", "166")
CODES = '<numFmt numFmtId="164" formatCode="DD\\.MM\\.YYYY\\ HH:MM:SS"/><numFmt numFmtId="166" formatCode="0.00&quot; s&quot;"/>'
NUMBER, MOMENT, DAY, CLOCK, SECONDS = range(5)
Cell = tuple[float, int] | str | None


def book(path: Path, sheets: dict[str, list[list[Cell]]], *, inline: bool = False) -> str:
    """A workbook as Excel saves it: shared texts, dates as days with a style, empty rows and cells left out."""
    shared: list[str] = []
    parts, names, relations = {}, [], []
    for number, (name, rows) in enumerate(sheets.items(), 1):
        lines = []
        for row, cells in enumerate(rows, 1):
            made = []
            for at, cell in enumerate(cells):
                where = f'r="{chr(65 + at)}{row}"'
                if isinstance(cell, str) and inline:
                    made.append(f'<c {where} t="inlineStr"><is><t>{escape(cell)}</t></is></c>')
                elif isinstance(cell, str):
                    shared.append(cell)
                    made.append(f'<c {where} t="s"><v>{len(shared) - 1}</v></c>')
                elif cell is not None:
                    made.append(f'<c {where} s="{cell[1]}"><v>{cell[0]!r}</v></c>')
            if made:
                lines.append(f'<row r="{row}">{"".join(made)}</row>')
        parts[f"xl/worksheets/sheet{number}.xml"] = (
            f"<worksheet {SPACE}><sheetData>{''.join(lines)}</sheetData></worksheet>"
        )
        names.append(f'<sheet name="{name}" sheetId="{number}" r:id="rId{number}"/>')
        relations.append(f'<Relationship Id="rId{number}" Target="worksheets/sheet{number}.xml"/>')
    links = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
    parts["[Content_Types].xml"] = "<Types/>"
    parts["xl/workbook.xml"] = f"<workbook {SPACE} {links}><sheets>{''.join(names)}</sheets></workbook>"
    parts["xl/_rels/workbook.xml.rels"] = f"<Relationships>{''.join(relations)}</Relationships>"
    parts["xl/sharedStrings.xml"] = (
        f"<sst {SPACE}>{''.join(f'<si><r><t>{escape(t)}</t></r></si>' for t in shared)}</sst>"
    )
    styles = "".join(f'<xf numFmtId="{number}"/>' for number in FORMATS)
    parts["xl/styles.xml"] = f"<styleSheet {SPACE}><numFmts>{CODES}</numFmts><cellXfs>{styles}</cellXfs></styleSheet>"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, text in parts.items():
            archive.writestr(part, text)
    return str(path)


def measured(head: list[list[Cell]], times: list[list[Cell]]) -> list[list[Cell]]:
    return [*head, *([*time, (20.5 + row, NUMBER), (row % 3 / 4, SECONDS)] for row, time in enumerate(times))]


COVER: list[list[Cell]] = [["Messung Ofen 2"], ["Gerät", "4711"]]
ROWS = 40


@pytest.mark.parametrize("texts", ["shared", "inline"])
@pytest.mark.parametrize(
    ("names", "times"),
    [
        (["Datum/Uhrzeit"], [[(43_899.5 + row / 2880, MOMENT)] for row in range(ROWS)]),
        (["Datum", "Uhrzeit"], [[(43_899.0, DAY), (0.5 + row / 2880, CLOCK)] for row in range(ROWS)]),
    ],
)
def test_a_sheet_with_lines_above_a_german_header_is_read(
    tmp_path: Path, names: list[str], times: list[list[Cell]], texts: str
) -> None:
    head: list[list[Cell]] = [["Messprotokoll"], [], [*names, "Ofentemperatur [°C]", "Öffnung", "Störung"]]
    sheets = {
        "Deckblatt": COVER,
        "Messwerte": [[*row, "nein"] if at > 2 else row for at, row in enumerate(measured(head, times))],
    }
    path = book(tmp_path / "ofen.xlsx", sheets, inline=texts == "inline")
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


def test_a_workbook_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", {"Blatt": COVER})
    with pytest.raises(RecordingError, match="has no sheet 'Tabelle1'; it has for instance 'Blatt'"):
        open_recording(f"{path}!Tabelle1")
    with zipfile.ZipFile(tmp_path / "b.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook>")
    with pytest.raises(RecordingError, match="damaged Excel file"):
        open_recording(str(tmp_path / "b.xlsx"))


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
