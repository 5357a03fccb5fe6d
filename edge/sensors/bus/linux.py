"""The kernel's own buses: I²C through smbus2, SPI through python-periphery (pure Python, so it needs no compiler)."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from contextlib import suppress
from fcntl import ioctl
from typing import Any, NoReturn, TypeVar

from edge.sensors.bus.base import Absent, BusError, I2c, Spi
from edge.sensors.bus.spi_messages import transfer_each

T = TypeVar("T")

_NOBODY = (errno.ENXIO, errno.EREMOTEIO, errno.ENODEV)
"""No acknowledge: ENXIO and EREMOTEIO by adapter, ENODEV from i2c-stub (Documentation/i2c/fault-codes.rst)."""
READS_AT_ONCE = 21
"""The kernel takes 42 messages a call (I2C_RDWR_IOCTL_MAX_MSGS, linux/i2c-dev.h), two for each read."""
_HINTS = {
    errno.EACCES: "not allowed; the daemon's user must be in the group of that device (i2c, spi)",
    errno.ENOENT: "there is no such bus; on a Raspberry Pi switch it on with raspi-config (Interface Options) and start again",
    errno.EBUSY: "a kernel driver holds that chip; remove its dtoverlay or use the sensor type iio",
    errno.ETIMEDOUT: "the bus hangs: a line is held low, or the wires are too long",
    errno.EIO: "the transfer was disturbed",
    errno.EAGAIN: "another master keeps the bus",
}


class LinuxBuses:
    """Buses as device files; see `edge.sensors.bus.base.Buses`.

    Args:
        dev: the folder of the device files.
    """

    def __init__(self, dev: str = "/dev") -> None:
        self._dev = dev

    def i2c(self, bus: int) -> I2c:
        """Opens /dev/i2c-<bus>."""
        return LinuxI2c(bus, self._dev)

    def spi(self, bus: int, select: int, *, mode: int, max_hz: int) -> Spi:
        """Opens /dev/spidev<bus>.<select>."""
        return LinuxSpi(bus, select, mode, max_hz, self._dev)


class LinuxI2c:
    """/dev/i2c-<bus> by SMBus calls, which every adapter has; transfers of other shapes by combined messages.

    One byte is an SMBus byte and two bytes an SMBus word: the same on the wire as a block, and understood by adapters
    that know no blocks. So is one byte read without a register: the SMBus call for it is used.
    """

    def __init__(self, bus: int, dev: str = "/dev") -> None:
        from smbus2 import SMBus  # noqa: PLC0415  # only nodes with a chip need it

        self._name = f"i2c-{bus}"
        self._combines = True
        try:
            self._bus: Any = SMBus(f"{dev}/{self._name}")
        except OSError as exc:
            raise BusError(f"{dev}/{self._name}: {_said(exc)}") from exc

    def read(self, address: int, register: int, count: int) -> bytes:
        """Reads 1 to 32 bytes; see the contract."""
        if count == 1:
            return bytes([self._do(address, lambda: self._bus.read_byte_data(address, register))])
        if count == 2:
            word: int = self._do(address, lambda: self._bus.read_word_data(address, register))
            return word.to_bytes(2, "little")
        return bytes(self._do(address, lambda: self._bus.read_i2c_block_data(address, register, count)))

    def write(self, address: int, register: int, data: bytes) -> None:
        """Writes 0 to 31 bytes; see the contract."""
        if not data:
            self._do(address, lambda: self._bus.write_byte(address, register))
        elif len(data) == 1:
            self._do(address, lambda: self._bus.write_byte_data(address, register, data[0]))
        elif len(data) == 2:
            self._do(address, lambda: self._bus.write_word_data(address, register, int.from_bytes(data, "little")))
        else:
            self._do(address, lambda: self._bus.write_i2c_block_data(address, register, list(data)))

    def exchange(self, address: int, out: bytes, count: int) -> bytes:
        """Any write and read in one transaction; see the contract."""
        if not out and count == 1:
            return bytes([self._do(address, lambda: self._bus.read_byte(address))])
        from smbus2 import i2c_msg  # noqa: PLC0415  # only nodes with a chip need it

        messages = [i2c_msg.write(address, list(out))] if out else []
        answer = i2c_msg.read(address, count) if count else None
        if answer is not None:
            messages.append(answer)
        self._do(address, lambda: self._bus.i2c_rdwr(*messages))
        return bytes(answer) if answer is not None else b""

    def read_each(self, address: int, register: int, count: int, times: int) -> bytes:
        """Combined messages where the adapter knows them, else one read after the other; see the contract."""
        from smbus2 import i2c_msg  # noqa: PLC0415  # only nodes with a chip need it

        answers: list[bytes] = []
        while self._combines and len(answers) < times:
            part = min(times - len(answers), READS_AT_ONCE)
            reads = [i2c_msg.read(address, count) for _ in range(part)]
            messages = [message for read in reads for message in (i2c_msg.write(address, [register]), read)]
            try:
                self._bus.i2c_rdwr(*messages)
            except OSError as exc:
                if exc.errno != errno.EOPNOTSUPP:
                    self._fail(address, exc)
                self._combines = False
            else:
                answers += [bytes(read) for read in reads]
        answers += [self.read(address, register, count) for _ in range(times - len(answers))]
        return b"".join(answers)

    def close(self) -> None:
        """Releases the device file."""
        with suppress(OSError):
            self._bus.close()

    def _do(self, address: int, transfer: Callable[[], T]) -> T:
        try:
            return transfer()
        except OSError as exc:
            self._fail(address, exc)
        except TypeError as exc:
            # smbus2 on a closed bus.
            raise BusError(f"{self._name} is closed") from exc

    def _fail(self, address: int, exc: OSError) -> NoReturn:
        if exc.errno in _NOBODY:
            raise Absent(f"{self._name} address 0x{address:02X}: nobody answers; check plug and address") from exc
        raise BusError(f"{self._name} address 0x{address:02X}: {_said(exc)}") from exc


class LinuxSpi:
    """/dev/spidev<bus>.<select>."""

    def __init__(self, bus: int, select: int, mode: int, max_hz: int, dev: str = "/dev") -> None:
        from periphery import SPI  # noqa: PLC0415  # only nodes with a chip need it

        self._name = f"spidev{bus}.{select}"
        try:
            self._spi: Any = SPI(f"{dev}/{self._name}", mode, max_hz)
        except OSError as exc:
            raise BusError(f"{dev}/{self._name}: {_said(exc)}") from exc

    def transfer(self, out: bytes) -> bytes:
        """Full duplex; see the contract."""
        try:
            return bytes(self._spi.transfer(out))
        except (OSError, TypeError) as exc:
            raise BusError(f"{self._name}: {exc}") from exc

    def transfer_each(self, outs: Sequence[bytes]) -> list[bytes]:
        """In one call of the kernel; see the contract."""
        try:
            return transfer_each(lambda request, messages: ioctl(self._spi.fd, request, messages, True), outs)
        except (OSError, TypeError) as exc:
            raise BusError(f"{self._name}: {exc}") from exc

    def close(self) -> None:
        """Releases the device file."""
        with suppress(OSError):
            self._spi.close()


def _said(exc: OSError) -> str:
    hint = _HINTS.get(exc.errno or 0)
    said = exc.strerror or str(exc)
    return f"{said} ({hint})" if hint else said
