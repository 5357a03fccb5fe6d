"""INA226: current, voltage and power of a DC line by its shunt, over I²C (TI SBOS547B, revised September 2024).

The chip measures the voltage over a shunt (full range ±81.92 mV) and the bus voltage (0 to 36 V), one after the other and
over and over, and gives the mean of `averages` of them; what is delivered is the last such mean. Current and power come
from its own multiplication. The sign of the current is the direction; power has the same sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from edge.sensors.base import Channel, Fault, Quantity, SensorConfigError, SensorError
from edge.sensors.bus.base import BusError, I2c, persistent
from edge.sensors.energy import EnergyFile, PowerEnergy
from edge.sensors.polled import Polled, Reading
from edge.sensors.probing import I2cProbe, I2cReader
from edge.sensors.registry import Surroundings

# Table 7-1, register set; all of 16 bits, high byte first.
CONFIGURATION = 0x00
SHUNT_VOLTAGE = 0x01
BUS_VOLTAGE = 0x02
POWER = 0x03
CURRENT = 0x04
CALIBRATION = 0x05
MASK_ENABLE = 0x06
ALERT_LIMIT = 0x07
MANUFACTURER_ID = 0xFE
DIE_ID = 0xFF

RESET = 0x8000
AFTER_RESET = 0x4127
"""Content of the configuration register after power-up."""
FIXED = 0x4000
CONTINUOUS = 0x7
AVERAGES = (1, 4, 16, 64, 128, 256, 512, 1024)
CONVERSION_MS = (0.14, 0.204, 0.332, 0.588, 1.1, 2.116, 4.156, 8.244)

# Mask/Enable register, section 7.1.7.
SHUNT_OVER = 0x8000
ALERT_FUNCTION = 0x0010
CONVERSION_READY = 0x0008
OVERFLOW = 0x0004
LATCH = 0x0001

TEXAS_INSTRUMENTS = 0x5449
INA226 = 0x2260
RELATIVES = {0x2270: "INA260", 0x3220: "INA3221"}
INA219_AFTER_RESET = 0x399F

SHUNT_V = 2.5e-6
"""Smallest step of the shunt voltage; full scale is 32767 of them."""
BUS_V = 1.25e-3
FULL_SCALE_V = 0.08192
POWER_STEPS = 25
"""A step of power is 25 steps of current, in watts."""
SCALING = 0.00512
"""CAL = 0.00512 / (current step * shunt) (equation 1)."""
LONGEST_CAL = 0x7FFF
PATIENCE = 3.0
"""So many conversion times without a result: it does not convert."""
RELAPSES = 3


class Ina226Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of an `ina226` sensor."""

    bus: Annotated[int, Meta(ge=0, le=255)] = 1
    """Number of the I²C bus: 1 is pins 3 and 5 of a Raspberry Pi."""
    address: Annotated[int, Meta(ge=0x40, le=0x4F)] = 0x40
    """Its address, 64 to 79 by its pins A0 and A1."""
    shunt_ohm: Annotated[float, Meta(gt=0, le=100)] = 0.1
    """The shunt's resistance: R100 on a small board is 0.1, R002 is 0.002."""
    max_a: Annotated[float, Meta(gt=0, le=10_000)] | None = None
    """Largest current; what the shunt allows (0.08192 V / shunt_ohm) when left out. A smaller one makes finer steps."""
    averages: Literal[1, 4, 16, 64, 128, 256, 512, 1024] = 256
    """How many conversions are averaged."""
    conversion_ms: float = 1.1
    """Length of one conversion of each, shunt and bus: 0.14, 0.204, 0.332, 0.588, 1.1, 2.116, 4.156 or 8.244."""
    every_s: Annotated[float, Meta(ge=0.05, le=3600)] = 1.0
    """Seconds between readings."""
    peak_a: Annotated[float, Meta(gt=0, le=10_000)] | None = None
    """Adds the channel over_current: 1 when the current was above this in any conversion since the last reading."""
    energy: bool = False
    """Adds the channel energy: kWh since the first start, integrated from power."""
    prefix: Annotated[str, Meta(pattern="^[a-z0-9_-]*$", max_length=24)] = ""
    """Put before each channel's name, where a machine has several."""


