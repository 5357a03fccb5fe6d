"""MAX31865: PT100 and PT1000 to SPI (Maxim data sheet 19-6478, revision 3).

It compares the element with a reference resistor on the board and converts by itself 50 times a second. Its limits are set to
what the element can have at -200 and 850 °C, so that an open or shorted one raises a fault bit; a fault detection cycle then
tells which wire, and runs every ten minutes anyhow, because some shorts look like valid readings (page 21, tables 10 to 12).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal

from msgspec import Meta

from edge.sensors.base import Fault, SensorConfigError
from edge.sensors.bus.base import BusError, Spi, persistent
from edge.sensors.polled import Reading
from edge.sensors.probing import SpiProbe
from edge.sensors.registry import Surroundings
from edge.sensors.rtd import HIGH_C, LOW_C, A, resistance_ohm, temperature_c
from edge.sensors.spi_chip import SpiChip, SpiConfig, judged, temperature_channel
from edge.sensors.spi_registers import MAXIM_REGISTERS, SpiRegisters, hexadecimal, maxim_name, silence

CHIP = "MAX31865"
SPI_MODE = 1

# Registers (page 12, table 1).
CONFIGURATION = 0x00
RTD_MSB = 0x01
HIGH_LIMIT = 0x03
FAULT_STATUS = 0x07
REGISTERS = 8

# Configuration (pages 12 and 13, table 2).
BIAS = 0x80
AUTOMATIC = 0x40
THREE_WIRE = 0x10
CYCLE = 0x04
CYCLE_RUNS = 0x0C
CLEAR_FAULTS = 0x02
NOTCH_50_HZ = 0x01

FULL_SCALE = 1 << 15
"""A code is 15 bits of element over reference resistor, above a fault bit (page 14, table 4)."""
NOMINAL_OHM: Mapping[str, float] = {"PT100": 100.0, "PT1000": 1000.0}
USUAL_REFERENCE = 4.3
"""Times the element's resistance at 0 °C: 430 and 4300 Ω are on the usual boards; 400 and 4000 Ω in the data sheet."""

BIAS_SETTLE_S = 0.010
"""The input filter is charged long before (page 12: 10.5 of its time constants, some 50 µs each)."""
CYCLE_S = 0.001
"""An automatic fault detection cycle takes at most some 600 µs ("Electrical Characteristics")."""
CYCLE_POLLS = 5
CYCLE_EVERY_S = 600.0
CONVERSIONS_S: Mapping[int, float] = {50: 0.090, 60: 0.075}
"""The first conversion, at most 66 or 55 ms ("Electrical Characteristics"), and one more."""

FAULTS = (
    (0x80, Fault.OPEN, "resistance above that of 850 °C: the element is open (broken or not connected)"),
    (0x40, Fault.SHORT, "resistance below that of -200 °C: the element or its wires are shorted"),
    (0x20, Fault.OPEN, "REFIN- is too high: the element is open, or a wire touches the supply"),
    (0x10, Fault.SHORT, "REFIN- is too low: FORCE- or RTDIN- touches ground"),
    (0x08, Fault.SHORT, "RTDIN- is too low: a wire of the element touches ground"),
    (0x04, Fault.SHORT, "a wire has a voltage above the supply or below ground"),
)
"""Bits of the fault status register (page 15, table 7; causes: pages 21 and 22, tables 10 to 12)."""


