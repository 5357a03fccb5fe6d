"""A MAX31865 with a platinum element on it (Maxim data sheet 19-6478, pages 12 to 15 and 21)."""

from __future__ import annotations

from collections.abc import Callable

from edge.sensors.rtd import resistance_ohm
from edge.sensors.simulation.chips.spi_registers import SpiRegisterChip

POWER_UP = bytes.fromhex("000000ffff000000")
WRITABLE = (0, 3, 4, 5, 6)
CYCLE_NS = 550_000
FULL_SCALE = 0x7FFF


class Max31865Chip(SpiRegisterChip):
    """Converts by itself when its configuration says so.

    Args:
        monotonic_ns: the clock.
        celsius: temperature of the element.
        nominal_ohm: its resistance at 0 °C.
        reference_ohm: the board's reference resistor.
    """

    def __init__(
        self,
        monotonic_ns: Callable[[], int],
        celsius: float = 20.0,
        nominal_ohm: float = 100.0,
        reference_ohm: float = 430.0,
    ) -> None:
        super().__init__(POWER_UP)
        self._monotonic_ns = monotonic_ns
        self.ohm = resistance_ohm(nominal_ohm, celsius)
        """What hangs between the terminals; infinite when open."""
        self.reference_ohm = reference_ohm
        self.refin_high = False
        self.refin_low = False
        self.rtdin_low = False
        self.overvoltage = False
        self._started_ns: int | None = None
        self._cycle_ns: int | None = None

    def reset(self) -> None:
        """As after a loss of power."""
        super().reset()
        self._started_ns = self._cycle_ns = None

    def write(self, register: int, value: int) -> None:
        """The configuration starts conversions and cycles; what can only be read ignores it."""
        if register not in WRITABLE:
            return
        if register == 0:
            if value & 0x02 and not value & 0x2C:
                self.memory[7] = 0
                self.memory[2] &= 0xFE
            now_ns = self._monotonic_ns()
            if value & 0x40 and value & 0x80:
                self._started_ns = self._started_ns if self._started_ns is not None else now_ns
            else:
                self._started_ns = None
            self._cycle_ns = now_ns + CYCLE_NS if value & 0x0C == 0x04 and value & 0x80 else None
            value &= ~0x22
        self.memory[register] = value

    def measure(self) -> None:
        """Ends a cycle and shows a conversion when their time has come."""
        now_ns = self._monotonic_ns()
        if self._cycle_ns is not None and now_ns >= self._cycle_ns:
            self._cycle_ns = None
            self.memory[0] &= ~0x0C
            self._found(self.refin_high << 5 | self.refin_low << 4 | self.rtdin_low << 3)
        first_ns = 62_500_000 if self.memory[0] & 1 else 52_000_000
        if self._started_ns is not None and now_ns - self._started_ns >= first_ns:
            self._convert()

    def _convert(self) -> None:
        ratio = min(self.ohm / self.reference_ohm, 1.0)
        code = min(round(ratio * 32768), FULL_SCALE)
        high, low = (int.from_bytes(self.memory[place : place + 2], "big") >> 1 for place in (3, 5))
        self.memory[1:3] = (code << 1 | self.memory[2] & 1).to_bytes(2, "big")
        self._found((code >= high) << 7 | (code <= low) << 6 | self.overvoltage << 2)

    def _found(self, status: int) -> None:
        self.memory[7] |= status
        self.memory[2] |= bool(self.memory[7])
