"""Whatever way a good table is written, the same numbers are read at the same times, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.recordings import Options, RecordingError, open_recording

ROWS = 60
START = datetime(2024, 10, 26, 22, 58, 30, tzinfo=UTC)
MEASURED = np.round(
    np.column_stack([60 + np.random.default_rng(3).normal(size=ROWS), np.random.default_rng(4).normal(size=ROWS)]), 4
)


def at(row: int, step_s: float = 2.0) -> datetime:
    return START + timedelta(seconds=row * step_s)


def written(stamps: list[str] | None, *, separator: str = ";", comma: bool = False, header: str = "time;T;I") -> str:
    lines = [header.replace(";", separator)] if header else []
    for row, values in enumerate(MEASURED):
        cells = [f"{value:.4f}" for value in values]
        cells = [cell.replace(".", ",") for cell in cells] if comma else cells
        lines.append(separator.join([*([] if stamps is None else [stamps[row]]), *cells]))
    return "\n".join(lines) + "\n"


def read(folder: Path, text: str, options: Options | None = None) -> tuple[np.ndarray, np.ndarray, bool, str]:
    path = folder / "run.csv"
    path.write_text(text, encoding="utf-8")
    with open_recording(str(path), options) as recording:
        chunks = list(recording.chunks())
        time_ns, values = (np.concatenate([chunk[part] for chunk in chunks]) for part in (1, 2))
        return time_ns, values, recording.dated, "; ".join(recording.notes)


STAMPS: dict[str, Callable[[datetime], str]] = {
    "ISO": lambda when: when.strftime("%Y-%m-%dT%H:%M:%S"),
    "ISO with a zone": lambda when: when.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
    "ISO with a word for the zone": lambda when: when.strftime("%Y-%m-%d %H:%M:%S UTC"),
    "ISO with an hour of one digit": lambda when: f"{when:%Y-%m-%d} {when.hour}:{when:%M:%S}",
    "ISO with a half of the day": lambda when: when.strftime("%Y-%m-%d %I:%M:%S %p"),
    "ISO without signs": lambda when: when.strftime("%Y%m%dT%H%M%S"),
    "digits": lambda when: when.strftime("%Y%m%d%H%M%S"),
    "German": lambda when: when.strftime("%d.%m.%Y %H:%M:%S"),
    "German, two digits": lambda when: when.strftime("%d.%m.%y %H:%M:%S"),
    "American": lambda when: when.strftime("%m/%d/%Y %I:%M:%S %p"),
    "American, two digits": lambda when: when.strftime("%m/%d/%y %H:%M:%S"),
    "blanks": lambda when: when.strftime("%d %m %Y %H:%M:%S"),
    "German with an offset": lambda when: when.strftime("%d.%m.%Y %H:%M:%S +00:00"),
    "milliseconds behind a colon": lambda when: when.strftime("%Y-%m-%d %H:%M:%S:000"),
    "the year last": lambda when: when.strftime("%a %b %d %H:%M:%S %Y"),
    "day and time as digits": lambda when: when.strftime("%Y%m%d_%H%M%S"),
    "month by name": lambda when: when.strftime("%d-%b-%Y %H:%M:%S"),
    "s since 1970": lambda when: f"{when.timestamp():.0f}",
    "s since 1970 with a fraction": lambda when: f"{when.timestamp():.3f}",
    "ms since 1970": lambda when: f"{when.timestamp() * 1e3:.0f}",
    "µs since 1970": lambda when: f"{when.timestamp() * 1e6:.0f}",
    "ns since 1970": lambda when: f"{when.timestamp():.0f}000000000",
    "a spreadsheet's days": lambda when: f"{25_569 + when.timestamp() / 86_400:.8f}",
}


@pytest.mark.parametrize("form", STAMPS)
@pytest.mark.parametrize("header", ["time;T;I", "Zeitstempel;T;I", ""])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_dates_as_people_and_loggers_write_them(tmp_path: Path, form: str, header: str, separator: str) -> None:
    stamps = [STAMPS[form](at(row)) for row in range(ROWS)]
    comma = separator == ";" and "spreadsheet" not in form
    time_ns, values, dated, _ = read(tmp_path, written(stamps, separator=separator, comma=comma, header=header))
    assert dated
    np.testing.assert_array_equal(values, MEASURED)
    expected = [round(at(row).timestamp()) * 10**9 for row in range(ROWS)]
    np.testing.assert_allclose(time_ns, expected, rtol=0, atol=1e6)


@pytest.mark.parametrize(
    ("stamp", "header", "step_s"),
    [
        (lambda row: at(row, 60).strftime("%H:%M:%S"), "Uhrzeit;T;I", 60),
        (lambda row: at(row, 60).strftime("%I:%M:%S %p"), "time;T;I", 60),
        (lambda row: f"{row * 7 // 3600}:{row * 7 // 60 % 60:02}:{row * 7 % 60:02}", "elapsed;T;I", 7),
        (lambda row: f"{row * 500}", "time_ms;T;I", 0.5),
        (lambda row: f"{row * 500}", "Zeit in ms;T;I", 0.5),
        (lambda row: f"{row * 500}", "millis;T;I", 0.5),
        (lambda row: f"{row * 500}", "time;T;I", 0.5),
        (lambda row: f"{4217 + row * 1003 + row % 3}", "time;T;I", 1.003),
        (lambda row: f"{row * 300}", "time;T;I", 300),
        (lambda row: f"{row * 20}", "time_s;T;I", 20),
        (lambda row: f"{row * 500}", "seconds;T;I", 500),
        (lambda row: str(timedelta(minutes=row * 50)), "elapsed;T;I", 3000),
        (lambda row: f"{row * 50 // 1440} days {row * 50 // 60 % 24:02}:{row * 50 % 60:02}:00", "Zeit;T;I", 3000),
        (lambda row: f"{row / 2}", "t/s;T;I", 0.5),
        (lambda row: f"{row / 2}", "x-axis;T;I", 0.5),
        (lambda row: f"{row / 2}", "", 0.5),
        (lambda row: f"{row / 1e4 - 0.001:.6E}", "x-axis;T;I", 1e-4),
    ],
)
def test_times_without_a_date(tmp_path: Path, stamp: Callable[[int], str], header: str, step_s: float) -> None:
    time_ns, values, dated, _ = read(tmp_path, written([stamp(row) for row in range(ROWS)], header=header))
    assert not dated
    np.testing.assert_array_equal(values, MEASURED)
    np.testing.assert_allclose(np.diff(time_ns), step_s * 1e9, rtol=2e-3 if step_s == 1.003 else 1e-6)


@pytest.mark.parametrize("stamp", ["2024-05-01 123:00:00", "01.05.2024 24:00:01", "2024-05-01 25:00"])
def test_a_date_with_more_hours_than_a_day_has_is_no_time(tmp_path: Path, stamp: str) -> None:
    with pytest.raises(RecordingError, match=rf"row 3 .line 5.: time column 'time': '{stamp}' is no time"):
        read(tmp_path, written([at(row).isoformat(" ") for row in range(3)] + [stamp] * (ROWS - 3)))


@pytest.mark.parametrize(
    ("form", "told"), [("{0}:30:00", "more hours than a day"), ("{0}:30.5", "minutes and seconds"), ("00:{0}:00", "")]
)
def test_what_a_time_of_day_is_taken_for_is_told(tmp_path: Path, form: str, told: str) -> None:
    said = read(tmp_path, written([form.format(f"{row:02}") for row in range(ROWS)]))[3]
    assert ("the time is taken for" in said) == bool(told)
    assert told in said


def test_times_without_a_unit_are_told(tmp_path: Path) -> None:
    said = read(tmp_path, written([f"{row * 20}" for row in range(ROWS)]))[3]
    assert "taken for seconds, as it counts; if it is another, name the column with it, as time_ms" in said
    assert "no unit" not in read(tmp_path, written([f"{row}" for row in range(ROWS)], header="t;T;I"))[3]


def test_runs_of_several_machines_follow_on_each_other_and_late_rows_do_not(tmp_path: Path) -> None:
    runs = [f"{at(row % 20, 3600):%Y-%m-%d %H:%M}" for row in range(ROWS)]
    time_ns, _, _, notes = read(tmp_path, written(runs))
    assert (np.diff(time_ns) == 3600 * 10**9).all()
    assert "time begins again at row 20" in notes
    late = [str(at(row - 25 * (row == 30), 60)) for row in range(ROWS)]
    time_ns, _, _, notes = read(tmp_path, written(late))
    assert (time_ns[30], time_ns[-1] - time_ns[0]) == (time_ns[29], (ROWS - 1) * 60 * 10**9)
    assert "time goes back at row 30; it is held there" in notes


@pytest.mark.parametrize(
    ("fields", "step_s"),
    [
        (lambda row: [9, 59, 59 + (row * 40 + 999_000) // 1_000_000 - 1, f"{(row * 40 + 999_000) % 1_000_000:.4e}"], 4e-5),
        (lambda row: ["23", "59", f"{row // 10:02}", row % 10], 0.1),
    ],
)  # fmt: skip
def test_hour_minute_second_and_a_fraction_are_one_time(
    tmp_path: Path, fields: Callable[[int], list[object]], step_s: float
) -> None:
    stamps = [";".join(map(str, fields(row))) for row in range(ROWS)]
    time_ns, values, _, notes = read(tmp_path, written(stamps, header=""))
    np.testing.assert_array_equal(values, MEASURED)
    np.testing.assert_allclose(np.diff(time_ns), step_s * 1e9, rtol=1e-6)
    assert "0, 1, 2, 3 are the time: hour, minute, second" in notes


def test_year_to_minute_in_columns_of_their_own(tmp_path: Path) -> None:
    stamps = [at(row, 60).strftime("%Y;%m;%d;%H;%M") for row in range(ROWS)]
    time_ns, values, dated, _ = read(tmp_path, written(stamps, header="year;month;day;hour;minute;T;I"))
    np.testing.assert_array_equal(values, MEASURED)
    assert (dated, time_ns[0]) == (True, round(START.replace(second=0).timestamp()) * 10**9)
    assert (np.diff(time_ns) == 60 * 10**9).all()


ISO = [STAMPS["ISO"](at(row)) for row in range(ROWS)]
EXTRA: dict[str, Callable[[int], str]] = {
    **dict.fromkeys(["Index", "lfd. Nr.", "Nr", "#", "sample_nr", "id", "", "anything"], lambda row: str(row + 1)),
    "Unnamed: 0": lambda row: str(3 * row + row % 2),
    **dict.fromkeys(
        [
            "anomaly",
            "changepoint",
            "Label",
            "is_anomaly",
            "class",
            "Machine failure",
            "Anomalie",
            "ground_truth",
            "EVENT",
            "Engine Condition",
            "faultNumber",
            "Attack LABLE (1: attack)",
            "fail",
            "Maintenance Flag",
            "health_state",
        ],
        lambda row: str(int(row > 30)),
    ),
    "ATT_FLAG": lambda row: "-999" if row < 30 else "1",
    **dict.fromkeys(["machineID", "unit_number", "PROGRAM_NUMBER"], lambda row: str(3 + row // 20)),
    "RUL": lambda row: f"{100.5 - row}",
    "device_id": lambda _row: "4711",
    "received": lambda row: f"{at(row).timestamp() + 0.1:.2f}",
    "weekday, hour": lambda _row: "Mo",
    "hour": lambda row: str(at(row).hour),
    "day": lambda row: str(at(row).date()),
    "empty": lambda _row: "",
    "missing": lambda _row: "NaN",
}


@pytest.mark.parametrize("name", EXTRA)
def test_what_is_no_measurement_is_left_out_and_told(tmp_path: Path, name: str) -> None:
    text = written(ISO, header=f"time;T;I;{name}")
    lines = text.splitlines()
    lines = [lines[0], *(f"{line};{EXTRA[name](row)}" for row, line in enumerate(lines[1:]))]
    _, values, dated, notes = read(tmp_path, "\n".join(lines))
    np.testing.assert_array_equal(values, MEASURED)
    assert dated
    assert "is ignored" in notes
    asked = read(tmp_path, "\n".join(lines), Options(columns=("T", "3")))[1] if name in ("anomaly", "Index") else None
    assert asked is None or asked.shape == (ROWS, 2), "who asks for it gets it"


def test_a_count_is_read_where_nothing_else_was_measured(tmp_path: Path) -> None:
    _, values, _, _ = read(tmp_path, "time;pieces\n" + "".join(f"{at(row)};{row}\n" for row in range(ROWS)))
    assert values[:, 0].tolist() == list(range(ROWS))


def test_a_temperature_called_t_is_no_time(tmp_path: Path) -> None:
    _, values, dated, _ = read(tmp_path, written(None, header="T;I"))
    np.testing.assert_array_equal(values, MEASURED)
    assert not dated


@pytest.mark.parametrize(
    ("head", "names"),
    [
        ("time;Temperatur;Strom\n-;°C;mA\n", ("Temperatur [°C]", "Strom [mA]")),
        ("time;Temperatur;Strom\n[s];[degC];[A]\n", ("Temperatur [degC]", "Strom [A]")),
        ("time;T;I\ndatetime;float;float\n", ("T", "I")),
        (";Ofen;Ofen\ntime;T;I\n", ("T", "I")),
        ("Lauf 7;;\ntime;T;I\n", ("T", "I")),
        ("time;0;1\n", ("0", "1")),
        ("sep=;\ntime;T;I\n", ("T", "I")),
        ("# Logger 3\n# Ofen, links\ntime;T;I\n", ("T", "I")),
        ("time;T;I\n# begun by hand, at 8\n", ("T", "I")),
    ],
)
def test_heads_of_tables(tmp_path: Path, head: str, names: tuple[str, ...]) -> None:
    text = head + written(ISO, header="")
    _, values, dated, _ = read(tmp_path, text)
    np.testing.assert_array_equal(values, MEASURED)
    with open_recording(str(tmp_path / "run.csv")) as recording:
        assert (recording.columns, dated) == (names, True)


def test_joined_files_and_quoted_decimal_commas(tmp_path: Path) -> None:
    lines = written(ISO, comma=True).splitlines()
    joined = "\n".join([*lines[:30], lines[0], "# second file", *lines[30:]])
    np.testing.assert_array_equal(read(tmp_path, joined)[1], MEASURED)
    quoted = "\n".join(",".join(f'"{cell}"' for cell in line.split(";")) for line in lines)
    np.testing.assert_array_equal(read(tmp_path, quoted)[1], MEASURED)


def test_a_clock_set_back_in_autumn_and_midnight(tmp_path: Path) -> None:
    local = [at(row, 300) + timedelta(hours=2 if row < 25 else 1) for row in range(ROWS)]
    time_ns, _, _, notes = read(tmp_path, written([when.strftime("%d.%m.%Y %H:%M:%S") for when in local]))
    assert (np.diff(time_ns) == 300 * 10**9).all()
    assert "set back by an hour at row 25" in notes
    time_ns, _, _, _ = read(tmp_path, written([at(row, 300).strftime("%H:%M:%S") for row in range(ROWS)]))
    assert (np.diff(time_ns) == 300 * 10**9).all()


def test_time_that_begins_again_goes_on(tmp_path: Path) -> None:
    time_ns, _, _, notes = read(tmp_path, written([f"{row % 25 / 2}" for row in range(ROWS)]))
    assert (np.diff(time_ns) == 5 * 10**8).all()
    assert "time begins again at row 25" in notes


@pytest.mark.parametrize(
    ("stamps", "said"),
    [
        (ISO[::-1], "'time' runs backwards: the newest row comes first"),
        ([ISO[row * 37 % (ROWS + 1) % ROWS] for row in range(ROWS)], "'time' goes up and down"),
        ([f"Takt {row}" for row in range(ROWS)], "column 'time': 'Takt 0' is no time; name the time column"),
        ([f"2024-05-01 08.30.{row:02}" for row in range(ROWS)], "'2024-05-01 08.30.00' is no time"),
    ],
)
def test_times_that_are_none_are_refused(tmp_path: Path, stamps: list[str], said: str) -> None:
    with pytest.raises(RecordingError, match=r"run\.csv") as caught:
        read(tmp_path, written(stamps))
    assert said in caught.value.reason


NAMES = st.sampled_from(["Temperatur [°C]", "I [A]", "pressure", "Kanal 7", "acc_x", "speed", "value", "T", "x"])


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(NAMES, min_size=1, max_size=5, unique=True),
    form=st.sampled_from(list(STAMPS)),
    place=st.integers(0, 5),
    separator=st.sampled_from([";", "\t", "|"]),
    decimal=st.sampled_from(",."),
    quote=st.sampled_from(["", '"']),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_any_table_in_any_writing_is_read_as_it_was_measured(
    tmp_path: Path, names: list[str], form: str, place: int, separator: str, decimal: str, quote: str, end: str
) -> None:
    measured = np.round(np.random.default_rng(place).normal(20, 3, (ROWS, len(names))), 3)
    place = min(place, len(names))
    lines = [[*names[:place], "time", *names[place:]]]
    for row, values in enumerate(measured):
        cells = [f"{value:.3f}".replace(".", decimal) for value in values]
        stamp = STAMPS[form](at(row))
        lines.append([*cells[:place], stamp.replace(".", decimal) if "1970" in form else stamp, *cells[place:]])
    text = end.join(separator.join(f"{quote}{cell}{quote}" for cell in line) for line in lines)
    time_ns, values, dated, _ = read(tmp_path, text)
    np.testing.assert_array_equal(values, measured)
    assert dated
    assert np.abs(np.diff(time_ns) - 2e9).max() < 2e6


MADE_UP = ("pressure;Product ID;torque;is_broken;AAX;BBX;CCX", "pressure;Product ID;torque;AAX;BBX;CCX;is_broken")


@pytest.mark.parametrize("header", MADE_UP)
def test_a_bit_for_each_kind_of_failure_beside_the_label_is_a_label(tmp_path: Path, header: str) -> None:
    rows = []
    for row in range(100):
        kinds = [int(row % 20 == at) for at in range(3)]
        bits = [int(any(kinds)), *kinds] if header == MADE_UP[0] else [*kinds, int(any(kinds))]
        rows.append(f"{5 + row % 7};M{row};{40 + row % 11};" + ";".join(map(str, bits)))
    (tmp_path / "run.csv").write_text("\n".join([header, *rows]))
    with open_recording(str(tmp_path / "run.csv")) as recording:
        assert recording.columns == ("pressure", "torque")
        assert "column 'BBX' is a label as 'is_broken' is and is ignored" in recording.notes


@pytest.mark.parametrize("order", ["pressure;alarm;heater;fan", "heater;fan;alarm;pressure"])
def test_switches_beside_an_alarm_are_measurements(tmp_path: Path, order: str) -> None:
    columns = {
        "pressure": [at % 9 for at in range(100)],
        "alarm": [int(at > 90) for at in range(100)],
        "heater": [at // 10 % 2 for at in range(100)],
        "fan": [at // 7 % 3 // 2 for at in range(100)],
    }
    rows = [";".join(str(columns[name][at]) for name in order.split(";")) for at in range(100)]
    (tmp_path / "run.csv").write_text("\n".join([order, *rows]))
    with open_recording(str(tmp_path / "run.csv")) as recording:
        assert set(recording.columns) == {"pressure", "heater", "fan"}


@pytest.mark.parametrize("name", ["valve", "run", "Maschine"])
def test_a_switch_is_a_measurement_where_no_label_stands_beside_it(tmp_path: Path, name: str) -> None:
    rows = "\n".join(f"{at % 40 // 30};{at % 9};{int(at > 90)}" for at in range(100))
    (tmp_path / "run.csv").write_text(f"{name};pressure;anomaly\n" + rows)
    with open_recording(str(tmp_path / "run.csv")) as recording:
        assert recording.columns == (name, "pressure")


@pytest.mark.parametrize("header", ["", "machine_nr;cycle;a;b\n"])
def test_the_number_of_a_machine_is_no_measurement(tmp_path: Path, header: str) -> None:
    rows = "\n".join(f"{unit};{cycle};{cycle % 7};{cycle % 3 + unit}" for unit in (1, 2, 3) for cycle in range(1, 80))
    (tmp_path / "run.txt").write_text(header + rows)
    with open_recording(str(tmp_path / "run.txt")) as recording:
        assert recording.columns == (("a", "b") if header else ("2", "3"))
