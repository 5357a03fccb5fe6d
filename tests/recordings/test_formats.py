"""Array, sound and packed formats, told apart by content."""

from __future__ import annotations

import gzip
import io
import struct
import wave
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat, wavfile

from edge.recordings import Options, Recording, RecordingError, expand, open_recording
from edge.recordings.mat_outline import outline_fault

WAVE = np.sin(np.linspace(0, 300, 4000))


def read(recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    chunks = list(recording.chunks())
    return np.concatenate([chunk.time_ns for chunk in chunks]), np.concatenate([chunk.values for chunk in chunks])


def refusal(name: str, options: Options | None = None) -> str:
    with pytest.raises(RecordingError) as caught, open_recording(name, options) as recording:
        read(recording)
    assert name in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["run.npy", "run.csv", "run"])
def test_npy_by_content(tmp_path: Path, name: str) -> None:
    with (tmp_path / name).open("wb") as out:
        np.save(out, np.column_stack([WAVE, 2 * WAVE]).astype(np.float32))
    with open_recording(str(tmp_path / name), Options(columns=("1",), rate_hz=1000)) as recording:
        at, values = read(recording)
    np.testing.assert_allclose(values[:, 0], 2 * WAVE, atol=1e-6)
    assert at[-1] == 3999 * 1_000_000


def test_npy_lying_on_its_side(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.vstack([WAVE, -WAVE]))
    with open_recording(str(tmp_path / "a.npy")) as recording:
        assert recording.columns == ("0", "1")
        assert recording.notes
        np.testing.assert_allclose(read(recording)[1][:, 1], -WAVE)


def test_npy_with_python_objects_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert "Python objects" in refusal(str(tmp_path / "a.npy"))


def test_npy_with_infinity_names_the_row(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([1.0, np.nan, np.inf]))
    assert "row 2" in refusal(str(tmp_path / "a.npy"))


def test_npz_variables_by_name(tmp_path: Path) -> None:
    start = np.datetime64("2024-05-01T00:00:00")
    np.savez(
        tmp_path / "a.npz",
        short=np.arange(3.0),
        motion=np.column_stack([WAVE, WAVE]),
        when=start + np.arange(4000) * np.timedelta64(1, "ms"),
        label=np.array(["x"]),
    )
    name = str(tmp_path / "a.npz")
    with open_recording(name) as recording:
        assert recording.columns == ("motion.0", "motion.1")
    with open_recording(name, Options(columns=("short",))) as recording:
        assert read(recording)[1].shape == (3, 1)
    with open_recording(name, Options(columns=("motion",), time="when")) as recording:
        at, values = read(recording)
        assert values.shape == (4000, 2)
        assert recording.dated
        assert at[1] - at[0] == 1_000_000
    assert "differ in length" in refusal(name, Options(columns=("motion", "short")))
    assert "did you mean 'short'" in refusal(name, Options(columns=("shorts",)))


def test_mat_variables_and_structs(tmp_path: Path) -> None:
    name = str(tmp_path / "a.mat")
    savemat(
        name,
        {"X097_DE_time": WAVE, "RPM": 1796.0, "motor": {"phase": {"a": WAVE[:50], "b": WAVE[:50]}}, "note": "hello"},
    )
    with open_recording(name) as recording:
        assert recording.columns == ("X097_DE_time",)
        np.testing.assert_allclose(read(recording)[1][:, 0], WAVE)
    with open_recording(name, Options(columns=("motor.phase.a", "motor.phase.b"))) as recording:
        assert read(recording)[1].shape == (50, 2)


def test_mat_cells(tmp_path: Path) -> None:
    cells = np.empty((2,), dtype=object)
    cells[0], cells[1] = WAVE[:10], WAVE[:40]
    savemat(tmp_path / "a.mat", {"runs": cells})
    with open_recording(str(tmp_path / "a.mat")) as recording:
        assert recording.columns == ("runs[1]",)


