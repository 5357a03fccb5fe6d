"""The board itself: temperature, load, memory, free disk, throttling. What a board does not tell is None.

`root` stands for `/` in every path, so that a test can bring its own board.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TEMPERATURE = "sys/class/thermal/thermal_zone0/temp"
_LOAD = "proc/loadavg"
_MEMORY = "proc/self/statm"
_THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"
"""Raspberry Pi firmware, hexadecimal. Bit 0: under-voltage now; bits 1 to 3: frequency capped, throttled, soft
temperature limit now (raspberrypi.com, documentation of vcgencmd get_throttled)."""
_UNDER_VOLTAGE = 0x1
_SLOWED = 0xE


@dataclass(frozen=True, slots=True)
class Board:
    """What the board says at one moment."""

    cpu_temperature_c: float | None = None
    load: float | None = None
    """Run-queue length, average of one minute."""
    memory_bytes: int | None = None
    """Resident memory of this process."""
    disk_free_bytes: int | None = None
    throttled: bool | None = None
    under_voltage: bool | None = None


def read_board(disk: Path, root: Path = Path("/")) -> Board:
    """Reads it all; `disk` is a folder on the disk that matters."""
    temperature = _number(_text(root / _TEMPERATURE))
    load = _number(_text(root / _LOAD).split(" ")[0])
    pages = _number(_text(root / _MEMORY).split(" ")[1:2])
    flags = _hexadecimal(_text(root / _THROTTLED))
    try:
        space = os.statvfs(disk)
        free: int | None = space.f_bavail * space.f_frsize
    except OSError:
        free = None
    return Board(
        cpu_temperature_c=None if temperature is None else temperature / 1000.0,
        load=load if load is not None and load >= 0.0 else None,
        memory_bytes=None if pages is None else int(pages) * os.sysconf("SC_PAGE_SIZE"),
        disk_free_bytes=free,
        throttled=None if flags is None else bool(flags & _SLOWED),
        under_voltage=None if flags is None else bool(flags & _UNDER_VOLTAGE),
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _number(text: str | list[str]) -> float | None:
    try:
        value = float(text if isinstance(text, str) else text[0])
    except (ValueError, IndexError):
        return None
    return value if abs(value) < 1e15 else None


def _hexadecimal(text: str) -> int | None:
    try:
        return int(text, 16)
    except ValueError:
        return None
