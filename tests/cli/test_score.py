"""`werkpuls score` as a person calls it: files in, a line per row out, one sentence when something is wrong."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.scores import lines, pump, score

from werkpuls.scoring import COLUMNS


def test_every_row_of_a_table_once_and_the_fault_is_found(tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    path = pump(tmp_path)
    assert (
        score(path, "--separator", ";", "--time", "datetime", "--ignore", "anomaly", "--warmup", 200, "--out", out) == 0
    )
    found = lines(out)
    assert [int(line["row"]) for line in found] == list(range(400))
    assert {line["file"] for line in found} == {str(path)}
    assert found[0]["time"] == "2024-05-01T10:00:00"
    assert {line["regime"] for line in found[:200]} == {"learning"}
    assert all(line["alarm"] == "0" for line in found[:300])
    assert sum(line["alarm"] == "1" for line in found[300:]) > 80
    assert not any(line["sensor_fault"] for line in found)
    alarmed = next(line for line in found if line["alarm"] == "1")
    assert alarmed["cause"]
    assert alarmed["channel"] in ("current", "accelerometer1rms")
    assert float(alarmed["score"]) > float(alarmed["limit"])


def test_fresh_starts_anew_and_without_it_the_model_goes_on(tmp_path: Path) -> None:
    first, second = pump(tmp_path, "a.csv", fault_at=400), pump(tmp_path, "b.csv", fault_at=400, seed=2)
    out = tmp_path / "scores.csv"
    words = [first, second, "--ignore", "anomaly", "--warmup", 200, "--out", out]
    assert score(*words, "--fresh") == 0
    assert [line["regime"] == "learning" for line in lines(out)].count(True) == 400
    assert score(*words) == 0
    found = lines(out)
    assert [line["regime"] == "learning" for line in found].count(True) == 200
    assert [int(line["row"]) for line in found] == [*range(400), *range(400)]


def test_the_summary_is_one_json_object_at_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "scores.csv"
    assert score(pump(tmp_path), "--ignore", "anomaly", "--warmup", 200, "--out", out, "--json") == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    found = lines(out)
    assert (said["files"], said["rows"]) == (1, 400)
    assert said["scored"] + said["explained"] == 400
    assert said["alarms"] == sum(line["alarm"] == "1" for line in found)
    assert said["alarm_episodes"] == 1
    assert said["sensor_faults"] == 0
    assert said["seconds"] > 0
    assert said["recordings"][0]["first_alarm_row"] >= 300


def test_for_excel_the_same_lines_have_semicolons_and_decimal_commas(tmp_path: Path) -> None:
    out, excel = tmp_path / "scores.csv", tmp_path / "excel.csv"
    for name in ("dated.csv", "counted.csv"):
        path = pump(tmp_path, name, rows=260, fault_at=230)
        if name == "counted.csv":
            path.write_text("\n".join(line.partition(";")[2] for line in path.read_text().splitlines()) + "\n")
        words = [path, "--ignore", "anomaly", "--warmup", 200]
        assert (score(*words, "--out", out), score(*words, "--out", excel, "--excel")) == (0, 0)
        assert excel.read_bytes().startswith(b"\xef\xbb\xbffile;row;")
        with excel.open(newline="", encoding="utf-8-sig") as file:
            found = list(csv.DictReader(file, delimiter=";"))
        usual = lines(out)
        assert len(found) == 260
        assert [line["score"].replace(",", ".") for line in found] == [line["score"] for line in usual]
        assert any("," in line["score"] for line in found)
        assert not any("." in line[name] for line in found for name in ("time", "score", "limit"))
        assert [line["file"] for line in found] == [str(path)] * 260
        assert found[3]["time"] == usual[3]["time"].replace("T", " ")


def test_the_first_alarm_is_told_by_its_line_in_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, path = tmp_path / "scores.csv", pump(tmp_path)
    path.write_text("# pump 3\n\n" + path.read_text())
    assert score(path, "--ignore", "anomaly", "--warmup", 200, "--out", out) == 0
    row = next(int(line["row"]) for line in lines(out) if line["alarm"] == "1")
    assert f"line {row + 4} of the file (row {row}, counted from 0)" in capsys.readouterr().err


def test_the_first_alarm_is_told_with_its_time_where_the_table_has_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, path = tmp_path / "scores.csv", pump(tmp_path)
    assert score(path, "--ignore", "anomaly", "--warmup", 200, "--out", out, "--json") == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])["recordings"][0]
    first = next(line for line in lines(out) if line["alarm"] == "1")
    assert said["first_alarm_time"] == first["time"]
    assert score(path, "--ignore", "anomaly", "--warmup", 200, "--out", out) == 0
    said = capsys.readouterr().err
    assert f"(row {first['row']}, counted from 0), time {first['time'].replace('T', ' ')}, mostly" in said
    assert "400 rows, 200 to learn from and 200 judged" in said
    path.write_text("\n".join(line.partition(";")[2] for line in path.read_text().splitlines()) + "\n")
    assert score(path, "--ignore", "anomaly", "--warmup", 200, "--out", out) == 0
    assert "counted from 0), mostly" in capsys.readouterr().err


@pytest.mark.parametrize("lie", ["itself", "symlink", "hardlink", "folder", "packed", "node"])
def test_a_file_that_is_read_is_never_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lie: str
) -> None:
    first, path = pump(tmp_path, "first.csv", rows=20), pump(tmp_path, rows=20)
    node, out, read, extra = tmp_path / "node.toml", tmp_path / "out.csv", [first, path], []
    node.write_text(NODE)
    if lie == "symlink":
        out.symlink_to(path)
    elif lie == "hardlink":
        out.hardlink_to(path)
    elif lie == "packed":
        with zipfile.ZipFile(out, "w") as archive:
            archive.write(path, "run.csv")
        read = [Path(f"{out}!run.csv")]
    elif lie == "node":
        out, extra = node, ["--node", node, "--machine", "mixer"]
    else:
        out = tmp_path / "." / "pump.csv"
        read = [tmp_path] if lie == "folder" else read
    before = out.read_bytes()
    assert score(*read, *extra, "--out", out) == 2
    assert f"{out}: is itself read and would be overwritten" in capsys.readouterr().err
    assert out.read_bytes() == before


def test_lines_go_to_standard_output_without_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert score(pump(tmp_path, rows=60), "--ignore", "anomaly", "--warmup", 30) == 0
    caught = capsys.readouterr()
    assert caught.out.splitlines()[0] == ",".join(COLUMNS)
    assert len(caught.out.splitlines()) == 61
    assert "60 rows" in caught.err


def stuck(cells: list[str]) -> None:
    cells[250:] = [cells[250]] * len(cells[250:])


def vanished(cells: list[str]) -> None:
    cells[250:] = [""] * len(cells[250:])


def out_of_range(cells: list[str]) -> None:
    cells[250:] = ["-300"] * len(cells[250:])


@pytest.mark.parametrize(
    ("column", "change", "fault"),
    [
        ("Current", stuck, "sensor_stuck"),
        ("Current", vanished, "sensor_no_data"),
        ("Temperature", out_of_range, "sensor_out_of_range"),
    ],
)
def test_a_broken_sensor_is_no_broken_machine(tmp_path: Path, column: str, change: Any, fault: str) -> None:
    out = tmp_path / "scores.csv"
    path = pump(tmp_path, fault_at=400, **{column: change})
    assert score(path, "--ignore", "anomaly", "--warmup", 200, "--out", out) == 0
    found = lines(out)
    assert len(found) == 400
    told = [line for line in found[290:] if line["sensor_fault"]]
    assert {line["sensor_fault"] for line in told} == {fault}
    assert {line["channel"] for line in told} == {column.lower()}
    assert len(told) > 100
    assert not any(line["alarm"] == "1" for line in found)
    assert not any(line["sensor_fault"] for line in found[:250])


def test_rows_without_any_value_still_have_a_line(tmp_path: Path) -> None:
    path = tmp_path / "gaps.csv"
    random = np.random.default_rng(3)
    rows = [f"{row};{'' if 100 <= row < 130 or row == 0 else f'{random.normal():.4f}'}" for row in range(200)]
    path.write_text("t;power\n" + "\n".join(rows) + "\n")
    out = tmp_path / "scores.csv"
    assert score(path, "--warmup", 50, "--out", out) == 0
    found = lines(out)
    assert [int(line["row"]) for line in found] == list(range(200))
    assert found[0]["sensor_fault"] == "sensor_no_data"
    assert found[100]["regime"], "the last condition still stands"
    assert {line["sensor_fault"] for line in found[110:130]} == {"sensor_no_data"}
    assert all(line["alarm"] == "0" for line in found)


def gappy(folder: Path, name: str, seed: int, seconds: int = 300) -> Path:
    """One measurement a row, as it arrives over MQTT; the power only when it changes."""
    random = np.random.default_rng(seed)
    rows: list[tuple[float, str]] = []
    for tick in range(int(seconds / 0.6)):
        at = tick * 0.6 + 0.05 * random.random()
        for place in range(3):
            cells = ["", "", "", ""]
            cells[1 + place] = f"{random.normal():.1f}"
            rows.append((at + 0.01 * place, ",".join(cells)))
        if random.random() < 0.02:
            rows.append((at + 0.04, f"{200 + random.normal():.1f},,,"))
    rows.sort()
    path = folder / name
    body = [f"2021-05-11 14:{41 + int(at // 60):02}:{at % 60:09.6f},{cells}" for at, cells in rows]
    path.write_text("DateTime,power,aX,aY,aZ\n" + "\n".join(body) + "\n")
    return path


def test_single_measurements_a_row_are_scored_together_and_silence_of_one_is_no_fault(tmp_path: Path) -> None:
    first, second = gappy(tmp_path, "a.csv", 1), gappy(tmp_path, "b.csv", 2)
    out = tmp_path / "scores.csv"
    rows = [len(path.read_text().splitlines()) - 1 for path in (first, second)]
    assert score(first, second, "--warmup", rows[0], "--out", out) == 0
    found = lines(out)
    assert len(found) == sum(rows)
    assert not any(line["sensor_fault"] for line in found)
    assert {line["regime"] for line in found[: rows[0]]} == {"learning"}
    assert all(line["regime"] not in ("", "learning") for line in found[rows[0] :])


def test_a_waveform_in_blocks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(1)
    healthy, worse = random.normal(size=(20_000, 2)), 4 * random.normal(size=(20_000, 2))
    np.save(tmp_path / "a.npy", np.vstack([healthy, worse]))
    out = tmp_path / "scores.csv"
    assert score(tmp_path / "a.npy", "--rate", 4000, "--block", 0.1, "--warmup", 30, "--out", out) == 0
    found = lines(out)
    assert [int(line["row"]) for line in found] == list(range(100))
    assert [line["time"] for line in found[:3]] == ["0", "0.1", "0.2"]
    assert sum(line["alarm"] == "1" for line in found[50:]) > 40
    assert not any(line["alarm"] == "1" for line in found[:50])
    assert {line["channel"] for line in found if line["alarm"] == "1"} == {"vibration"}
    first = next(line["row"] for line in found if line["alarm"] == "1")
    assert f"first alarm at row {first} (counted from 0)" in capsys.readouterr().err


NODE = """
site = "bakery"
node = "oven-pi"
[[machine]]
name = "mixer"
kind = "mixer"
running_speed_rpm = 1475
[machine.bearing]
balls = 9
ball_mm = 7.94
pitch_mm = 39.04
[[machine.sensor]]
type = "host"
[[machine]]
name = "oven"
[[machine.sensor]]
type = "host"
"""


def bearing(samples: int, rate_hz: float, bursts: float, seed: int) -> np.ndarray:
    """Noise with bursts of a resonance at the outer ring's frequency, 88.1 Hz at 1475 rpm."""
    random = np.random.default_rng(seed)
    t = np.arange(samples) / rate_hz
    phase = (t * 88.12) % 1.0 / 88.12
    wave: np.ndarray = random.normal(size=samples) + bursts * np.exp(-phase * 800) * np.sin(2 * np.pi * 3000 * phase)
    return wave


