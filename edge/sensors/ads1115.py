"""ADS1115: current clamps on a 16-bit ADC with I²C (TI SBAS444D, "ADS111x", revised January 2018).

The chip has one converter, 860 conversions a second at most (each its mean over 1.16 ms), and no FIFO. Each conversion is
started singly, waited for (up to 10 % longer than nominal, the tolerance of its oscillator) and fetched, so the time of
each is known, and the whole configuration is written anew each time. With the bus at 100 kHz that makes some 400 samples a
second, at 400 kHz some 550: harmonics up to the 3rd or 5th are seen. The mean over a conversion takes 0.5 % off the mains'
own wave, which is made up for, and 5 % off its third harmonic, which is not. Several clamps are recorded one after the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta, field

from edge.sensors.base import SensorConfigError, SensorError
from edge.sensors.bus.base import BusError, I2c, persistent
from edge.sensors.clamp import ClampConfig, Limits
from edge.sensors.clamped import Clamped, ClampedConfig, Wired
from edge.sensors.probing import I2cProbe, I2cReader
from edge.sensors.registry import Surroundings

# Table 4 and sections 9.6.1 to 9.6.4; registers of 16 bits, high byte first.
CONVERSION, CONFIGURATION, LOW_THRESHOLD, HIGH_THRESHOLD = range(4)
START = 0x8000
"""Written: begins a conversion. Read: 1 while none is under way."""
SINGLE_SHOT = 0x0100
RATE_860 = 0x00E0
NO_COMPARATOR = 0x0003
AFTER_RESET = 0x8583
LOW_AFTER_RESET, HIGH_AFTER_RESET = 0x8000, 0x7FFF
INPUTS = ("0-1", "0-3", "1-3", "2-3", "0", "1", "2", "3")
"""In the order of the multiplexer's bits."""
RANGES_V = (6.144, 4.096, 2.048, 1.024, 0.512, 0.256)
"""In the order of the amplifier's bits."""
FULL_SCALE = 0x8000

NOMINAL_HZ = 860.0
CONVERSION_S = 1.1 / NOMINAL_HZ + 30e-6
"""Longest: 10 % slower than nominal, and waking up (section 7.5)."""
TRIAL = 0x1235
"""Written to a threshold: what keeps fewer than 16 bits shows itself."""
RAIL_V = 0.02
"""So near to its end an input counts as being there."""


