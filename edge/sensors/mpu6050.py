"""InvenSense MPU-6050: acceleration ±2 to ±16 g and rotation, up to 1 kHz, FIFO of 1024 bytes, on I²C.

"Map" is the register map RM-MPU-6000A-00 rev. 4.2, "spec" the product specification PS-MPU-6000A-00 rev. 3.4. The
accelerometer passes 260 Hz at most, whatever the rate (map, register 26): enough for imbalance, misalignment and
looseness of a motor, not for its bearings.

The FIFO is bytes, not samples: whatever breaks a transfer or overflows it breaks the order of the bytes, so it is then
emptied and the loss counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from edge.sensors.accelerometer import (
    AccelerometerConfig,
    Chip,
    ChipTemperature,
    FifoAccelerometer,
    Place,
    Setting,
    acceleration,
    response,
)
from edge.sensors.base import Block, Channel, Quantity
from edge.sensors.bus.base import BusError
from edge.sensors.chip_identity import require_identity
from edge.sensors.fifo import DISTURBED, OVERFLOWED
from edge.sensors.probing import I2cProbe, I2cReader
from edge.sensors.registers import Registers
from edge.sensors.registry import Surroundings
from edge.sensors.stream import Drained

CHIP = "MPU-6050"
ADDRESS, ADDRESS_AD0_HIGH = 0x68, 0x69
"""With the AD0 pin at ground, and at the supply (spec, section 9.2)."""

# Register map: map, section 3.
SELF_TEST_X, SELF_TEST_A = 0x0D, 0x10
SMPLRT_DIV, CONFIG, GYRO_CONFIG = 0x19, 0x1A, 0x1B
ACCEL_CONFIG, ACCEL_SELF_TEST = 0x1C, 0xE0
FIFO_EN, FIFO_ACCEL, FIFO_GYRO = 0x23, 0x08, 0x70
INT_ENABLE, INT_STATUS, FIFO_OFLOW = 0x38, 0x3A, 0x10
TEMP_OUT_H = 0x41
USER_CTRL, USER_FIFO_EN, FIFO_RESET = 0x6A, 0x40, 0x04
PWR_MGMT_1, DEVICE_RESET, SLEEP, CLOCK_GYRO_X = 0x6B, 0x80, 0x40, 0x01
FIFO_COUNT_H, FIFO_R_W = 0x72, 0x74
WHO_AM_I, DEVICE = 0x75, 0x68

FIFO_BYTES = 1024
AXES_BYTES = 6


class Timing(NamedTuple):
    """Bandwidth setting (CONFIG) and divider (SMPLRT_DIV) of a rate."""

    bandwidth: int
    divider: int


TIMINGS = {
    1000: Timing(0, 7),
    500: Timing(1, 1),
    250: Timing(2, 3),
    200: Timing(2, 4),
    100: Timing(3, 9),
}
"""By rate in Hz: 8 kHz / (1 + divider) with bandwidth 0 (260 Hz), else 1 kHz / (1 + divider) with 184, 94 and 44 Hz, the
widest below half of the rate (map, registers 25 and 26)."""
RANGE_CODES = {2: 0x00, 4: 0x08, 8: 0x10, 16: 0x18}
"""AFS_SEL of ACCEL_CONFIG (map, register 28); 32768 steps are the range."""
GYRO_500_DPS, STEPS_PER_DPS = 0x08, 65.5
"""±500 °/s (map, registers 27 and 67)."""
GYRO_RANGE_DPS = 32768 / STEPS_PER_DPS
RESET_S = 0.1
WAKE_S = 0.03
"""Start of the gyroscope, whose oscillator is the clock (spec, section 6.1)."""
TEST_S = 0.05
TEST_SPREAD = 0.14
"""The force moves the mass as at the factory, within 14 % (spec, section 6.2)."""
UNTRIMMED_G = (0.1, 4.0)
"""Where the factory left no value: it moves at all."""


class Mpu6050Config(AccelerometerConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of an `mpu6050` sensor."""

    address: Literal[0x68, 0x69] = 0x68
    """I²C address: 0x68 with AD0 at ground, 0x69 with AD0 at 3.3 V."""
    rate_hz: Annotated[
        Literal[100, 200, 250, 500, 1000],
        Meta(description="samples a second; frequencies up to 44, 94, 94, 184 and 260 Hz pass"),
    ] = 1000
    range_g: Annotated[
        Literal[2, 4, 8, 16], Meta(description="largest acceleration; its 32768th part is the smallest step")
    ] = 16
    rotation: Annotated[
        bool, Meta(description="also deliver the mean rate of turn about the three axes, up to 500 °/s")
    ] = False
    temperature: Annotated[bool, Meta(description="also deliver the chip's own temperature")] = False


