"""MAX31865: platinum by the formulas, what is wrong with its wires, settings that get lost."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.chip_rig import Bench, ForeignSpi, faults, refused, sentence, values
from support.sensor_contract import SensorCase, SensorContract

from edge.sensors.base import Fault, SensorConfigError
from edge.sensors.max31865 import Max31865, Max31865Config
from edge.sensors.registry import sensor_type
from edge.sensors.rtd import resistance_ohm, temperature_c
from edge.sensors.simulation.chips.max31856 import Max31856Chip
from edge.sensors.simulation.chips.max31865 import Max31865Chip


class Board(Bench[Max31865]):
    """One chip with an element on it."""

    def __init__(self, celsius: float = 20.0, nominal_ohm: float = 100.0, **options: object) -> None:
        super().__init__()
        self.wire = self.buses.wire_spi(0, 0)
        self.chip = Max31865Chip(self.clock, celsius, nominal_ohm, reference_ohm=4.3 * nominal_ohm)
        self.wire.chip = self.chip
        config = Max31865Config(**options)  # type: ignore[arg-type]  # options vary
        self.sensor = Max31865(config, self.surroundings, sleep=self.clock.step)


class TestContract(SensorContract):
    @pytest.fixture
    def case(self) -> SensorCase:
        return Board().case()


def test_is_registered() -> None:
    assert sensor_type("max31865").make is Max31865


@pytest.mark.parametrize(
    ("celsius", "ohm"),
    [
        (-200, 18.52),
        (-100, 60.26),
        (-50, 80.31),
        (0, 100.00),
        (25, 109.73),
        (100, 138.51),
        (200, 175.86),
        (500, 280.98),
        (850, 390.48),
    ],
)
def test_iec_60751_table(celsius: float, ohm: float) -> None:
    assert resistance_ohm(100.0, celsius) == pytest.approx(ohm, abs=0.005)
    assert temperature_c(100.0, ohm) == pytest.approx(celsius, abs=0.02)
    assert temperature_c(1000.0, 10 * ohm) == pytest.approx(celsius, abs=0.02)


@given(st.floats(-200.0, 850.0), st.sampled_from([100.0, 1000.0]))
def test_resistance_and_temperature_are_each_others_inverse(celsius: float, nominal_ohm: float) -> None:
    assert temperature_c(nominal_ohm, resistance_ohm(nominal_ohm, celsius)) == pytest.approx(celsius, abs=1e-6)


@pytest.mark.parametrize("ohm", [0.0, 9.0, 420.0, 1e9])
def test_no_element_has_such_a_resistance(ohm: float) -> None:
    with pytest.raises(ValueError, match="outside of -200 to 850"):
        temperature_c(100.0, ohm)


@pytest.mark.parametrize(("element", "nominal_ohm"), [("PT100", 100.0), ("PT1000", 1000.0)])
@pytest.mark.parametrize("celsius", [-200.0, -40.0, 0.0, 100.0, 230.0, 850.0])
def test_values_over_the_whole_range(element: str, nominal_ohm: float, celsius: float) -> None:
    bench = Board(celsius, nominal_ohm, element=element)
    assert values(bench.opened())["temperature"] == pytest.approx(celsius, abs=0.03)


def test_a_code_by_hand() -> None:
    # 19-6478, page 14, table 5: 0x2000 is a quarter of the reference; 107.5 Ω of 430 Ω are 19.26 °C of a PT100.
    bench = Board()
    bench.chip.ohm = 107.5
    sensor = bench.opened()
    assert values(sensor)["temperature"] == pytest.approx((107.5 / 100 - 1) / 0.0039083 * 1.0028, abs=0.01)
    assert int.from_bytes(bench.chip.memory[1:3], "big") >> 1 == 0x2000


def test_settings_are_what_the_options_say() -> None:
    bench = Board(wires=3, mains_hz=50)
    bench.sensor.open()
    assert bench.chip.memory[0] == 0xD1
    assert bench.wire.mode == 1
    bench = Board(wires=4, mains_hz=60)
    bench.sensor.open()
    assert bench.chip.memory[0] == 0xC0
    # Limits: 390.48 Ω and 18.52 Ω of 430 Ω in 15 bits, two steps beyond, left-justified.
    high, low = (int.from_bytes(bench.chip.memory[place : place + 2], "big") for place in (3, 5))
    assert (high >> 1, low >> 1) == (29758, 1409)


def test_two_wires_are_subtracted() -> None:
    bench = Board(wires=2, lead_ohm=0.6)
    bench.chip.ohm = resistance_ohm(100.0, 180.0) + 0.6
    assert values(bench.opened())["temperature"] == pytest.approx(180.0, abs=0.03)


def test_options_that_can_never_work() -> None:
    with pytest.raises(SensorConfigError, match="430 is too small for a PT1000"):
        Board(element="PT1000", reference_ohm=430.0)
    with pytest.raises(SensorConfigError, match="lead_ohm is for two wires"):
        Board(wires=3, lead_ohm=0.5)


def test_a_small_reference_ends_the_range_early() -> None:
    (channel,) = Board(reference_ohm=200.0).sensor.channels
    assert channel.high == pytest.approx(266.3, abs=0.3)
    assert channel.resolution == pytest.approx(0.0156, abs=1e-4)


@pytest.mark.parametrize(
    ("broken", "value", "fault", "word"),
    [
        ("ohm", math.inf, Fault.OPEN, "element is open"),
        ("ohm", 0.0, Fault.SHORT, "shorted"),
        ("refin_high", True, Fault.OPEN, "REFIN- is too high"),
        ("refin_low", True, Fault.SHORT, "REFIN- is too low"),
        ("rtdin_low", True, Fault.SHORT, "RTDIN- is too low"),
        ("overvoltage", True, Fault.SHORT, "above the supply or below ground"),
    ],
)
def test_every_fault_bit_is_told_at_the_start_and_while_it_runs_and_ends(
    broken: str,
    value: object,
    fault: Fault,
    word: str,
) -> None:
    bench = Board()
    sound = getattr(bench.chip, broken)
    setattr(bench.chip, broken, value)
    sensor = bench.opened()
    assert faults(sensor) == {"temperature": [fault]}
    bench.clock.step(1.0)
    assert word in sentence(sensor)
    setattr(bench.chip, broken, sound)
    bench.clock.step(1.0)
    sensor.read()
    bench.clock.step(1.0)
    assert values(sensor)["temperature"] == pytest.approx(20.0, abs=0.03)
    setattr(bench.chip, broken, value)
    for _ in range(700):  # shorts that look like readings are found by a cycle every ten minutes
        bench.clock.step(1.0)
        blocks = sensor.read()
        if blocks and blocks[0].faults:
            break
    assert blocks[0].faults[0][0] is fault


def test_a_fault_from_before_the_start_is_forgotten() -> None:
    bench = Board()
    bench.chip.memory[7], bench.chip.memory[2] = 0x04, 0x01
    assert values(bench.opened())["temperature"] == pytest.approx(20.0, abs=0.03)


def test_nothing_is_read_before_the_first_conversion() -> None:
    bench = Board()
    bench.sensor.open()
    assert bench.sensor.read() == []
    bench.clock.step(0.1)
    assert bench.sensor.read()


def test_opening_takes_some_milliseconds_only() -> None:
    bench = Board()
    before = bench.clock()
    bench.sensor.open()
    assert bench.clock() - before < 20_000_000


def test_a_silent_line_and_another_chip_are_named() -> None:
    bench = Board()
    bench.wire.chip = None
    with refused("spidev0.0", "MAX31865 expected", "only ones"):
        bench.sensor.open()
    bench.wire.floating = 0
    with refused("spidev0.0", "only zeros"):
        bench.sensor.open()
    bench.wire.chip = ForeignSpi("0c801900")
    with refused("spidev0.0", "MAX31865 expected", "read back 80"):
        bench.sensor.open()


def test_the_other_chip_of_the_family_is_named() -> None:
    bench = Board()
    bench.wire.chip = Max31856Chip(bench.clock)
    with refused("MAX31865 expected", "looks like a MAX31856, sensor type max31856"):
        bench.sensor.open()


def test_a_loss_of_power_is_noticed_and_it_is_set_up_again() -> None:
    bench = Board(150.0)
    feed = bench.feed(bench.sensor)
    assert bench.later(feed).blocks
    bench.chip.reset()
    error = bench.later(feed).error
    assert error is not None
    assert "lost its settings" in error
    bench.later(feed)
    assert bench.later(feed).blocks[0].values[0] == pytest.approx(150.0, abs=0.03)


def test_a_cycle_that_never_ends_is_a_fault() -> None:
    bench = Board()
    write = bench.chip.write

    def stuck(register: int, value: int) -> None:
        write(register, value)
        bench.chip._cycle_ns = None

    bench.chip.write = stuck  # type: ignore[method-assign]  # the chip hangs
    with refused("does not end its fault detection cycle"):
        bench.sensor.open()


def test_one_disturbed_transfer_is_not_seen_three_are_a_fault_that_ends() -> None:
    bench = Board()
    feed = bench.feed(bench.sensor)
    bench.wire.disturbed = 2
    assert bench.later(feed).blocks
    bench.wire.disturbed = 3
    assert "spidev0.0" in (bench.later(feed).error or "")
    bench.later(feed)
    assert bench.later(feed).blocks


def test_pulled_and_plugged_in_again() -> None:
    bench = Board(150.0)
    feed = bench.feed(bench.sensor)
    assert bench.later(feed).blocks
    bench.wire.chip = None
    assert "only ones" in (bench.later(feed).error or "")
    bench.chip.reset()
    bench.wire.chip = bench.chip
    bench.later(feed, 60.0)
    assert bench.later(feed).blocks[0].values[0] == pytest.approx(150.0, abs=0.03)
