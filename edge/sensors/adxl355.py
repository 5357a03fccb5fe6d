"""Analog Devices ADXL355: three axes of very low noise, ±2 to ±8 g, up to 4000 Hz, FIFO of 32 samples, on I²C or SPI.

By the data sheet ADXL354/ADXL355: the register map is on p. 31, its registers by their numbers from p. 32 on, the
specifications of the digital part are table 2. Its 22.5 µg/√Hz (table 2) hear a slow fan or a large bearing
that others do not; the filter passes a quarter of the rate. The FIFO holds 96 words of 24 bits: 20 of value, one that says
that the word is x, one that says that the FIFO was empty (register 0x11).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from edge.sensors.accelerometer import (
    Chip,
    ChipTemperature,
    EitherBusConfig,
    FifoAccelerometer,
    Place,
    Setting,
    acceleration,
    response,
)
from edge.sensors.bus.base import BusError, Spi
from edge.sensors.chip_identity import require_identity
from edge.sensors.fifo import DISTURBED, OVERFLOWED, fetch
from edge.sensors.probing import I2cProbe, I2cReader, SpiProbe
from edge.sensors.registers import Registers, flag_below
from edge.sensors.registry import Surroundings
from edge.sensors.stream import Drained

CHIP = "ADXL355"
ADDRESS, ADDRESS_ASEL_HIGH = 0x1D, 0x53
"""With the ASEL pin (MISO) at ground, and at the supply (serial communications)."""

# Register map: p. 31.
DEVID_AD, DEVID_MST, PARTID = 0x00, 0x01, 0x02
IDENTITY = ((DEVID_AD, 0xAD), (DEVID_MST, 0x1D), (PARTID, 0xED))
STATUS, FIFO_OVR = 0x04, 0x04
FIFO_ENTRIES, ENTRIES = 0x05, 0x7F
TEMP2 = 0x06
FIFO_DATA = 0x11
FILTER = 0x28
RANGE = 0x2C
POWER_CTL, STANDBY, MEASURE = 0x2D, 0x01, 0x00
SELF_TEST, ST1, ST2 = 0x2E, 0x01, 0x02
RESET, RESET_CODE = 0x2F, 0x52

RATE_CODES = {4000: 0x00, 2000: 0x01, 1000: 0x02, 500: 0x03, 250: 0x04, 125: 0x05}
"""ODR_LPF of FILTER for output rates in Hz, without a high pass (register 0x28); a quarter of the rate passes."""
RANGE_CODES = {2: 0x81, 4: 0x82, 8: 0x83}
"""RANGE with its other bits at their reset values (register 0x2C)."""
STEPS_PER_G = {2: 256_000, 4: 128_000, 8: 64_000}
"""3.9, 7.8 and 15.6 µg per step (table 2)."""
FULL_SCALE = 1 << 19
FIFO_WORDS, FIFO_SAMPLES = 96, 32
WORD_BYTES = 3
X_WORD, NO_WORD = 0x01, 0x02
"""Lowest bits of a word."""

RESET_S = 0.05
TEST_HZ, TEST_RANGE_G = 1000, 8
TEST_S = 0.03
SETTLE_S = 0.05
TEST_LOW_G, TEST_HIGH_G = (0.1, 0.1, 0.5), (0.9, 0.9, 4.5)
"""The data sheet states typical changes only, 0.3, 0.3 and 1.5 g (table 2); a third to three times that passes."""


class Adxl355Config(EitherBusConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of an `adxl355` sensor."""

    address: Literal[0x1D, 0x53] | None = None
    """I²C address: 0x1D with ASEL at ground (when left out), 0x53 with ASEL at 3.3 V."""
    max_hz: Annotated[int, Meta(ge=100_000, le=10_000_000, description="clock of the SPI bus")] = 2_000_000
    rate_hz: Annotated[
        Literal[125, 250, 500, 1000, 2000, 4000],
        Meta(description="samples a second; a quarter of it is the highest frequency"),
    ] = 2000
    range_g: Annotated[Literal[2, 4, 8], Meta(description="largest acceleration")] = 8
    temperature: Annotated[bool, Meta(description="also deliver the chip's own temperature")] = False


