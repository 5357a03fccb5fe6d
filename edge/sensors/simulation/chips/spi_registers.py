"""What Maxim's SPI chips with registers have in common: the number first, its top bit a write, then one register after another."""

from __future__ import annotations

from abc import ABC, abstractmethod


class SpiRegisterChip(ABC):
    """Registers in `memory`; a subclass says what a read shows and what a write does."""

    def __init__(self, power_up: bytes) -> None:
        self._power_up = power_up
        self.memory = bytearray(power_up)

    def transfer(self, out: bytes) -> bytes:
        """One transfer with chip select low."""
        if not out:
            return b""
        first, write = out[0] & 0x7F, bool(out[0] & 0x80)
        self.measure()
        if write:
            for place, value in enumerate(out[1:], first):
                if place < len(self.memory):
                    self.write(place, value)
            return bytes(len(out))
        shown = bytes(self.memory) + bytes(len(out) + first)
        return b"\x00" + shown[first : first + len(out) - 1]

    def reset(self) -> None:
        """As after a loss of power."""
        self.memory[:] = self._power_up

    @abstractmethod
    def measure(self) -> None:
        """Brings the result registers up to now."""

    @abstractmethod
    def write(self, register: int, value: int) -> None:
        """Takes one byte for a register."""
