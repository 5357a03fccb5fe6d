"""The verdicts do not depend on how a recording is written down."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from werkpuls import cli

ROWS, FAULT = 260, 200
Table = list[list[str]]


def pump() -> Table:
    """A pump at one reading a second with the labels that people add; its vibration and current rise at the end."""
    random = np.random.default_rng(1)
    current = 2.0 + 0.05 * random.normal(size=ROWS) + np.where(np.arange(ROWS) >= FAULT, 0.5, 0.0)
    shaking = 0.2 + 0.01 * random.normal(size=ROWS) + np.where(np.arange(ROWS) >= FAULT, 0.15, 0.0)
    warm = 60 + 0.02 * random.normal(size=ROWS).cumsum()
    table = [["datetime", "Current", "Accelerometer1RMS", "Temperature", "anomaly"]]
    for row in range(ROWS):
        stamp = f"2024-05-01 10:{row // 60:02}:{row % 60:02}"
        table.append([stamp, f"{current[row]:.5f}", f"{shaking[row]:.6f}", f"{warm[row]:.4f}", str(int(row >= FAULT))])
    return table


def written(table: Table, separator: str = ";") -> bytes:
    return "\n".join(separator.join(row) for row in table).encode()


def alarms(folder: Path, *files: Path, extra: tuple[str, ...] = ()) -> list[int]:
    """Rows in alarm, counted over the files."""
    out = folder / "scores.csv"
    words = ["score", *map(str, files), "--warmup", "150", "--out", str(out), *extra]
    assert cli.main(words) == 0
    with out.open(newline="") as opened:
        return [row for row, line in enumerate(csv.DictReader(opened)) if line["alarm"] == "1"]


def renamed(table: Table) -> Table:
    return [["Zeitstempel", "Strom", "Beschleunigung", "Temperatur", "Anomalie"], *table[1:]]


def scaled(table: Table) -> Table:
    rows = [
        [t, f"{float(a) * 1e3:.2f}", f"{float(g) * 9.80665:.6f}", f"{float(c) * 1.8 + 32:.5f}"]
        for t, a, g, c, _ in table[1:]
    ]
    return [["time", "Strom [mA]", "Beschleunigung [m/s²]", "Temperatur [°F]"], *rows]


def german(table: Table) -> Table:
    rows = []
    for stamp, *cells in table[1:]:
        day, clock = stamp.split()
        rows.append([f"{day[8:]}.{day[5:7]}.{day[:4]} {clock}", *(cell.replace(".", ",") for cell in cells)])
    return [table[0], *rows]


def with_more(table: Table) -> Table:
    more = [[str(row), *cells, "5", "", str(1_714_557_600 + row)] for row, cells in enumerate(table[1:])]
    return [["", *table[0], "spare", "empty", "received"], *more]


FORMS: dict[str, Callable[[Table], Table]] = {
    "German names": renamed,
    "other units": scaled,
    "German numbers and dates": german,
    "other order": lambda table: [[row[at] for at in (3, 4, 1, 0, 2)] for row in table],
    "row number, constant, empty column, second clock": with_more,
    "units in a line of their own": lambda table: [table[0], ["-", "A", "g", "°C", "-"], *table[1:]],
}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[int]:
    folder = tmp_path_factory.mktemp("plain")
    (folder / "run.csv").write_bytes(written(pump()))
    found = alarms(folder, folder / "run.csv", extra=("--ignore", "anomaly"))
    assert set(found) >= set(range(FAULT + 5, ROWS))
    assert not set(found) & set(range(FAULT))
    return found


@pytest.mark.parametrize("form", FORMS)
def test_the_same_rows_alarm_in_every_form(tmp_path: Path, expected: list[int], form: str) -> None:
    run = tmp_path / "run"
    run.write_bytes(gzip.compress(written(FORMS[form](pump()))))
    found = alarms(tmp_path, run)
    assert len(set(found) ^ set(expected)) <= 2


def test_a_folder_of_parts_is_one_recording(tmp_path: Path, expected: list[int]) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    table = pump()
    for number in range(1, 11):  # 10 comes after 9
        start = 1 + (number - 1) * 26
        (parts / f"part{number}.csv").write_bytes(written([table[0], *table[start : start + 26]]))
    assert len(set(alarms(tmp_path, parts)) ^ set(expected)) <= 2


def test_what_a_reading_lacks_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run.csv"
    run.write_bytes(written([row[1:4] for row in pump()[1:60]]))
    assert cli.main(["score", str(run), "--json"]) == 0
    (said,) = capsys.readouterr().out.splitlines()
    notes = " ".join(json.loads(said)["recordings"][0]["notes"])
    assert "no time in it: a row counts as a second" in notes


def test_the_time_of_a_line_is_what_the_clock_said(tmp_path: Path) -> None:
    table = pump()[:121]
    stamps = [f"2024-10-27 02:{row % 60:02}:00" for row in range(120)]
    run = tmp_path / "run.csv"
    run.write_bytes(written([table[0], *([stamp, *row[1:]] for stamp, row in zip(stamps, table[1:], strict=True))]))
    assert cli.main(["score", str(run), "--warmup", "60", "--out", str(tmp_path / "scores.csv")]) == 0
    with (tmp_path / "scores.csv").open(newline="") as opened:
        assert [line["time"] for line in csv.DictReader(opened)] == [stamp.replace(" ", "T") for stamp in stamps]


def test_machines_that_follow_on_each_other_are_each_learned_with_fresh(tmp_path: Path) -> None:
    """Three motors of different size in one table; the last one's current rises at its end."""
    random = np.random.default_rng(2)
    lines = ["machineID,cycle,current,pressure"]
    for machine, level in ((1, 2.0), (2, 5.0), (3, 9.0)):
        for row in range(100):
            current = level + 0.05 * random.normal() + (1.0 if machine == 3 and row >= 80 else 0.0)
            lines.append(f"{machine},{row + 1},{current:.4f},{level + 0.02 * random.normal():.4f}")
    run = tmp_path / "run.csv"
    run.write_text("\n".join(lines))
    out = tmp_path / "out.csv"
    assert cli.main(["score", str(run), "--warmup", "40", "--fresh", "--out", str(out)]) == 0
    with out.open(newline="") as opened:
        scored = list(csv.DictReader(opened))
    alarmed = {row for row, line in enumerate(scored) if line["alarm"] == "1"}
    assert {*range(290, 300)} <= alarmed <= {*range(280, 300)}
    assert [row for row, line in enumerate(scored) if line["regime"] == "learning"] == [
        100 * machine + row for machine in range(3) for row in range(40)
    ]


