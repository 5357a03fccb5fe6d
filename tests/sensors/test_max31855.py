"""MAX31855: its frames, its faults, and what it makes of a thermocouple."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.chip_rig import Bench, ForeignSpi, faults, refused, sentence, values
from support.sensor_contract import SensorCase, SensorContract

from edge.sensors.base import Fault
from edge.sensors.max31855 import RANGES_C, SENSITIVITY_UV_K, Max31855, Max31855Config, decode, linearised_c
from edge.sensors.registry import sensor_type
from edge.sensors.simulation.chips.max31855 import Max31855Chip
from edge.sensors.simulation.chips.max31856 import Max31856Chip
from edge.sensors.simulation.chips.max31865 import Max31865Chip
from edge.sensors.simulation.chips.spi_registers import SpiRegisterChip
from edge.sensors.thermocouple import REFERENCES, ThermocoupleType, temperature_c, voltage_mv


class Board(Bench[Max31855]):
    """One chip that got its power a while ago."""

    def __init__(self, **options: object) -> None:
        super().__init__()
        self.wire = self.buses.wire_spi(0, 1)
        self.chip = Max31855Chip(self.clock)
        self.wire.chip = self.chip
        self.sensor = Max31855(Max31855Config(select=1, **options), self.surroundings)  # type: ignore[arg-type]  # options vary
        self.clock.step(1.0)


class TestContract(SensorContract):
    @pytest.fixture
    def case(self) -> SensorCase:
        return Board(junction=True).case()


def test_is_registered() -> None:
    assert sensor_type("max31855").make is Max31855


@pytest.mark.parametrize(
    ("bits", "celsius"),
    [
        ("01100100000000", 1600.0),
        ("00111110100000", 1000.0),
        ("00000110010011", 100.75),
        ("00000001100100", 25.0),
        ("00000000000000", 0.0),
        ("11111111111111", -0.25),
        ("11111111111100", -1.0),
        ("11110000011000", -250.0),
    ],
)
def test_the_data_sheets_thermocouple_values(bits: str, celsius: float) -> None:
    # 19-5793 revision 5, page 10, table 4.
    assert decode(int(bits, 2) << 18)[0] == celsius


@pytest.mark.parametrize(
    ("bits", "celsius"),
    [
        ("011111110000", 127.0),
        ("011001001001", 100.5625),
        ("000110010000", 25.0),
        ("000000000000", 0.0),
        ("111111111111", -0.0625),
        ("111111110000", -1.0),
        ("111011000000", -20.0),
        ("110010010000", -55.0),
    ],
)
def test_the_data_sheets_junction_values(bits: str, celsius: float) -> None:
    # 19-5793 revision 5, page 10, table 5.
    assert decode(int(bits, 2) << 4)[1] == celsius


@given(st.integers(-0x2000, 0x1FFF), st.integers(-0x800, 0x7FF))
def test_raw_and_values_agree(probe: int, junction: int) -> None:
    assert decode((probe & 0x3FFF) << 18 | (junction & 0xFFF) << 4) == (probe / 4, junction / 16)


@pytest.mark.parametrize("kind", list(RANGES_C))
def test_linearised_it_is_right_over_the_whole_range(kind: ThermocoupleType) -> None:
    bench = Board(thermocouple=kind, junction=True)
    low, high = RANGES_C[kind]
    bench.chip.kind = kind
    bench.sensor.open()
    for junction_c in (0.0, 25.0, 70.0):
        for share in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
            bench.chip.probe_c, bench.chip.junction_c = low + share * (high - low), junction_c
            bench.clock.step(1.0)
            blocks = {block.channel.name: block for block in bench.sensor.read()}
            # A quarter of a kelvin of the chip's straight line is more where the thermocouple gives less.
            step = 0.125 * _slope(kind, bench.chip.probe_c) + 0.05
            at_the_end = blocks["temperature"].faults and share in (0.0, 1.0)
            assert at_the_end or abs(blocks["temperature"].values[0] - bench.chip.probe_c) <= step
            assert blocks["temperature_junction"].values[0] == junction_c


def _slope(kind: ThermocoupleType, celsius: float) -> float:
    low, high = REFERENCES[kind].low_c, REFERENCES[kind].high_c
    a, b = max(celsius - 1.0, low), min(celsius + 1.0, high)
    slope = (voltage_mv(kind, b) - voltage_mv(kind, a)) / (b - a) * 1000.0
    return SENSITIVITY_UV_K[kind] / slope


def test_without_linearising_it_is_the_chips_own_value() -> None:
    bench = Board(linearise=False)
    bench.sensor.open()
    assert values(bench.sensor)["temperature"] == round(bench.chip.linear_c * 4) / 4


def test_at_1000_degrees_the_straight_line_is_right_by_definition() -> None:
    # The constant of type K is its voltage at 1000 °C over 1000: with the junction at 0 °C both agree there.
    assert linearised_c("K", 1000.0, 0.0) == pytest.approx(1000.0, abs=0.02)
    assert linearised_c("K", 25.0, 25.0) == pytest.approx(25.0, abs=1e-5)


@pytest.mark.parametrize(
    ("broken", "fault", "word"),
    [
        ("open", Fault.OPEN, "open"),
        ("shorted_to_ground", Fault.SHORT, "ground"),
        ("shorted_to_supply", Fault.SHORT, "supply"),
    ],
)
def test_every_fault_bit_is_told_and_ends(broken: str, fault: Fault, word: str) -> None:
    bench = Board(junction=True)
    bench.sensor.open()
    setattr(bench.chip, broken, True)
    assert faults(bench.sensor) == {"temperature": [fault], "temperature_junction": []}
    bench.clock.step(1.0)
    assert word in sentence(bench.sensor)
    setattr(bench.chip, broken, False)
    bench.clock.step(1.0)
    assert values(bench.sensor)["temperature"] == pytest.approx(180.0, abs=0.2)


def test_beyond_the_thermocouples_range_is_a_fault() -> None:
    bench = Board(thermocouple="T")
    bench.chip.kind = "T"
    bench.sensor.open()
    bench.chip.probe_c = 420.0
    assert faults(bench.sensor) == {"temperature": [Fault.OUT_OF_RANGE]}


def test_a_silent_line_a_line_at_ground_and_other_chips_are_named() -> None:
    bench = Board()
    bench.wire.chip = None
    with refused("spidev0.1", "MAX31855 expected", "only ones", "chip select"):
        bench.sensor.open()
    bench.wire.floating = 0x00
    with refused("spidev0.1", "only zeros"):
        bench.sensor.open()
    bench.wire.chip = ForeignSpi("0c80ffff")
    with refused("MAX6675", "0C 80 FF FF"):
        bench.sensor.open()
    for frame in ("06421900", "06401908", "06411900", "06401901"):
        bench.wire.chip = ForeignSpi(frame)
        with refused("spidev0.1", "none of its frames"):
            bench.sensor.open()


def test_a_bus_that_is_switched_off_is_told() -> None:
    with refused("/dev/spidev3.1", "switch it on"):
        Board(bus=3).sensor.open()


@pytest.mark.parametrize("kind", [Max31856Chip, Max31865Chip])
def test_the_other_chips_of_the_family_are_named(kind: type[SpiRegisterChip]) -> None:
    bench = Board()
    bench.wire.chip = kind(bench.clock)  # type: ignore[arg-type]  # both take a clock
    name = kind.__name__[:8]
    with refused("spidev0.1", f"looks like a {name.upper()}, sensor type {name.lower()}"):
        bench.sensor.open()


def test_just_after_power_on_there_is_no_reading() -> None:
    bench = Board()
    bench.chip.power_up()
    with refused("only zeros"):
        bench.sensor.open()
    bench.clock.step(0.3)
    bench.sensor.open()
    assert values(bench.sensor)["temperature"] == pytest.approx(180.0, abs=0.2)


def test_one_disturbed_transfer_is_not_seen_three_are_a_fault_that_ends() -> None:
    bench = Board()
    feed = bench.feed(bench.sensor)
    bench.wire.disturbed = 2
    assert not bench.later(feed).error
    bench.wire.disturbed = 3
    assert "spidev0.1" in (bench.later(feed).error or "")
    assert bench.later(feed).blocks


def test_pulled_and_plugged_in_again() -> None:
    bench = Board()
    feed = bench.feed(bench.sensor)
    assert bench.later(feed).blocks
    bench.wire.chip = None
    assert "only ones" in (bench.later(feed).error or "")
    bench.wire.chip = bench.chip
    assert bench.later(feed, 60.0).blocks


def test_options_of_the_bus_reach_it() -> None:
    bench = Board(max_hz=100_000)
    bench.sensor.open()
    assert (bench.wire.mode, bench.wire.max_hz) == (0, 100_000)


@pytest.mark.parametrize(
    ("kind", "celsius", "millivolts"),
    [
        ("K", -200, -5.891),
        ("K", 25, 1.000),
        ("K", 500, 20.644),
        ("K", 1372, 54.886),
        ("J", -210, -8.095),
        ("J", 1200, 69.553),
        ("N", -200, -3.990),
        ("N", 1300, 47.513),
        ("T", -200, -5.603),
        ("T", 400, 20.872),
        ("E", -200, -8.825),
        ("E", 1000, 76.373),
        ("R", 1000, 10.506),
        ("R", 1768, 21.101),
        ("S", 1000, 9.587),
        ("S", 1768, 18.693),
    ],
)
def test_its_90_tables(kind: ThermocoupleType, celsius: float, millivolts: float) -> None:
    # NIST Monograph 175, reference tables, in steps of 0.001 mV.
    assert voltage_mv(kind, celsius) == pytest.approx(millivolts, abs=0.0006)
    assert temperature_c(kind, voltage_mv(kind, celsius)) == pytest.approx(celsius, abs=1e-3)


@given(st.sampled_from(list(REFERENCES)), st.floats(0.0, 1.0))
def test_voltage_and_temperature_are_each_others_inverse(kind: ThermocoupleType, share: float) -> None:
    low, high = max(REFERENCES[kind].low_c, -200.0), REFERENCES[kind].high_c
    celsius = low + share * (high - low)
    assert temperature_c(kind, voltage_mv(kind, celsius)) == pytest.approx(celsius, abs=0.02)
