"""Analog Devices ADXL345: three axes, ±16 g, up to 3200 Hz, FIFO of 32 samples, on I²C or SPI.

Pages are those of the data sheet rev. E. Full resolution gives 256 steps per g in every range (table 1, p. 4), so the widest
range costs nothing and is the one that is used; at 1600 and 3200 Hz the lowest bit is always zero (p. 32), which makes the
step 7.8 mg.

Each sample of the FIFO is a transfer of its own, and 5 µs have to pass between two of them (p. 21), which a Linux node
never undercuts. On I²C at 400 kHz the data sheet recommends 800 Hz at most, at 100 kHz 200 Hz (p. 18). Faster is allowed
here, since a node notices what it loses; whoever wants 3200 Hz takes SPI.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta

from edge.sensors.accelerometer import (
    Chip,
    EitherBusConfig,
    FifoAccelerometer,
    Place,
    Setting,
    acceleration,
    response,
)
from edge.sensors.bus.base import BusError, Spi
from edge.sensors.chip_identity import require_identity
from edge.sensors.fifo import OVERFLOWED, fetch, words
from edge.sensors.probing import I2cProbe, I2cReader, SpiProbe
from edge.sensors.registers import Registers, flags_on_top
from edge.sensors.registry import Surroundings
from edge.sensors.stream import Drained

CHIP = "ADXL345"
ADDRESS, ADDRESS_ALT_HIGH = 0x53, 0x1D
"""With the ALT ADDRESS pin (SDO) at ground, and at the supply (p. 18)."""

# Register map: table 19, p. 23.
DEVID, DEVICE = 0x00, 0xE5
BW_RATE, LARGEST_RATE_SETTING = 0x2C, 0x1F
POWER_CTL, MEASURE = 0x2D, 0x08
INT_SOURCE, OVERRUN = 0x30, 0x01
DATA_FORMAT, SELF_TEST, FULL_RES, RANGE_16_G = 0x31, 0x80, 0x08, 0x03
DATAX0 = 0x32
FIFO_CTL, BYPASS, STREAM = 0x38, 0x00, 0x80
FIFO_STATUS, ENTRIES = 0x39, 0x3F

RATE_CODES = {3200: 0x0F, 1600: 0x0E, 800: 0x0D, 400: 0x0C, 200: 0x0B, 100: 0x0A}
"""BW_RATE for output rates in Hz (table 7, p. 14); the bandwidth is half of it."""
STEPS_PER_G = 256.0
RANGE_G = 16.0
FIFO_SAMPLES = 32
FIFO_AND_OUTPUT = 33
"""One more waits at the output of the filter (register 0x39)."""
SAMPLE_BYTES = 6
LOW_BIT_LOST_HZ = 1600

TEST_HZ = 800
"""The self-test is specified for 100 to 800 Hz and 3200 Hz, not for 1600 Hz (p. 22)."""
TEST_LOW_G = (0.20, -2.10 * 2.11, 0.30)
TEST_HIGH_G = (2.10 * 2.11, -0.20, 3.40 * 1.69)
"""Table 1 (p. 4) at 2.5 V, widened by the factors of table 14 (p. 22) up to 3.6 V: the supply is not known here."""
TEST_S = 0.03
SETTLE_S = 0.01
"""Four samples until the output has followed (p. 4, note 4), and the start from standby: 1.1 ms and a sample (p. 4)."""


class Adxl345Config(EitherBusConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of an `adxl345` sensor."""

    address: Literal[0x53, 0x1D] | None = None
    """I²C address: 0x53 with SDO at ground (when left out), 0x1D with SDO at 3.3 V."""
    max_hz: Annotated[int, Meta(ge=100_000, le=5_000_000, description="clock of the SPI bus")] = 2_000_000
    rate_hz: Annotated[
        Literal[100, 200, 400, 800, 1600, 3200],
        Meta(description="samples a second; half of it is the highest frequency. Above 800 on SPI only"),
    ] = 800


