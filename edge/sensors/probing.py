"""How a chip is found and named without disturbing it: what each driver knows about recognising its own.

A driver's module may hold `PROBES`, a tuple of the kinds below; whoever looks for sensors finds them through the
registry, so that a new sensor stays one file and one line. Looking only reads: an I²C probe gets a view of the bus that
cannot write, and what is not recognised is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from edge.sensors.bus.base import I2c, Spi, persistent
from edge.sensors.registry import SENSOR_TYPES

COMMAND_BYTES = 2
"""Sensirion's chips have 16-bit register numbers, which they call commands."""


@dataclass(frozen=True, slots=True)
class I2cReader:
    """One address of an I²C bus, for reading only; a disturbed transfer is tried again, then raises `BusError`."""

    bus: I2c
    address: int

    def read(self, register: int, count: int) -> bytes:
        """Bytes from a register on, as `I2c.read`."""
        return persistent(lambda: self.bus.read(self.address, register, count))

    def ask(self, command: bytes, count: int) -> bytes:
        """The answer to a command of one or two bytes that only reads; for chips without register numbers.

        Raises:
            ValueError: a longer command, or nothing to read: that would be a write.
        """
        if not 1 <= len(command) <= COMMAND_BYTES or count < 1:
            raise ValueError(f"{len(command)} bytes out and {count} in is no reading")
        return persistent(lambda: self.bus.exchange(self.address, command, count))


def _at_address(bus: int, address: int) -> Mapping[str, Any]:
    return {"bus": bus, "address": address}


def _at_select(bus: int, select: int) -> Mapping[str, Any]:
    return {"bus": bus, "select": select}


@dataclass(frozen=True, slots=True)
class I2cProbe:
    """A chip on I²C.

    `identify` reads what tells the chip apart and returns its name, or None when it is another one; it may raise
    `BusError`, which also means: not this one.
    """

    addresses: Sequence[int]
    """The first is the one that the driver uses where none is configured."""
    identify: Callable[[I2cReader], str | None]
    certain: bool = True
    """False where the chip has no identity register and only its registers' plausible content speaks for it; such probes
    are asked last, and a person is told to check."""
    by_command: bool = False
    """True where it is asked by a command; such probes come after those that read a register."""
    options: Callable[[int, int], Mapping[str, Any]] = field(default=_at_address)
    """Options of `[[machine.sensor]]` for (bus, address), without `type`."""
    khz: tuple[int, int] = (0, 1_000_000)
    """Slowest and fastest clock of the bus at which the driver can do what it promises by default."""
    interface: str = "I²C"
    """What has to be switched on for it; see `edge.doctor.access.INTERFACES`."""


@dataclass(frozen=True, slots=True)
class SpiProbe:
    """A chip on SPI. SPI has no addresses: the same bytes are a read to one chip and a write to another.

    `rank` orders the probes so that what one sends is no write to a register of a chip that would be recognised only later;
    looking ends with the first that is recognised.

        0  LIS3DH: 0x8F reads its identity; to Maxim's chips it is a write of what can only be read, or is not there
        1  ADXL345: a register that no other chip has, and only if that looks right its identity, 0x80
        2  ADXL355: 0x01 reads its identity, and is a read to all that come later
        3  Maxim's chips with registers, 5 those without: only zeros, a read
        8  analog converters, which have no registers
    """

    mode: int
    max_hz: int
    identify: Callable[[Spi], str | None]
    rank: int
    certain: bool = True
    options: Callable[[int, int], Mapping[str, Any]] = field(default=_at_select)
    """Options of `[[machine.sensor]]` for (bus, select), without `type`."""
    interface: str = "SPI"


@dataclass(frozen=True, slots=True)
class Found:
    """A device that a sensor type can read."""

    chip: str
    """What it is, as its maker calls it."""
    place: str
    """Where it is, such as `i2c-1 0x53`."""
    options: Mapping[str, Any]
    """Options of `[[machine.sensor]]` for it, without `type`."""
    certain: bool = True
    implied: frozenset[str] = frozenset()
    """Those of the options that a configuration may leave out and still mean this one."""
    means: Callable[[Mapping[str, Any]], bool] | None = None
    """Whether a configuration, as builtins, means this one, where equal options do not say it."""


@dataclass(frozen=True, slots=True)
class TreeProbe:
    """Devices that the kernel already knows, found in /sys or /dev under the root folder."""

    find: Callable[[Path], Iterable[Found]]
    interface: str = ""
    """`1-Wire` where that is what it needs."""


Probe: TypeAlias = I2cProbe | SpiProbe | TreeProbe


def probes_of(name: str) -> tuple[Probe, ...]:
    """The probes of one sensor type; none where it has nothing to look for.

    Raises:
        ImportError: a package that this type needs is not installed.
    """
    return tuple(getattr(import_module(SENSOR_TYPES[name].partition(":")[0]), "PROBES", ()))
