"""MAX31856: thermocouples of every type to SPI, linearised by the chip itself (Maxim data sheet 19-7534, revision 0).

It converts by itself ten times a second; nobody waits for it. Its fault bits are kept (interrupt mode) until they have been
read here, so that a contact that opens between two readings is still told; they are then cleared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from edge.sensors.base import Fault
from edge.sensors.bus.base import BusError, Spi, persistent
from edge.sensors.polled import Reading
from edge.sensors.probing import SpiProbe
from edge.sensors.registry import Surroundings
from edge.sensors.spi_chip import ThermocoupleChip, ThermocoupleConfig, judged
from edge.sensors.spi_registers import MAXIM_REGISTERS, SpiRegisters, hexadecimal, maxim_name, silence

CHIP = "MAX31856"
SPI_MODE = 1

# Registers (page 18, table 6).
CR0 = 0x00
CJTH = 0x0A
LTCBH = 0x0C
SR = 0x0F
SETTINGS = 10
"""CR0, CR1, MASK, CJHF, CJLF, LTHFTH, LTHFTL, LTLFTH, LTLFTL, CJTO: what is written."""
REGISTERS = 16

# CR0, "Configuration 0 Register".
CMODE = 0x80
OCFAULT = 0x10
"""Open circuit is looked for every 16 conversions, for cables of less than 5 kΩ."""
FAULT_INTERRUPT = 0x04
FAULTCLR = 0x02
NOTCH_50_HZ = 0x01

REST = bytes([0xFF, 0x7F, 0xC0, 0x7F, 0xFF, 0x80, 0x00, 0x00])
"""MASK to CJTO at their power-up values: no limits of temperature, no offset of the junction."""

CouplingType: TypeAlias = Literal["B", "E", "J", "K", "N", "R", "S", "T"]
TYPES: Mapping[CouplingType, int] = {"B": 0, "E": 1, "J": 2, "K": 3, "N": 4, "R": 5, "S": 6, "T": 7}
"""Bits 3 to 0 of CR1, "Configuration 1 Register"."""
RANGES_C: Mapping[CouplingType, tuple[float, float]] = {
    "B": (250.0, 1820.0),
    "E": (-200.0, 1000.0),
    "J": (-210.0, 1200.0),
    "K": (-200.0, 1372.0),
    "N": (-200.0, 1300.0),
    "R": (-50.0, 1768.0),
    "S": (-50.0, 1768.0),
    "T": (-200.0, 400.0),
}
"""Where the chip linearises; beyond, its TC Range bit is set ("Fault Status Register")."""
AVERAGES: Mapping[int, int] = {1: 0, 2: 1, 4: 2, 8: 3, 16: 4}
"""Bits 6 to 4 of CR1."""
PROBE_STEP_C = 2.0**-7
JUNCTION_STEP_C = 2.0**-6

# Longest time of one conversion by mains frequency ("Electrical Characteristics"), and what each averaged sample adds to it (CR1).
CONVERSION_S: Mapping[int, float] = {50: 0.110, 60: 0.090}
AVERAGED_S: Mapping[int, float] = {50: 0.020, 60: 0.0167}
OPEN_TEST_CONVERSIONS = 16
"""An open circuit is looked for once in so many ("Open-Circuit Fault Detection"); without a test a reading means nothing."""
OPEN = 0x01

JUNCTION_FAULTS = (
    (0x80, Fault.OUT_OF_RANGE, "the chip itself is outside of -55 to 125 °C"),
    (0x20, Fault.OUT_OF_RANGE, "the chip's own temperature is above its limit register"),
    (0x10, Fault.OUT_OF_RANGE, "the chip's own temperature is below its limit register"),
)
PROBE_FAULTS = (
    (OPEN, Fault.OPEN, "the thermocouple is open (broken or not connected)"),
    (0x02, Fault.SHORT, "the thermocouple's voltage is above the supply or below ground: it touches another line"),
    (0x40, Fault.OUT_OF_RANGE, "the temperature is outside of the thermocouple's range"),
    (0x08, Fault.OUT_OF_RANGE, "the temperature is above the chip's limit register"),
    (0x04, Fault.OUT_OF_RANGE, "the temperature is below the chip's limit register"),
)
"""Bits of SR, "Fault Status Register"."""


class Max31856Config(ThermocoupleConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a `max31856` sensor."""

    thermocouple: CouplingType = "K"
    """Type of the thermocouple."""
    mains_hz: Literal[50, 60] = 50
    """The mains frequency that its filter takes out."""
    average: Literal[1, 2, 4, 8, 16] = 2
    """Samples that the chip averages: quieter and slower."""
    every_s: Annotated[float, Meta(ge=0.5, le=3600)] = 1.0
    """Seconds between readings."""


