"""MAX31855: thermocouple to SPI, one type per part number (Maxim data sheet 19-5793, revision 5).

The chip knows no registers: each read is one frame of 32 bits (page 10, tables 2 and 3).

    31..18  thermocouple, signed, 0.25 °C         15..4  the chip itself (reference junction), signed, 0.0625 °C
    17      always 0                              3      always 0
    16      a fault: one of the next three        2 short to supply, 1 short to ground, 0 open

It multiplies the voltage by one constant, as if the thermocouple were a straight line (page 8, "Temperature Conversion"), which is wrong by up
to tens of kelvin away from 0 and 1000 °C. `linearise` undoes that with the reference functions of ITS-90.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import Meta

from edge.sensors.base import Fault
from edge.sensors.bus.base import Spi, persistent
from edge.sensors.polled import Reading
from edge.sensors.probing import SpiProbe
from edge.sensors.registry import Surroundings
from edge.sensors.spi_chip import (
    JUNCTION_HIGH_C,
    JUNCTION_LOW_C,
    ThermocoupleChip,
    ThermocoupleConfig,
    judged,
)
from edge.sensors.spi_registers import hexadecimal, silence
from edge.sensors.thermocouple import ThermocoupleType, temperature_c, voltage_mv

CHIP = "MAX31855"
SPI_MODE = 0
FRAME_BYTES = 4
PROBE_STEP_C = 0.25
JUNCTION_STEP_C = 0.0625
RESERVED = 1 << 17 | 1 << 3
FAULT = 1 << 16
FAULTS = (
    (1 << 0, Fault.OPEN, "the thermocouple is open (broken or not connected)"),
    (1 << 1, Fault.SHORT, "the thermocouple touches ground"),
    (1 << 2, Fault.SHORT, "the thermocouple touches the supply"),
)
SENSITIVITY_UV_K: Mapping[ThermocoupleType, float] = {
    "K": 41.276,
    "J": 57.953,
    "N": 36.256,
    "T": 52.18,
    "E": 76.373,
    "R": 10.506,
    "S": 9.587,
}
"""Microvolts per kelvin that each part assumes (table 1): the mean of the reference function from 0 °C to 1000 or 400 °C."""
RANGES_C: Mapping[ThermocoupleType, tuple[float, float]] = {
    "K": (-200.0, 1350.0),
    "J": (-40.0, 750.0),
    "N": (-200.0, 1300.0),
    "T": (-200.0, 400.0),
    "E": (-40.0, 900.0),
    "R": (-50.0, 1768.0),
    "S": (-50.0, 1768.0),
}
"""Of each part (table 1), within the reference functions."""


class Max31855Config(ThermocoupleConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a `max31855` sensor."""

    thermocouple: ThermocoupleType = "K"
    """Last letter of the part number: MAX31855KASA+ is for type K."""
    linearise: bool = True
    """Correct the chip's straight line by ITS-90; false: its own value."""
    every_s: Annotated[float, Meta(ge=0.2, le=3600)] = 1.0
    """Seconds between readings; the chip converts ten times a second."""


class Max31855(ThermocoupleChip):
    """One MAX31855; see the module.

    Args:
        config: where, and for which thermocouple.
        surroundings: buses and clock.
    """

    Config = Max31855Config

    def __init__(self, config: Max31855Config, surroundings: Surroundings) -> None:
        steps_c = (PROBE_STEP_C, JUNCTION_STEP_C)
        range_c = RANGES_C[config.thermocouple]
        super().__init__(CHIP, SPI_MODE, config, config.every_s, range_c, steps_c, surroundings)
        self._config = config

    def set_up(self) -> None:
        """Reads one frame; raises BusError when it cannot be a MAX31855's."""
        # More bits than a frame has: a chip with registers takes them for a read, and shows what it is.
        other = persistent(self.registers.other)
        if other is not None:
            raise self.registers.not_it("but found another chip", other)
        persistent(self._frame)

    def measure(self) -> Sequence[Reading]:
        """The last conversion's result."""
        frame = persistent(self._frame)
        probe_c, junction_c = decode(frame)
        probe = self._linearised(judged(self._probe, probe_c, frame, FAULTS), junction_c)
        return self.wanted(probe, Reading(self._junction, junction_c))

    def _linearised(self, reading: Reading, junction_c: float) -> Reading:
        if reading.faults or not self._config.linearise:
            return reading
        try:
            return Reading(self._probe, linearised_c(self._config.thermocouple, reading.value, junction_c))
        except ValueError as exc:
            return Reading(self._probe, faults=((Fault.OUT_OF_RANGE, f"{self._probe.name}: {exc}"),))

    def _frame(self) -> int:
        found = self.registers.transfer(bytes(FRAME_BYTES))
        silent = silence(self.registers.place, CHIP, found)
        if silent is not None:
            raise silent
        frame = int.from_bytes(found, "big")
        # A MAX6675 sends 16 bits only, and then lets the line go.
        if frame & 0xFFFF == 0xFFFF:
            raise self.registers.not_it(f"but found {hexadecimal(found)}: 16 bits only, as a MAX6675 sends them")
        if frame & RESERVED or bool(frame & FAULT) != bool(frame & 7):
            raise self.registers.not_it(
                f"but {hexadecimal(found)} is none of its frames: another chip, or a disturbed line"
            )
        return frame


def decode(frame: int) -> tuple[float, float]:
    """Thermocouple and reference junction of one frame, in °C, as the chip gives them (page 10, tables 4 and 5).

    >>> decode(0x06401900), decode(0xFFFCFFF0)
    ((100.0, 25.0), (-0.25, -0.0625))
    """
    probe, junction = frame >> 18, frame >> 4 & 0xFFF
    probe -= (probe & 0x2000) << 1
    junction -= (junction & 0x800) << 1
    return probe * PROBE_STEP_C, junction * JUNCTION_STEP_C


def linearised_c(kind: ThermocoupleType, probe_c: float, junction_c: float) -> float:
    """The temperature by ITS-90 for what the chip calculated with its straight line.

    Raises:
        ValueError: the thermocouple gives no such voltage.
    """
    measured_mv = (probe_c - junction_c) * SENSITIVITY_UV_K[kind] / 1000.0
    return temperature_c(kind, measured_mv + voltage_mv(kind, junction_c))


def _identify(spi: Spi) -> str | None:
    """A frame whose constant bits are right, and a chip at a temperature at which it works."""
    found = spi.transfer(bytes(FRAME_BYTES))
    frame = int.from_bytes(found, "big")
    if not any(found) or frame & RESERVED or frame & 0xFFFF == 0xFFFF or bool(frame & FAULT) != bool(frame & 7):
        return None
    return "MAX31855" if JUNCTION_LOW_C <= decode(frame)[1] <= JUNCTION_HIGH_C else None


PROBES = (SpiProbe(SPI_MODE, 500_000, _identify, rank=5, certain=False),)
