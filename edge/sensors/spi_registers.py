"""Maxim's SPI chips with registers of one byte: first the number, its top bit set for a write, then the bytes from there on."""

from __future__ import annotations

from edge.sensors.bus.base import Absent, BusError, Spi

WRITE = 0x80
ALL_ONES = 0xFF
ALL_ZEROS = 0x00


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

    def read(self, first: int, count: int) -> bytes:
        """So many registers from that one on; raises `BusError`."""
        return self._spi.transfer(bytes([first]) + bytes(count))[1:]

    def write(self, first: int, data: bytes) -> None:
        """Writes these registers from that one on; raises `BusError`."""
        self._spi.transfer(bytes([first | WRITE]) + data)

    def wrong(self, found: bytes, wanted: bytes) -> BusError:
        """The error for registers that do not hold what was written."""
        silent = silence(self.place, self.chip, found)
        if silent is not None:
            return silent
        return BusError(
            f"{self.place}: no {self.chip}, or not its SPI mode: wrote {hexadecimal(wanted)}, read back {hexadecimal(found)}"
        )


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