def test_a_later_recording_may_have_its_columns_in_another_order_and_more_of_them(
    tmp_path: Path, expected: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    table = pump()
    parts = [
        table[:160],
        [["spare", *row[::-1]] if at == 0 else ["7", *row[::-1]] for at, row in enumerate([table[0], *table[160:]])],
    ]
    for number, part in enumerate(parts):
        (tmp_path / f"{number}.csv").write_bytes(written(part))
    found = alarms(tmp_path, *(tmp_path / f"{number}.csv" for number in range(2)))
    assert len(set(found) ^ set(expected)) <= 2
    assert "not learned and left out: spare" in capsys.readouterr().err


def test_a_later_recording_without_a_learned_channel_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pump()
    (tmp_path / "0.csv").write_bytes(written(table[:201]))
    (tmp_path / "1.csv").write_bytes(written([row[:3] for row in [table[0], *table[100:180]]]))
    (tmp_path / "2.csv").write_bytes(written([[row[0], row[3]] for row in [table[0], *table[100:180]]]))
    assert (
        cli.main(
            [
                "score",
                *(str(tmp_path / f"{number}.csv") for number in range(3)),
                "--warmup",
                "150",
                "--json",
                "--lang",
                "en",
            ]
        )
        == 1
    )
    said = json.loads(capsys.readouterr().out)["recordings"]
    assert "learned and not there: temperature" in said[1]["notes"]
    assert said[1]["sensor_faults"] > 40, "from when it is overdue"
    assert "where current, accelerometer1rms, temperature were learned" in said[2]["problem"]
