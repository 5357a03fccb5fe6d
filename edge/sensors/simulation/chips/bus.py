"""Simulated buses: chips are plugged in and pulled, lines are disturbed, and a driver sees what the kernel would say."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

from edge.sensors.bus.base import Absent, BusError, I2c, Spi


class I2cChip(Protocol):
    """What a chip on an I²C bus understands. It knows nothing of addresses or errors of the bus."""

    def read(self, register: int, count: int) -> bytes:
        """A read of `count` bytes that starts at this register."""
        ...

    def write(self, register: int, data: bytes) -> None:
        """A write that starts at this register."""
        ...

    def exchange(self, out: bytes, count: int) -> bytes:
        """A raw write and read, for chips that have commands instead of registers."""
        ...


class RegisterChip(ABC):
    """An I²C chip with registers: a raw transfer names the register first."""

    @abstractmethod
    def read(self, register: int, count: int) -> bytes:
        """See `I2cChip`."""

    @abstractmethod
    def write(self, register: int, data: bytes) -> None:
        """See `I2cChip`."""

    def exchange(self, out: bytes, count: int) -> bytes:
        """The register, then data or a read."""
        if len(out) > 1:
            self.write(out[0], out[1:])
        return self.read(out[0], count) if count else b""


class SpiChip(Protocol):
    """What a chip on an SPI bus understands."""

    def transfer(self, out: bytes) -> bytes:
        """One transfer with chip select low from its first to its last bit."""
        ...


class SimulatedI2c:
    """One bus with chips by address."""

    def __init__(self, name: str = "i2c-1") -> None:
        self.name = name
        self.chips: dict[int, I2cChip] = {}
        self.disturbed = 0
        """So many of the next transfers fail, as next to a motor that starts."""
        self.transfers = 0

    def plug(self, address: int, chip: I2cChip) -> None:
        """Puts a chip on the bus."""
        self.chips[address] = chip

    def pull(self, address: int) -> None:
        """Takes it off."""
        self.chips.pop(address, None)

    def read(self, address: int, register: int, count: int) -> bytes:
        """As the contract."""
        if not 1 <= count <= 32:
            raise ValueError(f"an SMBus block has 1 to 32 bytes, not {count}")
        return self._chip(address).read(register, count)

    def write(self, address: int, register: int, data: bytes) -> None:
        """As the contract."""
        if len(data) > 31:
            raise ValueError(f"an SMBus block has up to 31 bytes to write, not {len(data)}")
        self._chip(address).write(register, data)

    def exchange(self, address: int, out: bytes, count: int) -> bytes:
        """As the contract. A plain read begins at register 0, where a chip's pointer stands after power on."""
        chip = self._chip(address)
        return chip.exchange(out, count) if out else chip.read(0, count)

    def read_each(self, address: int, register: int, count: int, times: int) -> bytes:
        """As the contract."""
        return b"".join(self.read(address, register, count) for _ in range(times))

    def close(self) -> None:
        """Nothing to release."""

    def _chip(self, address: int) -> I2cChip:
        self.transfers += 1
        if self.disturbed > 0:
            self.disturbed -= 1
            raise BusError(f"{self.name} address 0x{address:02X}: Input/output error (the transfer was disturbed)")
        chip = self.chips.get(address)
        if chip is None:
            raise Absent(f"{self.name} address 0x{address:02X}: nobody answers; check plug and address")
        return chip


class SimulatedSpi:
    """One chip select. Without a chip the line floats high and reads as ones: SPI has no acknowledge."""

    def __init__(self, name: str, chip: SpiChip | None = None) -> None:
        self.name = name
        self.chip = chip
        self.floating = 0xFF
        self.disturbed = 0
        self.mode: int | None = None
        self.max_hz: int | None = None

    def transfer(self, out: bytes) -> bytes:
        """As the contract."""
        if self.disturbed > 0:
            self.disturbed -= 1
            raise BusError(f"{self.name}: Input/output error")
        if self.chip is None:
            return bytes([self.floating]) * len(out)
        return self.chip.transfer(out)

    def transfer_each(self, outs: Sequence[bytes]) -> list[bytes]:
        """As the contract."""
        return [self.transfer(out) for out in outs]

    def close(self) -> None:
        """Nothing to release."""


class SimulatedBuses:
    """A board with one simulated I²C bus per number and one simulated chip select per pair of numbers."""

    def __init__(self) -> None:
        self._i2c: dict[int, SimulatedI2c] = {}
        self._spi: dict[tuple[int, int], SimulatedSpi] = {}

    def wire_i2c(self, bus: int = 1) -> SimulatedI2c:
        """That bus, to plug chips into; it exists from then on."""
        return self._i2c.setdefault(bus, SimulatedI2c(f"i2c-{bus}"))

    def wire_spi(self, bus: int = 0, select: int = 0) -> SimulatedSpi:
        """That chip select, to put a chip on; it exists from then on."""
        return self._spi.setdefault((bus, select), SimulatedSpi(f"spidev{bus}.{select}"))

    def i2c(self, bus: int) -> I2c:
        """As the contract; a bus that was never wired does not exist."""
        if bus not in self._i2c:
            raise BusError(f"/dev/i2c-{bus}: No such file or directory (there is no such bus; switch it on)")
        return self._i2c[bus]

    def spi(self, bus: int, select: int, *, mode: int, max_hz: int) -> Spi:
        """As the contract."""
        if (bus, select) not in self._spi:
            raise BusError(f"/dev/spidev{bus}.{select}: No such file or directory (there is no such bus; switch it on)")
        line = self._spi[bus, select]
        line.mode, line.max_hz = mode, max_hz
        return line
