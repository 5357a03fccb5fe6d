"""The board and its system: software, time, power supply, heat, memory. `root` stands for / in every path."""

from __future__ import annotations

import platform
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from edge.doctor.checks import Check, check
from edge.doctor.files import number, text
from wire.clock import kernel_synchronised
from wire.messages import EARLIEST_NS

PYTHONS = ((3, 11), (3, 14))
"""From and below."""
MACHINES = ("x86_64", "aarch64")
HOT_C = 80.0
"""A Pi slows down from here (raspberrypi.com, documentation: frequency management and thermal control)."""
LEAST_MEMORY_MB = 150
"""What a node with three machines takes, and a little for the system."""
THROTTLED = "sys/devices/platform/soc*/*:firmware/get_throttled"
"""The folder's name differs between boards. Hexadecimal. Bit 0: under-voltage now; 1 to 3: frequency capped, throttled, soft temperature limit now; bits 16 to 19: the
same since the start (raspberrypi.com, documentation of vcgencmd get_throttled)."""
_SINCE_START = 16
_LOW = 0x1
_SLOWED = 0xE
_REQUIREMENT = re.compile(r"([A-Za-z0-9_.-]+)(?:\[[^]]*\])?\s*([^;]*)")
_BOUND = re.compile(r"(>=|<)\s*([0-9.]+)")
_BELOW_PYTHON = re.compile(r"python_version\s*<\s*[\"']([0-9.]+)")
OLD_RUNTIME = "tflite-runtime"


@dataclass(frozen=True, slots=True)
class Software:
    """What runs here."""

    python: tuple[int, ...] = field(default_factory=lambda: tuple(sys.version_info[:3]))
    machine: str = field(default_factory=platform.machine)
    packages: Mapping[str, str | None] = field(default_factory=lambda: installed("werkpuls"))
    """Version of each package that a node which listens needs; None where it is missing, and with a remark where it is too old or too
    new."""
    seeing: Mapping[str, str | None] = field(default_factory=lambda: _seeing("werkpuls"))
    """The same for one with a camera."""


def lock_of(found: Software) -> str:
    """The lock file that such a node is installed from."""
    return "camera-py311.txt" if OLD_RUNTIME in found.seeing else "run.txt"


def _seeing(project: str) -> dict[str, str | None]:
    """Of the two extras for cameras the one whose runtime is here."""
    usual = installed(project, "camera")
    if usual.get("ai-edge-litert") is not None:
        return usual
    other = installed(project, "camera-py311")
    return other if other.get(OLD_RUNTIME) is not None else usual


def installed(project: str, extra: str = "node") -> dict[str, str | None]:
    """The packages that an extra needs, by what the installed project says itself."""
    found: dict[str, str | None] = {}
    broken: dict[str, list[str]] = {}
    python = ".".join(map(str, sys.version_info[:2]))
    for line in requires(project) or ():
        if "extra ==" in line and f'extra == "{extra}"' not in line.replace("'", '"'):
            continue
        parsed = _REQUIREMENT.match(line)
        newest = _BELOW_PYTHON.search(line)
        if parsed is None or (newest is not None and not _holds(python, "<", newest[1])):
            continue
        try:
            have = version(parsed[1])
        except PackageNotFoundError:
            found[parsed[1]] = None
            continue
        wrong = broken.setdefault(parsed[1], [])
        wrong += [sign + bound for sign, bound in _BOUND.findall(parsed[2]) if not _holds(have, sign, bound)]
        found[parsed[1]] = f"{have}, not {', '.join(wrong)}" if wrong else have
    return found


def _holds(have: str, sign: str, bound: str) -> bool:
    left, right = _parts(have), _parts(bound)
    width = max(len(left), len(right))
    left, right = (part + (0,) * (width - len(part)) for part in (left, right))
    return left >= right if sign == ">=" else left < right


def _parts(said: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", said.partition("+")[0])[:4])


def software(found: Software, *, listens: bool = True, sees: bool = False) -> Iterator[Check]:
    """Python, processor, packages.

    Args:
        found: what runs here.
        listens: whether the node has sensors.
        sees: whether it has cameras.
    """
    python = ".".join(map(str, found.python))
    wanted = {**(found.packages if listens else {}), **(found.seeing if sees else {})}
    if listens and sees:
        # Each says what it does not like about a package that both need.
        wanted |= {name: have for name, have in found.packages.items() if have is None or ", not " in have}
    lacking = {name: have for name, have in wanted.items() if have is None or ", not " in have}
    good = True
    if not PYTHONS[0] <= found.python[:2] < PYTHONS[1]:
        good = False
        yield check("software", "python", python=python)
    if found.machine not in MACHINES:
        good = False
        yield check("software", "bits", machine=found.machine)
    if lacking:
        good = False
        named = ", ".join(name if have is None else f"{name} {have}" for name, have in sorted(lacking.items()))
        yield check("software", "packages", packages=named, lock=lock_of(found) if sees and not listens else "run.txt")
    if good:
        yield check("software", "good", python=python, machine=found.machine, packages=len(wanted))


def clock(
    root: Path,
    wall_ns: Callable[[], int] = time.time_ns,
    synced: Callable[[Path], bool] = kernel_synchronised,
) -> Iterator[Check]:
    """Whether this board knows the time."""
    now_ns = wall_ns()
    if now_ns < EARLIEST_NS:
        yield check("time", "unset", year=time.gmtime(now_ns / 1e9).tm_year)
    elif synced(root / "run/systemd/timesync/synchronized"):
        yield check("time", "good")
    else:
        yield check("time", "not_synced")


def power(root: Path) -> Iterator[Check]:
    """The power supply, where the board watches it."""
    flags = _throttled(root)
    alarms = [
        chip / "in0_lcrit_alarm"
        for chip in sorted((root / "sys/class/hwmon").glob("hwmon*"))
        if text(chip / "name") == "rpi_volt"
    ]
    alarm = number(alarms[0]) if alarms else None
    if flags is None and alarm is None:
        return
    flags = flags or 0
    if flags & _LOW or alarm:
        yield check("power", "low_now")
    elif flags >> _SINCE_START & _LOW:
        yield check("power", "low_before")
    else:
        yield check("power", "good")


def _throttled(root: Path) -> int | None:
    return next((flags for file in sorted(root.glob(THROTTLED)) if (flags := number(file, 16)) is not None), None)


def heat(root: Path) -> Iterator[Check]:
    """The processor's temperature, and whether it is slowed down for it."""
    flags = _throttled(root) or 0
    milli = number(root / "sys/class/thermal/thermal_zone0/temp")
    celsius = None if milli is None or not -60_000 <= milli <= 150_000 else milli / 1000.0
    if celsius is not None and celsius >= HOT_C:
        yield check("heat", "hot", celsius=celsius)
    elif flags & _SLOWED:
        yield check("heat", "slowed_now")
    else:
        if flags >> _SINCE_START & _SLOWED:
            yield check("heat", "slowed_before")
        if celsius is not None:
            yield check("heat", "good", celsius=celsius)


def memory(root: Path) -> Iterator[Check]:
    """Memory that programs can still have."""
    lines = (text(root / "proc/meminfo") or "").splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    try:
        free_mb, total_mb = (int(fields[name].split()[0]) // 1024 for name in ("MemAvailable", "MemTotal"))
    except (KeyError, ValueError, IndexError):
        return
    yield check("memory", "low" if free_mb < LEAST_MEMORY_MB else "good", free_mb=free_mb, total_mb=total_mb)