class Adxl355(FifoAccelerometer):
    """One ADXL355; see the module. Channels: the acceleration, and `<channel>_temperature`.

    Args:
        config: where it is, how fast it samples.
        surroundings: clock and buses.
        more: `sleep` and `background`, see `FifoAccelerometer`.
    """

    Config = Adxl355Config

    def __init__(self, config: Adxl355Config, surroundings: Surroundings, **more: Any) -> None:
        self._steps_per_g = STEPS_PER_G[config.range_g]
        temperature = ChipTemperature(config.channel, TEMP2, celsius, -55.0, 150.0, 1.0 / 9.05)
        super().__init__(
            Chip(CHIP, FIFO_SAMPLES, temperature if config.temperature else None),
            acceleration(
                config.channel,
                FULL_SCALE / self._steps_per_g,
                1.0 / self._steps_per_g,
                float(config.rate_hz),
                surroundings.interval_s,
            ),
            Place.of(CHIP, config, ADDRESS, spi_mode=0, first_byte=flag_below),
            surroundings,
            self_test=config.self_test,
            **more,
        )
        self._filter = RATE_CODES[config.rate_hz]
        self._range = RANGE_CODES[config.range_g]
        self._begun = b""
        """Words of a sample whose others were not there yet."""

    def identify(self, registers: Registers) -> None:
        """See `FifoAccelerometer`."""
        require_identity(registers, CHIP, IDENTITY)

    @property
    def settings(self) -> Sequence[Setting]:
        """Filter and range are to be written in standby (registers 0x28 and 0x2C)."""
        return (
            Setting(POWER_CTL, STANDBY, mask=0x00),
            Setting(FILTER, self._filter),
            Setting(RANGE, self._range),
            Setting(SELF_TEST, 0x00),
            Setting(POWER_CTL, MEASURE),
        )

    def configure(self, registers: Registers) -> None:
        """Resets it, which also empties the FIFO, and writes the settings."""
        self._reset(registers)
        super().configure(registers)

    def test(self, registers: Registers) -> str:
        """Mean of some 30 samples at ±8 g without and with the electrostatic force (register 0x2E)."""
        self._reset(registers)
        for register, value in (
            (FILTER, RATE_CODES[TEST_HZ]),
            (RANGE, RANGE_CODES[TEST_RANGE_G]),
            (SELF_TEST, ST1),
            (POWER_CTL, MEASURE),
        ):
            registers.write(register, value)
        means = []
        for force in (0x00, ST2):
            registers.write(SELF_TEST, ST1 | force)
            self._sleep(SETTLE_S)
            self.drain(registers)
            self._sleep(TEST_S)
            means.append(self.drain(registers).values * self._steps_per_g / STEPS_PER_G[TEST_RANGE_G])
        return response(means[0], means[1], TEST_LOW_G, TEST_HIGH_G)

    def drain(self, registers: Registers) -> Drained:
        """Reads what FIFO_ENTRIES counts; see `FifoAccelerometer`. Reading STATUS clears its overrun bit (register 0x04, p. 32)."""
        status, entries = registers.read(STATUS, 2)
        at_ns = self._monotonic_ns()
        waiting = entries & ENTRIES
        if waiting > FIFO_WORDS:
            raise BusError(
                f"{registers.place}: the {CHIP} says that {waiting} words wait in its FIFO of 96: it is gone"
            )
        data, gap = fetch(registers, FIFO_DATA, waiting // 3, 3 * WORD_BYTES)
        steps, self._begun, broken = samples(self._begun + data)
        why = OVERFLOWED if status & FIFO_OVR else gap or (DISTURBED if broken else "")
        return Drained(at_ns, steps / self._steps_per_g, why)

    def rest(self, registers: Registers) -> None:
        """Standby (register 0x2D)."""
        registers.write(POWER_CTL, STANDBY)

    def _reset(self, registers: Registers) -> None:
        registers.write(RESET, RESET_CODE)
        self._sleep(RESET_S)
        self._begun = b""


def samples(data: bytes) -> tuple[NDArray[np.float64], bytes, bool]:
    """Words of the FIFO as samples, (n, 3) in steps; the words of one that is not complete; whether words were missing.

    A sample begins with the word that is marked as x and has two that are not; words that belong to none are left out.
    """
    words = np.frombuffer(data, dtype=np.uint8).reshape(-1, WORD_BYTES).astype(np.int32)
    marks = words[:, 2] & (X_WORD | NO_WORD)
    count = len(words) // 3
    broken = bool((marks != np.resize([X_WORD, 0, 0], len(marks))).any())
    if broken:
        starts = [
            place
            for place in np.flatnonzero(marks == X_WORD).tolist()
            if place + 2 < len(words)
            and not marks[place + 1 : place + 3].any()
            and (place + 3 == len(words) or marks[place + 3])
        ]
        chosen = np.array([[place, place + 1, place + 2] for place in starts], dtype=np.intp).reshape(-1)
    else:
        chosen = np.arange(3 * count)
    value = words[chosen, 0] << 12 | words[chosen, 1] << 4 | words[chosen, 2] >> 4
    steps = np.where(value >= FULL_SCALE, value - 2 * FULL_SCALE, value).reshape(-1, 3).astype(np.float64)
    last = np.flatnonzero(marks[-2:] == X_WORD)
    rest = data[(len(words) - len(marks[-2:]) + int(last[-1])) * WORD_BYTES :] if len(last) else b""
    return steps, rest, broken


def celsius(raw: int) -> float:
    """Temperature of 12 bits: 1885 at 25 °C, falling by 9.05 a degree (table 2).

    >>> celsius(1885), round(celsius(1885 - 905), 6)
    (25.0, 125.0)
    """
    return 25.0 - ((raw & 0x0FFF) - 1885) / 9.05


def _identify(chip: I2cReader) -> str | None:
    return CHIP if chip.read(DEVID_AD, 3) == bytes(value for _, value in IDENTITY) else None


def _identify_on_spi(spi: Spi) -> str | None:
    asked = bytes([flag_below(DEVID_AD, len(IDENTITY), write=False)]) + bytes(len(IDENTITY))
    return CHIP if spi.transfer(asked)[1:] == bytes(value for _, value in IDENTITY) else None


PROBES = (
    I2cProbe((ADDRESS, ADDRESS_ASEL_HIGH), _identify, khz=(400, 1_000_000)),
    SpiProbe(0, 1_000_000, _identify_on_spi, rank=2),
)
