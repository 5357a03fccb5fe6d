"""What names and beginnings say of columns, and how waveforms are cut."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.recordings import Chunk, Options, RecordingError, open_recording
from edge.recordings.channels import (
    Overrides,
    is_gappy,
    mains_hz,
    table_channels,
    wave_channels,
)
from edge.recordings.naming import channel_name, meaning, unique
from edge.recordings.waveform import blocks
from edge.sensors.base import Quantity
from wire.messages import NAME_PATTERN


@pytest.mark.parametrize(
    ("column", "quantity", "unit"),
    [
        ("Temperature", "temperature", "°C"),
        ("Thermocouple", "temperature", "°C"),
        ("Ofentemperatur (°F)", "temperature", "°F"),
        ("temp_change_1", "temperature", "°C"),
        ("Accelerometer1RMS", "vibration", "g"),
        ("aX", "vibration", "g"),
        ("Beschleunigung [m/s²]", "vibration", "m/s²"),
        ("accel_x [V]", "vibration", "V"),
        ("gX", "level", "°/s"),
        ("Current", "current", "A"),
        ("Strom in mA", "current", "mA"),
        ("Volumenstrom", "level", "l/min"),
        ("Volume Flow RateRMS", "level", "l/min"),
        ("Leistung", "power", "W"),
        ("power_kw", "power", "kW"),
        ("Energie", "energy", "kWh"),
        ("Pressure", "level", "bar"),
        ("Luftfeuchte", "level", "%"),
        ("Voltage", "level", "V"),
        ("Drehzahl", "speed", "rpm"),
        ("oven_degc", "temperature", "°C"),
        ("phase_a", "level", ""),
        ("value", "level", ""),
        ("tempo", "level", ""),
    ],
)
def test_names_in_two_languages(column: str, quantity: str, unit: str) -> None:
    said = meaning(column)
    assert (said.quantity.value, said.unit) == (quantity, unit)


@given(st.lists(st.text(max_size=80), max_size=8))
def test_any_name_can_travel(names: list[str]) -> None:
    made = unique(channel_name(name) for name in names)
    assert len(set(made)) == len(names)
    assert all(re.match(NAME_PATTERN, name) for name in made)


def chunk(values: np.ndarray, step_s: float = 1.0) -> Chunk:
    return Chunk(0, (np.arange(len(values)) * step_s * 1e9).astype(np.int64), values)


def test_behaviour_is_taken_from_the_beginning() -> None:
    random = np.random.default_rng(1)
    table = np.column_stack(
        [random.normal(size=500), np.round(random.normal(size=500) * 3) * 0.1, np.full(500, np.nan)]
    )
    table[::50, 2] = 7.0
    noisy, coarse, rare = table_channels(("current", "power", "energy"), chunk(table, 2.0))
    assert (noisy.period_s, noisy.steady) == (2.0, False)
    assert coarse.steady
    assert coarse.resolution == pytest.approx(0.1)
    assert rare.period_s >= 100.0


def test_doors_are_states_and_overrides_win() -> None:
    table = np.column_stack([np.arange(100) % 2, np.arange(100) * 1.5])
    door, level = table_channels(
        ("Tür", "Füllstand"), chunk(table), Overrides({"Füllstand": "mm"}, {}, {"Füllstand": "fill"})
    )
    assert door.quantity is Quantity.STATE
    assert (level.name, level.unit) == ("fill", "mm")


def test_gappy_is_one_measurement_a_row() -> None:
    table = np.full((90, 3), np.nan)
    table[np.arange(90), np.arange(90) % 3] = 1.0
    assert is_gappy(chunk(table))
    table[:, 0] = 2.0
    assert not is_gappy(chunk(table))


def test_mains_is_told_from_vibration() -> None:
    t = np.arange(1000) / 1000
    noise = np.random.default_rng(1).normal(size=1000)
    assert mains_hz(5 + np.sin(2 * np.pi * 60 * t) + 0.05 * noise, 1000) == pytest.approx(60, abs=1)
    assert mains_hz(np.sin(2 * np.pi * 30 * t), 1000) is None
    assert mains_hz(noise, 1000) is None
    head = Chunk(0, np.zeros(1000, dtype=np.int64), np.column_stack([np.sin(2 * np.pi * 50 * t), noise, noise]))
    current, vibration = wave_channels(("0", "1", "2"), head, 1000, 0.1, named=False)
    assert (current.channel.quantity, current.channel.axes) == (Quantity.CURRENT, 1)
    assert (vibration.channel.quantity, vibration.channel.axes, vibration.columns) == (Quantity.VIBRATION, 2, (1, 2))
    assert vibration.channel.unit == ""


def recorded(folder: Path, samples: int) -> str:
    path = folder / "a.npy"
    np.save(path, np.arange(samples, dtype=np.float64))
    return str(path)


@pytest.mark.parametrize(("samples", "count", "left"), [(1000, 10, 0), (1050, 10, 50), (100, 1, 0), (20_000, 200, 0)])
def test_blocks_cover_the_recording_once(tmp_path: Path, samples: int, count: int, left: int) -> None:
    with open_recording(recorded(tmp_path, samples), Options(rate_hz=1000)) as recording:
        cuts = list(blocks(recording, 0.1))
        assert [cut.number for cut in cuts] == list(range(count))
        joined = np.concatenate([cut.values[:, 0] for cut in cuts])
        np.testing.assert_array_equal(joined, np.arange(samples - left))
        assert [cut.time_ns for cut in cuts] == [number * 100_000_000 for number in range(count)]
        assert any(str(left) in note for note in recording.notes) == (left > 0)


@pytest.mark.parametrize(("rate", "block"), [(1000.0, 2.0), (1000.0, 0.001), (1000.0, -1.0), (None, 1.0)])
def test_blocks_that_cannot_be_cut(tmp_path: Path, rate: float | None, block: float) -> None:
    with (
        open_recording(recorded(tmp_path, 1000), Options(rate_hz=rate)) as recording,
        pytest.raises(RecordingError) as caught,
    ):
        list(blocks(recording, block))
    assert "a.npy" in str(caught.value)


def test_a_short_file_is_one_block_where_no_length_was_asked(tmp_path: Path) -> None:
    with open_recording(recorded(tmp_path, 300), Options(rate_hz=1000)) as recording:
        assert [len(cut.values) for cut in blocks(recording, None)] == [300]
