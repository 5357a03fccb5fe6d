"""Whether the buses are switched on, and whether the service may use them."""

from __future__ import annotations

import grp
import os
import pwd
import re
import stat
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from edge.doctor.checks import Check, check
from edge.doctor.files import text
from edge.doctor.i2c import i2c_buses

SERVICE_USER = "werkpuls"
DEVICES = ("spidev*", "ttyUSB*", "ttyACM*")
"""What is there because somebody wired it; beside I²C, of which some buses are the board's own."""
SPARE = ("ttyAMA*", "serial0", "gpiochip*", "video*", "iio:device*")
"""What is there anyhow, or needs rights of its own; not to be let in is worth a note."""
MODEL = "proc/device-tree/model"
CONFIG_FILES = ("boot/firmware/config.txt", "boot/config.txt")
"""From Bookworm on, and before."""


@dataclass(frozen=True, slots=True)
class User:
    """Who is to use the devices."""

    name: str
    uid: int
    groups: frozenset[int]


UNIT_GROUPS = ("i2c", "spi", "gpio", "dialout", "video")
"""systemd gives the services these beside their user's own (SupplementaryGroups of the units)."""


def service_user() -> User:
    """The daemons' user as its services run, where there is one and we are root; else whoever is asking."""
    uid = os.geteuid()
    try:
        entry = pwd.getpwnam(SERVICE_USER) if uid == 0 else pwd.getpwuid(uid)
    except KeyError:
        return User(str(uid), uid, frozenset((os.getegid(), *os.getgroups())))
    if entry.pw_uid == uid:
        return User(entry.pw_name, uid, frozenset((os.getegid(), *os.getgroups())))
    units = [gid for gid in map(_gid, UNIT_GROUPS) if gid is not None]
    return User(entry.pw_name, entry.pw_uid, frozenset((*os.getgrouplist(entry.pw_name, entry.pw_gid), *units)))


def access(root: Path, user: User) -> Iterator[Check]:
    """Which devices that user may not open, by the group that owns them; nothing where there are no devices."""
    dev = root / "dev"
    wired = [dev / f"i2c-{bus}" for bus in i2c_buses(root)]
    wired += [path for pattern in DEVICES for path in sorted(dev.glob(pattern))]
    console = re.findall(r"console=(\w+)", text(root / "proc/cmdline") or "")
    spare = [path for pattern in SPARE for path in sorted(dev.glob(pattern)) if path.name not in console]
    denied = _denied(wired, user)
    for group, names in sorted(denied.items()):
        yield check("access", "denied", user=user.name, group=group, devices=", ".join(names))
    for group, names in sorted(_denied(spare, user).items()):
        yield check("access", "spare", user=user.name, group=group, devices=", ".join(names))
    if wired and not denied:
        yield check("access", "good", user=user.name, devices=", ".join(path.name for path in wired))


def _denied(devices: Iterable[Path], user: User) -> dict[str, list[str]]:
    """Names of devices by the group that would have to be joined."""
    denied: dict[str, list[str]] = {}
    for device in devices:
        try:
            state = device.stat()
        except OSError:
            continue
        if not _may(state, user.uid, user.groups):
            denied.setdefault(_group_name(state.st_gid), []).append(device.name)
    return denied


def _may(state: os.stat_result, uid: int, groups: Collection[int]) -> bool:
    if uid == 0:
        return True
    if state.st_uid == uid:
        wanted = stat.S_IRUSR | stat.S_IWUSR
    elif state.st_gid in groups:
        wanted = stat.S_IRGRP | stat.S_IWGRP
    else:
        wanted = stat.S_IROTH | stat.S_IWOTH
    return state.st_mode & wanted == wanted


def _gid(name: str) -> int | None:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


class Interface(NamedTuple):
    """A bus of a Raspberry Pi that is off until somebody switches it on."""

    name: str
    present: str
    """Exists when it is on."""
    adapter: str
    """Exists when the kernel has the bus, with or without its device file."""
    module: str
    """Makes the device file."""
    line: str
    """Of config.txt (raspberrypi.com, documentation of config.txt, and overlays/README)."""


INTERFACES = (
    Interface("I²C", "dev/i2c-1", "sys/bus/i2c/devices/i2c-1", "i2c-dev", "dtparam=i2c_arm=on"),
    Interface("SPI", "dev/spidev0.0", "sys/bus/spi/devices/spi0.0", "spidev", "dtparam=spi=on"),
    Interface("1-Wire", "sys/bus/w1/devices", "sys/bus/w1", "w1-gpio", "dtoverlay=w1-gpio"),
)


def interfaces(root: Path, needed: Collection[str] = ()) -> Iterator[Check]:
    """Which of a Raspberry Pi's buses are off, and how to switch them on; nothing on other boards.

    Args:
        root: stands for /.
        needed: names of `INTERFACES` that the configuration uses.
    """
    if "Raspberry Pi" not in (text(root / MODEL) or ""):
        return
    file = next((name for name in CONFIG_FILES if (root / name).exists()), CONFIG_FILES[0])
    lines = {line.strip() for line in (text(root / file) or "").splitlines()}
    working = []
    for one in INTERFACES:
        if (root / one.present).exists():
            working.append(one.name)
        elif (root / one.adapter).exists():
            yield check("interfaces", "module", interface=one.name, module=one.module)
        elif any(line.startswith(one.line) for line in lines):
            yield check("interfaces", "restart", interface=one.name, line=one.line)
        else:
            code = "needed" if one.name in needed else "off"
            yield check("interfaces", code, interface=one.name, line=one.line, file=f"/{file}")
    if working:
        yield check("interfaces", "on", interfaces=", ".join(working))