class Ina226(Polled):
    """One INA226; see the module. Channels: `voltage` (V), `current` (A), `power` (W), and by option `over_current`, `energy`.

    Args:
        config: which chip, which shunt.
        surroundings: buses, clock, folder for energy.

    Raises:
        SensorConfigError: the chip cannot be set to that largest current, or the averages take longer than `every_s`.
    """

    Config = Ina226Config

    def __init__(self, config: Ina226Config, surroundings: Surroundings) -> None:
        self._config = config
        self._surroundings = surroundings
        self._cal = _calibration(config)
        self._current_step = SCALING / (self._cal * config.shunt_ohm)
        self._limit = _limit(config)
        if config.conversion_ms not in CONVERSION_MS:
            allowed = ", ".join(f"{length:g}" for length in CONVERSION_MS)
            raise SensorConfigError(f"conversion_ms {config.conversion_ms:g} is none of {allowed}")
        self._cycle_s = 2 * config.conversion_ms * 1e-3 * config.averages
        if self._cycle_s > config.every_s:
            raise SensorConfigError(
                f"{config.averages} averages of 2 x {config.conversion_ms:g} ms take {self._cycle_s:.2f} s, longer than "
                f"every_s {config.every_s:g}"
            )
        self._where = f"i2c-{config.bus} address 0x{config.address:02X}"
        self._settings = (
            FIXED
            | AVERAGES.index(config.averages) << 9
            | CONVERSION_MS.index(config.conversion_ms) << 6
            | CONVERSION_MS.index(config.conversion_ms) << 3
            | CONTINUOUS
        )
        self._bus: I2c | None = None
        self._energy: PowerEnergy | None = None
        self._set_ns = 0
        self._relapses = 0
        super().__init__(self._announced(), config.every_s, surroundings.monotonic_ns)

    def start(self) -> None:
        """Finds the chip, resets it, checks that it reset, sets it; raises SensorError that says what is there instead."""
        self._bus = self._surroundings.buses.i2c(self._config.bus)
        self._identify()
        self._put(CONFIGURATION, RESET)
        after = self._get(CONFIGURATION)
        if after != AFTER_RESET:
            raise SensorError(
                f"{self._where}: after a reset the configuration is 0x{after:04X}, not 0x{AFTER_RESET:04X}"
            )
        self._configure()
        self._relapses = 0
        if self._config.energy:
            file = EnergyFile(self._surroundings, f"{self._config.prefix}energy")
            self._energy = PowerEnergy(file, 5.0 * self._config.every_s)

    def measure(self) -> Sequence[Reading] | None:
        """The last mean; None while the first is being made."""
        if (self._get(CONFIGURATION), self._get(CALIBRATION)) != (self._settings, self._cal):
            # It lost power and came back: its current register would read zero for ever.
            self._relapses += 1
            if self._relapses >= RELAPSES:
                raise SensorError(f"{self._where}: keeps losing its settings; check its supply and the ground wire")
            self._identify()
            self._configure()
            return None
        mask = self._get(MASK_ENABLE)
        if not mask & CONVERSION_READY:
            waited_s = (self._surroundings.monotonic_ns() - self._set_ns) / 1e9
            if waited_s > PATIENCE * self._cycle_s + self._config.every_s:
                raise SensorError(f"{self._where}: no conversion for {waited_s:.1f} s")
            return None
        self._set_ns = self._surroundings.monotonic_ns()
        self._relapses = 0
        return self._readings(mask)

    def stop(self) -> None:
        """Releases the bus and keeps the energy."""
        if self._energy is not None:
            self._energy.close()
        if self._bus is not None:
            self._bus.close()
        self._bus = self._energy = None

    def _readings(self, mask: int) -> list[Reading]:
        shunt = _signed(self._get(SHUNT_VOLTAGE))
        current = _signed(self._get(CURRENT)) * self._current_step
        voltage = self._get(BUS_VOLTAGE) * BUS_V
        power = self._get(POWER) * POWER_STEPS * self._current_step * (-1.0 if current < 0 else 1.0)
        by_name = {channel.name.removeprefix(self._config.prefix): channel for channel in self.channels}
        faults: tuple[tuple[Fault, str], ...] = ()
        if shunt in (-0x8000, 0x7FFF):
            amps = FULL_SCALE_V / self._config.shunt_ohm
            faults = ((Fault.CLIPPED, f"{self._where}: the shunt carries more than the chip can see, {amps:g} A"),)
        elif mask & OVERFLOW:
            faults = ((Fault.OUT_OF_RANGE, f"{self._where}: arithmetic overflow; max_a is too small"),)
        if faults:
            current = power = float("nan")
        made = [
            Reading(by_name["voltage"], voltage),
            Reading(by_name["current"], current, faults),
            Reading(by_name["power"], power, faults),
        ]
        if self._limit is not None:
            made.append(Reading(by_name["over_current"], float(bool(mask & ALERT_FUNCTION))))
        if self._energy is not None:
            made.append(Reading(by_name["energy"], self._energy.take(self._surroundings.monotonic_ns(), power)))
        return made

    def _identify(self) -> None:
        maker, die = self._get(MANUFACTURER_ID), self._get(DIE_ID)
        # The lowest bits of the die's number are its revision (section 7.1.10).
        if maker == TEXAS_INSTRUMENTS and die & 0xFFF0 == INA226:
            return
        known = RELATIVES.get(die & 0xFFF0) if maker == TEXAS_INSTRUMENTS else None
        if known is None and self._get(CONFIGURATION) == INA219_AFTER_RESET:
            known = "INA219"
        raise SensorError(
            f"{self._where}: expected an INA226 (manufacturer 0x{TEXAS_INSTRUMENTS:04X}, die 0x{INA226:04X}), found "
            f"manufacturer 0x{maker:04X}, die 0x{die:04X}{f': an {known}' if known else ''}"
        )

    def _configure(self) -> None:
        self._put(CALIBRATION, self._cal)
        if self._limit is not None:
            self._put(ALERT_LIMIT, self._limit)
            self._put(MASK_ENABLE, SHUNT_OVER | LATCH)
        self._put(CONFIGURATION, self._settings)
        for register, wanted in ((CONFIGURATION, self._settings), (CALIBRATION, self._cal)):
            found = self._get(register)
            if found != wanted:
                raise SensorError(f"{self._where}: register 0x{register:02X} keeps 0x{found:04X}, not 0x{wanted:04X}")
        self._set_ns = self._surroundings.monotonic_ns()

    def _get(self, register: int) -> int:
        bus, address = self._open_bus(), self._config.address
        return int.from_bytes(persistent(lambda: bus.read(address, register, 2)), "big")

    def _put(self, register: int, value: int) -> None:
        bus, address = self._open_bus(), self._config.address
        persistent(lambda: bus.write(address, register, value.to_bytes(2, "big")))

    def _open_bus(self) -> I2c:
        if self._bus is None:
            raise BusError(f"{self._where}: not open")
        return self._bus

    def _announced(self) -> list[Channel]:
        config, step = self._config, self._current_step
        amps = min(FULL_SCALE_V / config.shunt_ohm, 0x8000 * step)
        prefix, period_s = config.prefix, config.every_s
        made = [
            Channel(f"{prefix}voltage", "V", Quantity.LEVEL, 0.0, 0x7FFF * BUS_V, period_s=period_s, resolution=BUS_V),
            Channel(f"{prefix}current", "A", Quantity.CURRENT, -amps, amps, period_s=period_s, resolution=step),
            Channel(
                f"{prefix}power",
                "W",
                Quantity.POWER,
                -amps * 0x7FFF * BUS_V,
                amps * 0x7FFF * BUS_V,
                period_s=period_s,
                resolution=POWER_STEPS * step,
            ),
        ]
        if self._limit is not None:
            made.append(Channel(f"{prefix}over_current", "", Quantity.STATE, -0.5, 1.5, period_s=period_s, steady=True))
        if config.energy:
            made.append(Channel(f"{prefix}energy", "kWh", Quantity.ENERGY, 0.0, period_s=period_s, steady=True))
        return made


