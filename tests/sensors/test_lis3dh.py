"""The LIS3DH against a simulated one, on both buses."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.accelerometers import AccelerometerSuite, Rig, rig

from edge.sensors.base import SensorConfigError, SensorError
from edge.sensors.fifo import words
from edge.sensors.lis3dh import MG_PER_STEP, Lis3dh, Lis3dhConfig
from edge.sensors.registry import sensor_type
from edge.sensors.simulation.chips.lis3dh import SimulatedLis3dh


def made(*, spi: bool = False, **options: Any) -> Rig:
    config = msgspec.convert(options | ({"select": 0} if spi else {}), Lis3dhConfig)
    return rig(Lis3dh, config, SimulatedLis3dh, address=config.address or 0x18, spi=spi)


class TestOnI2c(AccelerometerSuite):
    place = "i2c-1 address 0x18"

    @pytest.fixture
    def rig(self) -> Rig:
        return made()


class TestOnSpiWithEightBits(AccelerometerSuite):
    place = "spidev0.0"
    tolerance_g = 0.02

    @pytest.fixture
    def rig(self) -> Rig:
        return made(spi=True, rate_hz=5376, range_g=2)


def test_is_registered() -> None:
    assert sensor_type("lis3dh").make is Lis3dh


@pytest.mark.parametrize(
    ("data", "range_g", "expected_g"),
    [
        # AN3308, table of output values at ±2 g: 350 mg is 0x15E0, 1 g is 0x4000 (1024 mg: 16 bits of 1/16 mg), both
        # directions in two's complement, low byte first.
        (b"\xe0\x15\x00\x40\x00\xc0", 2, [0.35, 1.024, -1.024]),
        (b"\x00\x80\xc0\x7f\x40\x00", 8, [-8.192, 8.176, 0.016]),
        (b"\x40\x00\x00\x01\x00\x00", 16, [0.048, 0.192, 0.0]),
    ],
)
def test_values_are_those_of_the_data_sheet(data: bytes, range_g: int, expected_g: list[float]) -> None:
    assert (words(data, "<i2") * MG_PER_STEP[range_g] / 16e3)[0] == pytest.approx(expected_g, abs=1e-12)


@given(st.sampled_from([2, 4, 8, 16]), st.lists(st.integers(-512, 511), min_size=3, max_size=3))
def test_raw_values_survive_the_way(range_g: int, raw: list[int]) -> None:
    data = b"".join((value << 6).to_bytes(2, "little", signed=True) for value in raw)
    channel = made(range_g=range_g).sensor.channel
    value_g = words(data, "<i2") * MG_PER_STEP[range_g] / 16e3
    assert (value_g / channel.resolution).round().astype(int).tolist() == [raw]
    assert channel.low <= value_g.min() <= value_g.max() < channel.high


@pytest.mark.parametrize(
    ("options", "control_1", "control_4"),
    [
        ({}, 0x97, 0xA0),
        ({"rate_hz": 5376, "range_g": 16}, 0x9F, 0xB0),
        ({"rate_hz": 400, "range_g": 2, "high_resolution": True}, 0x77, 0x88),
    ],
)
def test_registers_are_set_as_the_data_sheet_says(options: dict[str, Any], control_1: int, control_4: int) -> None:
    built = made(**options)
    built.sensor.open()
    registers = built.chip.registers
    assert (registers[0x20], registers[0x23], registers[0x24], registers[0x2E]) == (control_1, control_4, 0x40, 0x80)


def test_a_floating_line_is_not_read_as_samples() -> None:
    built = made(spi=True)
    built.run(2)
    built.pull()
    with pytest.raises(SensorError, match="full and empty at once"):
        built.feed(0.1)


def test_eight_bits_are_no_high_resolution() -> None:
    with pytest.raises(SensorConfigError, match="8 bits"):
        made(rate_hz=5376, high_resolution=True)


def test_both_buses_at_once_can_never_work() -> None:
    with pytest.raises(SensorConfigError, match="give one of them"):
        made(spi=True, address=0x19)


@pytest.mark.parametrize("options", [{"rate_hz": 1000}, {"address": 0x53}, {"range_g": 3}])
def test_what_the_chip_cannot_do_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        made(**options)
