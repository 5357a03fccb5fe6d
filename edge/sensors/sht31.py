"""SHT30, SHT31 and SHT35: temperature and humidity on I²C, as in a proofing room (Sensirion data sheet SHT3x-DIS, version 5).

The chip measures by itself at a pace of its own (periodic mode), and a reading fetches the latest result: nobody waits, and no
clock is stretched. A chip that lost its power no longer measures and says so by a bit in its status; it is then set up again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from edge.sensors.base import Channel, Quantity
from edge.sensors.bus.base import Absent, BusError, I2c, persistent
from edge.sensors.crc8 import sensirion_crc
from edge.sensors.polled import Polled, Reading
from edge.sensors.probing import I2cProbe, I2cReader
from edge.sensors.registry import Surroundings
from edge.sensors.spi_registers import hexadecimal
from edge.sensors.stranger import stranger
from wire.messages import Name

CHIP = "SHT3x"

# Commands (pages 11 to 13, tables 10 to 19).
PERIODIC = ((2.0, 0x2032), (1.0, 0x2130), (0.5, 0x2236), (0.25, 0x2334), (0.1, 0x2737))
"""Seconds between measurements, and the command for them at high repeatability."""
FETCH = 0xE000
BREAK = 0x3093
SOFT_RESET = 0x30A2
STATUS = 0xF32D
CLEAR_STATUS = 0x3041

# Status (page 13, table 18).
HEATER_ON = 1 << 13
RESET_DETECTED = 1 << 4
COMMAND_REFUSED = 1 << 1
WRITE_DAMAGED = 1 << 0

COMMAND_S = 0.002
"""After BREAK and SOFT_RESET the chip needs 1.5 ms (page 7, "Timing Specification")."""
MEASURE_S = 0.016
"""A measurement at high repeatability takes at most 15.5 ms (page 7, "Timing Specification")."""
PATIENCE_PERIODS = 5
"""So many periods without a new result, and the chip no longer measures."""
FULL = 65535.0


class Sht31Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of an `sht31` sensor."""

    bus: Annotated[int, Meta(ge=0, le=99)] = 1
    """Number of the I²C bus."""
    address: Literal[0x44, 0x45] = 0x44
    """0x44 (68) with the ADDR pin low, 0x45 (69) with it high."""
    channel: Name = "temperature"
    """Name of the temperature's channel."""
    humidity_channel: Name = "humidity"
    """Name of the relative humidity's channel."""
    every_s: Annotated[float, Meta(ge=0.2, le=3600)] = 2.0
    """Seconds between readings."""