def _calibration(config: Ina226Config) -> int:
    most_a = FULL_SCALE_V / config.shunt_ohm
    max_a = config.max_a or most_a
    if max_a > 1.0001 * most_a:
        raise SensorConfigError(f"max_a {max_a:g}: a shunt of {config.shunt_ohm:g} ohm ends at {most_a:g} A")
    cal = int(SCALING / (max_a / 0x8000 * config.shunt_ohm) + 1e-6)
    if cal > LONGEST_CAL:
        least_a = SCALING * 0x8000 / (LONGEST_CAL * config.shunt_ohm)
        raise SensorConfigError(f"max_a {max_a:g} is too small for this shunt; at least {least_a:g} A")
    return cal


def _limit(config: Ina226Config) -> int | None:
    """The alert limit is compared with the shunt voltage's register (section 7.1.8)."""
    if config.peak_a is None:
        return None
    steps = round(config.peak_a * config.shunt_ohm / SHUNT_V)
    if not 1 <= steps < 0x7FFF:
        raise SensorConfigError(f"peak_a {config.peak_a:g} is beyond {FULL_SCALE_V / config.shunt_ohm:g} A")
    return steps


def _signed(word: int) -> int:
    return word - 0x10000 if word & 0x8000 else word


def _recognise(chip: I2cReader) -> str | None:
    ids = chip.read(MANUFACTURER_ID, 2) + chip.read(DIE_ID, 2)
    return "INA226" if ids[:2] == b"\x54\x49" and ids[2] == INA226 >> 8 and ids[3] & 0xF0 == INA226 & 0xF0 else None


PROBES = (I2cProbe(range(0x40, 0x50), _recognise),)
