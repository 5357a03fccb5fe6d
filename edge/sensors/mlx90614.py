"""MLX90614: infrared thermometer on I²C for a crust or a bearing housing.

Melexis data sheet 3901090614, revision 8, and application note 390119061402 (SMBus communication), revision 4.

It measures by itself several times a second; every answer ends with SMBus' packet error code. The chip calculates with the
emissivity in its EEPROM, which is 1.0 from the factory. Nothing is ever written to that EEPROM: an `emissivity` in the
configuration that differs is calculated here, from the same law of radiation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from edge.sensors.base import Channel, Fault, Quantity
from edge.sensors.bus.base import Absent, BusError, I2c, persistent
from edge.sensors.crc8 import smbus_pec
from edge.sensors.polled import Polled, Reading
from edge.sensors.probing import I2cProbe, I2cReader
from edge.sensors.registry import Surroundings
from edge.sensors.spi_registers import hexadecimal
from edge.sensors.stranger import stranger
from wire.messages import Name

CHIP = "MLX90614"

# RAM (application note, page 14, table 7) and EEPROM, which is read with 0x20 more (page 17; data sheet, 8.4.6).
AMBIENT = 0x06
OBJECT = 0x07
EMISSIVITY = 0x24
SMBUS_ADDRESS = 0x2E

ERROR = 0x8000
"""The chip's own error flag (application note, page 14)."""
STEP_K = 0.02
ZERO_C_IN_K = 273.15
OBJECT_RAW = (0x27AD, 0x7FFF)
"""-70.01 to 382.19 °C (application note, page 14)."""
AMBIENT_RAW = (0x2DE4, 0x4DC4)
"""-38.2 to 125.0 °C (data sheet, 8.3.4)."""
FULL_EMISSIVITY = 0xFFFF
FIRST_S = 0.65
"""Data is valid 0.25 s after power on with the usual filter, later with the strongest (application note, page 14)."""


class Mlx90614Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of an `mlx90614` sensor."""

    bus: Annotated[int, Meta(ge=0, le=99)] = 1
    """Number of the I²C bus; it must not run faster than 100 kHz."""
    address: Annotated[int, Meta(ge=0x08, le=0x77)] = 0x5A
    """Address of the chip: 0x5A from the factory."""
    emissivity: Annotated[float, Meta(ge=0.1, le=1.0)] | None = None
    """Of the surface: bread crust and paint 0.95, rusty steel 0.8, bare steel 0.3; the chip's own when left out."""
    channel: Name = "surface_temperature"
    """Name of the channel."""
    ambient: bool = True
    """Also deliver the temperature of the sensor itself, as <channel>_ambient."""
    every_s: Annotated[float, Meta(ge=0.2, le=3600)] = 1.0
    """Seconds between readings."""