class Sht31(Polled):
    """One SHT3x; see the module.

    Args:
        config: where, and how often.
        surroundings: buses and clock.
        sleep: waits that many seconds: some milliseconds at the start.
    """

    Config = Sht31Config

    def __init__(
        self, config: Sht31Config, surroundings: Surroundings, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        period_s = config.every_s
        self._temperature = Channel(
            config.channel, "°C", Quantity.TEMPERATURE, -40.0, 125.0, period_s=period_s, resolution=175.0 / FULL
        )
        self._humidity = Channel(
            config.humidity_channel, "%", Quantity.LEVEL, 0.0, 100.0, period_s=period_s, resolution=100.0 / FULL
        )
        super().__init__([self._temperature, self._humidity], config.every_s, surroundings.monotonic_ns)
        self._config = config
        self._buses = surroundings.buses
        self._sleep = sleep
        self._i2c: I2c | None = None
        # The slowest pace that has something new for each reading, even when the chip's clock is slow: less self-heating.
        self._pace_s, self._command = next((pair for pair in PERIODIC if pair[0] <= config.every_s / 1.2), PERIODIC[-1])
        self._fetched_ns = 0

    def start(self) -> None:
        """Opens the bus, resets the chip and sees by its status that it did (and that its heater is off), lets it measure."""
        self._i2c = self._buses.i2c(self._config.bus)
        self._send(BREAK)
        self._sleep(COMMAND_S)
        self._send(SOFT_RESET)
        self._sleep(COMMAND_S)
        status = self._first_status(self._i2c)
        if not status & RESET_DETECTED or status & HEATER_ON:
            raise BusError(f"{self._place}: no {CHIP}: after a reset its status is {status:016b}, bit 4 is not set")
        self._send(CLEAR_STATUS)
        status = self._status()
        if status & (RESET_DETECTED | COMMAND_REFUSED | HEATER_ON):
            raise BusError(f"{self._place}: the {CHIP} does not take commands: its status is {status:016b}")
        self._send(self._command)
        self._fetched_ns = self._monotonic_ns()

    def measure(self) -> Sequence[Reading] | None:
        """The latest result, or None while there is no new one."""
        now_ns = self._monotonic_ns()
        if now_ns - self._fetched_ns < MEASURE_S * 1e9:
            return None
        status = self._status()
        if status & RESET_DETECTED:
            raise BusError(f"{self._place}: the {CHIP} was reset, as after a loss of power; it is set up again")
        if status & HEATER_ON:
            raise BusError(f"{self._place}: the heater of the {CHIP} is on; it is set up again")
        words = self._fetch()
        if words is None:
            silent_s = (now_ns - self._fetched_ns) / 1e9
            if silent_s > PATIENCE_PERIODS * self._pace_s + MEASURE_S:
                raise BusError(f"{self._place}: the {CHIP} no longer measures, nothing new for {silent_s:.1f} s")
            return None
        self._fetched_ns = now_ns
        return [
            Reading(self._temperature, temperature_c(words[0])),
            Reading(self._humidity, humidity_percent(words[1])),
        ]

    def stop(self) -> None:
        """Releases the bus; the chip goes on measuring."""
        if self._i2c is not None:
            self._i2c.close()
            self._i2c = None

    @property
    def _place(self) -> str:
        return f"i2c-{self._config.bus} address 0x{self._config.address:02X}"

    def _first_status(self, i2c: I2c) -> int:
        try:
            return self._status()
        except Absent:
            raise
        except BusError as exc:
            raise BusError(f"{exc}{stranger(i2c, self._config.address, 'sht31')}") from exc

    def _status(self) -> int:
        try:
            return self._words(STATUS, 1)[0]
        except Absent as exc:
            raise Absent(f"{exc} ({CHIP} expected, asked for its status)") from exc

    def _fetch(self) -> list[int] | None:
        """Both results; None while there is no new one: the chip then does not acknowledge the read (page 11)."""
        try:
            return self._words(FETCH, 2)
        except Absent:
            return None

    def _send(self, command: int) -> None:
        persistent(lambda: self._exchange(command, 0))

    def _words(self, command: int, count: int) -> list[int]:
        return persistent(lambda: self._checked(command, count))

    def _checked(self, command: int, count: int) -> list[int]:
        found = self._exchange(command, 3 * count)
        words = []
        for start in range(0, 3 * count, 3):
            word, crc = found[start : start + 2], found[start + 2]
            if sensirion_crc(word) != crc:
                raise BusError(
                    f"{self._place}: no {CHIP}, or a disturbed line: the answer to {command:04X} is {hexadecimal(found)}, "
                    f"where {hexadecimal(word)} should be followed by {sensirion_crc(word):02X}"
                )
            words.append(int.from_bytes(word, "big"))
        return words

    def _exchange(self, command: int, count: int) -> bytes:
        if self._i2c is None:
            raise BusError(f"i2c-{self._config.bus} is closed")
        return self._i2c.exchange(self._config.address, command.to_bytes(2, "big"), count)


def temperature_c(word: int) -> float:
    """Page 14, 4.13.

    >>> temperature_c(0), round(temperature_c(0x6666), 6), temperature_c(0xFFFF)
    (-45.0, 25.0, 130.0)
    """
    return -45.0 + 175.0 * word / FULL


def humidity_percent(word: int) -> float:
    """Page 14, 4.13: of saturation over water.

    >>> humidity_percent(0), round(humidity_percent(0x8000), 1)
    (0.0, 50.0)
    """
    return 100.0 * word / FULL


def _identify(chip: I2cReader) -> str | None:
    """An answer to the command for its status with a right check code."""
    high, low, crc = chip.ask(STATUS.to_bytes(2, "big"), 3)
    return CHIP if sensirion_crc([high, low]) == crc else None


PROBES = (I2cProbe((0x44, 0x45), _identify, by_command=True),)
