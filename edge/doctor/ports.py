"""What the kernel lists by itself: 1-wire, serial ports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from edge.doctor.access import MODEL
from edge.doctor.checks import Check, check
from edge.doctor.files import text

PORTS = ("ttyUSB*", "ttyACM*", "ttyAMA*", "ttyS0", "ttySC*")


def onewire(root: Path) -> Iterator[Check]:
    """The 1-wire bus, where it is on and says something odd."""
    devices = root / "sys/bus/w1/devices"
    if not devices.is_dir():
        return
    names = [path.name for path in devices.iterdir()]
    # Family 00 does not exist: the search read a line that floats or is disturbed (Maxim application note 187).
    noise = [name for name in names if name.startswith("00-")]
    if noise:
        yield check("onewire", "noise", count=len(noise))
    elif not [name for name in names if not name.startswith("w1_bus_master")]:
        yield check("onewire", "nothing")


def serial(root: Path) -> Iterator[Check]:
    """Serial ports and what is plugged in there, as USB tells it."""
    console = re.findall(r"console=(\w+)", text(root / "proc/cmdline") or "")
    for path in sorted({path for pattern in PORTS for path in (root / "dev").glob(pattern)}):
        if path.name in console:
            code = "console" if "Raspberry Pi" in (text(root / MODEL) or "") else "console_other"
            yield check("serial", code, port=f"/dev/{path.name}")
            continue
        yield check("serial", "port", port=_lasting_name(root, path), what=_usb_name(root, path.name))


def _lasting_name(root: Path, port: Path) -> str:
    """The name under /dev/serial/by-id, which stays when plugs are swapped; else the port's own."""
    for link in sorted((root / "dev/serial/by-id").glob("*")):
        if link.resolve().name == port.name:
            return f"/dev/serial/by-id/{link.name}"
    return f"/dev/{port.name}"


def _usb_name(root: Path, name: str) -> str:
    device = root / "sys/class/tty" / name / "device"
    if not device.exists():
        return ""
    for folder in device.resolve().parents[:3]:
        found = [part for part in (text(folder / "manufacturer"), text(folder / "product")) if part]
        if found:
            return " ".join(found)
    return ""