class Max31865Config(SpiConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a `max31865` sensor."""

    element: Literal["PT100", "PT1000"] = "PT100"
    """100 or 1000 Ω at 0 °C."""
    wires: Literal[2, 3, 4] = 4
    """Wires between element and board; the board's solder bridges must say the same."""
    reference_ohm: Annotated[float, Meta(ge=50, le=50_000)] | None = None
    """Reference resistor on the board, in Ω; 4.3 times the element's when left out: 430 (PT100) or 4300 (PT1000)."""
    lead_ohm: Annotated[float, Meta(ge=0, le=100)] = 0.0
    """Resistance of both wires together, which is subtracted; only with two wires."""
    mains_hz: Literal[50, 60] = 50
    """The mains frequency that its filter takes out."""
    every_s: Annotated[float, Meta(ge=0.2, le=3600)] = 1.0
    """Seconds between readings."""


class Max31865(SpiChip):
    """One MAX31865; see the module.

    Args:
        config: where, and with which element.
        surroundings: buses and clock.
        sleep: waits that many seconds, 10 ms at the start and some milliseconds for a fault detection cycle.

    Raises:
        SensorConfigError: the reference resistor is too small for the element, or `lead_ohm` with three or four wires.
    """

    Config = Max31865Config

    def __init__(
        self, config: Max31865Config, surroundings: Surroundings, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._nominal_ohm = NOMINAL_OHM[config.element]
        self._reference_ohm = config.reference_ohm or USUAL_REFERENCE * self._nominal_ohm
        if self._reference_ohm < resistance_ohm(self._nominal_ohm, 50.0):
            raise SensorConfigError(
                f"reference_ohm {self._reference_ohm:g} is too small for a {config.element}: it has "
                f"{self._nominal_ohm:g} ohm at 0 °C; usual are {USUAL_REFERENCE * self._nominal_ohm:g}"
            )
        if config.lead_ohm and config.wires != 2:
            raise SensorConfigError(f"lead_ohm is for two wires; with {config.wires} the chip itself takes them out")
        highest_ohm = self._reference_ohm * (FULL_SCALE - 1) / FULL_SCALE - config.lead_ohm
        reaches = highest_ohm >= resistance_ohm(self._nominal_ohm, HIGH_C)
        high_c = HIGH_C if reaches else temperature_c(self._nominal_ohm, highest_ohm)
        step_c = self._reference_ohm / FULL_SCALE / (self._nominal_ohm * A)
        self._channel = temperature_channel(config.channel, LOW_C, high_c, config.every_s, step_c)
        super().__init__(CHIP, SPI_MODE, config, [self._channel], config.every_s, surroundings)
        self._config = config
        self._sleep = sleep
        self._ready_ns = 0
        self._cycle_ns = 0
        self._idle = BIAS | (THREE_WIRE if config.wires == 3 else 0) | (NOTCH_50_HZ if config.mains_hz == 50 else 0)
        self._limits = self._limit(HIGH_C, 2) + self._limit(LOW_C, -2)

    def set_up(self) -> None:
        """Writes settings and limits, reads them back, tests the element's wires and lets the chip convert."""
        other = persistent(self.registers.other)
        if other is not None:
            # It would keep what is written, but is certainly another one: seven of its registers say so.
            raise self.registers.not_it("but found another chip", other)
        persistent(self._configure)
        self._sleep(BIAS_SETTLE_S)
        # What this cycle finds is kept in the chip, and told by the first reading.
        persistent(self._detect)
        persistent(self._convert)

    def measure(self) -> Sequence[Reading] | None:
        """The last conversion's result; None until there is one."""
        now_ns = self._monotonic_ns()
        if now_ns < self._ready_ns:
            return None
        registers = persistent(self._all)
        code = int.from_bytes(registers[RTD_MSB : RTD_MSB + 2], "big")
        status = registers[FAULT_STATUS]
        if status or code & 1 or now_ns >= self._cycle_ns:
            found = persistent(self._cycle)
            status |= found
            if found:
                # Some of these faults are seen by a cycle only: another one before a value is believed again.
                self._cycle_ns = now_ns
        reading = judged(self._channel, float("nan"), status, FAULTS)
        if reading.faults:
            return [reading]
        name = self._channel.name
        if code & 1:
            sentence = f"{name}: the chip reports a fault, and not which one"
            return [Reading(self._channel, faults=((Fault.NO_DATA, sentence),))]
        ohm = (code >> 1) / FULL_SCALE * self._reference_ohm - self._config.lead_ohm
        try:
            return [Reading(self._channel, temperature_c(self._nominal_ohm, ohm))]
        except ValueError as exc:
            return [Reading(self._channel, faults=((Fault.OUT_OF_RANGE, f"{name}: {exc}"),))]

    def _limit(self, celsius: float, beyond: int) -> bytes:
        ohm = resistance_ohm(self._nominal_ohm, celsius) + self._config.lead_ohm
        code = round(ohm / self._reference_ohm * FULL_SCALE) + beyond
        return (min(max(code, 0), FULL_SCALE - 1) << 1).to_bytes(2, "big")

    def _configure(self) -> None:
        registers = self.registers
        # The notch must not be changed while the chip converts by itself (page 13).
        registers.write(CONFIGURATION, bytes([self._idle | CLEAR_FAULTS]))
        registers.write(HIGH_LIMIT, self._limits)
        found = registers.read(CONFIGURATION, FAULT_STATUS)
        settings, wanted = found[:1] + found[HIGH_LIMIT:], bytes([self._idle]) + self._limits
        if settings != wanted:
            raise registers.wrong(settings, wanted, None)

    def _detect(self) -> int:
        """Runs a fault detection cycle; returns the fault status, which stays in the chip."""
        registers = self.registers
        registers.write(CONFIGURATION, bytes([self._idle | CYCLE]))
        for _ in range(CYCLE_POLLS):
            self._sleep(CYCLE_S)
            found = registers.read(CONFIGURATION, REGISTERS)
            if not found[0] & CYCLE_RUNS:
                return found[FAULT_STATUS]
        raise BusError(
            f"{registers.place}: the {CHIP} does not end its fault detection cycle; its registers are {hexadecimal(found)}"
        )

    def _convert(self) -> None:
        self.registers.write(CONFIGURATION, bytes([self._idle | AUTOMATIC]))
        now_ns = self._monotonic_ns()
        self._ready_ns = now_ns + round(CONVERSIONS_S[self._config.mains_hz] * 1e9)
        self._cycle_ns = now_ns + round(CYCLE_EVERY_S * 1e9)

    def _cycle(self) -> int:
        # Cleared first, so that only what is wrong now is found again.
        self.registers.write(CONFIGURATION, bytes([self._idle | CLEAR_FAULTS]))
        status = self._detect()
        self.registers.write(CONFIGURATION, bytes([self._idle | CLEAR_FAULTS]))
        self._convert()
        return status

    def _all(self) -> bytes:
        registers = self.registers
        found = registers.read(CONFIGURATION, REGISTERS)
        wanted = bytes([self._idle | AUTOMATIC]) + self._limits
        settings = found[:1] + found[HIGH_LIMIT:FAULT_STATUS]
        if settings != wanted:
            raise silence(registers.place, CHIP, found) or BusError(
                f"{registers.place}: the {CHIP} lost its settings, as after a loss of power: they are "
                f"{hexadecimal(settings)}, wanted {hexadecimal(wanted)}; it is set up again"
            )
        return found


def _identify(spi: Spi) -> str | None:
    found = maxim_name(SpiRegisters(spi, "", CHIP).read(0, MAXIM_REGISTERS))
    return CHIP if found == CHIP else None


PROBES = (SpiProbe(SPI_MODE, 500_000, _identify, rank=4, certain=False),)