class Mlx90614(Polled):
    """One MLX90614; see the module.

    Args:
        config: where, and what it looks at.
        surroundings: buses and clock.
    """

    Config = Mlx90614Config

    def __init__(self, config: Mlx90614Config, surroundings: Surroundings) -> None:
        # A lower emissivity means a hotter (or colder) surface for the same radiation; seen from a sensor at 25 °C.
        ends = [corrected_c(celsius(raw), 25.0, 1.0, config.emissivity or 1.0) or -ZERO_C_IN_K for raw in OBJECT_RAW]
        self._object = Channel(
            config.channel, "°C", Quantity.TEMPERATURE, ends[0], ends[1], period_s=config.every_s, resolution=STEP_K
        )
        self._ambient = Channel(
            f"{config.channel}_ambient",
            "°C",
            Quantity.TEMPERATURE,
            celsius(AMBIENT_RAW[0]),
            celsius(AMBIENT_RAW[1]),
            period_s=config.every_s,
            resolution=STEP_K,
        )
        channels = [self._object, self._ambient] if config.ambient else [self._object]
        super().__init__(channels, config.every_s, surroundings.monotonic_ns)
        self._config = config
        self._buses = surroundings.buses
        self._i2c: I2c | None = None
        self._chip_emissivity = 1.0
        self._ready_ns = 0

    def start(self) -> None:
        """Opens the bus and knows the chip by its own address in its EEPROM; reads the emissivity it calculates with."""
        self._i2c = self._buses.i2c(self._config.bus)
        try:
            own = self._word(SMBUS_ADDRESS) & 0xFF
        except Absent:
            raise
        except BusError as exc:
            raise BusError(f"{exc}{stranger(self._i2c, self._config.address, 'mlx90614')}") from exc
        if own != self._config.address:
            raise BusError(
                f"{self._place}: no {CHIP}: register 0x{SMBUS_ADDRESS:02X} holds its own address 0x{self._config.address:02X} "
                f"there, found 0x{own:02X}"
            )
        emissivity = self._word(EMISSIVITY)
        if not emissivity:
            raise BusError(f"{self._place}: the {CHIP} has an emissivity of 0 in its EEPROM; it is damaged")
        self._chip_emissivity = emissivity / FULL_EMISSIVITY
        self._ready_ns = self._monotonic_ns() + round(FIRST_S * 1e9)

    def measure(self) -> Sequence[Reading] | None:
        """The last results; None just after the start, when the chip may have got its power only now."""
        if self._monotonic_ns() < self._ready_ns:
            return None
        ambient_raw = self._word(AMBIENT)
        object_raw = self._word(OBJECT)
        readings = [self._object_reading(object_raw, ambient_raw)]
        if self._config.ambient:
            readings.append(_reading(self._ambient, ambient_raw, AMBIENT_RAW))
        return readings

    def stop(self) -> None:
        """Releases the bus."""
        if self._i2c is not None:
            self._i2c.close()
            self._i2c = None

    def _object_reading(self, object_raw: int, ambient_raw: int) -> Reading:
        plain = _reading(self._object, object_raw, OBJECT_RAW)
        wanted = self._config.emissivity
        if plain.faults or wanted is None:
            return plain
        around = _reading(self._object, ambient_raw, AMBIENT_RAW)
        if around.faults:
            return around
        corrected = corrected_c(plain.value, around.value, self._chip_emissivity, wanted)
        if corrected is None:
            sentence = (
                f"{self._object.name}: too little radiation for an emissivity of {wanted:g}; is it the right one?"
            )
            return Reading(self._object, faults=((Fault.OUT_OF_RANGE, sentence),))
        return Reading(self._object, corrected)

    @property
    def _place(self) -> str:
        return f"i2c-{self._config.bus} address 0x{self._config.address:02X}"

    def _word(self, register: int) -> int:
        return persistent(lambda: self._read(register))

    def _read(self, register: int) -> int:
        if self._i2c is None:
            raise BusError(f"i2c-{self._config.bus} is closed")
        address = self._config.address
        low, high, code = found = self._i2c.read(address, register, 3)
        wanted = smbus_pec([address << 1, register, address << 1 | 1, low, high])
        if code != wanted:
            raise BusError(
                f"{self._place}: no {CHIP}, or a disturbed line: register 0x{register:02X} answers {hexadecimal(found)}, "
                f"which should end with the check code {wanted:02X}"
            )
        return high << 8 | low


def celsius(raw: int) -> float:
    """What a temperature register means: 0.02 K a step from absolute zero (data sheet, 8.4.6)."""
    return raw * STEP_K - ZERO_C_IN_K


def corrected_c(object_c: float, ambient_c: float, chip: float, wanted: float) -> float | None:
    """The object's temperature for another emissivity than the chip calculated with, in °C.

    The sensor sees emissivity · (To⁴ - Ta⁴) in kelvin (Stefan and Boltzmann; data sheet, 8.2), whatever To is made
    of it; None where no temperature radiates that little.

    >>> round(corrected_c(100.0, 25.0, 1.0, 0.95), 2)
    102.88
    """
    object_k, ambient_k = object_c + ZERO_C_IN_K, ambient_c + ZERO_C_IN_K
    fourth = (object_k**4 - ambient_k**4) * chip / wanted + ambient_k**4
    return fourth**0.25 - ZERO_C_IN_K if fourth > 0.0 else None


def _reading(channel: Channel, raw: int, limits: tuple[int, int]) -> Reading:
    if raw & ERROR:
        return Reading(channel, faults=((Fault.NO_DATA, f"{channel.name}: the {CHIP} flags its own value as wrong"),))
    if not limits[0] <= raw <= limits[1]:
        low, high = (celsius(end) for end in limits)
        sentence = f"{channel.name}: {celsius(raw):.1f} °C, the {CHIP} measures {low:.1f} to {high:.1f}"
        return Reading(channel, faults=((Fault.OUT_OF_RANGE, sentence),))
    return Reading(channel, celsius(raw))


def _identify(chip: I2cReader) -> str | None:
    """Its own address in its EEPROM, with a right check code."""
    low, high, code = chip.read(SMBUS_ADDRESS, 3)
    wanted = smbus_pec([chip.address << 1, SMBUS_ADDRESS, chip.address << 1 | 1, low, high])
    return CHIP if code == wanted and low == chip.address else None


PROBES = (I2cProbe((0x5A, 0x5B, 0x5C, 0x5D), _identify, khz=(10, 100)),)
"""From the factory it is 0x5A; whoever uses several gives them the next ones."""
