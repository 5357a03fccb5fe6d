"""Recordings of bearings, motors and households in the shapes that they are handed round in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.io import savemat

from edge.recordings import Options, RecordingError, expand, open_recording
from edge.recordings.channels import wave_channels

ROWS = 400
WAVE = np.round(np.random.default_rng(5).normal(size=(ROWS, 3)), 3)


def read(name: Path, options: Options | None = None) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    with open_recording(str(name), options) as recording:
        chunks = list(recording.chunks())
        time_ns, values = (np.concatenate([chunk[part] for chunk in chunks]) for part in (1, 2))
        return recording.columns, time_ns, values


def text(folder: Path, rows: list[str], name: str = "run") -> Path:
    path = folder / name
    path.write_text("\n".join(rows) + "\n")
    return path


def test_snapshots_named_by_their_moment_and_without_header(tmp_path: Path) -> None:
    name = text(tmp_path, ["\t".join(f"{v:.3f}" for v in row) for row in WAVE], "2003.10.22.12.06.24")
    np.testing.assert_array_equal(read(name, Options(rate_hz=20480))[2], WAVE)


def test_household_power_as_epoch_and_watts(tmp_path: Path) -> None:
    name = text(tmp_path, [f"{1352500098 + 6 * row} {100 + row % 7}" for row in range(ROWS)], "channel_5.dat")
    columns, time_ns, values = read(name)
    assert (columns, values.shape) == (("1",), (ROWS, 1))
    assert (np.diff(time_ns) == 6 * 10**9).all()


@pytest.mark.parametrize("kind", ["npy", "parquet", "fields"])
def test_time_counter_and_label_in_array_files(tmp_path: Path, kind: str) -> None:
    seconds = np.arange(ROWS) / 100
    path = tmp_path / "run"
    if kind == "npy":
        with path.open("wb") as out:
            np.save(out, np.column_stack([seconds, WAVE]))
    elif kind == "parquet":
        columns = {"Index": np.arange(ROWS), "time": seconds, **{f"a{at}": WAVE[:, at] for at in range(3)}}
        pq.write_table(pa.table({**columns, "anomaly": np.arange(ROWS) // 300}), path)
    else:
        with path.open("wb") as out:
            np.savez(out, y=np.arange(ROWS) // 300, label=np.arange(2 * ROWS) // 300, motion=WAVE, time=seconds)
    _, time_ns, values = read(path)
    np.testing.assert_array_equal(values, WAVE)
    np.testing.assert_allclose(np.diff(time_ns), 1e7, atol=1)


def test_a_bearing_of_several_sensors_in_matlab(tmp_path: Path) -> None:
    savemat(tmp_path / "97.mat", {"X097_DE_time": WAVE[:, :1], "X097_FE_time": WAVE[:, 1:2], "X097RPM": [[1796]]})
    columns, time_ns, values = read(tmp_path / "97.mat", Options(rate_hz=12_000))
    assert columns == ("X097_DE_time",)
    np.testing.assert_array_equal(values[:, 0], WAVE[:, 0])
    assert time_ns[-1] == round((ROWS - 1) / 12_000 * 1e9)


def test_what_is_no_waveform_is_no_axis(tmp_path: Path) -> None:
    rows = ["Horizontal_vibration_signals,Vertical_vibration_signals,Bearing temperature,Speed,spare"]
    rows += [f"{a},{b},{60 + c / 10},{1500 + c},0" for a, b, c in WAVE]
    notes: list[str] = []
    with open_recording(str(text(tmp_path, rows)), Options(rate_hz=25_600)) as recording:
        (wave,) = wave_channels(recording.columns, recording.head(), 25_600, 0.01, named=True, notes=notes)
        assert (wave.columns, wave.channel.axes) == ((0, 1), 2)
        asked = wave_channels(recording.columns, recording.head(), 25_600, 0.01, named=True, asked=True)
    assert len(notes) == 3
    assert sum(len(one.columns) for one in asked) == 5
    with open_recording(str(text(tmp_path, ["1,1"] * 30)), Options(rate_hz=1000)) as recording:
        (still,) = wave_channels(recording.columns, recording.head(), 1000, 0.01, named=False)
        assert len(still.columns) == 2, "a dead sensor alone is judged, and found dead"


def test_folders_and_patterns_are_taken_as_people_number_them(tmp_path: Path) -> None:
    folder = tmp_path / "Bearing1_1"
    folder.mkdir()
    for number in (10, 9, 1):
        text(folder, ["a,b", "1,2"], f"{number}.csv")
    text(folder, ["what this is"], "README.md")
    wanted = [str(folder / f"{number}.csv") for number in (1, 9, 10)]
    assert expand(str(folder)) == wanted
    assert expand(str(folder / "*.csv")) == wanted
    assert expand(str(folder / "gone*.csv")) == [str(folder / "gone*.csv")]
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecordingError, match="without recordings"):
        expand(str(tmp_path / "empty"))
