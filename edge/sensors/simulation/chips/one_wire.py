"""A 1-wire bus as the kernel shows it under /sys/bus/w1/devices, with simulated DS18B20 on it.

A file cannot convert when it is read; `SimulatedOneWire.convert` does what the kernel does at a read, and writes what it would
answer.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from edge.sensors.crc8 import one_wire_crc

MASTER = "w1_bus_master1"


class Ds18b20Chip:
    """One DS18B20 by its scratchpad (Maxim data sheet 19-7487, revision 6, pages 6 to 9).

    Args:
        serial: its folder's name, `28-0316a2794c1f`.
        celsius: what surrounds it.
        clone: byte 6 stays 0C, as in most chips that are sold as DS18B20.
        bits: resolution, 9 to 12.
    """

    def __init__(self, serial: str, celsius: float = 20.0, *, clone: bool = False, bits: int = 12) -> None:
        self.serial = serial
        self.celsius = celsius
        self.clone = clone
        self.bits = bits
        self.weak = False
        """Too little power: it cannot measure."""
        self.resets = False
        """It loses its power in each conversion."""
        self.present = True
        self.damage = 0
        """So many of the next answers have a bit turned over."""
        self.power_up()

    def power_up(self) -> None:
        """As after a loss of power: 85 °C until the next conversion."""
        self._temperature, self._byte_6 = 0x0550, 0x0C

    def convert(self) -> None:
        """Measures; the bits below the resolution are whatever they were."""
        if self.resets:
            self.power_up()
        elif self.weak:
            self._temperature, self._byte_6 = 0x07FF, 0x0C
        else:
            noise = 0x5 & (1 << 12 - self.bits) - 1
            step = 1 << 12 - self.bits
            self._temperature = (round(self.celsius * 16 / step) * step | noise) & 0xFFFF
            self._byte_6 = 0x0C if self.clone else 0x10 - (self._temperature & 0x0F)

    def scratchpad(self) -> bytes:
        """Nine bytes with their checksum; nobody there reads as ones."""
        if not self.present:
            return b"\xff" * 9
        configuration = (self.bits - 9) << 5 | 0x1F
        data = self._temperature.to_bytes(2, "little") + bytes([0x4B, 0x46, configuration, 0xFF, self._byte_6, 0x10])
        data += bytes([one_wire_crc(data)])
        if self.damage > 0:
            self.damage -= 1
            data = bytes([data[0] ^ 0x40]) + data[1:]
        return data


class SimulatedOneWire:
    """The bus's folder tree under a root folder.

    Args:
        root: stands for /.
        bulk: whether the daemon may let all probes convert at once.
    """

    def __init__(self, root: Path, *, bulk: bool = False) -> None:
        self.devices = root / "sys/bus/w1/devices"
        self._chips: dict[str, Ds18b20Chip] = {}
        self._last: dict[str, bytes] = {}
        master = self.devices / MASTER
        master.mkdir(parents=True)
        if bulk:
            (master / "therm_bulk_read").write_text("0\n", encoding="ascii")

    def plug(self, chip: Ds18b20Chip) -> Ds18b20Chip:
        """Puts a probe on the bus and lets the kernel find it."""
        self._chips[chip.serial] = chip
        self.convert()
        return chip

    def pull(self, serial: str) -> None:
        """Takes it off, and lets the kernel notice: its folder goes."""
        del self._chips[serial]
        shutil.rmtree(self.devices / serial)

    def convert(self) -> None:
        """Every probe measures, and its file says so as `w1_slave_show` words it (drivers/w1/slaves/w1_therm.c)."""
        for serial, chip in self._chips.items():
            chip.convert()
            self.answer(serial, chip.scratchpad())

    def answer(self, serial: str, data: bytes) -> None:
        """That probe's file says these nine bytes."""
        right = one_wire_crc(data[:-1]) == data[-1]
        if right:
            self._last[serial] = data
        shown = self._last.get(serial, bytes(9))
        milli = int.from_bytes(data[:2], "little", signed=True) * 1000 // 16
        text = (
            f"{data.hex(' ')} : crc={one_wire_crc(data[:-1]):02x} {'YES' if right else 'NO'}\n"
            f"{shown.hex(' ')} t={milli}\n"
        )
        folder = self.devices / serial
        folder.mkdir(exist_ok=True)
        (folder / "w1_slave").write_text(text, encoding="ascii")
