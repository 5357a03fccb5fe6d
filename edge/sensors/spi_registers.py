"""Maxim's SPI chips with registers of one byte: first the number, its top bit set for a write, then the bytes from there on."""

from __future__ import annotations

from edge.sensors.bus.base import Absent, BusError, Spi

WRITE = 0x80
ALL_ONES = 0xFF
ALL_ZEROS = 0x00
MAXIM_REGISTERS = 16
"""So many are read to tell the chips apart; the MAX31865 has eight."""


class SpiRegisters:
    """Registers of one chip (MAX31856 data sheet 19-7534 and MAX31865 data sheet 19-6478, "Serial Interface").

    Args:
        spi: its chip select.
        place: bus and select for errors, such as `spidev0.0`.
        chip: what should be there.
    """

    def __init__(self, spi: Spi, place: str, chip: str) -> None:
        self._spi = spi
        self.place = place
        self.chip = chip

    def transfer(self, out: bytes) -> bytes:
        """A transfer of another shape; raises `BusError`."""
        return self._spi.transfer(out)

    def read(self, first: int, count: int) -> bytes:
        """So many registers from that one on; raises `BusError`."""
        return self._spi.transfer(bytes([first]) + bytes(count))[1:]

    def write(self, first: int, data: bytes) -> None:
        """Writes these registers from that one on; raises `BusError`."""
        self._spi.transfer(bytes([first | WRITE]) + data)

    def other(self) -> str | None:
        """The name of another of Maxim's chips that seems to be here instead; to be asked before anything is written."""
        name = maxim_name(self.read(0, MAXIM_REGISTERS))
        return name if name != self.chip else None

    def not_it(self, what: str, other: str | None = None) -> BusError:
        """The error for another chip than the expected one: what was found, and what it may be."""
        guess = f"; it looks like a {other}, sensor type {other.lower()}" if other is not None else ""
        return BusError(f"{self.place}: {self.chip} expected, {what}{guess}")

    def wrong(self, found: bytes, wanted: bytes, other: str | None) -> BusError:
        """The error for registers that do not hold what was written."""
        return silence(self.place, self.chip, found) or self.not_it(
            f"but registers do not keep what is written (SPI mode, MOSI?): wrote {hexadecimal(wanted)}, "
            f"read back {hexadecimal(found)}",
            other,
        )


def maxim_name(registers: bytes) -> str | None:
    """Which of Maxim's temperature chips has such registers, from 0 on; none of them has an identity.

    MAX31856: limits and offset at their power-up values, which its driver here leaves as they are. MAX31865: limits that are
    those of power-up, or such as its driver writes: even numbers, the higher one first.
    """
    if registers[3:10] == bytes.fromhex("7fc07fff800000"):
        return "MAX31856"
    high, low = (int.from_bytes(registers[at : at + 2], "big") for at in (3, 5))
    set_here = high % 2 == low % 2 == 0 and high > low > 0 and not registers[7] & 0x03
    return "MAX31865" if (high, low) == (0xFFFF, 0x0000) or set_here else None


def silence(place: str, chip: str, found: bytes) -> Absent | None:
    """The error for a line on which nobody drives anything, else None. SPI has no acknowledge."""
    if found and all(byte == ALL_ONES for byte in found):
        return Absent(
            f"{place}: {chip} expected, but the line reads only ones: check power, SDO (MISO) and chip select"
        )
    if found and all(byte == ALL_ZEROS for byte in found):
        return Absent(
            f"{place}: {chip} expected, but the line reads only zeros: check power, SDO (MISO) and chip select"
        )
    return None


def hexadecimal(data: bytes) -> str:
    """As data sheets write bytes: `80 03 FF`."""
    return data.hex(" ").upper()
