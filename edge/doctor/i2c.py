"""Looks over the I²C buses by reading only: what a driver recognises as its own, what answers and is unknown."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge.doctor.checks import Check, check
from edge.doctor.files import text
from edge.sensors.bus.base import Absent, BusError, Buses, I2c
from edge.sensors.probing import Found, I2cProbe, I2cReader

ADDRESSES = range(0x08, 0x78)
"""The rest is reserved (NXP UM10204, table 4)."""
NOT_OURS = re.compile(
    r"(?i)smbus (?:i801|piix4|nforce|ali|sis|via|amd)|hdmi|ddc|dp-?aux|gpu|i915|nvidia|radeon|gmux"
    r"|i2c@7e805000|^fef0[49]500\.i2c|^107d5082[08]0\.i2c"
)
"""Adapters of monitors and mainboards, by the name their driver gives: no sensor is there, and memory modules are. The last
ones are the HDMI sockets of Raspberry Pi 3, 4 and 5 (linux, bcm2835.dtsi, bcm2711.dtsi, bcm2712.dtsi: ddc)."""
USUAL_BUS = 1
"""Pins 3 and 5 of a Raspberry Pi; what drivers take where none is configured."""
STUCK_ANSWERS = 40
"""So many answering addresses are no chips: the data line is held low, which reads as acknowledge."""
HOPELESS_ERRORS = 3
"""After so many failed addresses in a row the bus itself is bad; each may have taken the kernel a second."""
OFTEN: Mapping[int, str] = {
    **dict.fromkeys((0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x38, 0x3F), "expander"),
    **dict.fromkeys((0x3C, 0x3D), "display"),
    **dict.fromkeys(range(0x50, 0x58), "memory"),
    **dict.fromkeys((0x68,), "clock"),
    **dict.fromkeys((0x76, 0x77), "air"),
}
"""What is often sold at an address and is none of our sensors; words in the catalogue."""


@dataclass(slots=True)
class Sight:
    """What a look at a bus showed: recognised devices by sensor type, and statements."""

    found: list[tuple[str, Found]] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)


def i2c_buses(root: Path) -> list[int]:
    """Numbers of the buses where sensors may be."""
    numbers = []
    for device in (root / "dev").glob("i2c-*"):
        number = device.name.removeprefix("i2c-")
        name = text(root / "sys/class/i2c-dev" / device.name / "name") or ""
        if number.isdecimal() and not NOT_OURS.search(name):
            numbers.append(int(number))
    return sorted(numbers)


def held(root: Path, bus: int) -> dict[int, str]:
    """Addresses that a kernel driver uses, with the name of the chip; nobody else may talk to them."""
    taken = {}
    for device in (root / "sys/bus/i2c/devices").glob(f"{bus}-*"):
        _, _, address = device.name.partition("-")
        if (device / "driver").exists() and re.fullmatch("[0-9a-f]{4}", address):
            taken[int(address, 16)] = text(device / "name") or "?"
    return taken


def clock_khz(root: Path, bus: int) -> int | None:
    """The clock of a bus, where the device tree tells it: 32 bits, high byte first (i2c-controller.yaml)."""
    try:
        content = (root / f"sys/bus/i2c/devices/i2c-{bus}/of_node/clock-frequency").read_bytes()
    except OSError:
        return None
    return int.from_bytes(content, "big") // 1000 if len(content) == 4 else None


def pace(sight: Sight, bus: int, khz: int | None, probes: Iterable[tuple[str, I2cProbe]]) -> Iterator[Check]:
    """Chips for which the bus is too slow or too fast."""
    if khz is None:
        return
    wanted = {name: probe.khz for name, probe in probes}
    for name, found in sight.found:
        slowest, fastest = wanted[name]
        if not slowest <= khz <= fastest:
            code, limit = ("slow", slowest) if khz < slowest else ("fast", fastest)
            yield check("i2c", code, bus=bus, khz=khz, chip=found.chip, limit=limit)


def look_at_i2c(bus: int, buses: Buses, probes: Iterable[tuple[str, I2cProbe]], taken: Mapping[int, str]) -> Sight:
    """Reads from every address of a bus that no kernel driver uses.

    Args:
        bus: its number.
        buses: opens it.
        probes: what is known, with the sensor type each belongs to.
        taken: addresses that are left alone, with what is there.
    """
    sight = Sight([], [check("i2c", "held", place=_place(bus, a), chip=chip) for a, chip in sorted(taken.items())])
    try:
        line = buses.i2c(bus)
    except BusError as exc:
        sight.checks.append(check("i2c", "closed", bus=bus, error=str(exc)))
        return sight
    known = sorted(probes, key=lambda pair: (not pair[1].certain, pair[1].by_command))
    try:
        answering = _answering(line, bus, known, taken, sight)
    finally:
        line.close()
    if answering > STUCK_ANSWERS:
        return Sight([], [check("i2c", "stuck", bus=bus)])
    if not answering and not taken and not sight.checks:
        sight.checks.append(check("i2c", "nothing", bus=bus))
    return sight


def _answering(line: I2c, bus: int, known: Sequence[tuple[str, I2cProbe]], taken: Collection[int], sight: Sight) -> int:
    """Looks at each address; returns how many answered."""
    answered = failed = 0
    for address in ADDRESSES:
        if address in taken:
            continue
        fitting = [(name, probe) for name, probe in known if address in probe.addresses]
        try:
            recognised = next(_recognised(line, bus, address, fitting), None)
            if recognised is None:
                line.exchange(address, b"", 1)
        except Absent:
            failed = 0
            continue
        except BusError as exc:
            failed += 1
            if failed >= HOPELESS_ERRORS:
                sight.checks.append(check("i2c", "disturbed", bus=bus, error=str(exc)))
                return answered
            continue
        failed = 0
        answered += 1
        if recognised is not None:
            sight.found.append(recognised)
        elif fitting:
            expected = ", ".join(dict.fromkeys(name for name, _ in fitting))
            sight.checks.append(check("i2c", "unlike", place=_place(bus, address), expected=expected))
        else:
            often = OFTEN.get(address, "")
            sight.checks.append(check("i2c", "unknown", place=_place(bus, address), often=often))
    return answered


def _recognised(
    line: I2c, bus: int, address: int, fitting: Iterable[tuple[str, I2cProbe]]
) -> Iterator[tuple[str, Found]]:
    for name, probe in fitting:
        try:
            chip = probe.identify(I2cReader(line, address))
        except BusError:
            continue
        if chip is not None:
            place = _place(bus, address)
            usual = {"address": address == probe.addresses[0], "bus": bus == USUAL_BUS}
            implied = frozenset(name for name, is_usual in usual.items() if is_usual)
            yield name, Found(chip, place, probe.options(bus, address), probe.certain, implied)


def _place(bus: int, address: int) -> str:
    return f"i2c-{bus} 0x{address:02X}"
