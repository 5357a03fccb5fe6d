"""The ADXL345 against a simulated one, on both buses."""

from __future__ import annotations

import threading
import time
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.accelerometers import AccelerometerSuite, Rig, rig, shaken

from edge.sensors import adxl345 as driver
from edge.sensors.adxl345 import Adxl345, Adxl345Config
from edge.sensors.base import Block, SensorConfigError, SensorError
from edge.sensors.fifo import words
from edge.sensors.registry import Surroundings, sensor_type
from edge.sensors.simulation.chips.adxl345 import SimulatedAdxl345
from edge.sensors.simulation.chips.bus import SimulatedBuses


def made(*, spi: bool = False, **options: Any) -> Rig:
    config = msgspec.convert(options | ({"select": 0} if spi else {}), Adxl345Config)
    return rig(Adxl345, config, SimulatedAdxl345, address=config.address or 0x53, spi=spi)


class TestOnI2c(AccelerometerSuite):
    place = "i2c-1 address 0x53"

    @pytest.fixture
    def rig(self) -> Rig:
        return made()


class TestOnSpiAtFullSpeed(AccelerometerSuite):
    place = "spidev0.0"

    @pytest.fixture
    def rig(self) -> Rig:
        return made(spi=True, rate_hz=3200)


def test_is_registered() -> None:
    assert sensor_type("adxl345").make is Adxl345


def test_spi_is_spoken_as_the_data_sheet_says() -> None:
    built = made(spi=True)
    built.sensor.open()
    assert built.bus.mode == 3  # type: ignore[union-attr]  # it is SPI
    assert built.bus.max_hz == 2_000_000  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("data", "expected_g"),
    [
        # Table 1: 256 steps per g; two's complement, low byte first (registers 0x32 to 0x37).
        (b"\x00\x01\x00\xff\x00\x00", [1.0, -1.0, 0.0]),
        (b"\xff\x0f\x00\xf0\x01\x00", [15.99609375, -16.0, 0.00390625]),
    ],
)
def test_values_are_those_of_the_data_sheet(data: bytes, expected_g: list[float]) -> None:
    assert (words(data, "<i2") / driver.STEPS_PER_G).tolist() == [expected_g]


@given(st.lists(st.integers(-4096, 4095), min_size=3, max_size=3))
def test_raw_values_survive_the_way(raw: list[int]) -> None:
    data = b"".join(value.to_bytes(2, "little", signed=True) for value in raw)
    value_g = words(data, "<i2") / driver.STEPS_PER_G
    assert (value_g * driver.STEPS_PER_G).round().astype(int).tolist() == [raw]
    assert (np.abs(value_g) <= driver.RANGE_G).all()


def test_the_step_is_that_of_the_rate() -> None:
    assert made(rate_hz=800).sensor.channel.resolution == 1 / 256
    built = made(spi=True, rate_hz=3200)
    assert built.sensor.channel.resolution == 2 / 256
    blocks = built.run(2)
    assert (np.round(blocks[-1].values * 256) % 2 == 0).all()


def test_registers_are_set_as_the_data_sheet_says() -> None:
    built = made(rate_hz=100)
    built.sensor.open()
    registers = built.chip.registers
    assert registers[0x2C] == 0x0A
    assert registers[0x31] == 0x0B, "full resolution, ±16 g, no self-test"
    assert registers[0x38] == 0x80, "stream"
    assert registers[0x2D] == 0x08, "measuring"


def test_a_new_chip_in_a_floating_plug_is_not_read_as_samples() -> None:
    """SPI has no acknowledge: a pulled plug reads as ones, which would be 63 samples of -1."""
    built = made(spi=True)
    built.run(2)
    built.pull()
    with pytest.raises(SensorError, match="63 samples wait"):
        built.feed(0.1)


def test_a_line_held_low_is_noticed_by_the_settings() -> None:
    built = made(spi=True)
    built.run(2)
    built.pull()
    built.bus.floating = 0x00  # type: ignore[union-attr]  # it is SPI
    with pytest.raises(SensorError, match="lost power for a moment, or it is gone"):
        built.feed(2.0)


def test_both_buses_at_once_can_never_work() -> None:
    with pytest.raises(SensorConfigError, match="give one of them"):
        made(spi=True, address=0x1D)


@pytest.mark.parametrize("options", [{"rate_hz": 1000}, {"address": 0x68}, {"max_hz": 6_000_000}, {"speed": 1}])
def test_what_the_chip_cannot_do_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        made(**options)


def test_the_other_address() -> None:
    built = made(address=0x1D)
    assert built.run(2)


def test_without_self_test_it_is_not_moved() -> None:
    built = made(self_test=False)
    built.chip.force_g = (0.0, 0.0, 0.0)
    assert built.run(2)


def test_in_the_background_it_is_drained_without_being_asked() -> None:
    """With a real thread and a real clock, on whatever machine runs this."""
    buses = SimulatedBuses()
    buses.wire_i2c(1).plug(0x53, SimulatedAdxl345(time.monotonic_ns, 0.05, shaken))
    config = msgspec.convert({"rate_hz": 100}, Adxl345Config)
    sensor = Adxl345(config, Surroundings("mixer", "mixer", time.monotonic_ns, 1.0, buses=buses))
    sensor.open()
    blocks: list[Block] = []
    deadline = time.monotonic() + 10.0
    while sum(len(block.values) for block in blocks) < 150 and time.monotonic() < deadline:
        time.sleep(0.05)
        blocks += sensor.read()
    sensor.close()
    assert blocks[-1].rate_hz == pytest.approx(105.0, rel=0.02)
    assert blocks[-1].end_ns <= time.monotonic_ns()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("fifo-")]
