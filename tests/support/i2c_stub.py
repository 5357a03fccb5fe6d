"""A simulated chip behind the kernel's own bus: what it says and hears travels through smbus2, /dev/i2c-* and i2c-stub.

i2c-stub is plain memory: 256 words for each address (drivers/i2c/i2c-stub.c). A chip's answer is laid into it right before
the driver's own transfer reads it, and what a driver wrote is taken out of it and given to the chip. So the driver's
transfers are the kernel's, with its calls and byte orders, while the chip keeps its state, FIFO and self-test.
"""

from __future__ import annotations

from smbus2 import SMBus

from edge.sensors.bus.base import I2c, Spi
from edge.sensors.bus.linux import LinuxBuses, LinuxI2c
from edge.sensors.simulation.chips.bus import I2cChip


class StubbedI2c(LinuxI2c):
    """The kernel's bus `bus`, whose adapter is i2c-stub, with chips by address."""

    def __init__(self, bus: int) -> None:
        super().__init__(bus)
        self.chips: dict[int, I2cChip] = {}
        self._memory = SMBus(bus)

    def read(self, address: int, register: int, count: int) -> bytes:
        """Lays the chip's answer into the stub, then reads it as a driver does."""
        chip = self.chips.get(address)
        if chip is not None:
            self.lay(address, register, chip.read(register, count))
        return super().read(address, register, count)

    def write(self, address: int, register: int, data: bytes) -> None:
        """Writes as a driver does, then tells the chip what arrived in the stub."""
        super().write(address, register, data)
        chip = self.chips.get(address)
        if chip is not None:
            chip.write(register, self._arrived(address, register, len(data)))

    def close(self) -> None:
        """A driver closes its bus; the chips stay."""

    def lay(self, address: int, register: int, data: bytes) -> None:
        """Makes the next read from `register` on give these bytes, byte by byte or as a word."""
        if len(data) == 2:
            self._memory.write_word_data(address, register, int.from_bytes(data, "little"))
            return
        for place, value in enumerate(data):
            self._memory.write_byte_data(address, (register + place) & 0xFF, value)

    def _arrived(self, address: int, register: int, count: int) -> bytes:
        if count == 2:
            return int(self._memory.read_word_data(address, register)).to_bytes(2, "little")
        return bytes(self._memory.read_byte_data(address, (register + place) & 0xFF) for place in range(count))


class StubbedBuses(LinuxBuses):
    """The one bus of the guest, for drivers; it has no SPI."""

    def __init__(self, bus: StubbedI2c) -> None:
        self.bus = bus

    def i2c(self, bus: int) -> I2c:
        """The stubbed bus under its own number; any other as the kernel has it."""
        return self.bus if bus == 0 else super().i2c(bus)

    def spi(self, bus: int, select: int, *, mode: int, max_hz: int) -> Spi:
        """As the kernel has it: none."""
        return super().spi(bus, select, mode=mode, max_hz=max_hz)