class Adxl345(FifoAccelerometer):
    """One ADXL345; see the module.

    Args:
        config: where it is, how fast it samples.
        surroundings: clock and buses.
        more: `sleep` and `background`, see `FifoAccelerometer`.
    """

    Config = Adxl345Config

    def __init__(self, config: Adxl345Config, surroundings: Surroundings, **more: Any) -> None:
        step_g = (2.0 if config.rate_hz >= LOW_BIT_LOST_HZ else 1.0) / STEPS_PER_G
        super().__init__(
            Chip(CHIP, FIFO_SAMPLES),
            acceleration(config.channel, RANGE_G, step_g, float(config.rate_hz), surroundings.interval_s),
            Place.of(CHIP, config, ADDRESS, spi_mode=3, first_byte=flags_on_top),
            surroundings,
            self_test=config.self_test,
            **more,
        )
        self._rate_code = RATE_CODES[config.rate_hz]

    def identify(self, registers: Registers) -> None:
        """See `FifoAccelerometer`."""
        require_identity(registers, CHIP, [(DEVID, DEVICE)])

    @property
    def settings(self) -> Sequence[Setting]:
        """Standby while it is set (register 0x2D); bypass empties the FIFO (p. 21)."""
        return (
            Setting(POWER_CTL, 0x00, mask=0x00),
            Setting(FIFO_CTL, BYPASS, mask=0x00),
            Setting(BW_RATE, self._rate_code),
            Setting(DATA_FORMAT, FULL_RES | RANGE_16_G),
            Setting(FIFO_CTL, STREAM),
            Setting(POWER_CTL, MEASURE),
        )

    def test(self, registers: Registers) -> str:
        """Mean of 24 samples without and with the electrostatic force (p. 22)."""
        means = []
        for force in (0x00, SELF_TEST):
            for register, value in (
                (POWER_CTL, 0x00),
                (BW_RATE, RATE_CODES[TEST_HZ]),
                (DATA_FORMAT, FULL_RES | RANGE_16_G | force),
                (FIFO_CTL, BYPASS),
                (POWER_CTL, MEASURE),
            ):
                registers.write(register, value)
            self._sleep(SETTLE_S)
            registers.write(FIFO_CTL, STREAM)
            self._sleep(TEST_S)
            means.append(self.drain(registers).values)
        registers.write(DATA_FORMAT, FULL_RES | RANGE_16_G)
        return response(means[0], means[1], TEST_LOW_G, TEST_HIGH_G)

    def drain(self, registers: Registers) -> Drained:
        """Reads as many samples as FIFO_STATUS counts; see `FifoAccelerometer`."""
        waiting = registers.read(FIFO_STATUS, 1)[0] & ENTRIES
        at_ns = self._monotonic_ns()
        if waiting > FIFO_AND_OUTPUT:
            raise BusError(
                f"{registers.place}: the {CHIP} says that {waiting} samples wait in its FIFO of 32: it is gone"
            )
        gap = ""
        # Overrun stays set until data is read (p. 20), so it is asked only where it can be.
        if waiting >= FIFO_SAMPLES - 1 and registers.read(INT_SOURCE, 1)[0] & OVERRUN:
            gap = OVERFLOWED
        data, disturbed = fetch(registers, DATAX0, waiting, SAMPLE_BYTES, together=False)
        return Drained(at_ns, words(data, "<i2") / STEPS_PER_G, gap or disturbed)

    def rest(self, registers: Registers) -> None:
        """Standby (register 0x2D)."""
        registers.write(POWER_CTL, 0x00)


def _identify(chip: I2cReader) -> str | None:
    return CHIP if chip.read(DEVID, 1)[0] == DEVICE else None


def _identify_on_spi(spi: Spi) -> str | None:
    """First a register whose number no other chip knows: where bit 7 is a write, DEVID's would be that of a setting."""
    rate = spi.transfer(bytes([flags_on_top(BW_RATE, 1, write=False), 0]))[1]
    if not 0 < rate <= LARGEST_RATE_SETTING:
        return None
    return CHIP if spi.transfer(bytes([flags_on_top(DEVID, 1, write=False), 0]))[1] == DEVICE else None


PROBES = (
    I2cProbe((ADDRESS, ADDRESS_ALT_HIGH), _identify, khz=(400, 1_000_000)),
    SpiProbe(3, 1_000_000, _identify_on_spi, rank=1),
)
