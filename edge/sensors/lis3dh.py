"""ST LIS3DH: three axes, ±2 to ±16 g, up to 1344 Hz (5376 Hz with 8 bits), FIFO of 32 samples, on I²C or SPI.

By the data sheet DocID17530 rev. 2 (the FIFO is on p. 22 and 23), where registers are described by name. Samples of the
FIFO have 10 bits (application note AN3308). The mode "high resolution" would give 12 bits outside of it, but passes a ninth
of the rate only (operating mode selection): it is offered for slow machines, the normal mode passes half of the rate and is
the better one for vibration.
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
from edge.sensors.base import SensorConfigError
from edge.sensors.bus.base import BusError, Spi
from edge.sensors.chip_identity import require_identity
from edge.sensors.fifo import OVERFLOWED, fetch, words
from edge.sensors.probing import I2cProbe, I2cReader, SpiProbe
from edge.sensors.registers import Registers, flags_on_top
from edge.sensors.registry import Surroundings
from edge.sensors.stream import Drained

CHIP = "LIS3DH"
ADDRESS, ADDRESS_SA0_HIGH = 0x18, 0x19
"""With the SA0 pin (SDO) at ground, and at the supply (section 6.1, I²C)."""
SEVERAL = 0x80
"""Bit of the register's number on I²C that goes on with the next register (section 6.1.1)."""

# Register map: section 7.
WHO_AM_I, DEVICE = 0x0F, 0x33
CTRL_REG1, ALL_AXES, LOW_POWER = 0x20, 0x07, 0x08
CTRL_REG4, BLOCK_UPDATE, HIGH_RESOLUTION, SELF_TEST_0 = 0x23, 0x80, 0x08, 0x02
CTRL_REG5, FIFO_EN = 0x24, 0x40
OUT_X_L = 0x28
FIFO_CTRL_REG, BYPASS, STREAM = 0x2E, 0x00, 0x80
FIFO_SRC_REG, OVRN_FIFO, EMPTY, STORED = 0x2F, 0x40, 0x20, 0x1F

RATE_CODES = {100: 0x50, 200: 0x60, 400: 0x70, 1344: 0x90, 5376: 0x90}
"""ODR bits of CTRL_REG1 for output rates in Hz; 5376 is 1344 in low-power mode."""
LOW_POWER_HZ = 5376
RANGE_CODES = {2: 0x00, 4: 0x10, 8: 0x20, 16: 0x30}
"""FS bits of CTRL_REG4 by range in g."""
MG_PER_STEP = {2: 1, 4: 2, 8: 4, 16: 12}
"""Of 12 bits (mechanical characteristics). Outputs stand on the left of 16 bits in every mode, so a sixteenth of it is one of theirs."""
FIFO_STEP, LOW_POWER_STEP = 64, 256
"""Steps of 10 and of 8 bits within 16."""
FIFO_SAMPLES = 32
SAMPLE_BYTES = 6

TEST_HZ, TEST_RANGE_G = 200, 8
"""A wider range than the data sheet's ±2 g: the force is the same, and a running machine does not clip it."""
TEST_LOW_G, TEST_HIGH_G = (17 * 0.004,) * 3, (360 * 0.004,) * 3
"""17 to 360 steps of 4 mg, either direction (mechanical characteristics)."""
TEST_S = 0.13
SETTLE_S = 0.09
"""AN3308, self-test procedure."""


