"""A MAX31856 with a thermocouple on it (Maxim data sheet 19-7534, page 18 and the descriptions of its registers)."""

from __future__ import annotations

from collections.abc import Callable

from edge.sensors.max31856 import RANGES_C, TYPES
from edge.sensors.simulation.chips.spi_registers import SpiRegisterChip

POWER_UP = bytes.fromhex("0003ff7fc07fff800000") + bytes(6)
WRITABLE = 10
"""CR0 to CJTO; the results and SR can only be read."""
OPEN, OVUV, TC_RANGE, CJ_RANGE = 0x01, 0x02, 0x40, 0x80
OPEN_TEST_EVERY = 16


class Max31856Chip(SpiRegisterChip):
    """Converts by itself when CR0 says so, at its typical pace.

    Args:
        monotonic_ns: the clock.
        probe_c, junction_c: temperatures of the measuring junction and of the chip.
    """

    def __init__(self, monotonic_ns: Callable[[], int], probe_c: float = 180.0, junction_c: float = 25.0) -> None:
        super().__init__(POWER_UP)
        self._monotonic_ns = monotonic_ns
        self.probe_c = probe_c
        self.junction_c = junction_c
        self.open = False
        self.overvoltage = False
        self._started_ns: int | None = None
        self._conversions = 0

    def reset(self) -> None:
        """As after a loss of power."""
        super().reset()
        self._started_ns = None

    def write(self, register: int, value: int) -> None:
        """CR0 starts and stops conversions and clears faults; result registers ignore it."""
        if register >= WRITABLE:
            return
        if register == 0:
            if value & 0x02:
                self.memory[0x0F] = 0
            if not value & 0x80:
                self._started_ns = None
            elif self._started_ns is None:
                self._started_ns, self._conversions = self._monotonic_ns(), 0
            # The clear bit and a triggered conversion fall back by themselves.
            value &= ~0x42
        self.memory[register] = value

    def measure(self) -> None:
        """Does the conversions that have become due since the last look."""
        if self._started_ns is None:
            return
        fifty = self.memory[0] & 1
        samples = 1 << min(self.memory[1] >> 4 & 7, 4)
        period_s = (0.098 if fifty else 0.082) + (samples - 1) * (0.020 if fifty else 0.01667)
        passed_s = (self._monotonic_ns() - self._started_ns) / 1e9
        # The first conversion takes some 70 ms longer.
        due = max(int((passed_s - 0.07) / period_s), 0)
        if due == self._conversions:
            return
        tested = due // OPEN_TEST_EVERY > self._conversions // OPEN_TEST_EVERY
        self._conversions = due
        self._convert(tested=tested)

    def _convert(self, *, tested: bool) -> None:
        low, high = next(RANGES_C[kind] for kind, code in TYPES.items() if code == self.memory[1] & 0x07)
        status = 0
        # An open input drifts; the test for it finds it only once in a while.
        probe_c = self.junction_c if self.open else self.probe_c
        if self.open and tested:
            status |= OPEN
        if self.overvoltage:
            status |= OVUV
        if not low <= probe_c <= high:
            status |= TC_RANGE
        if not -55.0 <= self.junction_c <= 125.0:
            status |= CJ_RANGE
        interrupt = self.memory[0] & 0x04
        # The latch of interrupt mode; in comparator mode the bits follow.
        self.memory[0x0F] = (self.memory[0x0F] if interrupt else 0) | status
        junction = round(self.junction_c * 64) << 2
        probe = round(min(max(probe_c, low), high) * 128) << 5
        self.memory[0x0A:0x0C] = (junction & 0xFFFF).to_bytes(2, "big")
        self.memory[0x0C:0x0F] = (probe & 0xFFFFFF).to_bytes(3, "big")