class Mpu6050(FifoAccelerometer):
    """One MPU-6050; see the module. Channels: the acceleration, and `<channel>_rotation`, `<channel>_temperature`.

    Args:
        config: where it is, how fast it samples.
        surroundings: clock and buses.
        more: `sleep` and `background`, see `FifoAccelerometer`.
    """

    Config = Mpu6050Config

    def __init__(self, config: Mpu6050Config, surroundings: Surroundings, **more: Any) -> None:
        self._frame = AXES_BYTES * (2 if config.rotation else 1)
        self._step_g = config.range_g / 32768.0
        temperature = ChipTemperature(config.channel, TEMP_OUT_H, celsius, -40.0, 85.0, 1.0 / 340.0)
        super().__init__(
            Chip(CHIP, FIFO_BYTES // self._frame, temperature if config.temperature else None),
            acceleration(
                config.channel, float(config.range_g), self._step_g, float(config.rate_hz), surroundings.interval_s
            ),
            Place(config.bus, config.address),
            surroundings,
            self_test=config.self_test,
            **more,
        )
        self._timing = TIMINGS[config.rate_hz]
        self._range_code = RANGE_CODES[config.range_g]
        range_rad_s = math.radians(GYRO_RANGE_DPS)
        self._rotation = (
            Channel(
                f"{config.channel}_rotation",
                "rad/s",
                Quantity.SPEED,
                low=-range_rad_s,
                high=range_rad_s,
                axes=3,
                period_s=surroundings.interval_s,
                resolution=range_rad_s / 32768.0,
            )
            if config.rotation
            else None
        )

    @property
    def channels(self) -> Sequence[Channel]:
        """Acceleration, then rotation and temperature where they are asked for."""
        return (*super().channels, *([self._rotation] if self._rotation else []))

    def stream_channel(self) -> Channel:
        """Acceleration and rotation come from one FIFO."""
        return replace(self.channel, axes=self._frame // 2)

    def deliver(self, blocks: list[Block]) -> list[Block]:
        """Acceleration as it is, of the rotation the mean of each block."""
        delivered: list[Block] = []
        for block in blocks:
            delivered.append(replace(block, channel=self.channel, values=block.values[:, :3].copy()))
            if self._rotation is not None:
                mean = np.radians(block.values[:, 3:].mean(axis=0, keepdims=True))
                delivered.append(Block(self._rotation, block.start_ns, mean))
        return delivered

    def identify(self, registers: Registers) -> None:
        """See `FifoAccelerometer`."""
        require_identity(registers, CHIP, [(WHO_AM_I, DEVICE)])

    @property
    def settings(self) -> Sequence[Setting]:
        """The FIFO is emptied while it is switched off (map, register 106)."""
        content = FIFO_ACCEL | (FIFO_GYRO if self._frame > AXES_BYTES else 0)
        return self._set(self._timing, self._range_code, content)

    def configure(self, registers: Registers) -> None:
        """Resets it, wakes it, and writes the settings."""
        self._wake(registers)
        super().configure(registers)

    def test(self, registers: Registers) -> str:
        """The mean of some 50 samples at ±8 g without and with the force, against the factory's (map, registers 13 to 16)."""
        codes = registers.read(SELF_TEST_X, 4)
        trims = [factory_trim_g(code) for code in accelerometer_codes(codes)]
        self._wake(registers)
        means: list[NDArray[np.float64]] = []
        for force in (0x00, ACCEL_SELF_TEST):
            settings = self._set(TIMINGS[1000], RANGE_CODES[8] | force, FIFO_ACCEL)
            for setting in settings:
                registers.write(setting.register, setting.value)
            # The filter settles while the first half of the samples is thrown away.
            self._sleep(2 * TEST_S)
            count = int.from_bytes(registers.read(FIFO_COUNT_H, 2), "big") // AXES_BYTES
            rows = self._rows(registers, count, AXES_BYTES)
            means.append(rows[count // 2 :, :3] * 8.0 / 32768.0)
        low = [trim * (1 - TEST_SPREAD) if trim else UNTRIMMED_G[0] for trim in trims]
        high = [trim * (1 + TEST_SPREAD) if trim else UNTRIMMED_G[1] for trim in trims]
        return response(means[0], means[1], low, high, signed=all(trims))

    def drain(self, registers: Registers) -> Drained:
        """Reads whole frames as FIFO_COUNT says; empties the FIFO where their order is lost."""
        count = int.from_bytes(registers.read(FIFO_COUNT_H, 2), "big")
        at_ns = self._monotonic_ns()
        if count > FIFO_BYTES:
            raise BusError(f"{registers.place}: the {CHIP} says that {count} bytes wait in its FIFO of {FIFO_BYTES}")
        if count > FIFO_BYTES - self._frame and (count == FIFO_BYTES or registers.read(INT_STATUS, 1)[0] & FIFO_OFLOW):
            return self._emptied(registers, at_ns, OVERFLOWED)
        try:
            rows = self._rows(registers, count // self._frame, self._frame)
        except BusError:
            return self._emptied(registers, at_ns, DISTURBED)
        values = rows / STEPS_PER_DPS
        values[:, :3] = rows[:, :3] * self._step_g
        return Drained(at_ns, values)

    def rest(self, registers: Registers) -> None:
        """Sleep (map, register 107)."""
        registers.write(PWR_MGMT_1, SLEEP)

    def _wake(self, registers: Registers) -> None:
        registers.write(PWR_MGMT_1, DEVICE_RESET)
        self._sleep(RESET_S)
        registers.write(PWR_MGMT_1, CLOCK_GYRO_X)
        self._sleep(WAKE_S)

    def _set(self, timing: Timing, accel_config: int, content: int) -> tuple[Setting, ...]:
        return (
            Setting(PWR_MGMT_1, CLOCK_GYRO_X),
            Setting(CONFIG, timing.bandwidth),
            Setting(SMPLRT_DIV, timing.divider),
            Setting(GYRO_CONFIG, GYRO_500_DPS),
            Setting(ACCEL_CONFIG, accel_config),
            Setting(INT_ENABLE, FIFO_OFLOW),
            Setting(FIFO_EN, content),
            Setting(USER_CTRL, 0x00, mask=0x00),
            Setting(USER_CTRL, FIFO_RESET, mask=0x00),
            Setting(USER_CTRL, USER_FIFO_EN),
        )

    def _emptied(self, registers: Registers, at_ns: int, why: str) -> Drained:
        for value in (0x00, FIFO_RESET, USER_FIFO_EN):
            registers.write(USER_CTRL, value)
        return Drained(at_ns, np.empty((0, self._frame // 2)), why)

    def _rows(self, registers: Registers, frames: int, size: int) -> NDArray[np.float64]:
        """So many frames as (n, axes) whole numbers, high bytes first (map, register 116); BusError loses their order."""
        most = registers.longest // size
        whole, rest = divmod(frames, most)
        data = registers.read_each_once(FIFO_R_W, most * size, whole) if whole else b""
        data += registers.read_once(FIFO_R_W, rest * size) if rest else b""
        return np.frombuffer(data, ">i2").reshape(-1, size // 2).astype(np.float64)


def celsius(raw: int) -> float:
    """Temperature of TEMP_OUT (map, register 65).

    >>> round(celsius(0xF4F0), 2)
    28.2
    """
    return (raw - 65536 if raw >= 32768 else raw) / 340.0 + 36.53


def accelerometer_codes(registers: bytes) -> tuple[int, int, int]:
    """XA_TEST, YA_TEST, ZA_TEST of registers 13 to 16: three bits at the top of the first three, two in the fourth."""
    x, y, z, rest = registers
    return (x >> 5) << 2 | (rest >> 4 & 3), (y >> 5) << 2 | (rest >> 2 & 3), (z >> 5) << 2 | (rest & 3)


def factory_trim_g(code: int) -> float:
    """The change that the factory measured, in g: 4096 steps per g at ±8 g (map, registers 13 to 16); 0 for none.

    >>> round(factory_trim_g(1), 3), round(factory_trim_g(31), 3)
    (0.34, 0.92)
    """
    return 0.34 * (0.92 / 0.34) ** ((code - 1) / 30.0) if code else 0.0


def _identify(chip: I2cReader) -> str | None:
    return CHIP if chip.read(WHO_AM_I, 1)[0] == DEVICE else None


PROBES = (I2cProbe((ADDRESS, ADDRESS_AD0_HIGH), _identify, khz=(400, 1_000_000)),)
