"""Registers of one chip, whichever bus it is on; a disturbed transfer is tried again, what stays broken is a `BusError`."""

from __future__ import annotations

from typing import Protocol

from edge.sensors.bus.base import I2c, Spi, persistent

I2C_BLOCK = 32
"""An SMBus block read has so many bytes at most."""
SPI_BLOCK = 240
"""Well below the 4096 bytes of the kernel's spidev buffer; long enough that a transfer's own cost does not count."""


class Registers(Protocol):
    """Reads and writes bytes from a register on."""

    @property
    def place(self) -> str:
        """Bus and address, for errors."""
        ...

    @property
    def longest(self) -> int:
        """Bytes that one read may have."""
        ...

    def read_once(self, register: int, count: int) -> bytes:
        """One transfer, not repeated: for reads that take something away. Raises BusError."""
        ...

    def read_each_once(self, register: int, count: int, times: int) -> bytes:
        """So many transfers as one call, not repeated; see `I2c.read_each`."""
        ...

    def read(self, register: int, count: int) -> bytes:
        """Raises BusError when it fails three times."""
        ...

    def write(self, register: int, value: int) -> None:
        """Writes one byte; raises BusError when it fails three times."""
        ...

    def close(self) -> None:
        """Releases the bus; safe to call twice."""
        ...


class I2cRegisters:
    """On I²C.

    Args:
        bus: the bus.
        number, address: for errors, and where on it.
        several: set in the register's number where more than one byte is read (ST: bit 7).
    """

    longest = I2C_BLOCK

    def __init__(self, bus: I2c, number: int, address: int, *, several: int = 0) -> None:
        self.place = f"i2c-{number} address 0x{address:02X}"
        self._bus = bus
        self._address = address
        self._several = several

    def read_once(self, register: int, count: int) -> bytes:
        """See `Registers`."""
        return self._bus.read(self._address, register | (self._several if count > 1 else 0), count)

    def read_each_once(self, register: int, count: int, times: int) -> bytes:
        """See `Registers`."""
        return self._bus.read_each(self._address, register | (self._several if count > 1 else 0), count, times)

    def read(self, register: int, count: int) -> bytes:
        """See `Registers`."""
        return persistent(lambda: self.read_once(register, count))

    def write(self, register: int, value: int) -> None:
        """See `Registers`."""
        persistent(lambda: self._bus.write(self._address, register, bytes([value])))

    def close(self) -> None:
        """See `Registers`."""
        self._bus.close()


def flags_on_top(register: int, count: int, *, write: bool) -> int:
    """First byte of ADXL345 (rev. E, p. 16) and ST: bit 7 reads, bit 6 goes on with the next register, then the number."""
    return register | (0x00 if write else 0x80) | (0x40 if count > 1 else 0x00)


def flag_below(register: int, _count: int, *, write: bool) -> int:
    """First byte of ADXL355 (data sheet, SPI protocol): the number, then one bit that reads."""
    return register << 1 | (0 if write else 1)


class FirstByte(Protocol):
    """Makes the byte that begins an SPI transfer."""

    def __call__(self, register: int, count: int, /, *, write: bool) -> int:
        """For a transfer of `count` bytes from that register on."""
        ...


class SpiRegisters:
    """On SPI.

    Args:
        spi: the chip select.
        bus, select: for errors.
        first_byte: how this chip wants to be told register and direction.
    """

    longest = SPI_BLOCK

    def __init__(self, spi: Spi, bus: int, select: int, first_byte: FirstByte) -> None:
        self.place = f"spidev{bus}.{select}"
        self._spi = spi
        self._first_byte = first_byte

    def read_once(self, register: int, count: int) -> bytes:
        """See `Registers`."""
        return self._spi.transfer(bytes([self._first_byte(register, count, write=False)]) + bytes(count))[1:]

    def read_each_once(self, register: int, count: int, times: int) -> bytes:
        """See `Registers`."""
        out = bytes([self._first_byte(register, count, write=False)]) + bytes(count)
        return b"".join(answer[1:] for answer in self._spi.transfer_each([out] * times))

    def read(self, register: int, count: int) -> bytes:
        """See `Registers`."""
        return persistent(lambda: self.read_once(register, count))

    def write(self, register: int, value: int) -> None:
        """See `Registers`."""
        persistent(lambda: self._spi.transfer(bytes([self._first_byte(register, 1, write=True), value])))

    def close(self) -> None:
        """See `Registers`."""
        self._spi.close()
