"""Text tables as people have them."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.recordings import Options, Recording, RecordingError, open_recording


def write(folder: Path, text: str, name: str = "run.csv", encoding: str = "utf-8") -> str:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return str(path)


def read(recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    """All times and all values."""
    chunks = list(recording.chunks())
    return np.concatenate([chunk.time_ns for chunk in chunks]), np.concatenate([chunk.values for chunk in chunks])


def values(recording: Recording) -> np.ndarray:
    return read(recording)[1]


def times(recording: Recording) -> np.ndarray:
    return read(recording)[0]


def refusal(name: str, options: Options | None = None) -> RecordingError:
    with pytest.raises(RecordingError) as caught, open_recording(name, options) as recording:
        for _ in recording.chunks():
            pass
    assert name in str(caught.value), "the text names the file"
    return caught.value


LOGGER = "Datenlogger DL-3\nNummer 4711\n\nDatum;Uhrzeit;Temperatur;Strom\n"


@pytest.mark.parametrize("time", [None, "Datum,Uhrzeit", "Datum"])
def test_a_german_logger_with_date_and_time_of_day_below_its_own_lines(tmp_path: Path, time: str | None) -> None:
    rows = "".join(
        f"09.03.2020;{at // 60:02}:{at % 60:02}:30;{at / 2:.1f};1,5\n".replace(".5;", ",5;") for at in range(70)
    )
    name = write(tmp_path, LOGGER + rows.replace(".0;", ",0;") + "09.03.2020;01:10:30;23", encoding="cp1252")
    with open_recording(name, Options(time=time)) as recording:
        assert recording.columns == ("Temperatur", "Strom")
        found, numbers = read(recording)
        assert (np.diff(found) == 60 * 10**9).all()
        assert len(numbers) == 70
        assert recording.dated
        assert numbers[-1].tolist() == [34.5, 1.5]
        said = " ".join(recording.notes)
    assert "the first 2 lines are no part of the table" in said
    assert "the last line (75) is incomplete and is left out" in said


def test_two_columns_that_are_no_date_and_time_of_day_are_refused(tmp_path: Path) -> None:
    name = write(tmp_path, "Datum;Wert\n09.03.2020;1,5\n10.03.2020;1,6\n")
    assert "'Datum' and 'Wert' are not a date and a time of day" in refusal(name, Options(time="Datum,Wert")).reason


@pytest.mark.parametrize("count", [1, 20])
def test_signs_between_thousands_are_named(tmp_path: Path, count: int) -> None:
    rows = ["1.5;900.5"] * 5 + ["2.5;1,200.5"] * count
    said = refusal(write(tmp_path, "a;b\n" + "\n".join(rows) + "\n"))
    assert said.row == 5
    assert "'1,200.5' is not a number; it has a sign between its thousands" in said.reason


@pytest.mark.parametrize("count", [1, 20])
def test_points_between_thousands_are_read_beside_a_decimal_comma(tmp_path: Path, count: int) -> None:
    rows = ["1,5;900,5"] * 5 + ["2,5;-1.234.408,9"] * count
    with open_recording(write(tmp_path, "a;b\n" + "\n".join(rows) + "\n")) as recording:
        assert values(recording).tolist() == [[1.5, 900.5]] * 5 + [[2.5, -1234408.9]] * count
        assert "column 'b' has points between its thousands, as in -1.234.408,9" in recording.notes


def test_a_point_before_three_digits_is_a_decimal_only_where_no_thousands_are(tmp_path: Path) -> None:
    rows = ["1.408;1.408"] + ["1,5;1.200,5"] * 9
    with open_recording(write(tmp_path, "a;b\n" + "\n".join(rows) + "\n")) as recording:
        assert values(recording)[:2].tolist() == [[1.408, 1408.0], [1.5, 1200.5]]
    with open_recording(write(tmp_path, "b\tc\n" + "1.200,5\t7\n" * 9)) as recording:
        assert values(recording)[0].tolist() == [1200.5, 7.0]


@pytest.mark.parametrize("gap", ["", "-", "n/a"])
def test_a_missing_value_decides_no_decimal_sign(tmp_path: Path, gap: str) -> None:
    rows = ["4,5;1.225;1.408"] * 9 + [f"{gap};1.226;1.409"]
    with open_recording(write(tmp_path, "a;b;c\n" + "\n".join(rows) + "\n")) as recording:
        assert recording.columns == ("a", "b", "c")
        found = values(recording)
    assert found[0].tolist() == [4.5, 1.225, 1.408]
    assert np.isnan(found[9, 0])
    assert found[9, 1] == 1.226


@pytest.mark.parametrize("other", ["1.225", "1225", "12,5"])
def test_a_word_among_numbers_is_refused_whatever_is_beside_it(tmp_path: Path, other: str) -> None:
    rows = [f"4,5;{other}"] * 9 + [f"Fehler;{other}"]
    said = refusal(write(tmp_path, "a;b\n" + "\n".join(rows) + "\n"))
    assert (said.row, said.reason) == (9, "column 'a': 'Fehler' is not a number")


def test_remarks_with_a_comma_here_and_there_make_no_decimal_commas(tmp_path: Path) -> None:
    rows = ["4.5;ok"] * 9 + ["4.75;1,5"]
    with open_recording(write(tmp_path, "a;remark\n" + "\n".join(rows) + "\n")) as recording:
        assert recording.columns == ("a",)


def test_a_single_line_above_the_table_is_told_as_one(tmp_path: Path) -> None:
    with open_recording(write(tmp_path, "Logger\na;b\n" + "1;2\n" * 9)) as recording:
        assert "the first line is no part of the table and is ignored" in recording.notes


@pytest.mark.parametrize("cell", ["12.34,5", "0.408,9", "1.2345,6", "1.200,5,1", "1.20.300,5"])
def test_what_only_looks_like_thousands_is_refused(tmp_path: Path, cell: str) -> None:
    rows = ["1,5;900,5"] * 20 + [f"2,5;{cell}"]
    assert "is not a number" in refusal(write(tmp_path, "a;b\n" + "\n".join(rows) + "\n")).reason


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " "])
def test_separator_is_found(tmp_path: Path, separator: str) -> None:
    rows = [["a", "b", "c"], ["1", "2.5", "-3e-1"], ["4", "5", "6"]]
    name = write(tmp_path, "\n".join(separator.join(row) for row in rows))
    with open_recording(name) as recording:
        assert recording.columns == ("a", "b", "c")
        np.testing.assert_allclose(values(recording), [[1, 2.5, -0.3], [4, 5, 6]])


def test_decimal_comma_between_semicolons(tmp_path: Path) -> None:
    name = write(tmp_path, "Zeit;Strom [A];Temperatur\n0,5;1,25; 20,5\n1,5; 1,5 ;21\n2,5;-0,5;\n")
    with open_recording(name) as recording:
        assert recording.columns == ("Strom [A]", "Temperatur")
        at, read_values = read(recording)
        np.testing.assert_allclose(read_values, [[1.25, 20.5], [1.5, 21], [-0.5, np.nan]])
        assert at.tolist() == [500_000_000, 1_500_000_000, 2_500_000_000]


def test_no_header_gives_numbered_columns(tmp_path: Path) -> None:
    with open_recording(
        write(tmp_path, "9,10,39,0.1\n9,10,39,0.2\n9,10,40,0.3\n"), Options(columns=("3", "0"))
    ) as recording:
        assert recording.columns == ("3", "0")
        assert not recording.named
        np.testing.assert_allclose(values(recording), [[0.1, 9], [0.2, 9], [0.3, 9]])


def test_longer_first_row_is_cut_with_a_note(tmp_path: Path) -> None:
    name = write(
        tmp_path, "0;0.8 ;0.9 ;0.7 ;0.891 ;0.908 ;0.8899\r\n5e-005;0.8 ;0.9 ;0.7 \r\n0.0001;0.8 ;0.9 ;0.7 \r\n"
    )
    with open_recording(name) as recording:
        assert values(recording).shape == (3, recording.columns.__len__())
        assert any("3 more values" in note for note in recording.notes)


def test_index_and_text_and_empty_columns_are_left_out_with_notes(tmp_path: Path) -> None:
    name = write(
        tmp_path,
        ",time,device,power,spare\n0,2024-07-25T08:28:19Z,eui-a8,1.5,\n1,2024-07-25T08:28:20Z,eui-a8,,\n2,2024-07-25T08:28:21Z,eui-a8,2,\n",
    )
    with open_recording(name) as recording:
        assert recording.columns == ("power",)
        assert recording.has_time
        np.testing.assert_allclose(values(recording), [[1.5], [np.nan], [2]])
        assert len(recording.notes) == 3


def test_labels_are_ignored_and_time_is_named(tmp_path: Path) -> None:
    name = write(
        tmp_path, "datetime;Current;anomaly;changepoint\n2020-03-09 14:34:41;1;0.0;0.0\n2020-03-09 14:34:43;2;1.0;0.0\n"
    )
    options = Options(";", "datetime", (), ("anomaly", "changepoint"))
    with open_recording(name, options) as recording:
        assert recording.columns == ("Current",)
        assert np.diff(times(recording)).tolist() == [2_000_000_000]
        assert recording.dated


def test_rows_without_time_come_once_a_second(tmp_path: Path) -> None:
    with open_recording(write(tmp_path, "a,b\n1,2\n3,4\n5,6\n")) as recording:
        assert not recording.has_time
        assert times(recording).tolist() == [0, 1_000_000_000, 2_000_000_000]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("1700000000", "1700000001"),
        ("1700000000000", "1700000001000"),
        ("1700000000000000", "1700000001000000"),
        ("2023-11-14 22:13:20", "2023-11-14 22:13:21"),
        ("2023-11-14T23:13:20+01:00", "2023-11-14T23:13:21+01:00"),
        ("14.11.2023 22:13:20", "14.11.2023 22:13:21"),
        ("11/14/2023 22:13:20", "11/14/2023 22:13:21"),
        ("2023/11/14 22:13:20", "2023/11/14 22:13:21"),
    ],
)
def test_dates_and_epochs(tmp_path: Path, first: str, second: str) -> None:
    with open_recording(write(tmp_path, f"time;x\n{first};1\n{second};2\n")) as recording:
        assert times(recording).tolist() == [1_700_000_000_000_000_000, 1_700_000_001_000_000_000]
        assert recording.dated


def test_time_that_goes_back_is_held_and_noted(tmp_path: Path) -> None:
    with open_recording(write(tmp_path, "t,x\n0,1\n5,2\n3,3\n7,4\n")) as recording:
        assert times(recording).tolist() == [0, 5_000_000_000, 5_000_000_000, 7_000_000_000]
        assert any("row 2" in note for note in recording.notes)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    with open_recording(write(tmp_path, "Zeit;Öltemperatur\n0;60\n1;61\n", encoding=encoding)) as recording:
        assert recording.columns == ("Öltemperatur",)


def test_switches_and_words_for_missing(tmp_path: Path) -> None:
    with open_recording(write(tmp_path, "t,door,x\n0,on,NaN\n1,off,n/a\n2,ON,1\n3,,null\n")) as recording:
        np.testing.assert_allclose(values(recording), [[1, np.nan], [0, np.nan], [1, 1], [np.nan, np.nan]])


def test_packed_tables(tmp_path: Path) -> None:
    path = tmp_path / "run.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n3,4\n"))
    with open_recording(str(path)) as recording:
        np.testing.assert_allclose(values(recording), [[1, 2], [3, 4]])


def test_comment_lines_and_their_header(tmp_path: Path) -> None:
    with open_recording(write(tmp_path, "# recorded by hand\n# t a\n0.0 1.5\n1.0 2.5\n")) as recording:
        assert recording.columns == ("a",)
        np.testing.assert_allclose(values(recording), [[1.5], [2.5]])


def test_columns_in_other_letter_case(tmp_path: Path) -> None:
    with open_recording(write(tmp_path, "Time,Power\n0,1\n1,2\n"), Options(columns=("power",))) as recording:
        assert recording.columns == ("Power",)


@pytest.mark.parametrize("first", ["#{row}", "#NV"])
def test_a_row_whose_first_cell_begins_with_a_hash_is_a_row_and_a_line_of_words_is_none(
    tmp_path: Path, first: str
) -> None:
    path = tmp_path / "run.csv"
    lines = [f"{first.format(row=row)};20,{row % 10};{3 + row % 4}" for row in range(60)]
    lines.insert(30, "# Pause;Tür offen;")
    path.write_text("\n".join(["Teil;Temperatur;Druck", *lines]), encoding="utf-8")
    with open_recording(str(path)) as recording:
        assert recording.columns == ("Temperatur", "Druck")
        assert sum(len(chunk.values) for chunk in recording.chunks()) == 60


@pytest.mark.parametrize("content", ["", "\n\n", "a,b\n", "# only a comment\n"])
def test_empty_files(tmp_path: Path, content: str) -> None:
    said = str(refusal(write(tmp_path, content)))
    assert "empty" in said or "no rows" in said


def test_missing_column_names_the_nearest(tmp_path: Path) -> None:
    error = refusal(write(tmp_path, "time,Current\n0,1\n"), Options(columns=("Curent",)))
    assert "'Current'" in str(error)
    assert "has 2" in str(refusal(write(tmp_path, "time,Current\n0,1\n"), Options(columns=("7",))))
    assert "'time'" in str(refusal(write(tmp_path, "time,Current\n0,1\n"), Options(time="tine")))


def test_text_in_numbers_names_row_column_and_text(tmp_path: Path) -> None:
    rows = "".join(f"{row},1.5\n" for row in range(9000))
    error = refusal(write(tmp_path, f"t,power\n{rows}9000,abc\n"))
    assert error.row == 9000
    assert "'power'" in str(error)
    assert "'abc'" in str(error)
    assert "line 9002" in str(error)


def test_another_number_of_fields_names_the_row(tmp_path: Path) -> None:
    error = refusal(write(tmp_path, "a;b;c\n1;2;3\n4;5;6\n7,8,9\n1;2;3\n"))
    assert error.row == 2
    assert "1 field where the others have 3" in str(error)
    assert refusal(write(tmp_path, "1;2\n3;4\n5;6;7\n1;2\n1;2\n")).row == 2


def test_wrong_separator_is_told(tmp_path: Path) -> None:
    assert "';'" in str(refusal(write(tmp_path, "a;b\n1;2\n"), Options(separator=",")))


def test_infinity_names_the_row(tmp_path: Path) -> None:
    error = refusal(write(tmp_path, "t,x\n0,1\n1,inf\n"))
    assert error.row == 1
    assert "infinite" in str(error)


def test_time_without_time_names_the_row(tmp_path: Path) -> None:
    assert refusal(write(tmp_path, "time,x\n2024-01-01,1\n,2\n")).row == 1
    assert refusal(write(tmp_path, "time,x\n2024-01-01,1\n2024-13-77,2\n")).row == 1


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_rates_that_are_none(tmp_path: Path, rate: float) -> None:
    assert "rate" in str(refusal(write(tmp_path, "x\n1\n2\n"), Options(rate_hz=rate)))


def test_time_column_against_the_rate(tmp_path: Path) -> None:
    name = write(tmp_path, "t,x\n" + "".join(f"{row / 1000},{row % 7}\n" for row in range(100)))
    assert "1000 Hz" in str(refusal(name, Options(rate_hz=1030)))
    with open_recording(name, Options(rate_hz=1010)) as recording:
        assert values(recording).shape == (100, 1)


def test_milliseconds_do_not_contradict_the_rate(tmp_path: Path) -> None:
    name = write(tmp_path, "t,x\n" + "".join(f"{row},{row % 7}\n" for row in range(100)))
    with open_recording(name, Options(rate_hz=1000)) as recording:
        assert values(recording).shape == (100, 1)


def test_no_such_file_and_folder(tmp_path: Path) -> None:
    assert "No such file" in str(refusal(str(tmp_path / "gone.csv")))
    assert "folder" in str(refusal(str(tmp_path)))


def test_memory_stays_small(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    with path.open("w") as out:
        out.write("a,b,c\n")
        for _ in range(24):
            out.write("0.12345678,0.87654321,12345.678\n" * 1000)
    tracemalloc.start()
    rows = 0
    with open_recording(str(path)) as recording:
        for chunk in recording.chunks():
            rows += len(chunk.values)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows == 24_000
    assert peak < 7_000_000


numbers = st.floats(allow_nan=False, allow_infinity=False, width=64) | st.none()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    table=st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(numbers, min_size=width, max_size=width), min_size=1, max_size=20)
    ),
    separator=st.sampled_from([",", ";", "\t"]),
)
def test_what_is_written_is_read(tmp_path: Path, table: list[list[float | None]], separator: str) -> None:
    width = len(table[0])
    lines = [separator.join(["t", *(f"column {at}" for at in range(width))])]
    lines += [
        separator.join([str(row), *("" if v is None else repr(v) for v in cells)]) for row, cells in enumerate(table)
    ]
    name = write(tmp_path, "\n".join(lines) + "\n")
    wanted = tuple(f"column {at}" for at in range(width))
    with open_recording(name, Options(separator=separator, time="t", columns=wanted)) as recording:
        expected = np.array([[np.nan if v is None else v for v in cells] for cells in table])
        np.testing.assert_array_equal(values(recording), expected)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=400) | st.text("0123456789.,;\t\n\"'abcinf-eE# ", max_size=300).map(str.encode))
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd"
    path.write_bytes(content)
    said = ""
    try:
        with open_recording(str(path)) as recording:
            found = values(recording)
    except RecordingError as exc:
        said, found = str(exc), np.zeros((0, 0))
    assert not said or str(path) in said
    assert np.isfinite(found[~np.isnan(found)]).all()


def test_the_line_of_a_row_is_that_of_the_text_file(tmp_path: Path) -> None:
    text = "# logger\n\na;b\n1;2\n\n3;4\na;b\n5;6\n7;8\n"
    with open_recording(write(tmp_path, text)) as recording:
        assert len(values(recording)) == 4
        assert [recording.line(row) for row in range(4)] == [4, 6, 8, 9]
    np.save(tmp_path / "a.npy", np.ones((4, 2)))
    with open_recording(str(tmp_path / "a.npy")) as recording:
        assert recording.line(0) is None


def test_lines_are_not_guessed_where_every_row_has_blank_lines_around_it(tmp_path: Path) -> None:
    with open_recording(write(tmp_path, "a;b\n" + "1;2\n\n" * 3000)) as recording:
        assert len(values(recording)) == 3000
        assert recording.line(500) == 2 + 2 * 500
        assert recording.line(2000) is None
