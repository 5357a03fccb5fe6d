"""MAX31856: settings, conversions by the clock, latched faults, and an open circuit that is found only once in a while."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.chip_rig import Bench, ForeignSpi, faults, refused, sentence, values
from support.sensor_contract import SensorCase, SensorContract

from edge.sensors.base import Fault
from edge.sensors.max31856 import RANGES_C, TYPES, Max31856, Max31856Config, decode
from edge.sensors.registry import sensor_type
from edge.sensors.simulation.chips.max31856 import Max31856Chip
from edge.sensors.simulation.chips.max31865 import Max31865Chip


class Board(Bench[Max31856]):
    """One chip on its chip select."""

    SETTLE_S = 10.0

    def __init__(self, **options: object) -> None:
        super().__init__()
        self.wire = self.buses.wire_spi(1, 0)
        self.chip = Max31856Chip(self.clock)
        self.wire.chip = self.chip
        self.sensor = Max31856(Max31856Config(bus=1, **options), self.surroundings)  # type: ignore[arg-type]  # options vary


class TestContract(SensorContract):
    @pytest.fixture
    def case(self) -> SensorCase:
        return Board(junction=True).case()


def test_is_registered() -> None:
    assert sensor_type("max31856").make is Max31856


@pytest.mark.parametrize(
    ("bits", "celsius"),
    [
        ("0110010000000000000", 1600.0),
        ("0011111010000000000", 1000.0),
        ("0000011001001111000", 100.9375),
        ("0000000110010000000", 25.0),
        ("0000000000000001000", 0.0625),
        ("0000000000000000000", 0.0),
        ("1111111111111111000", -0.0625),
        ("1111111111111100000", -0.25),
        ("1111111111110000000", -1.0),
        ("1111000001100000000", -250.0),
    ],
)
def test_the_data_sheets_thermocouple_values(bits: str, celsius: float) -> None:
    # 19-7534, "Linearized TC Temperature" examples: 19 bits of 2^-7 °C, left-justified in 24.
    assert decode(bytes(2) + (int(bits, 2) << 5).to_bytes(3, "big"))[0] == celsius


@pytest.mark.parametrize(("word", "celsius"), [(0x7F00, 127.0), (0x1900, 25.0), (0x0004, 0.015625), (0xC900, -55.0)])
def test_junction_values(word: int, celsius: float) -> None:
    assert decode(word.to_bytes(2, "big") + bytes(3))[1] == celsius


@given(st.integers(-(1 << 18), (1 << 18) - 1), st.integers(-(1 << 13), (1 << 13) - 1))
def test_raw_and_values_agree(probe: int, junction: int) -> None:
    results = (junction << 2 & 0xFFFF).to_bytes(2, "big") + (probe << 5 & 0xFFFFFF).to_bytes(3, "big")
    assert decode(results) == (probe / 128, junction / 64)


def test_settings_are_what_the_options_say() -> None:
    bench = Board(thermocouple="J", mains_hz=60, average=16, max_hz=200_000)
    bench.sensor.open()
    # CR0: automatic, open-circuit test, interrupt mode, 60 Hz; CR1: 16 samples, type J.
    assert bytes(bench.chip.memory[:2]) == bytes([0x94, 0x42])
    assert (bench.wire.mode, bench.wire.max_hz) == (1, 200_000)
    bench = Board()
    bench.sensor.open()
    assert bytes(bench.chip.memory[:2]) == bytes([0x95, 0x13])


@pytest.mark.parametrize("kind", list(TYPES))
def test_every_type_reads_both_ends_of_its_range(kind: str) -> None:
    low, high = RANGES_C[kind]  # type: ignore[index]  # one of its keys
    bench = Board(thermocouple=kind)
    sensor = bench.opened()
    for celsius in (low, high):
        bench.chip.probe_c = celsius
        bench.clock.step(2.0)
        assert values(sensor) == {"temperature": celsius}
    bench.chip.probe_c = high + 5.0
    bench.clock.step(2.0)
    assert faults(sensor) == {"temperature": [Fault.OUT_OF_RANGE]}


def test_nothing_is_read_before_the_first_conversion_and_test() -> None:
    bench = Board()
    bench.sensor.open()
    assert bench.sensor.read() == []
    bench.clock.step(0.1)
    assert bench.sensor.read() == []
    bench.clock.step(3.0)
    assert values(bench.sensor) == {"temperature": 180.0}


def test_an_open_thermocouple_is_never_a_reading() -> None:
    bench = Board()
    bench.chip.open = True
    sensor = bench.opened()
    for _ in range(20):
        assert faults(sensor) == {"temperature": [Fault.OPEN]}
        bench.clock.step(1.0)
    bench.chip.open = False
    bench.clock.step(10.0)
    sensor.read()
    bench.clock.step(10.0)
    assert values(sensor) == {"temperature": 180.0}


def test_a_fault_between_two_readings_is_told_once_and_cleared() -> None:
    bench = Board(every_s=5.0)
    sensor = bench.opened()
    sensor.read()
    bench.chip.overvoltage = True
    bench.clock.step(1.0)
    bench.chip.transfer(bytes(2))
    bench.chip.overvoltage = False
    bench.clock.step(4.0)
    assert "touches another line" in sentence(sensor)
    bench.clock.step(5.0)
    assert values(sensor) == {"temperature": 180.0}


@pytest.mark.parametrize(
    ("bit", "probe", "junction"),
    [
        (0x01, [Fault.OPEN], []),
        (0x02, [Fault.SHORT], []),
        (0x04, [Fault.OUT_OF_RANGE], []),
        (0x08, [Fault.OUT_OF_RANGE], []),
        (0x10, [Fault.OUT_OF_RANGE], [Fault.OUT_OF_RANGE]),
        (0x20, [Fault.OUT_OF_RANGE], [Fault.OUT_OF_RANGE]),
        (0x40, [Fault.OUT_OF_RANGE], []),
        (0x80, [Fault.OUT_OF_RANGE], [Fault.OUT_OF_RANGE]),
    ],
)
def test_every_fault_bit(bit: int, probe: list[Fault], junction: list[Fault]) -> None:
    bench = Board(junction=True)
    sensor = bench.opened()
    bench.chip.memory[0x0F] = bit
    assert faults(sensor) == {"temperature": probe, "temperature_junction": junction}
    assert bench.chip.memory[0x0F] == 0, "it is cleared"
    bench.clock.step(10.0)
    assert values(sensor) == {"temperature": 180.0, "temperature_junction": 25.0}


def test_a_junction_out_of_range_spoils_both() -> None:
    bench = Board(junction=True)
    bench.chip.junction_c = 127.0
    assert faults(bench.opened()) == {
        "temperature": [Fault.OUT_OF_RANGE],
        "temperature_junction": [Fault.OUT_OF_RANGE],
    }


def test_a_silent_line_and_another_chip_are_named() -> None:
    bench = Board()
    bench.wire.chip = None
    with refused("spidev1.0", "MAX31856 expected", "only ones"):
        bench.sensor.open()
    bench.wire.floating = 0
    with refused("spidev1.0", "only zeros"):
        bench.sensor.open()
    bench.wire.chip = ForeignSpi("0c801900")
    with refused("spidev1.0", "MAX31856 expected", "wrote 15 13 FF", "read back 80 19 00"):
        bench.sensor.open()


def test_the_other_chip_of_the_family_is_named() -> None:
    bench = Board()
    bench.wire.chip = Max31865Chip(bench.clock)
    with refused("MAX31856 expected", "looks like a MAX31865, sensor type max31865"):
        bench.sensor.open()


def test_a_loss_of_power_is_noticed_and_it_is_set_up_again() -> None:
    bench = Board()
    feed = bench.feed(bench.sensor)
    assert bench.later(feed, 5.0).blocks[0].values[0] == 180.0
    bench.chip.reset()
    error = bench.later(feed).error
    assert error is not None
    assert "lost its settings" in error
    assert "00 03 FF 7F C0" in error
    assert not bench.later(feed).error
    assert bench.later(feed, 5.0).blocks[0].values[0] == 180.0


def test_one_disturbed_transfer_is_not_seen_three_are_a_fault_that_ends() -> None:
    bench = Board()
    feed = bench.feed(bench.sensor)
    bench.clock.step(5.0)
    bench.wire.disturbed = 2
    assert bench.later(feed).blocks
    bench.wire.disturbed = 3
    assert "spidev1.0" in (bench.later(feed).error or "")
    bench.later(feed)
    assert bench.later(feed, 5.0).blocks


def test_pulled_and_plugged_in_again() -> None:
    bench = Board()
    feed = bench.feed(bench.sensor)
    assert bench.later(feed, 5.0).blocks
    bench.wire.chip = None
    assert "only ones" in (bench.later(feed).error or "")
    assert "only ones" in (bench.later(feed, 60.0).error or "")
    bench.chip.reset()
    bench.wire.chip = bench.chip
    bench.later(feed, 60.0)
    assert bench.later(feed, 5.0).blocks[0].values[0] == 180.0
