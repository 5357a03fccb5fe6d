"""The board itself as a sensor: any node has one real machine to watch from its first minute.

What this board does not have (a temperature, a firmware that reports throttling) is no channel; it is not a fault.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from msgspec import Meta, Struct

from edge.sensors.base import Block, Channel, Fault, Quantity, SensorConfigError, SensorError
from edge.sensors.registry import Surroundings

_THERMAL = "sys/class/thermal"
_HWMON = "sys/class/hwmon"
_LOAD = "proc/loadavg"
_MEMORY = "proc/meminfo"
_THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"
"""Raspberry Pi firmware, hexadecimal; bit 0: under-voltage now, bit 1: frequency capped now, bit 2: throttled now, bit 3:
soft temperature limit now; bits 16 to 19 the same since start (raspberrypi.com, vcgencmd get_throttled)."""
_UNDER_VOLTAGE = 0x1
_SLOWED = 0xE
_CPU_ZONES = ("cpu-thermal", "cpu_thermal", "soc_thermal", "soc-thermal", "x86_pkg_temp")
_CPU_CHIPS = ("cpu_thermal", "coretemp", "k10temp", "zenpower", "soc_thermal")
_VOLTAGE_CHIP = "rpi_volt"


class HostConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a `host` sensor."""

    disk: Path = Path("/")
    """A folder on the disk whose free space is watched."""
    every_s: Annotated[float, Meta(ge=0.1, le=3600)] = 5.0
    """Seconds between readings."""


class _Probe(NamedTuple):
    """One channel and how it is read; `read` raises OSError or ValueError where the file is gone or odd."""

    channel: Channel
    read: Callable[[], float]


class Host:
    """Reads the kernel's files under `surroundings.root`; see the module.

    Channels, where the board has them: `cpu_temperature` (°C), `load` (runnable tasks per core, mean of a minute),
    `memory_used` (%), `disk_free` (GB), `throttled` and `under_voltage` (0 or 1).

    Args:
        config: which disk, how often.
        surroundings: clock and root folder.
    """

    Config = HostConfig

    def __init__(self, config: HostConfig, surroundings: Surroundings) -> None:
        self._config = config
        self._monotonic_ns = surroundings.monotonic_ns
        self._root = Path(surroundings.root)
        self._probes: tuple[_Probe, ...] = ()
        self._open = False
        self._last_ns: int | None = None

    @property
    def channels(self) -> Sequence[Channel]:
        """What this board tells; see the class.

        Raises:
            SensorConfigError: it tells nothing at all.
        """
        if not self._probes:
            self._probes = tuple(self._find())
            if not self._probes:
                raise SensorConfigError(f"nothing to read under {self._root}: no /proc, no /sys")
        return [probe.channel for probe in self._probes]

    def open(self) -> None:
        """Looks for what this board tells; raises SensorConfigError when that is nothing."""
        if not self.channels:
            raise SensorConfigError(f"nothing to read under {self._root}")
        self._open = True
        self._last_ns = None

    def read(self) -> Sequence[Block]:
        """One reading of each channel, not more often than `every_s`; raises SensorError when it is not open."""
        if not self._open:
            raise SensorError("host sensor is not open")
        now_ns = self._monotonic_ns()
        if self._last_ns is not None and now_ns - self._last_ns < self._config.every_s * 1e9:
            return []
        self._last_ns = now_ns
        return [_block(probe, now_ns) for probe in self._probes]

    def close(self) -> None:
        """Nothing is held open between readings."""
        self._open = False

    def _find(self) -> list[_Probe]:
        period_s = self._config.every_s
        probes: list[_Probe] = []

        def offer(read: Callable[[], float], name: str, unit: str, quantity: Quantity, low: float, high: float) -> None:
            try:
                read()
            except (OSError, ValueError, IndexError):
                return
            probes.append(_Probe(Channel(name, unit, quantity, low, high, period_s=period_s, steady=True), read))

        cores = os.cpu_count() or 1
        temperature = self._temperature_file()
        if temperature is not None:
            offer(lambda: _milli(temperature), "cpu_temperature", "°C", Quantity.TEMPERATURE, -55.0, 150.0)
        offer(lambda: self._load() / cores, "load", "1", Quantity.LEVEL, 0.0, np.inf)
        offer(self._memory_used, "memory_used", "%", Quantity.LEVEL, 0.0, 100.0)
        offer(self._disk_free, "disk_free", "GB", Quantity.LEVEL, 0.0, np.inf)
        offer(lambda: float(bool(self._throttled() & _SLOWED)), "throttled", "", Quantity.STATE, -0.5, 1.5)
        alarm = self._voltage_alarm()
        if alarm is not None:
            offer(lambda: float(_text(alarm) != "0"), "under_voltage", "", Quantity.STATE, -0.5, 1.5)
        else:
            offer(
                lambda: float(bool(self._throttled() & _UNDER_VOLTAGE)), "under_voltage", "", Quantity.STATE, -0.5, 1.5
            )
        return probes

    def _temperature_file(self) -> Path | None:
        """The processor's thermal zone, else its chip under hwmon, else the first zone there is."""
        zones = {zone: _quiet(zone / "type") for zone in self._folders(_THERMAL, "thermal_zone*")}
        for kind in _CPU_ZONES:
            for zone, said in zones.items():
                if said == kind:
                    return zone / "temp"
        for chip in self._folders(_HWMON, "hwmon*"):
            if _quiet(chip / "name") in _CPU_CHIPS and (chip / "temp1_input").exists():
                return chip / "temp1_input"
        return next((zone / "temp" for zone in zones), None)

    def _voltage_alarm(self) -> Path | None:
        """The Pi's supply monitor of newer kernels (driver raspberrypi-hwmon)."""
        chips = (chip for chip in self._folders(_HWMON, "hwmon*") if _quiet(chip / "name") == _VOLTAGE_CHIP)
        return next((chip / "in0_lcrit_alarm" for chip in chips), None)

    def _folders(self, folder: str, pattern: str) -> list[Path]:
        return sorted((self._root / folder).glob(pattern))

    def _load(self) -> float:
        return float(_text(self._root / _LOAD).split()[0])

    def _memory_used(self) -> float:
        fields = dict(line.split(":", 1) for line in _text(self._root / _MEMORY).splitlines() if ":" in line)
        try:
            total, available = (float(fields[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
        except KeyError as exc:
            raise ValueError(f"{_MEMORY} has no {exc}") from exc
        if total <= 0:
            raise ValueError(f"{_MEMORY}: MemTotal {total}")
        return 100.0 * (1.0 - available / total)

    def _disk_free(self) -> float:
        state = os.statvfs(self._config.disk)
        return state.f_bavail * state.f_frsize / 1e9

    def _throttled(self) -> int:
        return int(_text(self._root / _THROTTLED), 16)


def _block(probe: _Probe, now_ns: int) -> Block:
    try:
        value, faults = probe.read(), ()
    except (OSError, ValueError, IndexError) as exc:
        return Block(
            probe.channel, now_ns, np.array([np.nan]), faults=((Fault.NO_DATA, f"{probe.channel.name}: {exc}"),)
        )
    return Block(probe.channel, now_ns, np.array([value]), faults=faults)


def _milli(path: Path) -> float:
    return float(_text(path)) / 1000.0


def _text(path: Path) -> str:
    return path.read_text(encoding="ascii", errors="replace").strip()


def _quiet(path: Path) -> str:
    try:
        return _text(path)
    except OSError:
        return ""