def test_signals_that_say_what_they_are_called_are_read_together_with_their_time(tmp_path: Path) -> None:
    def signals(**named: np.ndarray) -> np.ndarray:
        return np.array([{"Name": name, "Type": 1.0, "Data": data} for name, data in named.items()], dtype=object)

    content = {
        "X": signals(Fast=np.arange(40) / 1000.0, Slow=np.arange(4) / 100.0),
        "Y": signals(speed=np.ones(4), current=np.cos(np.arange(40.0)), vibration=np.sin(np.arange(40.0))),
    }
    savemat(tmp_path / "a.mat", {"N15": content})
    with open_recording(str(tmp_path / "a.mat")) as recording:
        assert recording.columns == ("current", "vibration")
        chunk = recording.head()
        np.testing.assert_allclose(chunk.values[:, 1], np.sin(np.arange(40.0)))
        np.testing.assert_allclose(np.diff(chunk.time_ns), 1e6)


@pytest.mark.parametrize(
    ("scalar", "rate_hz"), [({"sr": 97_656, "rate": 25}, 97_656), ({"dt": 0.001}, 1000), ({"fs": 1}, None)]
)
def test_a_variable_says_the_rate_of_a_waveform(
    tmp_path: Path, scalar: dict[str, float], rate_hz: float | None
) -> None:
    savemat(tmp_path / "a.mat", {"bearing": {"gs": np.sin(np.arange(50.0)), "load": 270, **scalar}})
    with open_recording(str(tmp_path / "a.mat")) as recording:
        assert recording.columns == ("bearing.gs",)
        assert recording.rate_hz == rate_hz
        assert ("as a variable of the file says" in "".join(recording.notes)) == (rate_hz is not None)


def test_a_waveform_may_be_called_like_a_label(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"outer_race_fault": np.sin(np.arange(50.0)), "load": 270, "label": np.ones(60)})
    with open_recording(str(tmp_path / "a.mat")) as recording:
        assert recording.columns == ("outer_race_fault",)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_mat_file_whose_sizes_are_wrong_is_refused_before_it_is_trusted(tmp_path: Path, *, compressed: bool) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"runs": {"a": WAVE[:40], "b": [1, 2]}}, do_compression=compressed)
    whole = path.read_bytes()
    assert outline_fault(whole) is None
    path.write_bytes(whole[:132] + struct.pack("<I", 8_708_072) + whole[136:])
    assert "damaged MAT file: an element of 8708072 bytes does not fit in it" in refusal(str(path))


def test_newer_mat_files_are_explained(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512, b" ") + b"\x89HDF\r\n\x1a\n")
    assert "-v7" in refusal(str(path))


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_wav_of_every_depth(tmp_path: Path, width: int) -> None:
    scale = 2 ** (8 * width - 1)
    counts = np.round(WAVE * (scale - 1)).astype(np.int64)
    raw = b"".join(
        int(v + (128 if width == 1 else 0)).to_bytes(width, "little", signed=width > 1) for v in np.repeat(counts, 2)
    )
    name = str(tmp_path / "a.wav")
    with wave.open(name, "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(width)
        out.setframerate(8000)
        out.writeframes(raw)
    with open_recording(name) as recording:
        assert recording.rate_hz == 8000
        _, values = read(recording)
    np.testing.assert_allclose(values, np.repeat(counts / scale, 2).reshape(-1, 2), atol=1e-12)


def test_wav_of_floats_and_wrong_rate(tmp_path: Path) -> None:
    name = str(tmp_path / "a.wav")
    wavfile.write(name, 44100, WAVE.astype(np.float32))
    with open_recording(name, Options(rate_hz=44000)) as recording:
        np.testing.assert_allclose(read(recording)[1][:, 0], WAVE, atol=1e-6)
    assert "44100 Hz" in refusal(name, Options(rate_hz=20000))


def test_wav_whose_recorder_was_cut_off(tmp_path: Path) -> None:
    name = str(tmp_path / "a.wav")
    body = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 100, 200, 2, 16) + b"LIST" + struct.pack("<I", 3) + b"abc\0"
    Path(name).write_bytes(b"RIFF\0\0\0\0WAVE" + body + b"data\xff\xff\xff\xff" + struct.pack("<3h", 1, 2, 3) + b"\1")
    with open_recording(name) as recording:
        assert read(recording)[1].shape == (3, 1)
        assert any("cut off" in note for note in recording.notes)


def test_wav_that_is_compressed(tmp_path: Path) -> None:
    name = str(tmp_path / "a.wav")
    body = struct.pack("<4sIHHIIHH", b"fmt ", 16, 2, 1, 100, 200, 2, 4)
    Path(name).write_bytes(b"RIFF\0\0\0\0WAVE" + body + b"data\4\0\0\0abcd")
    assert "not read" in refusal(name)


