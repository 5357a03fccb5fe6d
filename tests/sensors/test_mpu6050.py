"""The MPU-6050 against a simulated one."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.accelerometers import AccelerometerSuite, Rig, WrongChip, rig
from support.sensor_contract import SensorCase, SensorContract

from edge.sensors.base import Quantity, SensorError
from edge.sensors.mpu6050 import Mpu6050, Mpu6050Config, accelerometer_codes, celsius, factory_trim_g
from edge.sensors.registry import sensor_type
from edge.sensors.simulation.chips.mpu6050 import CODES, SimulatedMpu6050


def made(**options: Any) -> Rig:
    config = msgspec.convert(options, Mpu6050Config)
    return rig(Mpu6050, config, SimulatedMpu6050, address=config.address)


class TestAcceleration(AccelerometerSuite):
    place = "i2c-1 address 0x68"

    @pytest.fixture
    def rig(self) -> Rig:
        return made()


class TestWithEverything(SensorContract):
    @pytest.fixture
    def case(self) -> SensorCase:
        built = made(address=0x69, rotation=True, temperature=True)
        return SensorCase(built.sensor, built.feed, seconds=1.2, monotonic_ns=built.clock)


def test_is_registered() -> None:
    assert sensor_type("mpu6050").make is Mpu6050


def test_rotation_is_the_mean_of_what_was_between_two_readings() -> None:
    built = made(rotation=True, temperature=True)
    built.chip.rotation_dps = (90.0, -45.0, 500.0)
    built.chip.celsius = 41.25
    blocks = {block.channel.name: block for block in built.run(3)}
    rotation, temperature = blocks["vibration_rotation"], blocks["vibration_temperature"]
    assert rotation.values[0] == pytest.approx(np.radians([90.0, -45.0, 500.0]), rel=1e-3)
    assert (rotation.channel.unit, rotation.channel.quantity) == ("rad/s", Quantity.SPEED)
    assert temperature.values[0] == pytest.approx(41.25, abs=0.002)


@pytest.mark.parametrize(("raw", "expected_c"), [(0, 36.53), (340, 37.53), (0xFFFF, 36.527), (0x8000, -59.846)])
def test_temperatures_are_those_of_the_register_map(raw: int, expected_c: float) -> None:
    assert celsius(raw) == pytest.approx(expected_c, abs=0.001)


def test_factory_values_of_the_self_test_are_where_the_register_map_says() -> None:
    # Registers 13 to 16: XA 10110, YA 01101, ZA 11011.
    assert accelerometer_codes(bytes([0b101_00000, 0b011_11111, 0b110_10101, 0b00_10_01_11])) == (
        0b10110,
        0b01101,
        0b11011,
    )
    assert factory_trim_g(0) == 0.0
    assert made().chip.force_g == pytest.approx([1.05 * factory_trim_g(code) for code in CODES])


@pytest.mark.parametrize("share", [0.84, 1.16])
def test_a_mass_that_moves_otherwise_than_at_the_factory_fails(share: float) -> None:
    built = made()
    built.chip.oscillator.waveform = lambda times: np.zeros((len(times), 3))
    built.chip.force_g = tuple(share * factory_trim_g(code) for code in CODES)
    with pytest.raises(SensorError, match="fails its self-test"):
        built.sensor.open()


@settings(max_examples=15, deadline=None)
@given(st.integers(-32768, 32767), st.sampled_from([2, 4, 8, 16]))
def test_raw_values_survive_the_way(raw: int, range_g: int) -> None:
    built = made(range_g=range_g, self_test=False)
    built.chip.oscillator.waveform = lambda times: np.full((len(times), 3), raw * range_g / 32768.0)
    built.sensor.open()
    for _ in range(80):
        built.feed(0.01)
    values = built.sensor.read()[0].values
    assert (values == raw * range_g / 32768.0).all()


@pytest.mark.parametrize(
    ("rate_hz", "config", "divider"), [(1000, 0, 7), (500, 1, 1), (250, 2, 3), (200, 2, 4), (100, 3, 9)]
)
def test_registers_are_set_as_the_register_map_says(rate_hz: int, config: int, divider: int) -> None:
    built = made(rate_hz=rate_hz, rotation=True)
    built.sensor.open()
    registers = built.chip.registers
    assert (registers[0x1A], registers[0x19]) == (config, divider)
    assert (registers[0x1B], registers[0x1C], registers[0x23]) == (0x08, 0x18, 0x78)
    assert (registers[0x6A], registers[0x6B]) == (0x40, 0x01)
    assert built.chip.oscillator.rate_hz == pytest.approx(1.05 * rate_hz)


def test_a_newer_chip_of_the_family_is_named() -> None:
    built = made()
    built.plug(WrongChip(0x70))
    with pytest.raises(SensorError, match="is 0x70; it looks like an MPU-6500"):
        built.sensor.open()


def test_a_transfer_disturbed_within_the_fifo_does_not_shift_the_bytes() -> None:
    built = made()
    built.chip.oscillator.waveform = lambda times: (
        np.tile([0.1, 0.2, 0.3], (len(times), 1)) + 1e-3 * np.sin(9e3 * times[:, None])
    )
    built.run(2)
    read, calls = built.chip.read, 0

    def break_once(register: int, count: int) -> bytes:
        nonlocal calls
        data: bytes = read(register, count)
        if register == 0x74:
            calls += 1
            if calls == 100:
                read(register, 7)  # the bytes after the disturbance are gone as well
                built.bus.disturbed = 1
        return data

    built.chip.read = break_once
    built.feed(1.0)
    blocks = built.sensor.read()
    assert len(blocks) == 2
    assert blocks[1].lost > 0
    assert "disturbed" in blocks[1].faults[0][1]
    for block in blocks:
        assert block.values.mean(axis=0) == pytest.approx([0.1, 0.2, 0.3], abs=0.002)


@pytest.mark.parametrize("options", [{"rate_hz": 800}, {"address": 0x53}, {"range_g": 3}, {"select": 0}])
def test_what_the_chip_cannot_do_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        made(**options)
