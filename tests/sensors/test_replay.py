"""Recordings as sensors."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from support.sensor_contract import FakeClock, SensorCase, SensorContract, check_order

from edge.sensors.base import Quantity, SensorConfigError, SensorError
from edge.sensors.registry import Surroundings, sensor_type
from edge.sensors.replay import Replay, ReplayConfig


def surroundings(clock: FakeClock) -> Surroundings:
    return Surroundings(machine="pump", kind="generic", monotonic_ns=clock, interval_s=1.0)


def table(folder: Path, rows: int = 40, name: str = "run.csv") -> Path:
    path = folder / name
    lines = [f"2024-05-01 10:{row // 60:02}:{row % 60:02};{row * 0.5};{'' if row % 3 else row}" for row in range(rows)]
    path.write_text("time;Strom;Temperatur\n" + "\n".join(lines) + "\n")
    return path


def waveform(folder: Path, samples: int = 4000) -> Path:
    path = folder / "run.npy"
    random = np.random.default_rng(1)
    np.save(path, random.normal(size=(samples, 2)))
    return path


def replay(clock: FakeClock, path: Path, **options: object) -> Replay:
    return Replay(ReplayConfig(files=[path], **options), surroundings(clock))  # type: ignore[arg-type]  # options vary by test


class TestTable(SensorContract):
    @pytest.fixture
    def case(self, tmp_path: Path) -> SensorCase:
        clock = FakeClock()
        return SensorCase(replay(clock, table(tmp_path)), clock.step, monotonic_ns=clock)


class TestWaveform(SensorContract):
    @pytest.fixture
    def case(self, tmp_path: Path) -> SensorCase:
        clock = FakeClock()
        sensor = replay(clock, waveform(tmp_path), rate_hz=1000.0, block_s=0.5, loop=True)
        return SensorCase(sensor, clock.step, monotonic_ns=clock)


class TestAsFastAsItIsRead(SensorContract):
    @pytest.fixture
    def case(self, tmp_path: Path) -> SensorCase:
        clock = FakeClock()
        return SensorCase(replay(clock, table(tmp_path), speed=0.0), clock.step, monotonic_ns=clock)


def test_is_registered() -> None:
    assert sensor_type("replay").make is Replay


def test_rows_come_when_their_time_has_come(tmp_path: Path) -> None:
    clock = FakeClock()
    sensor = replay(clock, table(tmp_path))
    sensor.open()
    first = sensor.read()
    assert [block.values[0] for block in first] == [0.0, 0.0]
    assert not sensor.read()
    clock.step(2.5)
    later = sensor.read()
    assert [(block.channel.name, block.values[0]) for block in later] == [("strom", 0.5), ("strom", 1.0)]
    check_order(first, later)
    sensor.close()


@pytest.mark.parametrize(("speed", "rows"), [(0.5, 2), (1.0, 4), (10.0, 31), (1e6, 40)])
def test_any_speed(tmp_path: Path, speed: float, rows: int) -> None:
    clock = FakeClock()
    sensor = replay(clock, table(tmp_path), speed=speed, columns=["Strom"])
    sensor.open()
    clock.step(3.0)
    assert len(sensor.read()) == rows
    sensor.close()


def test_speed_zero_plays_one_row_a_reading_to_the_end(tmp_path: Path) -> None:
    clock = FakeClock()
    sensor = replay(clock, table(tmp_path, 10), speed=0.0, columns=["Strom"])
    sensor.open()
    reads = []
    for _ in range(12):
        reads.append([float(block.values[0]) for block in sensor.read()])
        clock.step(0.1)
    assert reads == [[row * 0.5] for row in range(10)] + [[], []]
    sensor.close()


def test_the_end_is_silence_and_a_loop_has_none(tmp_path: Path) -> None:
    clock = FakeClock()
    once, again = replay(clock, table(tmp_path, 5)), replay(clock, table(tmp_path, 5), loop=True, columns=["Strom"])
    once.open()
    again.open()
    clock.step(100.0)
    assert once.read()
    assert not once.read()
    values = [float(block.values[0]) for block in again.read()]
    assert values[:7] == [0.0, 0.5, 1.0, 1.5, 2.0, 0.0, 0.5]
    assert len(values) == 101
    once.close()
    again.close()


def test_files_follow_each_other(tmp_path: Path) -> None:
    clock = FakeClock()
    config = ReplayConfig(files=[table(tmp_path, 3, "a.csv"), table(tmp_path, 3, "b.csv")], columns=["Strom"])
    sensor = Replay(config, surroundings(clock))
    sensor.open()
    clock.step(10.0)
    blocks = sensor.read()
    assert [float(block.values[0]) for block in blocks] == [0.0, 0.5, 1.0, 0.0, 0.5, 1.0]
    assert np.diff([block.start_ns for block in blocks]).tolist() == [1_000_000_000] * 5
    sensor.close()


def test_waveform_blocks_keep_rate_and_axes(tmp_path: Path) -> None:
    clock = FakeClock()
    sensor = replay(clock, waveform(tmp_path), rate_hz=1000.0, block_s=0.5, speed=4.0)
    channel = sensor.channels[0]
    assert (channel.name, channel.axes, channel.rate_hz, channel.period_s) == ("vibration", 2, 1000.0, 0.125)
    sensor.open()
    clock.step(1.0)
    blocks = sensor.read()
    assert {block.values.shape for block in blocks} == {(500, 2)}
    assert {block.rate_hz for block in blocks} == {1000.0}
    sensor.close()


def test_names_units_and_quantities_are_guessed_or_given(tmp_path: Path) -> None:
    clock = FakeClock()
    guessed = replay(clock, table(tmp_path)).channels
    assert [(c.name, c.unit, c.quantity) for c in guessed] == [
        ("strom", "A", Quantity.CURRENT),
        ("temperatur", "°C", Quantity.TEMPERATURE),
    ]
    given = replay(
        clock,
        table(tmp_path),
        units={"Strom": "bar"},
        quantities={"Strom": Quantity.LEVEL},
        names={"Strom": "pressure"},
    ).channels
    assert (given[0].name, given[0].unit, given[0].quantity) == ("pressure", "bar", Quantity.LEVEL)


def test_what_can_never_work_is_told_before_the_start(tmp_path: Path) -> None:
    clock = FakeClock()
    with pytest.raises(SensorConfigError, match=r"gone\.csv"):
        replay(clock, tmp_path / "gone.csv").open()
    with pytest.raises(SensorConfigError, match="did you mean"):
        assert replay(clock, table(tmp_path), columns=["Strum"]).channels
    with pytest.raises(SensorConfigError, match="block"):
        replay(clock, waveform(tmp_path), rate_hz=1000.0, block_s=0.001).open()
    other = tmp_path / "other.csv"
    other.write_text("time;Druck\n0;1\n1;2\n")
    config = ReplayConfig(files=[table(tmp_path), other])
    with pytest.raises(SensorConfigError, match="differ"):
        Replay(config, surroundings(clock)).open()
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"files": []}, ReplayConfig, strict=True)


def test_damage_further_in_is_a_sensor_error(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    path.write_text("a,b\n" + "1,2\n" * 9000 + "1,x\n")
    clock = FakeClock()
    sensor = replay(clock, path, speed=1e6)
    sensor.open()
    clock.step(1.0)
    rows = len(sensor.read())
    while rows < 2 * 8192:
        rows += len(sensor.read())
    with pytest.raises(SensorError, match="row 9000"):
        sensor.read()
    sensor.close()