class Ads1115Clamp(ClampConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One clamp on an ADS1115."""

    input: Literal["0", "1", "2", "3", "0-1", "0-3", "1-3", "2-3"] = "0"
    """Input A0 to A3 against ground, or a difference of two, such as clamp on A0 and bias on A1."""


class Ads1115Config(ClampedConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of an `ads1115` sensor."""

    bus: Annotated[int, Meta(ge=0, le=255)] = 1
    """Number of the I²C bus: 1 is pins 3 and 5 of a Raspberry Pi."""
    address: Annotated[int, Meta(ge=0x48, le=0x4B)] = 0x48
    """Its address: 72 with ADDR at GND, 73 at VDD, 74 at SDA, 75 at SCL."""
    rate_hz: Annotated[float, Meta(ge=100, le=860)] = 350.0
    """Samples a second within a burst; a bus of 100 kHz reaches some 400, one of 400 kHz some 550."""
    range_v: float = 4.096
    """Full range of the amplifier: 6.144, 4.096, 2.048, 1.024, 0.512 or 0.256 V; the inputs end at the supply all the same."""
    clamps: Annotated[list[Ads1115Clamp], Meta(min_length=1, max_length=4)] = field(name="clamp")
    """The clamps, each a table of its own."""


class Ads1115(Clamped):
    """Clamps on an ADS1115; see the module.

    Args:
        config: which chip, which clamps.
        surroundings: buses and clock.
        sleep, background: see `Clamped`.

    Raises:
        SensorConfigError: a range that it does not have, or what `Clamped` refuses.
    """

    Config = Ads1115Config

    def __init__(
        self,
        config: Ads1115Config,
        surroundings: Surroundings,
        *,
        sleep: Callable[[float], None] = time.sleep,
        background: bool = True,
    ) -> None:
        if config.range_v not in RANGES_V:
            raise SensorConfigError(
                f"range_v {config.range_v:g} is none of {', '.join(f'{one:g}' for one in RANGES_V)}"
            )
        self._chip = config
        self._buses = surroundings.buses
        self._bus: I2c | None = None
        self._clock = surroundings.monotonic_ns
        self._wait = sleep
        self._where = f"i2c-{config.bus} address 0x{config.address:02X}"
        self._step_v = config.range_v / FULL_SCALE
        self._settings = [_settings(one.input, config.range_v) for one in config.clamps]
        self._last = 0
        correction = 1.0 / float(np.sinc(config.mains_hz / NOMINAL_HZ))
        wired = [
            Wired(one, f"{self._where} A{one.input}", _limits(one, config), self._step_v, correction)
            for one in config.clamps
        ]
        super().__init__(config, wired, surroundings, together=False, sleep=sleep, background=background)

    def start(self) -> None:
        """Finds the chip and tests its registers and its converter."""
        self._bus = self._buses.i2c(self._chip.bus)
        self._put(LOW_THRESHOLD, TRIAL)
        found = self._get(LOW_THRESHOLD)
        self._put(LOW_THRESHOLD, LOW_AFTER_RESET)
        if found != TRIAL:
            less = " (an ADS1015 keeps 12 bits so)" if found == TRIAL & 0xFFF0 else ""
            raise SensorError(
                f"{self._where}: expected an ADS1115, which keeps 0x{TRIAL:04X} in register 2; found 0x{found:04X}{less}"
            )
        self.sample(0)
        self.check()

    def sample(self, clamp: int) -> tuple[int, float]:
        """One conversion; the time is that of its start."""
        self._last = self._settings[clamp]
        self._put(CONFIGURATION, self._last | START)
        at_ns = self._clock()
        self._wait(CONVERSION_S)
        raw = self._get(CONVERSION)
        return at_ns, (raw - 0x10000 if raw & 0x8000 else raw) * self._step_v

    def check(self) -> None:
        """The last conversion has ended, and by the settings that were written."""
        found = self._get(CONFIGURATION)
        if not found & START:
            raise SensorError(f"{self._where}: a conversion takes longer than {CONVERSION_S * 1e3:.2f} ms")
        if found & ~START != self._last:
            raise SensorError(
                f"{self._where}: configuration is 0x{found:04X}, not 0x{self._last | START:04X}; it lost power, or is "
                "another chip"
            )

    def stop(self) -> None:
        """Releases the bus; between conversions the chip sleeps by itself."""
        if self._bus is not None:
            self._bus.close()
        self._bus = None

    def _get(self, register: int) -> int:
        bus, address = self._open_bus(), self._chip.address
        return int.from_bytes(persistent(lambda: bus.read(address, register, 2)), "big")

    def _put(self, register: int, value: int) -> None:
        bus, address = self._open_bus(), self._chip.address
        persistent(lambda: bus.write(address, register, value.to_bytes(2, "big")))

    def _open_bus(self) -> I2c:
        if self._bus is None:
            raise BusError(f"{self._where}: not open")
        return self._bus


def _settings(wanted: str, range_v: float) -> int:
    """Configuration register (table 8) without the start bit."""
    return INPUTS.index(wanted) << 12 | RANGES_V.index(range_v) << 9 | SINGLE_SHOT | RATE_860 | NO_COMPARATOR


def _limits(clamp: Ads1115Clamp, config: Ads1115Config) -> Limits:
    """An input against ground ends at ground and supply, whatever the range; a difference may be negative."""
    top_v = config.range_v * (FULL_SCALE - 1) / FULL_SCALE
    if "-" in clamp.input:
        end_v = min(top_v, config.supply_v - RAIL_V)
        return Limits(-end_v, end_v, config.bias_v or 0.0, config.supply_v)
    bias_v = config.supply_v / 2 if config.bias_v is None else config.bias_v
    return Limits(RAIL_V, min(top_v, config.supply_v - RAIL_V), bias_v, config.supply_v)


def _recognise(chip: I2cReader) -> str | None:
    """It has no identity register: the thresholds' content after power-up, and fixed bits, have to speak for it."""
    thresholds = chip.read(LOW_THRESHOLD, 2) + chip.read(HIGH_THRESHOLD, 2)
    settings = int.from_bytes(chip.read(CONFIGURATION, 2), "big")
    usual = (LOW_AFTER_RESET << 16 | HIGH_AFTER_RESET).to_bytes(4, "big")
    return "ADS1115" if thresholds == usual and settings & NO_COMPARATOR == NO_COMPARATOR else None


def _proposal(bus: int, address: int) -> dict[str, object]:
    clamp = {"input": "0", "rated_a": 100.0, "output_ma": 50.0, "burden_ohm": 33.0}
    return {"bus": bus, "address": address, "clamp": [clamp]}


PROBES = (I2cProbe(range(0x48, 0x4C), _recognise, certain=False, options=_proposal),)