class Max31856(ThermocoupleChip):
    """One MAX31856; see the module.

    Args:
        config: where, and for which thermocouple.
        surroundings: buses and clock.
    """

    Config = Max31856Config

    def __init__(self, config: Max31856Config, surroundings: Surroundings) -> None:
        steps_c = (PROBE_STEP_C, JUNCTION_STEP_C)
        range_c = RANGES_C[config.thermocouple]
        super().__init__(CHIP, SPI_MODE, config, config.every_s, range_c, steps_c, surroundings)
        conversion_s = CONVERSION_S[config.mains_hz] + (config.average - 1) * AVERAGED_S[config.mains_hz]
        self._conversion_ns = round(conversion_s * 1e9)
        self._test_ns = OPEN_TEST_CONVERSIONS * self._conversion_ns
        self._open_until_ns = 0
        self._ready_ns = 0
        notch = NOTCH_50_HZ if config.mains_hz == 50 else 0
        self._idle = OCFAULT | FAULT_INTERRUPT | notch
        self._wanted = bytes([CMODE | self._idle, AVERAGES[config.average] << 4 | TYPES[config.thermocouple]]) + REST

    def set_up(self) -> None:
        """Writes every setting, reads all of them back and lets the chip convert."""
        other = persistent(self.registers.other)
        persistent(lambda: self._configure(other))

    def measure(self) -> Sequence[Reading] | None:
        """The last conversion's result; None until the first test for an open circuit is over.

        The chip shows 0 °C before its first conversion, and an open circuit may show anything before it is found.
        """
        now_ns = self._monotonic_ns()
        if now_ns < self._ready_ns:
            return None
        registers = persistent(self._all)
        status = registers[SR]
        if status:
            self._clear()
            self._ready_ns = now_ns + 2 * self._conversion_ns
        if status & OPEN:
            self._open_until_ns = now_ns + self._test_ns
        elif now_ns < self._open_until_ns:
            status |= OPEN
        probe_c, junction_c = decode(registers[CJTH:SR])
        probe = judged(self._probe, probe_c, status, (*PROBE_FAULTS, *JUNCTION_FAULTS))
        return self.wanted(probe, judged(self._junction, junction_c, status, JUNCTION_FAULTS))

    def _configure(self, other: str | None) -> None:
        registers = self.registers
        # The notch must not be changed while the chip converts by itself (CR0).
        stopped = bytes([self._idle]) + self._wanted[1:]
        registers.write(CR0, stopped)
        found = registers.read(CR0, SETTINGS)
        if found != stopped:
            raise registers.wrong(found, stopped, other)
        self._clear()
        self._open_until_ns = 0
        self._ready_ns = self._monotonic_ns() + self._test_ns + self._conversion_ns

    def _clear(self) -> None:
        # The bit falls back by itself; a fault that lasts is set again by a later conversion (CR0).
        persistent(lambda: self.registers.write(CR0, bytes([self._wanted[0] | FAULTCLR])))

    def _all(self) -> bytes:
        registers = self.registers
        found = registers.read(CR0, REGISTERS)
        settings = found[:SETTINGS]
        if settings != self._wanted:
            raise silence(registers.place, CHIP, found) or BusError(
                f"{registers.place}: the {CHIP} lost its settings, as after a loss of power: they are "
                f"{hexadecimal(settings)}, wanted {hexadecimal(self._wanted)}; it is set up again"
            )
        return found


def decode(results: bytes) -> tuple[float, float]:
    """Thermocouple and reference junction in °C from CJTH, CJTL, LTCBH, LTCBM, LTCBL, as the examples of their registers have it.

    >>> decode(bytes.fromhex("1900 064f00")), decode(bytes.fromhex("ffc0 ffff00"))
    ((100.9375, 25.0), (-0.0625, -0.25))
    """
    junction = int.from_bytes(results[:2], "big", signed=True) >> 2
    probe = int.from_bytes(results[2:5], "big", signed=True) >> 5
    return probe * PROBE_STEP_C, junction * JUNCTION_STEP_C


def _identify(spi: Spi) -> str | None:
    found = maxim_name(SpiRegisters(spi, "", CHIP).read(0, MAXIM_REGISTERS))
    return CHIP if found == CHIP else None


PROBES = (SpiProbe(SPI_MODE, 500_000, _identify, rank=3, certain=False),)
