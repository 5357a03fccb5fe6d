"""Tables with one value a row, as databases and home automation export them, are the wide table that they mean."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from edge.recordings import Options, Recording, RecordingError, open_recording

MOMENTS = 50
START = datetime(2024, 5, 1, 10, tzinfo=UTC)
VALUES: dict[str, list[float]] = {
    "oven": [200 + at % 7 for at in range(MOMENTS)],
    "mixer": [at % 5 / 4 for at in range(MOMENTS)],
}


def when(at: int) -> datetime:
    return START + timedelta(seconds=30 * at)


def opened(folder: Path, text: str, options: Options | None = None) -> Recording:
    (folder / "run.csv").write_text(text)
    return open_recording(str(folder / "run.csv"), options)


def home_assistant() -> str:
    rows = [
        f"sensor.{name},{values[at]},{when(at):%Y-%m-%dT%H:%M:%S}.000Z"
        for at in range(MOMENTS)
        for name, values in VALUES.items()
    ]
    rows.insert(3, "sensor.oven,unavailable,2024-05-01T10:00:40.000Z")
    rows += [f"climate.oven,{'heat' if at % 2 else 'idle'},{when(at):%Y-%m-%dT%H:%M:%S}.500Z" for at in range(9)]
    return "\n".join(["entity_id,state,last_changed", *rows])


def influx() -> str:
    head = [
        "#group,false,false,true,true,false,false,true,true,true",
        "#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,double,string,string,string",
        "#default,_result,,,,,,,,",
        ",result,table,_start,_stop,_time,_value,_field,_measurement,machine",
    ]
    rows = []
    for table, (name, values) in enumerate(VALUES.items()):
        rows += ["", *head] if table else head
        day = "2024-05-01T00:00:00Z,2024-05-02T00:00:00Z"
        rows += [
            f",,{table},{day},{when(at):%Y-%m-%dT%H:%M:%SZ},{values[at]},value,sensor,{name}" for at in range(MOMENTS)
        ]
    return "\r\n".join(rows)


def wincc() -> str:
    rows = [
        f'"{name}";"{when(at):%d.%m.%Y %H:%M:%S}";{german(values[at])};1;{german(45413.5 + round(at / 2880, 8))}'
        for at in range(MOMENTS)
        for name, values in reversed(VALUES.items())
    ]
    head = '"VarName";"TimeString";"VarValue";"Validity";"Time_ms"'
    return "\n".join([head, *rows, '"$RT_OFF$";"01.05.2024 13:30:00";0;2;45413,9'])


def german(value: float) -> str:
    return str(value).replace(".", ",")


def elapsed() -> str:
    rows = [f"{30 * at}\t{name}\t{values[at]}" for at in range(MOMENTS) for name, values in VALUES.items()]
    return "\n".join(["time_s\tsensor\tvalue", *rows])


@pytest.mark.parametrize("made", [home_assistant, influx, wincc, elapsed])
def test_each_name_is_a_column_and_each_moment_a_row(tmp_path: Path, made: Callable[[], str]) -> None:
    with opened(tmp_path, made()) as recording:
        chunk = recording.head()
        names = [re.sub(r"^sensor\.", "", name) for name in recording.columns]
        assert sorted(names) == ["mixer", "oven"]
        assert recording.dated == (made is not elapsed)
        for name, values in VALUES.items():
            column = chunk.values[:, names.index(name)]
            there = ~np.isnan(column)
            assert column[there].tolist() == values
            assert (np.diff(chunk.time_ns[there]) == 30 * 10**9).all()
        notes = "; ".join(recording.notes)
        assert "one value a row: what it is of is said by" in notes
        assert ("column 'climate.oven' holds text and is ignored" in notes) == (made is home_assistant)
        assert ("column '$RT_OFF$' has only 1 values and is ignored" in notes) == (made is wincc)


def test_a_time_that_is_none_names_the_line(tmp_path: Path) -> None:
    lines = elapsed().splitlines()
    lines[90] = lines[90].replace("1320", "soon")
    with pytest.raises(RecordingError, match=r"row 89 \(line 91\): time column 'time_s': 'soon' is no time"):
        opened(tmp_path, "\n".join(lines))


def test_a_table_with_a_value_and_a_state_beside_it_is_a_wide_one(tmp_path: Path) -> None:
    rows = [f"{when(at):%Y-%m-%d %H:%M:%S},{at % 7},{'NORMAL' if at < 40 else 'BROKEN'}" for at in range(MOMENTS)]
    with opened(tmp_path, "\n".join(["timestamp,value,machine_status", *rows])) as recording:
        assert recording.columns == ("value",)
        assert len(recording.head().values) == MOMENTS


@pytest.mark.parametrize("name", ["Anna", "Anna Bert"])
def test_a_name_that_does_not_change_from_row_to_row_makes_no_table_long(tmp_path: Path, name: str) -> None:
    rows = [f"{30 * at},{name.split()[at // 26 % len(name.split())]},{at % 2},{20 + at % 5}" for at in range(MOMENTS)]
    with opened(tmp_path, "\n".join(["time_s,name,state,temperature", *rows])) as recording:
        assert recording.columns == ("state", "temperature")
    with opened(tmp_path, "\n".join(["time_s,name,value", *(row.rpartition(",")[0] for row in rows)])) as recording:
        assert recording.columns == ("value",)


@pytest.mark.parametrize("name", ["room", "motor", "zone", "signal", "sensor"])
@pytest.mark.parametrize("cell", [lambda at: f"{21 + at % 4 / 2}", lambda at: str(at // 3 % 2)])
def test_what_is_measured_of_a_machine_is_not_its_name(tmp_path: Path, name: str, cell: Callable[[int], str]) -> None:
    rows = [f"{30 * at},{cell(at)},{20 + at % 5}" for at in range(MOMENTS)]
    with opened(tmp_path, "\n".join([f"time_s,{name},value", *rows])) as recording:
        assert recording.columns == (name, "value")


def test_several_values_of_each_name_are_columns(tmp_path: Path) -> None:
    rows = [f"{when(at).isoformat()},{name},{at % 5},{at % 7}" for at in range(MOMENTS) for name in ("oven", "mixer")]
    with opened(tmp_path, "\n".join(["start,statistic_id,mean,max", *rows])) as recording:
        assert recording.columns == ("oven.mean", "oven.max", "mixer.mean", "mixer.max")


def test_its_own_columns_can_be_asked_for_and_ignored(tmp_path: Path) -> None:
    with opened(tmp_path, wincc(), Options(columns=("VarValue",))) as recording:
        assert recording.columns == ("VarValue",)
    with opened(tmp_path, wincc(), Options(ignore=("Validity", "mixer"), time="TimeString")) as recording:
        assert recording.columns == ("oven",)
        assert recording.head().time_ns[1] - recording.head().time_ns[0] == 30 * 10**9


@pytest.mark.parametrize("header", ["ts,device,temp,smoke,motion", "ts,machine_id,temp,smoke,motion"])
def test_mixed_rows_of_several_machines_are_columns_of_each(tmp_path: Path, header: str) -> None:
    names = ["b8:27:eb:bf", "00:0f:00:70"] if "device" in header else ["1", "2"]
    rows = [
        f"{1594512094.4 + 30 * at + 7 * number:.1f},{name},{20 + at % 5 + number},{at % 7 / 8},{'true' if at % 9 else 'false'}"
        for at in range(MOMENTS)
        for number, name in enumerate(names)
    ]
    rows[20] = rows[20].replace(",true", ",broken")
    with opened(tmp_path, "\n".join([header, *rows])) as recording:
        assert recording.columns == tuple(f"{name}.{what}" for name in names for what in ("temp", "smoke", "motion"))
        chunk = recording.head()
        second = chunk.values[~np.isnan(chunk.values[:, 3]), 3]
        assert second.tolist() == [21 + at % 5 for at in range(MOMENTS)]
        notes = "; ".join(recording.notes)
        assert "rows of several machines are mixed: what it is of is said by" in notes
        assert f"column '{names[0]}.motion' has 1 cells that are no numbers; they are missing" in notes


def test_what_is_infinite_is_refused_in_a_long_table_too(tmp_path: Path) -> None:
    lines = elapsed().splitlines()
    lines[7] = "90\tmixer\tinf"
    with pytest.raises(RecordingError, match=r"row 6 \(line 8\): a value is infinite"):
        opened(tmp_path, "\n".join(lines))


def test_many_machines_whose_rows_are_mixed_are_put_one_after_the_other(tmp_path: Path) -> None:
    rows = [
        f"{when(at):%Y-%m-%d %H:%M:%S},pump-{machine:02},{machine + at % 5},{at % 7},{at % 3}"
        for at in range(MOMENTS)
        for machine in range(30)
    ]
    with opened(tmp_path, "\n".join(["time,asset_id,flow,pressure,level", *rows])) as recording:
        assert recording.columns == ("flow", "pressure", "level")
        chunk = recording.head()
        assert chunk.values[: 2 * MOMENTS, 0].tolist() == [
            machine + at % 5 for machine in (0, 1) for at in range(MOMENTS)
        ]
        assert recording.restarts == [MOMENTS * machine for machine in range(1, 30)]
        assert "they are put one machine after the other, as 'asset_id' says" in "; ".join(recording.notes)
