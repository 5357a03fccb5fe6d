"""What loggers write above their tables is no part of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.recordings import RecordingError, open_recording

ROWS = [[f"{at * 0.5:.6f}", f"{at % 7 + 0.25}", f"{40 - at % 3}"] for at in range(60)]
LABVIEW = """LabVIEW Measurement\t
Writer_Version\t2
Separator\tTab
Date\t2020/03/09
***End_of_Header***\t
\t
Channels\t2\t\t
Samples\t60\t60\t
Y_Unit_Label\tg\tg\t
Delta_X\t0.5\t0.5\t
***End_of_Header***\t\t\t
X_Value\tVibration\tTemperature\tComment
"""
PROPERTIES = """Name\tScope
Start of record\t132282684000000000\tMonday
End of record\t132282684100000000\tMonday

Name\tVibration\tTemperature
SymbolComment\t\t
Data-Type\tREAL64\tREAL64
SampleTime[ms]\t500\t500
SymbolName\tMAIN.fI\tMAIN.fT
ScaleFactor\t1\t1
"""
SETTINGS = """Name;Scope
Start;09.03.2020 10:00:00

Time;Vibration;Temperature
"""
SPREADSHEET = "sep=,\nTime,Vibration,Temperature\n"


@pytest.mark.parametrize("text", [LABVIEW, PROPERTIES, SETTINGS, SPREADSHEET, SPREADSHEET.replace("Time,", "t,")])
def test_the_table_below_them_is_read(tmp_path: Path, text: str) -> None:
    separator = next(sign for sign in "\t;," if sign in text.replace("sep=,", ""))
    (tmp_path / "run.txt").write_text(text + "\n".join(map(separator.join, ROWS)))
    with open_recording(str(tmp_path / "run.txt")) as recording:
        assert recording.columns == ("Vibration", "Temperature")
        (chunk,) = recording.chunks()
        assert chunk.time_ns[:3].tolist() == [0, 500_000_000, 1_000_000_000]
        assert chunk.values.tolist() == [[float(cell) for cell in row[1:]] for row in ROWS]
        assert recording.line(2) == text.count("\n") + 3


def test_words_in_the_first_rows_of_a_table_are_refused_and_no_preamble(tmp_path: Path) -> None:
    rows = ["0;err;err", "1;err;err", *(";".join(row) for row in ROWS)]
    (tmp_path / "run.csv").write_text("t;a;b\n" + "\n".join(rows))
    with (
        pytest.raises(RecordingError, match=r"row 0 \(line 2\): column 'a': 'err' is not a number"),
        open_recording(str(tmp_path / "run.csv")) as recording,
    ):
        recording.head()


def test_drawn_lines_and_empty_ones_at_the_end_are_no_rows(tmp_path: Path) -> None:
    drawn = ["| time | a | b |", "|---|:--|---|", *(f"| {' | '.join(row)} |" for row in ROWS)]
    for text, end in (
        ("\n".join(drawn), ""),
        ("t;a;b;\n" + "\n".join(";".join(row) + ";" for row in ROWS), "\n;;;\n;;;\n"),
    ):
        (tmp_path / "run.txt").write_text(text + end)
        with open_recording(str(tmp_path / "run.txt")) as recording:
            assert recording.columns == ("a", "b")
            assert recording.head().values.tolist() == [[float(cell) for cell in row[1:]] for row in ROWS]
            assert ("empty lines at the end are ignored" in recording.notes) == bool(end)


def test_an_empty_row_between_others_is_one_without_values(tmp_path: Path) -> None:
    (tmp_path / "run.csv").write_text("a;b\n1;2\n;\n3;4\n" + "5;6\n" * 9)
    with open_recording(str(tmp_path / "run.csv")) as recording:
        assert len(recording.head().values) == 12


@pytest.mark.parametrize(
    ("stamps", "step_s"),
    [
        ([f"0{1 + at // 24}/03/20 {at % 24:02}" for at in range(60)], 3600),
        (
            [f"Mar {1 + at // 24}, 2020 {at % 24 % 12 or 12}:00 {'AM' if at % 24 < 12 else 'PM'}" for at in range(60)],
            3600,
        ),
    ],
)
def test_hours_behind_a_date(tmp_path: Path, stamps: list[str], step_s: float) -> None:
    (tmp_path / "run.csv").write_text("time;a\n" + "\n".join(f"{stamp};{at % 7}" for at, stamp in enumerate(stamps)))
    with open_recording(str(tmp_path / "run.csv")) as recording:
        assert {int(step) for step in np.diff(recording.head().time_ns)} == {step_s * 10**9}