def test_the_node_file_says_what_is_known_of_the_machine(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text(NODE)
    np.save(tmp_path / "a.npy", np.concatenate([bearing(200_000, 10_000, 0, 1), bearing(100_000, 10_000, 6, 2)]))
    out = tmp_path / "scores.csv"
    words = [
        tmp_path / "a.npy",
        "--rate",
        10_000,
        "--block",
        0.5,
        "--warmup",
        30,
        "--out",
        out,
        "--node",
        tmp_path / "node.toml",
    ]
    assert score(*words, "--machine", "mixer") == 0
    causes = {line["cause"] for line in lines(out)[45:] if line["alarm"] == "1"}
    assert causes == {"bearing_outer"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--machine", "mixer"], "--node"),
        (["--node", "node.toml"], "--machine"),
        (["--node", "node.toml", "--machine", "mixr"], "did you mean mixer"),
        (["--node", "gone.toml"], "gone.toml"),
        (["--node", "wrong.toml"], "machine 1, kind"),
        (["--out", "no/such/folder.csv"], "cannot be written"),
    ],
)
def test_wrong_use_exits_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "node.toml").write_text(NODE)
    (tmp_path / "wrong.toml").write_text(NODE.replace('kind = "mixer"', 'kind = "mixxer"'))
    assert score(pump(tmp_path, rows=20), *words) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--rate", "0"],
        ["--rate", "-5"],
        ["--rate", "fast"],
        ["--block", "0"],
        ["--warmup", "-1"],
        ["--separator", ";;"],
    ],
)
def test_options_that_are_none_exit_with_2(
    tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        score(pump(tmp_path, rows=20), *words)
    assert caught.value.code == 2
    assert words[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "words", "said"),
    [
        ("", [], "empty"),
        ("t;power\n0;1\n1;abc\n2;3\n", [], "row 1"),
        ("a;b;c\n1;2;3\n4,5,6\n7;8;9\n", [], "row 1"),
        ("t;power\n" + "".join(f"{at};{at % 2}\n" for at in range(9)), ["--columns", "powr"], "did you mean 'power'"),
        ("t;power\n" + "".join(f"{at};{at % 2}\n" for at in range(9)), ["--time", "when"], "when"),
        ("t;power\n" + "".join(f"{at / 1000};{at % 2}\n" for at in range(9)), ["--rate", "500"], "contradicts"),
        (
            "t;power\n" + "".join(f"{at / 1000};{at % 2}\n" for at in range(9)),
            ["--rate", "1000", "--block", "1"],
            "longer than the file",
        ),
    ],
)
def test_bad_recordings_are_named_and_exit_with_1(
    tmp_path: Path, content: str, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, good = tmp_path / "bad.csv", pump(tmp_path, rows=60)
    bad.write_text(content)
    out = tmp_path / "scores.csv"
    assert score(bad, *words, "--out", out) == 1
    caught = capsys.readouterr().err
    assert "bad.csv" in caught
    assert said in caught
    assert score(bad, good, "--warmup", 20, "--fresh", "--out", out) == (0 if words else 1)
    assert sum(line["file"] == str(good) for line in lines(out)) == 60, "the other files are still scored"


def test_a_letter_is_no_recording_and_too_few_rows_teach_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    letter = tmp_path / "letter.csv"
    letter.write_text("Das ist kein Messprotokoll, sondern ein Brief.\n")
    for path, count in ((letter, "only 1 row "), (pump(tmp_path, rows=7), "only 7 rows ")):
        assert score(path, "--ignore", "anomaly" if path != letter else "0") == 1
        said = capsys.readouterr()
        assert count in said.err
        assert len(said.out.splitlines()) == 1, "the header alone"


def test_a_beginning_that_was_not_normal_is_told_loudly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert score(pump(tmp_path, fault_at=100), "--ignore", "anomaly", "--json") == 0
    assert "CAUTION" in capsys.readouterr().out.splitlines()[-1]
    assert score(pump(tmp_path), "--ignore", "anomaly", "--json") == 0
    assert "CAUTION" not in capsys.readouterr().out


def test_a_file_with_other_channels_is_not_scored_by_this_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.csv"
    other.write_text("t;pressure\n" + "\n".join(f"{row};{row % 5}" for row in range(50)) + "\n")
    assert score(pump(tmp_path, rows=60), other, "--ignore", "anomaly", "--warmup", 20, "--json") in (0, 1)
    assert "other.csv" in capsys.readouterr().err
    assert score(pump(tmp_path, rows=60), other, "--warmup", 20, "--fresh", "--json") == 0
