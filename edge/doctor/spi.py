"""Looks over the chip selects of SPI. SPI has no addresses and no acknowledge: a chip is recognised by what it says."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from edge.doctor.checks import check
from edge.doctor.i2c import Sight
from edge.sensors.bus.base import BusError, Buses
from edge.sensors.probing import Found, SpiProbe

USUAL_BUS = 0
"""What drivers take where none is configured."""


def spi_selects(root: Path) -> list[tuple[int, int]]:
    """(bus, select) of each /dev/spidev."""
    names = (re.fullmatch(r"spidev(\d+)\.(\d+)", path.name) for path in (root / "dev").glob("spidev*"))
    return sorted((int(found[1]), int(found[2])) for found in names if found)


def in_use(root: Path, device: str) -> bool:
    """Whether another program has that device open, as far as we may see."""
    own = str(os.getpid())
    for link in (root / "proc").glob("[0-9]*/fd/*"):
        try:
            if link.parts[-3] != own and str(link.readlink()) == f"/dev/{device}":
                return True
        except OSError:
            continue
    return False


def look_at_spi(bus: int, select: int, buses: Buses, probes: Iterable[tuple[str, SpiProbe]]) -> Sight:
    """Asks in the order of rank until a driver recognises its chip; see `SpiProbe` on why that order is harmless."""
    sight = Sight()
    place = f"spidev{bus}.{select}"
    for name, probe in sorted(probes, key=lambda pair: (pair[1].rank, not pair[1].certain)):
        try:
            line = buses.spi(bus, select, mode=probe.mode, max_hz=probe.max_hz)
        except BusError as exc:
            sight.checks.append(check("spi", "closed", place=place, error=str(exc)))
            return sight
        try:
            chip = probe.identify(line)
        except BusError:
            chip = None
        finally:
            line.close()
        if chip is not None:
            implied = frozenset({"bus"} if bus == USUAL_BUS else ())
            sight.found.append((name, Found(chip, place, probe.options(bus, select), probe.certain, implied)))
            return sight
    sight.checks.append(check("spi", "nothing", place=place))
    return sight
