"""SHT3x: measures by itself, is fetched without waiting, and says when it lost its power."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.chip_rig import Bench, ForeignI2c, refused, values
from support.sensor_contract import SensorCase, SensorContract

from edge.sensors.base import SensorError
from edge.sensors.crc8 import sensirion_crc
from edge.sensors.registry import sensor_type
from edge.sensors.sht31 import Sht31, Sht31Config, humidity_percent, temperature_c
from edge.sensors.simulation.chips.sht31 import Sht31Chip


class Board(Bench[Sht31]):
    """One chip at 0x44."""

    SETTLE_S = 2.5

    def __init__(self, pace: float = 1.0, **options: object) -> None:
        super().__init__()
        self.wire = self.buses.wire_i2c(1)
        self.chip = Sht31Chip(self.clock, pace=pace)
        self.wire.plug(0x44, self.chip)
        config = Sht31Config(**options)  # type: ignore[arg-type]  # options vary
        self.sensor = Sht31(config, self.surroundings, sleep=self.clock.step)


class TestContract(SensorContract):
    @pytest.fixture
    def case(self) -> SensorCase:
        return Board().case()


def test_is_registered() -> None:
    assert sensor_type("sht31").make is Sht31


def test_the_data_sheets_check_code() -> None:
    # SHT3x-DIS version 5, page 14, table 20.
    assert sensirion_crc(bytes.fromhex("beef")) == 0x92


@pytest.mark.parametrize(
    ("word", "celsius", "percent"), [(0, -45.0, 0.0), (0xFFFF, 130.0, 100.0), (0x6666, 25.0, 40.0)]
)
def test_conversion(word: int, celsius: float, percent: float) -> None:
    # SHT3x-DIS version 5, page 14, 4.13.
    assert temperature_c(word) == pytest.approx(celsius, abs=1e-9)
    assert humidity_percent(word) == pytest.approx(percent, abs=1e-9)


@given(st.integers(0, 0xFFFF))
def test_raw_and_values_agree(word: int) -> None:
    assert round((temperature_c(word) + 45.0) / 175.0 * 65535) == word
    assert round(humidity_percent(word) / 100.0 * 65535) == word


@pytest.mark.parametrize(("celsius", "humidity"), [(-40.0, 0.0), (-0.5, 10.0), (32.0, 78.0), (125.0, 100.0)])
def test_values(celsius: float, humidity: float) -> None:
    bench = Board()
    bench.chip.celsius, bench.chip.humidity = celsius, humidity
    assert values(bench.opened()) == {
        "temperature": pytest.approx(celsius, abs=0.0014),
        "humidity": pytest.approx(humidity, abs=0.0008),
    }


@pytest.mark.parametrize("every_s", [0.2, 0.5, 1.0, 2.0, 5.0, 60.0])
@pytest.mark.parametrize("pace", [0.9, 1.0, 1.1])
def test_each_reading_is_a_new_one_at_every_pace(every_s: float, pace: float) -> None:
    bench = Board(pace, every_s=every_s)
    bench.sensor.open()
    bench.clock.step(3.0)
    bench.sensor.read()
    for number in range(20):
        bench.chip.celsius = 20.0 + number
        bench.clock.step(every_s)
        # The chip may be a measurement behind, never more.
        assert values(bench.sensor)["temperature"] in (
            pytest.approx(20.0 + number, abs=0.01),
            pytest.approx(19.0 + number, abs=0.01),
        )


def test_it_never_waits_for_a_measurement() -> None:
    bench = Board()
    before = bench.clock()
    bench.sensor.open()
    assert bench.clock() - before < 10_000_000
    assert bench.sensor.read() == []
    bench.clock.step(0.012)
    assert bench.sensor.read() == []
    bench.clock.step(0.02)
    assert bench.sensor.read()


def test_the_heater_is_switched_off() -> None:
    bench = Board()
    bench.chip.exchange(b"\x30\x6d", 0)
    sensor = bench.opened()
    assert not bench.chip.status & 0x2000
    bench.chip.exchange(b"\x30\x6d", 0)
    with refused("the heater of the SHT3x is on"):
        sensor.read()


def test_a_chip_left_measuring_by_somebody_else_is_taken_over() -> None:
    bench = Board()
    bench.chip.exchange(b"\x27\x37", 0)
    bench.chip.exchange(b"\x30\x41", 0)
    assert values(bench.opened())


def test_a_loss_of_power_is_noticed_and_it_is_set_up_again() -> None:
    bench = Board()
    feed = bench.feed(bench.sensor)
    assert bench.later(feed).blocks
    bench.chip.reset()
    assert "was reset, as after a loss of power" in (bench.later(feed).error or "")
    bench.later(feed)
    assert bench.later(feed, 3.0).blocks


def test_a_chip_that_no_longer_measures_is_a_fault() -> None:
    bench = Board()
    sensor = bench.opened()
    sensor.read()
    bench.chip.exchange(b"\x30\x93", 0)
    bench.clock.step(3.0)
    assert sensor.read() == []
    bench.clock.step(6.0)
    with refused("no longer measures, nothing new for 9.0 s"):
        sensor.read()


def test_nobody_there_says_bus_and_address() -> None:
    bench = Board(address=0x45)
    with refused("i2c-1", "0x45", "nobody answers"):
        bench.sensor.open()


def test_other_chips_there_are_told() -> None:
    bench = Board()
    bench.wire.plug(0x44, ForeignI2c(bytes(3)))
    with refused("i2c-1 address 0x44", "no SHT3x", "00 00 should be followed by 81"):
        bench.sensor.open()
    bench.wire.plug(0x44, ForeignI2c(bytes.fromhex("000081")))
    with refused("after a reset its status is", "bit 4 is not set"):
        bench.sensor.open()


def test_a_chip_that_another_driver_knows_is_named() -> None:
    class Ina226(ForeignI2c):
        def read(self, register: int, count: int) -> bytes:
            return {0xFE: b"TI", 0xFF: b"\x22\x60"}.get(register, bytes(2))[:count]

    bench = Board()
    bench.wire.plug(0x44, Ina226(bytes(3)))
    with refused("no SHT3x", "it is an INA226, sensor type ina226"):
        bench.sensor.open()


def test_a_chip_that_refuses_commands_is_told() -> None:
    class Deaf(Sht31Chip):
        def exchange(self, out: bytes, count: int) -> bytes:
            return super().exchange(b"\xff\xff" if out == b"\x30\x41" else out, count)

    bench = Board()
    bench.wire.plug(0x44, Deaf(bench.clock))
    with refused("does not take commands"):
        bench.sensor.open()


@pytest.mark.parametrize("how", ["disturbed", "damage"])
def test_two_bad_transfers_are_not_seen_three_are_a_fault_that_ends(how: str) -> None:
    bench = Board()
    feed = bench.feed(bench.sensor)
    bench.clock.step(3.0)
    there = bench.wire if how == "disturbed" else bench.chip
    setattr(there, how, 2)
    assert bench.later(feed).blocks
    setattr(there, how, 3)
    assert "i2c-1 address 0x44" in (bench.later(feed).error or "")
    bench.later(feed)
    assert bench.later(feed, 3.0).blocks


def test_pulled_and_plugged_in_again() -> None:
    bench = Board()
    feed = bench.feed(bench.sensor)
    assert bench.later(feed).blocks
    bench.wire.pull(0x44)
    assert "nobody answers" in (bench.later(feed).error or "")
    bench.chip.reset()
    bench.wire.plug(0x44, bench.chip)
    bench.later(feed, 60.0)
    assert bench.later(feed, 3.0).blocks


def test_closed_it_cannot_be_read() -> None:
    bench = Board()
    bench.opened().close()
    with pytest.raises(SensorError):
        bench.sensor.read()
