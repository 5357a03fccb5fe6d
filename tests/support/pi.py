"""A Raspberry Pi as files under a folder, and the chips that can be wired to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from edge.sensors.simulation.chips.bus import I2cChip, SpiChip


class Wired(NamedTuple):
    """One simulated chip: where its class is, and at which address it answers (None: on SPI)."""

    made: str
    address: int | None
    clocked: bool = True
    inputs: int = 0
    """How many voltages it measures; each is half of 3.3 V."""

    def make(self, monotonic_ns: Callable[[], int]) -> Any:
        """A new one, as after power on."""
        module, _, name = self.made.partition(":")
        chip = getattr(import_module(f"edge.sensors.simulation.chips.{module}"), name)
        given: list[Any] = [monotonic_ns] if self.clocked else []
        if self.inputs:
            given.append([lambda _time_s: 1.65] * self.inputs)
        return chip(*given)


ON_I2C: Mapping[str, Wired] = {
    "ads1115": Wired("ads1115:SimulatedAds1115", 0x48, inputs=4),
    "adxl345": Wired("adxl345:SimulatedAdxl345", 0x53),
    "ina226": Wired("ina226:SimulatedIna226", 0x40),
    "lis3dh": Wired("lis3dh:SimulatedLis3dh", 0x18),
    "adxl355": Wired("adxl355:SimulatedAdxl355", 0x1D),
    "mpu6050": Wired("mpu6050:SimulatedMpu6050", 0x68),
    "mlx90614": Wired("mlx90614:Mlx90614Chip", 0x5A, clocked=False),
    "sht31": Wired("sht31:Sht31Chip", 0x44),
}
ON_SPI: Mapping[str, Wired] = {
    "adxl345": Wired("adxl345:SimulatedAdxl345", None),
    "adxl355": Wired("adxl355:SimulatedAdxl355", None),
    "lis3dh": Wired("lis3dh:SimulatedLis3dh", None),
    "max31855": Wired("max31855:Max31855Chip", None),
    "max31856": Wired("max31856:Max31856Chip", None),
    "max31865": Wired("max31865:Max31865Chip", None),
    "mcp3008": Wired("mcp3008:SimulatedMcp3008", None, inputs=8),
}


class Pi:
    """A board that is in order, under `root`; its files can be changed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0")
        self.write("proc/meminfo", "MemTotal:  3884000 kB\nMemFree:  100 kB\nMemAvailable:  3000000 kB\n")
        self.write("proc/mounts", "/dev/mmcblk0p2 / ext4 rw,noatime 0 0\nproc /proc proc rw 0 0\n")
        self.write("proc/cmdline", "console=tty1 root=PARTUUID=1 rootwait\n")
        self.write("boot/firmware/config.txt", "# comment\ndtparam=i2c_arm=on\n  dtparam=spi=on\ndtoverlay=w1-gpio\n")
        self.write("sys/class/thermal/thermal_zone0/temp", "48312\n")
        self.throttled(0)
        self.write("run/systemd/timesync/synchronized", "")
        (root / "sys/bus/w1/devices/w1_bus_master1").mkdir(parents=True)
        (root / "sys/bus/i2c/devices/i2c-1").mkdir(parents=True)
        self.device("i2c-1")
        self.write("sys/class/i2c-dev/i2c-1/name", "bcm2835 (i2c@7e804000)\n")
        self.device("spidev0.0")
        self.device("spidev0.1")

    def write(self, path: str, text: str) -> Path:
        """Makes or replaces a file."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def device(self, name: str) -> Path:
        """A device file, in name only."""
        return self.write(f"dev/{name}", "")

    def throttled(self, flags: int) -> None:
        """What the firmware says of voltage and heat."""
        self.write("sys/devices/platform/soc/soc:firmware/get_throttled", f"{flags:x}\n")

    def hold(self, bus: int, address: int, name: str) -> None:
        """A chip that a kernel driver uses."""
        folder = f"sys/bus/i2c/devices/{bus}-{address:04x}"
        self.write(f"{folder}/name", f"{name}\n")
        (self.root / folder / "driver").mkdir(exist_ok=True)


def i2c_chip(name: str, monotonic_ns: Callable[[], int]) -> I2cChip:
    """One of `ON_I2C`."""
    chip: I2cChip = ON_I2C[name].make(monotonic_ns)
    return chip


def spi_chip(name: str, monotonic_ns: Callable[[], int]) -> SpiChip:
    """One of `ON_SPI`."""
    chip: SpiChip = ON_SPI[name].make(monotonic_ns)
    return chip
