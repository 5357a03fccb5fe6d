"""A MAX31855 with a thermocouple on it (Maxim data sheet 19-5793, revision 5, page 10)."""

from __future__ import annotations

from collections.abc import Callable

from edge.sensors.max31855 import SENSITIVITY_UV_K
from edge.sensors.thermocouple import ThermocoupleType, voltage_mv

POWER_UP_NS = 200_000_000
"""No result before the first conversion is over ("Electrical Characteristics", t_CONV_PU)."""


class Max31855Chip:
    """Answers every transfer with its 32 bits.

    Args:
        monotonic_ns: the clock.
        kind: thermocouple that this part is made for.
        probe_c, junction_c: temperatures of the measuring junction and of the chip.
    """

    def __init__(
        self,
        monotonic_ns: Callable[[], int],
        kind: ThermocoupleType = "K",
        probe_c: float = 180.0,
        junction_c: float = 25.0,
    ) -> None:
        self._monotonic_ns = monotonic_ns
        self.kind = kind
        self.probe_c = probe_c
        self.junction_c = junction_c
        self.open = False
        self.shorted_to_ground = False
        self.shorted_to_supply = False
        self.power_up()

    def power_up(self) -> None:
        """As after a loss of power."""
        self._ready_ns = self._monotonic_ns() + POWER_UP_NS

    @property
    def linear_c(self) -> float:
        """What the chip takes the thermocouple's temperature for."""
        voltage = voltage_mv(self.kind, self.probe_c) - voltage_mv(self.kind, self.junction_c)
        return voltage * 1000.0 / SENSITIVITY_UV_K[self.kind] + self.junction_c

    def transfer(self, out: bytes) -> bytes:
        """One frame; what comes in is ignored, and after 32 bits the line is zero."""
        return self._frame().to_bytes(4, "big")[: len(out)] + bytes(max(len(out) - 4, 0))

    def _frame(self) -> int:
        if self._monotonic_ns() < self._ready_ns:
            return 0
        faults = self.open | self.shorted_to_ground << 1 | self.shorted_to_supply << 2
        # An open or shorted input reads as the end of the scale.
        probe = 0x1FFF if faults else max(min(round(self.linear_c * 4), 0x1FFF), -0x2000)
        junction = round(self.junction_c * 16)
        return (probe & 0x3FFF) << 18 | bool(faults) << 16 | (junction & 0xFFF) << 4 | faults
