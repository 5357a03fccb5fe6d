"""The ADXL355 against a simulated one, on both buses."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.accelerometers import AccelerometerSuite, Rig, WrongChip, rig

from edge.sensors.adxl355 import Adxl355, Adxl355Config, celsius, samples
from edge.sensors.base import SensorConfigError, SensorError
from edge.sensors.registry import sensor_type
from edge.sensors.simulation.chips.adxl345 import SimulatedAdxl345
from edge.sensors.simulation.chips.adxl355 import SimulatedAdxl355


def made(*, spi: bool = False, **options: Any) -> Rig:
    config = msgspec.convert(options | ({"select": 0} if spi else {}), Adxl355Config)
    return rig(Adxl355, config, SimulatedAdxl355, address=config.address or 0x1D, spi=spi)


class TestOnI2c(AccelerometerSuite):
    place = "i2c-1 address 0x1D"

    @pytest.fixture
    def rig(self) -> Rig:
        return made(rate_hz=1000)


class TestOnSpiAtFullSpeed(AccelerometerSuite):
    place = "spidev0.0"

    @pytest.fixture
    def rig(self) -> Rig:
        return made(spi=True, rate_hz=4000, range_g=2)


def test_is_registered() -> None:
    assert sensor_type("adxl355").make is Adxl355


def words(*values: int) -> bytes:
    """Samples as the FIFO holds them."""
    return b"".join(
        ((value & 0xFFFFF) << 4 | (1 if place % 3 == 0 else 0)).to_bytes(3, "big") for place, value in enumerate(values)
    )


def test_values_are_those_of_the_data_sheet() -> None:
    # 3.9 µg a step at ±2 g (256000 steps per g), 20 bits in two's complement on the left of 24 (register 0x11).
    steps, rest, broken = samples(bytes.fromhex("3e8001 c18000 000010 7ffff1 800000 fffff0".replace(" ", "")))
    assert (steps / 256_000).tolist() == [
        [1.0, -1.0, 1 / 256_000],
        [524287 / 256_000, -2.048, -1 / 256_000],
    ]
    assert (rest, broken) == (b"", False)


@given(st.lists(st.integers(-(2**19), 2**19 - 1), min_size=3, max_size=96))
def test_raw_values_survive_the_way(raw: list[int]) -> None:
    raw = raw[: len(raw) // 3 * 3]
    steps, rest, broken = samples(words(*raw))
    assert steps.reshape(-1).tolist() == raw
    assert (rest, broken) == (b"", False)


@given(st.integers(0, 29), st.sampled_from([1, 2, 4, 5]))
def test_missing_words_never_mix_two_samples(place: int, missing: int) -> None:
    whole = words(*range(30))
    data = whole[: place * 3] + whole[(place + missing) * 3 :]
    steps, rest, broken = samples(data)
    lost = {number // 3 for number in range(place, min(place + missing, 30))}
    kept = [[3 * n, 3 * n + 1, 3 * n + 2] for n in range(10) if n not in lost]
    begun = len(rest) // 3
    # Words that follow a sample without an x of their own leave it in doubt.
    assert all(row in kept for row in steps.tolist())
    assert len(steps) >= len(kept) - 1
    assert broken or begun or place + missing >= 30
    # What is left over and what comes next are whole again.
    more, _, _ = samples(rest + whole[30 * 3 - (3 - begun) * 3 :] if begun else whole)
    assert len(more) == (1 if begun else 10)


def test_a_word_of_an_empty_fifo_is_no_sample() -> None:
    steps, _, broken = samples(words(1, 2, 3) + bytes([0, 0, 2]) * 3)
    assert steps.tolist() == [[1.0, 2.0, 3.0]]
    assert broken


def test_the_temperature_falls_with_its_number() -> None:
    assert celsius(1885) == 25.0
    assert celsius(1885 - 905) == pytest.approx(125.0)
    built = made(temperature=True)
    built.chip.celsius = 60.0
    blocks = {block.channel.name: block for block in built.run(2)}
    assert blocks["vibration_temperature"].values[0] == pytest.approx(60.0, abs=0.06)


def test_words_that_a_disturbance_swallowed_do_not_turn_the_axes() -> None:
    built = made(rate_hz=1000)
    built.chip.oscillator.waveform = lambda times: np.tile([0.1, 0.2, 0.3], (len(times), 1))
    built.run(2)
    built.clock.step(0.01)
    built.chip.read(0x11, 3)
    built.feed(0.5)
    built.clock.step(0.01)
    built.chip.read(0x11, 6)
    built.feed(0.5)
    blocks = built.sensor.read()
    assert sum(block.lost for block in blocks) >= 1
    for block in blocks:
        assert np.abs(block.values - [0.1, 0.2, 0.3]).max() < 1e-4


def test_registers_are_set_as_the_data_sheet_says() -> None:
    built = made(spi=True, rate_hz=4000, range_g=4)
    built.sensor.open()
    registers = built.chip.registers
    assert (registers[0x28], registers[0x2C], registers[0x2D], registers[0x2E]) == (0x00, 0x82, 0x00, 0x00)
    assert built.bus.mode == 0  # type: ignore[union-attr]  # it is SPI


def test_the_older_chip_at_the_same_address_is_named() -> None:
    built = made(address=0x53)
    built.plug(SimulatedAdxl345(built.clock))
    with pytest.raises(SensorError, match="should be 0xAD and is 0xE5; it looks like an ADXL345"):
        built.sensor.open()


def test_a_chip_of_the_same_maker_is_told_by_the_next_register() -> None:
    built = made()
    built.plug(WrongChip(0xAD))
    with pytest.raises(SensorError, match="register 0x01 should be 0x1D and is 0xAD; it looks like a newer chip of"):
        built.sensor.open()


def test_a_floating_line_is_not_read_as_samples() -> None:
    built = made(spi=True)
    built.run(2)
    built.pull()
    with pytest.raises(SensorError, match="127 words wait"):
        built.feed(0.1)


def test_both_buses_at_once_can_never_work() -> None:
    with pytest.raises(SensorConfigError, match="give one of them"):
        made(spi=True, address=0x1D)


@pytest.mark.parametrize("options", [{"rate_hz": 800}, {"address": 0x18}, {"range_g": 16}])
def test_what_the_chip_cannot_do_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        made(**options)
