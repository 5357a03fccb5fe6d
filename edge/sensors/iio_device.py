"""A device of the kernel's Industrial I/O subsystem: its attributes, its buffer, and the records that come out of it.

By Documentation/ABI/testing/sysfs-bus-iio and Documentation/driver-api/iio/buffers.rst of Linux: each channel that is
switched on under `scan_elements` is an element of a record, in the order of their `index`, each aligned to its own size, the
record padded to the largest of them.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.sensors.base import SensorError

DEVICES = "sys/bus/iio/devices"
ACCELERATION = ("in_accel_x", "in_accel_y", "in_accel_z")
TIMESTAMP = "in_timestamp"
TYPE = re.compile(
    r"(?P<end>le|be):(?P<sign>[su])(?P<real>\d+)/(?P<stored>\d+)(?:X(?P<repeat>\d+))?(?:>>(?P<shift>\d+))?"
)
"""`[le|be]:[s|u]bits/storagebits[Xrepeat][>>shift]`."""
_HINTS = {
    errno.EACCES: "not allowed; the daemon's user needs a udev rule for it, see the page on vibration sensors",
    errno.EBUSY: "another program uses its buffer",
    errno.ENOENT: "there is no such attribute",
    errno.ENODEV: "the device is gone",
    errno.EROFS: "the daemon's unit keeps /sys from being written, see the page on vibration sensors",
    errno.EINVAL: "its driver refuses that",
}


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a record."""

    name: str
    index: int
    big_endian: bool
    signed: bool
    real_bits: int
    stored_bits: int
    repeat: int = 1
    shift: int = 0

    @property
    def size(self) -> int:
        """Bytes of one value."""
        return self.stored_bits // 8

    @property
    def steps(self) -> int:
        """Largest number of steps in either direction."""
        return 1 << (self.real_bits - (1 if self.signed else 0))


def element(name: str, index: str, kind: str) -> Element:
    """From the contents of `<name>_index` and `<name>_type`; raises ValueError for what the kernel would not say.

    >>> element("in_accel_x", "0", "le:s12/16>>4").steps
    2048
    """
    found = TYPE.fullmatch(kind)
    if found is None or int(found["stored"]) not in (8, 16, 32, 64):
        raise ValueError(f"{name}_type says {kind!r}")
    real, stored, shift = int(found["real"]), int(found["stored"]), int(found["shift"] or 0)
    if not 0 < real <= stored - shift:
        raise ValueError(f"{name}_type says {kind!r}: {real} bits do not fit")
    return Element(
        name,
        int(index),
        found["end"] == "be",
        found["sign"] == "s",
        real,
        stored,
        int(found["repeat"] or 1),
        shift,
    )


class Records:
    """Takes bytes of the buffer apart.

    Args:
        elements: those that are switched on.
    """

    def __init__(self, elements: Sequence[Element]) -> None:
        self.elements = sorted(elements, key=lambda one: one.index)
        offsets: list[int] = []
        place = 0
        for one in self.elements:
            length = one.size * one.repeat
            place = -(-place // length) * length
            offsets.append(place)
            place += length
        widest = max((one.size * one.repeat for one in self.elements), default=1)
        self.size = -(-place // widest) * widest
        """Bytes of a record."""
        self._kind = np.dtype(
            {
                "names": [one.name for one in self.elements],
                "formats": [f"{'>' if one.big_endian else '<'}u{one.size}" for one in self.elements],
                "offsets": offsets,
                "itemsize": self.size,
            }
        )

    def values(self, data: bytes) -> dict[str, NDArray[np.int64]]:
        """Whole numbers of each element; `data` is whole records."""
        table = np.frombuffer(data, dtype=self._kind)
        found: dict[str, NDArray[np.int64]] = {}
        for one in self.elements:
            # To the top, then down again: an arithmetic shift brings the sign along, a logical one zeros.
            above = np.uint64(64 - one.real_bits)
            raw = (table[one.name].astype(np.uint64) >> np.uint64(one.shift)) << above
            value = raw.view(np.int64) >> above.astype(np.int64) if one.signed else (raw >> above).view(np.int64)
            found[one.name] = value
        return found


class IioDevice:
    """One device under /sys/bus/iio/devices; every failure is a `SensorError` that names the attribute.

    Args:
        root: root of /sys and /dev.
        number: its folder's name, such as `iio:device0`.
    """

    def __init__(self, root: Path, number: str) -> None:
        self.number = number
        self.folder = root / DEVICES / number
        self.node = root / "dev" / number
        self.name = self.text("name", default="")

    def text(self, attribute: str, *, default: str | None = None) -> str:
        """An attribute's content; where there is none, the default."""
        try:
            # The kernel ends some of them with a NUL (current_timestamp_clock).
            return (self.folder / attribute).read_text(encoding="ascii", errors="replace").strip(" \n\0")
        except OSError as exc:
            if default is not None and exc.errno == errno.ENOENT:
                return default
            raise self.failed(attribute, exc) from exc

    def number_of(self, *attributes: str) -> float | None:
        """The first of these attributes that exists, as a number."""
        for attribute in attributes:
            found = self.text(attribute, default="")
            if found:
                try:
                    return float(found.split()[0])
                except ValueError as exc:
                    raise SensorError(f"{self.number}: {attribute} says {found!r}") from exc
        return None

    def put(self, attribute: str, value: str) -> None:
        """Writes an attribute."""
        try:
            (self.folder / attribute).write_text(value, encoding="ascii")
        except OSError as exc:
            raise self.failed(attribute, exc) from exc

    def ensure(self, attribute: str, value: str) -> None:
        """Writes an attribute that does not say that already."""
        if self.text(attribute) != value:
            self.put(attribute, value)

    def has(self, attribute: str) -> bool:
        """Whether there is such an attribute."""
        return (self.folder / attribute).exists()

    def failed(self, what: str, exc: OSError) -> SensorError:
        """An error of the operating system in words."""
        hint = _HINTS.get(exc.errno or 0)
        return SensorError(
            f"{self.number} ({self.name_or_unknown}): {what}: {exc.strerror}{f' ({hint})' if hint else ''}"
        )

    @property
    def name_or_unknown(self) -> str:
        """Its driver's name for it."""
        return getattr(self, "name", "") or "unknown"

    @property
    def axes(self) -> tuple[str, ...]:
        """Axes of acceleration that its buffer can hold."""
        return tuple(axis for axis in ACCELERATION if self.has(f"scan_elements/{axis}_en"))

    def element(self, name: str) -> Element:
        """How that channel stands in a record."""
        try:
            return element(name, self.text(f"scan_elements/{name}_index"), self.text(f"scan_elements/{name}_type"))
        except ValueError as exc:
            raise SensorError(f"{self.number} ({self.name_or_unknown}): {exc}") from exc

    def switch_on(self, names: Sequence[str]) -> None:
        """Exactly these channels; the buffer has to be off."""
        try:
            present = sorted(path.name for path in (self.folder / "scan_elements").glob("*_en"))
        except OSError as exc:
            raise self.failed("scan_elements", exc) from exc
        for attribute in present:
            self.ensure(f"scan_elements/{attribute}", "1" if attribute.removesuffix("_en") in names else "0")


def devices(root: Path) -> Iterator[IioDevice]:
    """Those of the kernel, by number; a folder that disappears meanwhile is none."""
    for folder in sorted((root / DEVICES).glob("iio:device*"), key=lambda path: (len(path.name), path.name)):
        try:
            yield IioDevice(root, folder.name)
        except SensorError:
            continue
