"""Runs in the guest, as root, with i2c-stub as /dev/i2c-0: tries the bus and every I²C driver on it, prints one JSON object."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

SCRATCH = 0x77
"""Memory without a chip behind it."""
ABSENT = 0x76
"""An address that the stub does not have."""


def told(action: Callable[[], object]) -> str:
    """The error an action ends with, as `Class: text`; empty when there is none."""
    try:
        action()
    except Exception as exc:  # noqa: BLE001  # whatever it was is the result
        return f"{type(exc).__name__}: {exc}"
    return ""


def transport() -> dict[str, Any]:
    """Bytes, words and blocks there and back, and what the kernel says where there is nothing."""
    from edge.sensors.bus.linux import LinuxBuses  # noqa: PLC0415  # the path is set first

    bus = LinuxBuses().i2c(0)
    found: dict[str, Any] = {"echo": {}}
    for count in (1, 2, 3, 6, 31):
        data = bytes((37 * place + count) & 0xFF for place in range(count))
        bus.write(SCRATCH, 0x20, data)
        found["echo"][count] = [data.hex(), bus.read(SCRATCH, 0x20, count).hex()]
    # i2c-stub keeps a word in one register and a block in consecutive ones: the low bytes tell which it was.
    bus.write(SCRATCH, 0x10, b"\x00\x00\x00")
    bus.write(SCRATCH, 0x10, b"\x12\x34")
    found["word"] = [
        bus.read(SCRATCH, 0x10, 1).hex(),
        bus.read(SCRATCH, 0x11, 1).hex(),
        bus.read(SCRATCH, 0x10, 2).hex(),
    ]
    bus.write(SCRATCH, 0x11, b"\x99")
    bus.write(SCRATCH, 0x11, b"")
    found["receive_byte"] = bus.exchange(SCRATCH, b"", 1).hex()
    found["block_of_32"] = len(bus.read(SCRATCH, 0x00, 32))
    found["absent"] = told(lambda: bus.read(ABSENT, 0, 1))
    found["absent_receive_byte"] = told(lambda: bus.exchange(ABSENT, b"", 1))
    found["raw"] = told(lambda: bus.exchange(SCRATCH, b"\xf3\x2d", 3))
    found["no_bus"] = told(lambda: LinuxBuses().i2c(7))
    bus.close()
    bus.close()
    found["closed"] = told(lambda: bus.read(SCRATCH, 0, 1))
    return found


def main() -> None:
    """Everything, one after the other."""
    json.dump({"transport": transport()}, sys.stdout)


if __name__ == "__main__":
    main()
