"""INA226 on a simulated bus, by the figures of its data sheet."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sensor_contract import FakeClock, SensorCase, SensorContract

from edge.sensors.base import Block, Fault, SensorConfigError, SensorError
from edge.sensors.ina226 import PROBES, Ina226, Ina226Config
from edge.sensors.probing import I2cReader
from edge.sensors.registry import Surroundings, sensor_type
from edge.sensors.simulation.chips.bus import SimulatedBuses
from edge.sensors.simulation.chips.ina226 import SimulatedIna226


class Bench:
    """One chip at 0x40 and its driver; the data sheet's example: 2 milliohms, 1 mA steps."""

    def __init__(self, folder: Path | None = None, ids: tuple[int, int] = (0x5449, 0x2260), **options: Any) -> None:
        self.clock = FakeClock()
        self.buses = SimulatedBuses()
        self.bus = self.buses.wire_i2c(1)
        self.chip = SimulatedIna226(self.clock, ids=ids)
        self.bus.plug(0x40, self.chip)
        options = {"shunt_ohm": 0.002, "max_a": 32.768, **options}
        self.sensor = Ina226(
            Ina226Config(**options),
            Surroundings("oven", "oven", self.clock, 1.0, buses=self.buses, state_dir=folder),
        )

    def read(self, seconds: float = 1.0) -> dict[str, Block]:
        self.clock.step(seconds)
        return {block.channel.name: block for block in self.sensor.read()}

    def values(self, seconds: float = 1.0) -> dict[str, float]:
        return {name: float(block.values[0]) for name, block in self.read(seconds).items()}


class TestContract(SensorContract):
    @pytest.fixture
    def case(self) -> SensorCase:
        bench = Bench()
        return SensorCase(bench.sensor, bench.clock.step, monotonic_ns=bench.clock)


class TestContractWithEverything(SensorContract):
    @pytest.fixture
    def case(self, tmp_path: Path) -> SensorCase:
        bench = Bench(tmp_path, energy=True, peak_a=20.0, prefix="fan_")
        return SensorCase(bench.sensor, bench.clock.step, monotonic_ns=bench.clock)


def test_is_registered_and_recognised() -> None:
    assert sensor_type("ina226").make is Ina226
    (probe,) = PROBES
    for ids, name in (((0x5449, 0x2260), "INA226"), ((0x5449, 0x2261), "INA226"), ((0x5449, 0x2270), None)):
        assert probe.identify(I2cReader(Bench(ids=ids).bus, 0x40)) == name


def test_the_example_of_the_data_sheet() -> None:
    """SBOS547B, section 6.5.2.1 (SBOS547A: 7.5.2.1): 20 mV over 2 milliohms at 11.98 V are 10 A and 119.8 W."""
    bench = Bench()
    bench.chip.shunt_v, bench.chip.bus_v = lambda _: 0.020, lambda _: 11.98
    bench.sensor.open()
    assert bench.bus.read(0x40, 0x05, 2) == bytes.fromhex("0a00"), "CAL 2560"
    assert bench.values() == {
        "voltage": pytest.approx(11.98),
        "current": pytest.approx(10.0),
        "power": pytest.approx(119.8),
    }
    assert bench.bus.read(0x40, 0x01, 2) == bytes.fromhex("1f40")
    assert bench.bus.read(0x40, 0x04, 2) == bytes.fromhex("2710")
    assert bench.bus.read(0x40, 0x03, 2) == bytes.fromhex("12b8")


def test_the_direction_is_the_sign() -> None:
    bench = Bench()
    bench.chip.shunt_v = lambda _: -0.020
    bench.sensor.open()
    found = bench.values()
    assert found["current"] == pytest.approx(-10.0)
    assert found["power"] == pytest.approx(-120.0)


@settings(max_examples=50, deadline=None)
@given(st.floats(-0.0815, 0.0815), st.floats(0.0, 36.0), st.floats(0.0005, 1.0))
def test_every_current_and_voltage_comes_out_within_its_resolution(shunt_v: float, bus_v: float, ohm: float) -> None:
    bench = Bench(shunt_ohm=ohm, max_a=None)
    bench.chip.shunt_v, bench.chip.bus_v = lambda _: shunt_v, lambda _: bus_v
    bench.sensor.open()
    blocks = bench.read()
    by_name = {name: float(block.values[0]) for name, block in blocks.items()}
    channels = {name: block.channel for name, block in blocks.items()}
    assert by_name["current"] == pytest.approx(shunt_v / ohm, abs=1.01 * channels["current"].resolution)
    assert by_name["voltage"] == pytest.approx(bus_v, abs=channels["voltage"].resolution)
    least = channels["power"].resolution + abs(bus_v) * channels["current"].resolution
    least += abs(shunt_v / ohm) * channels["voltage"].resolution
    assert by_name["power"] == pytest.approx(shunt_v / ohm * bus_v, abs=1.1 * least)
    for block in blocks.values():
        assert block.channel.low <= block.values[0] <= block.channel.high


def test_what_is_read_is_the_mean_over_the_averages() -> None:
    bench = Bench(averages=128)
    bench.chip.shunt_v = lambda at: 0.020 + 0.010 * math.sin(2 * math.pi * 100.0 * at)
    bench.sensor.open()
    assert bench.values()["current"] == pytest.approx(10.0, abs=0.2)


def test_nothing_is_delivered_before_the_first_conversion_has_ended() -> None:
    bench = Bench(averages=256)
    bench.sensor.open()
    assert bench.read(0.5) == {}
    assert set(bench.read(0.1)) == {"voltage", "current", "power"}


