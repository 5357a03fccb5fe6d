"""MLX90614: check codes, its error flag, and emissivity without writing to the chip."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.chip_rig import Bench, ForeignI2c, faults, refused, sentence, values
from support.sensor_contract import SensorCase, SensorContract

from edge.sensors.base import Fault
from edge.sensors.crc8 import smbus_pec
from edge.sensors.mlx90614 import Mlx90614, Mlx90614Config, celsius, corrected_c
from edge.sensors.registry import sensor_type
from edge.sensors.simulation.chips.mlx90614 import Mlx90614Chip
from edge.sensors.simulation.chips.sht31 import Sht31Chip


class Board(Bench[Mlx90614]):
    """One chip at 0x5A."""

    def __init__(self, chip: Mlx90614Chip | None = None, **options: object) -> None:
        super().__init__()
        self.wire = self.buses.wire_i2c(1)
        self.chip = chip or Mlx90614Chip()
        self.wire.plug(0x5A, self.chip)
        self.sensor = Mlx90614(Mlx90614Config(**options), self.surroundings)  # type: ignore[arg-type]  # options vary


class TestContract(SensorContract):
    @pytest.fixture
    def case(self) -> SensorCase:
        return Board().case()


def test_is_registered() -> None:
    assert sensor_type("mlx90614").make is Mlx90614


def test_the_application_notes_check_codes() -> None:
    # 390119061402, page 19: erasing and writing cell 0x0E at address 0x00 end with 6F and E1.
    assert smbus_pec([0x00, 0x2E, 0x00, 0x00]) == 0x6F
    assert smbus_pec([0x00, 0x2E, 0x5A, 0x00]) == 0xE1


@pytest.mark.parametrize(("raw", "value"), [(0x27AD, -70.01), (0x7FFF, 382.19), (0x3AF7, 28.75)])
def test_the_application_notes_temperatures(raw: int, value: float) -> None:
    # 390119061402, page 14, gives both ends; 0x3AF7 is the data sheet's example of a word.
    assert celsius(raw) == pytest.approx(value, abs=0.006)


@given(st.integers(0x27AD, 0x7FFF))
def test_raw_and_value_agree(raw: int) -> None:
    assert round((celsius(raw) + 273.15) / 0.02) == raw


def test_object_and_ambient() -> None:
    bench = Board()
    read = values(bench.opened())
    assert read == {
        "surface_temperature": pytest.approx(80.0, abs=0.011),
        "surface_temperature_ambient": pytest.approx(25.0, abs=0.011),
    }
    alone = Board(ambient=False, channel="crust")
    assert list(values(alone.opened())) == ["crust"]


@pytest.mark.parametrize("object_c", [-69.0, -20.0, 0.0, 25.0, 100.0, 230.0, 381.0])
def test_the_object_over_its_range(object_c: float) -> None:
    bench = Board(Mlx90614Chip(object_c))
    assert values(bench.opened())["surface_temperature"] == pytest.approx(object_c, abs=0.011)


@pytest.mark.parametrize("emissivity", [0.95, 0.8, 0.3])
@pytest.mark.parametrize("object_c", [40.0, 98.0, 210.0])
def test_emissivity_is_calculated_here_and_never_written(emissivity: float, object_c: float) -> None:
    chip = Mlx90614Chip(object_c, emissivity=emissivity)
    bench = Board(chip, emissivity=emissivity)
    # The smaller the signal, the more a step of 0.02 K means.
    assert values(bench.opened())["surface_temperature"] == pytest.approx(object_c, abs=0.02 / emissivity)
    assert chip.written == 0


def test_what_the_chip_already_corrects_is_not_corrected_again() -> None:
    chip = Mlx90614Chip(98.0, emissivity=0.95)
    chip.eeprom[0x04] = round(0.95 * 65535)
    assert values(Board(chip).opened())["surface_temperature"] == pytest.approx(98.0, abs=0.02)
    bench = Board(chip, emissivity=0.95)
    assert values(bench.opened())["surface_temperature"] == pytest.approx(98.0, abs=0.03)


def test_the_range_follows_the_emissivity() -> None:
    plain, low = Board().sensor.channels[0], Board(emissivity=0.5).sensor.channels[0]
    assert plain.low == pytest.approx(-70.01, abs=0.01)
    assert plain.high == pytest.approx(382.19, abs=0.01)
    assert low.high > 450.0
    assert corrected_c(-70.0, 125.0, 1.0, 0.1) is None


def test_less_radiation_than_any_temperature_gives_is_a_fault() -> None:
    bench = Board(Mlx90614Chip(-60.0, ambient_c=60.0), emissivity=0.1)
    assert "is it the right one?" in sentence(bench.opened())


def test_the_chips_error_flag_is_a_fault_that_ends() -> None:
    bench = Board()
    bench.chip.error = True
    sensor = bench.opened()
    assert faults(sensor) == {"surface_temperature": [Fault.NO_DATA], "surface_temperature_ambient": [Fault.NO_DATA]}
    bench.chip.error = False
    bench.clock.step(1.0)
    assert values(sensor)


@pytest.mark.parametrize("emissivity", [None, 0.95])
def test_values_out_of_range_are_faults(emissivity: float | None) -> None:
    bench = Board(Mlx90614Chip(60.0, ambient_c=130.0), emissivity=emissivity)
    found = faults(bench.opened())
    assert found["surface_temperature_ambient"] == [Fault.OUT_OF_RANGE]
    bench = Board(Mlx90614Chip(-80.0))
    assert faults(bench.opened())["surface_temperature"] == [Fault.OUT_OF_RANGE]


def test_a_chip_that_just_got_its_power_is_given_time() -> None:
    bench = Board()
    bench.sensor.open()
    assert bench.sensor.read() == []
    bench.clock.step(0.7)
    assert bench.sensor.read()


def test_nobody_there_says_bus_and_address() -> None:
    bench = Board()
    bench.wire.pull(0x5A)
    with refused("i2c-1", "0x5A", "nobody answers"):
        bench.sensor.open()
    with refused("/dev/i2c-3"):
        Board(bus=3).sensor.open()


def test_another_chip_there_is_told() -> None:
    other = ForeignI2c(bytes.fromhex("2e1234"))
    bench = Board()
    bench.wire.plug(0x5A, other)
    with refused("i2c-1 address 0x5A", "no MLX90614", "2E 12 34"):
        bench.sensor.open()
    assert not other.written
    wrong = Mlx90614Chip()
    answers = wrong.read
    wrong.read = lambda register, count: answers(0x25 if register == 0x2E else register, count)  # type: ignore[method-assign]  # another map
    damaged = Board(wrong)
    with refused("should end with the check code"):
        damaged.sensor.open()


def test_a_chip_that_another_driver_knows_is_named() -> None:
    class Acknowledges(Sht31Chip):
        def read(self, register: int, count: int) -> bytes:
            return bytes([register] * count)

    bench = Board(address=0x44)
    bench.wire.plug(0x44, Acknowledges(bench.clock))
    with refused("no MLX90614", "it is an SHT3x, sensor type sht31"):
        bench.sensor.open()


def test_the_chip_knows_its_own_address() -> None:
    class Elsewhere(Mlx90614Chip):
        def read(self, register: int, count: int) -> bytes:
            word = 0xBE2A if register == 0x2E else 0xFFFF
            data = word.to_bytes(2, "little")
            return (data + bytes([smbus_pec([0xB4, register, 0xB5, *data])]))[:count]

    bench = Board(Elsewhere())
    with refused("its own address 0x5A", "found 0x2A"):
        bench.sensor.open()


def test_a_chip_without_emissivity_is_damaged() -> None:
    chip = Mlx90614Chip()
    chip.eeprom[0x04] = 0
    with refused("emissivity of 0"):
        Board(chip).sensor.open()


@pytest.mark.parametrize("how", ["disturbed", "damage"])
def test_two_bad_transfers_are_not_seen_three_are_a_fault_that_ends(how: str) -> None:
    bench = Board()
    feed = bench.feed(bench.sensor)
    there = bench.wire if how == "disturbed" else bench.chip
    setattr(there, how, 2)
    assert bench.later(feed).blocks
    setattr(there, how, 3)
    assert "i2c-1 address 0x5A" in (bench.later(feed).error or "")
    bench.later(feed)
    assert bench.later(feed).blocks


def test_pulled_and_plugged_in_again() -> None:
    bench = Board()
    feed = bench.feed(bench.sensor)
    assert bench.later(feed).blocks
    bench.wire.pull(0x5A)
    assert "nobody answers" in (bench.later(feed).error or "")
    bench.wire.plug(0x5A, bench.chip)
    bench.later(feed, 60.0)
    assert bench.later(feed).blocks