class Lis3dhConfig(EitherBusConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a `lis3dh` sensor."""

    address: Literal[0x18, 0x19] | None = None
    """I²C address: 0x18 with SDO at ground (when left out), 0x19 with SDO at 3.3 V."""
    max_hz: Annotated[int, Meta(ge=100_000, le=10_000_000, description="clock of the SPI bus")] = 2_000_000
    rate_hz: Annotated[
        Literal[100, 200, 400, 1344, 5376],
        Meta(description="samples a second; half of it is the highest frequency. 5376 has 8 bits only"),
    ] = 1344
    range_g: Annotated[
        Literal[2, 4, 8, 16], Meta(description="largest acceleration; its 512th part is the smallest step")
    ] = 8
    high_resolution: Annotated[
        bool, Meta(description="less noise, but frequencies up to a ninth of the rate only; not at 5376")
    ] = False


class Lis3dh(FifoAccelerometer):
    """One LIS3DH; see the module.

    Args:
        config: where it is, how fast it samples.
        surroundings: clock and buses.
        more: `sleep` and `background`, see `FifoAccelerometer`.
    """

    Config = Lis3dhConfig

    def __init__(self, config: Lis3dhConfig, surroundings: Surroundings, **more: Any) -> None:
        low_power = config.rate_hz == LOW_POWER_HZ
        if low_power and config.high_resolution:
            raise SensorConfigError(f"{CHIP}: {LOW_POWER_HZ} Hz has 8 bits; high_resolution is for up to 1344 Hz")
        self._step_g = MG_PER_STEP[config.range_g] / 16e3
        resolution_g = self._step_g * (LOW_POWER_STEP if low_power else FIFO_STEP)
        super().__init__(
            Chip(CHIP, FIFO_SAMPLES),
            acceleration(
                config.channel, 32768 * self._step_g, resolution_g, float(config.rate_hz), surroundings.interval_s
            ),
            Place.of(CHIP, config, ADDRESS, spi_mode=3, first_byte=flags_on_top, several=SEVERAL),
            surroundings,
            self_test=config.self_test,
            **more,
        )
        self._control_1 = RATE_CODES[config.rate_hz] | ALL_AXES | (LOW_POWER if low_power else 0)
        self._control_4 = (
            BLOCK_UPDATE | RANGE_CODES[config.range_g] | (HIGH_RESOLUTION if config.high_resolution else 0)
        )

    def identify(self, registers: Registers) -> None:
        """See `FifoAccelerometer`."""
        require_identity(registers, CHIP, [(WHO_AM_I, DEVICE)])

    @property
    def settings(self) -> Sequence[Setting]:
        """Switched off while it is set; bypass empties the FIFO (section 5.1.1)."""
        return (
            Setting(CTRL_REG1, 0x00, mask=0x00),
            Setting(FIFO_CTRL_REG, BYPASS, mask=0x00),
            Setting(CTRL_REG4, self._control_4),
            Setting(CTRL_REG5, FIFO_EN),
            Setting(CTRL_REG1, self._control_1),
            Setting(FIFO_CTRL_REG, STREAM),
        )

    def test(self, registers: Registers) -> str:
        """Mean of 26 samples without and with the electrostatic force."""
        means = []
        for force in (0x00, SELF_TEST_0):
            for register, value in (
                (CTRL_REG4, BLOCK_UPDATE | RANGE_CODES[TEST_RANGE_G] | force),
                (CTRL_REG5, FIFO_EN),
                (CTRL_REG1, RATE_CODES[TEST_HZ] | ALL_AXES),
                (FIFO_CTRL_REG, BYPASS),
            ):
                registers.write(register, value)
            self._sleep(SETTLE_S)
            registers.write(FIFO_CTRL_REG, STREAM)
            self._sleep(TEST_S)
            means.append(self.drain(registers).values / self._step_g * MG_PER_STEP[TEST_RANGE_G] / 16e3)
        registers.write(CTRL_REG4, self._control_4)
        return response(means[0], means[1], TEST_LOW_G, TEST_HIGH_G, signed=False)

    def drain(self, registers: Registers) -> Drained:
        """Reads what FIFO_SRC_REG counts; see `FifoAccelerometer`.

        Of the two documents one counts the newest sample and one does not; where it is not counted it stays for the next
        time. A read of several samples goes back to OUT_X_L after OUT_Z_H by itself (AN3308).
        """
        source = registers.read(FIFO_SRC_REG, 1)[0]
        at_ns = self._monotonic_ns()
        if source & OVRN_FIFO and source & EMPTY:
            raise BusError(f"{registers.place}: the FIFO of the {CHIP} is full and empty at once: it is gone")
        overrun = bool(source & OVRN_FIFO)
        waiting = FIFO_SAMPLES if overrun else 0 if source & EMPTY else source & STORED
        data, gap = fetch(registers, OUT_X_L, waiting, SAMPLE_BYTES)
        return Drained(at_ns, words(data, "<i2") * self._step_g, OVERFLOWED if overrun else gap)

    def rest(self, registers: Registers) -> None:
        """Power down (CTRL_REG1)."""
        registers.write(CTRL_REG1, 0x00)


def _identify(chip: I2cReader) -> str | None:
    return CHIP if chip.read(WHO_AM_I, 1)[0] == DEVICE else None


def _identify_on_spi(spi: Spi) -> str | None:
    asked = bytes([flags_on_top(WHO_AM_I, 1, write=False), 0])
    return CHIP if spi.transfer(asked)[1] == DEVICE else None


PROBES = (
    I2cProbe((ADDRESS, ADDRESS_SA0_HIGH), _identify, khz=(400, 1_000_000)),
    SpiProbe(3, 1_000_000, _identify_on_spi, rank=0),
)