def test_parquet_with_timestamps_gaps_and_text(tmp_path: Path) -> None:
    name = str(tmp_path / "a.parquet")
    table = pa.table(
        {
            "when": pa.array([1_700_000_000_000, 1_700_000_001_000], pa.timestamp("ms")),
            "power": pa.array([1.5, None]),
            "on": pa.array([True, False]),
            "name": pa.array(["a", "b"]),
        }
    )
    pq.write_table(table, name)
    with open_recording(name) as recording:
        assert recording.columns == ("power", "on")
        at, values = read(recording)
        np.testing.assert_allclose(values, [[1.5, 1], [np.nan, 0]])
        assert at.tolist() == [1_700_000_000_000_000_000, 1_700_000_001_000_000_000]
    assert "no numbers" in refusal(name, Options(columns=("name",)))


def test_zip_members(tmp_path: Path) -> None:
    name = str(tmp_path / "runs.zip")
    with zipfile.ZipFile(name, "w") as archive:
        archive.writestr("runs/one.csv", "a,b\n1,2\n3,4\n")
        archive.writestr("runs/two.csv", "a,b\n5,6\n7,8\n")
        archive.writestr("__MACOSX/runs/._one.csv", "junk")
    assert "2 recordings" in refusal(name)
    with open_recording(f"{name}!runs/two.csv") as recording:
        np.testing.assert_allclose(read(recording)[1], [[5, 6], [7, 8]])
    assert "runs/one.csv" in refusal(f"{name}!one.csv")
    assert expand(f"{name}!runs/*.csv") == [f"{name}!runs/one.csv", f"{name}!runs/two.csv"]
    assert expand(f"{name}!runs/two.csv") == [f"{name}!runs/two.csv"]
    with pytest.raises(RecordingError):
        expand(f"{name}!*.wav")


def test_zip_with_one_member_of_any_format(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, WAVE)
    name = str(tmp_path / "run.zip")
    with zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("run.dat", b"x,y\n1,2\n2,3\n")
    with open_recording(name) as recording:
        assert recording.columns == ("x", "y")


@pytest.mark.parametrize("make", ["npy", "npz", "mat", "wav", "parquet", "gz", "zip"])
def test_damaged_files_are_refused_at_any_length(tmp_path: Path, make: str) -> None:
    path = tmp_path / f"good.{make}"
    if make == "npy":
        np.save(path, WAVE)
    elif make == "npz":
        np.savez(path, a=WAVE)
    elif make == "mat":
        savemat(path, {"a": WAVE})
    elif make == "wav":
        wavfile.write(path, 8000, WAVE.astype(np.float32))
    elif make == "parquet":
        pq.write_table(pa.table({"a": WAVE}), path)
    elif make == "gz":
        path.write_bytes(gzip.compress("\n".join(f"{v},{v}" for v in WAVE).encode()))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.csv", "\n".join(f"{v},{v}" for v in WAVE))
    whole = path.read_bytes()
    said: list[str] = []
    for share in (0.0, 0.001, 0.01, 0.1, 0.5, 0.9, 0.999):
        bad = tmp_path / f"{share}"
        bad.write_bytes(whole[: int(len(whole) * share)])
        try:
            with open_recording(str(bad)) as recording:
                read(recording)
        except RecordingError as exc:
            said.append(str(exc))
    assert len(said) >= 2
    assert all(str(tmp_path) in text for text in said)


SIGNATURES = [
    b"\x93NUMPY\x01\x00",
    b"PK\x03\x04",
    b"\x1f\x8b\x08",
    b"RIFF\0\0\0\0WAVEfmt ",
    b"MATLAB 5.0 MAT-file".ljust(124),
    b"PAR1",
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.sampled_from(SIGNATURES), rest=st.binary(max_size=300))
def test_any_bytes_behind_a_signature_are_read_or_refused(tmp_path: Path, start: bytes, rest: bytes) -> None:
    path = tmp_path / "odd"
    path.write_bytes(start + rest)
    said = ""
    try:
        with open_recording(str(path)) as recording:
            found = read(recording)[1]
    except RecordingError as exc:
        said, found = str(exc), np.zeros((0, 0))
    assert not said or str(path) in said
    assert found.ndim == 2
