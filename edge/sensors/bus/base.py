"""The contracts of the buses: a driver is written against these, and works on the kernel's bus and on a simulated one.

Errors are `BusError`: the transfer failed, the sensor is read again later. `Absent` is the one that says nobody answered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from edge.sensors.base import SensorError

T = TypeVar("T")

ATTEMPTS = 3
"""A single disturbed transfer next to a motor is normal; three in a row are a loose plug."""


class BusError(SensorError):
    """A transfer failed. The text says which bus and address, and what the kernel said."""


class Absent(BusError):
    """Nobody answers at that address."""


class I2c(Protocol):
    """One I²C bus. Addresses are 7 bits, registers one byte; a transfer is whole or raises `BusError`.

    A transfer is one bus transaction, so several threads may use the same bus.
    """

    def read(self, address: int, register: int, count: int) -> bytes:
        """Writes the register's number, then reads 1 to 32 bytes after a repeated start, in the order of the wire."""
        ...

    def write(self, address: int, register: int, data: bytes) -> None:
        """Writes the register's number and 0 to 31 bytes in one transfer."""
        ...

    def exchange(self, address: int, out: bytes, count: int) -> bytes:
        """Writes `out`, then reads `count` bytes, either of them possibly none: for chips without register numbers."""
        ...

    def read_each(self, address: int, register: int, count: int, times: int) -> bytes:
        """So many reads of `count` bytes, each with the register's number before it, as one call: for FIFOs.

        A program that is one of many threads gives the processor away with each call, and a FIFO does not wait. When
        this fails it is not known how many of the reads were made.
        """
        ...

    def close(self) -> None:
        """Releases the bus; safe to call twice."""
        ...


class Spi(Protocol):
    """One chip select of an SPI bus."""

    def transfer(self, out: bytes) -> bytes:
        """Clocks out these bytes and returns as many that came in meanwhile; raises `BusError`."""
        ...

    def transfer_each(self, outs: Sequence[bytes]) -> list[bytes]:
        """So many transfers, the chip select high for 5 µs or more between two of them, as one call: for FIFOs."""
        ...

    def close(self) -> None:
        """Releases it; safe to call twice."""
        ...


class Buses(Protocol):
    """Opens buses by the numbers of their device files. Opening raises `BusError`, saying what to switch on."""

    def i2c(self, bus: int) -> I2c:
        """/dev/i2c-<bus>."""
        ...

    def spi(self, bus: int, select: int, *, mode: int, max_hz: int) -> Spi:
        """/dev/spidev<bus>.<select> in SPI mode 0 to 3 at up to `max_hz`."""
        ...


def persistent(transfer: Callable[[], T], attempts: int = ATTEMPTS) -> T:
    """The transfer's result, tried again at once when it fails; raises the last `BusError`."""
    for _ in range(attempts - 1):
        try:
            return transfer()
        except BusError:
            continue
    return transfer()