@pytest.mark.parametrize("shunt_v", [0.1, -0.1])
def test_beyond_the_shunts_range_it_is_clipped(shunt_v: float) -> None:
    bench = Bench(max_a=None)
    bench.chip.shunt_v = lambda _: shunt_v
    bench.sensor.open()
    current = bench.read()["current"]
    assert current.faults == (
        (Fault.CLIPPED, "i2c-1 address 0x40: the shunt carries more than the chip can see, 40.96 A"),
    )
    assert math.isnan(current.values[0])


def test_an_overflow_is_no_reading() -> None:
    bench = Bench(max_a=8.0)
    bench.chip.shunt_v = lambda _: 0.020
    bench.sensor.open()
    found = bench.read()
    assert found["current"].faults == found["power"].faults
    assert found["current"].faults == (
        (Fault.OUT_OF_RANGE, "i2c-1 address 0x40: arithmetic overflow; max_a is too small"),
    )
    assert not found["voltage"].faults
    bench.chip.shunt_v = lambda _: 0.002
    assert bench.values()["current"] == pytest.approx(1.0, abs=0.001)


def test_a_peak_between_two_readings_is_told_once() -> None:
    bench = Bench(peak_a=20.0, averages=64)
    bench.sensor.open()
    assert bench.values()["over_current"] == 0.0
    peak_s = bench.clock.now_ns / 1e9 + 0.05
    bench.chip.shunt_v = lambda at: 0.050 if abs(at - peak_s) < 0.003 else 0.0
    found = bench.values()
    assert found["over_current"] == 1.0
    assert found["current"] == pytest.approx(0.0, abs=0.01)
    assert bench.values()["over_current"] == 0.0


def test_another_chip_is_named() -> None:
    said = {
        (0x5449, 0x2270): "found manufacturer 0x5449, die 0x2270: an INA260",
        (0x5449, 0x3220): "die 0x3220: an INA3221",
        (0x0000, 0xFFFF): "found manufacturer 0x0000, die 0xFFFF$",
    }
    for ids, words in said.items():
        with pytest.raises(SensorError, match=rf"i2c-1 address 0x40: expected an INA226 .*{words}"):
            Bench(ids=ids).sensor.open()


def test_absent_and_no_bus_are_told() -> None:
    bench = Bench()
    bench.bus.pull(0x40)
    with pytest.raises(SensorError, match="i2c-1 address 0x40: nobody answers"):
        bench.sensor.open()
    with pytest.raises(SensorError, match="/dev/i2c-3"):
        Bench(bus=3).sensor.open()


def test_a_disturbed_transfer_is_repeated_and_a_lasting_disturbance_is_a_fault() -> None:
    bench = Bench()
    bench.sensor.open()
    bench.bus.disturbed = 2
    assert bench.values()["voltage"] == 12.0
    bench.bus.disturbed = 100
    with pytest.raises(SensorError, match="i2c-1 address 0x40"):
        bench.read()
    bench.bus.disturbed = 0
    bench.sensor.open()
    assert bench.values()["voltage"] == 12.0


def test_pulled_and_plugged_in_again_it_recovers() -> None:
    bench = Bench()
    bench.sensor.open()
    bench.bus.pull(0x40)
    with pytest.raises(SensorError, match="nobody answers"):
        bench.read()
    bench.sensor.close()
    bench.chip.power_cycle()
    bench.bus.plug(0x40, bench.chip)
    bench.sensor.open()
    bench.chip.shunt_v = lambda _: 0.020
    assert bench.values()["current"] == pytest.approx(10.0)


def test_a_chip_that_lost_power_is_set_again_and_never_read_as_zero() -> None:
    bench = Bench()
    bench.chip.shunt_v = lambda _: 0.020
    bench.sensor.open()
    bench.read()
    bench.chip.power_cycle()
    assert bench.read() == {}
    assert bench.values()["current"] == pytest.approx(10.0)


def test_a_chip_that_keeps_losing_power_is_a_fault() -> None:
    bench = Bench()
    bench.sensor.open()
    for _ in range(2):
        bench.chip.power_cycle()
        assert bench.read() == {}
    bench.chip.power_cycle()
    with pytest.raises(SensorError, match="keeps losing its settings"):
        bench.read()


def test_a_chip_that_no_longer_converts_is_a_fault() -> None:
    bench = Bench()
    bench.sensor.open()
    bench.read()
    bench.chip.frozen = True
    bench.read()
    assert bench.read() == {}
    with pytest.raises(SensorError, match="no conversion for"):
        bench.read(5.0)


def test_energy_is_integrated_and_kept(tmp_path: Path) -> None:
    bench = Bench(tmp_path, energy=True)
    bench.chip.shunt_v, bench.chip.bus_v = lambda _: 0.020, lambda _: 36.0
    bench.sensor.open()
    for _ in range(101):
        found = bench.values()
    assert found["energy"] == pytest.approx(360.0 * 100 / 3.6e6, rel=1e-3)
    bench.sensor.close()
    bench.clock.step(3600.0)
    bench.sensor.open()
    assert bench.values()["energy"] == pytest.approx(found["energy"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_a": 50.0}, "max_a 50: a shunt of 0.002 ohm ends at 40.96 A"),
        ({"max_a": 1.0}, "max_a 1 is too small for this shunt; at least 2.56"),
        ({"averages": 1024}, "take 2.25 s, longer than every_s 1"),
        ({"conversion_ms": 1.0}, "conversion_ms 1 is none of 0.14, 0.204"),
        ({"peak_a": 60.0}, "peak_a 60 is beyond 40.96 A"),
    ],
)
def test_what_can_never_work_is_refused_before_the_start(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SensorConfigError, match=said):
        Bench(**options)
