"""The sensor contract: what a source delivers, and how it says that it cannot.

A sensor reads real or simulated hardware and returns blocks of samples. It never judges: what is normal is the
model's business, but what is *not a reading* (no data, a stuck value, a range exceeded, a CRC error) is the
sensor's, and it says so with a fault instead of a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray


class Quantity(StrEnum):
    """What kind of thing a channel measures; decides which features are computed from it."""

    VIBRATION = "vibration"
    """Acceleration in g or m/s², sampled fast enough for a spectrum, or its RMS if slower."""
    TEMPERATURE = "temperature"
    CURRENT = "current"
    POWER = "power"
    ENERGY = "energy"
    SPEED = "speed"
    LEVEL = "level"
    """Anything slow without features of its own: pressure, flow, humidity, load, disk."""
    STATE = "state"
    """0 or 1: a door, a contactor."""


class Fault(StrEnum):
    """Why a reading is not a reading. A sensor fault is never a machine fault."""

    NO_DATA = "sensor_no_data"
    STUCK = "sensor_stuck"
    OUT_OF_RANGE = "sensor_out_of_range"
    CLIPPED = "sensor_clipped"
    GAPS = "sensor_gaps"
    SPIKE = "sensor_spike"
    """Single wild values, from a loose plug or a disturbed line."""
    OVERRUN = "sensor_overrun"
    BUS = "sensor_bus"
    OPEN = "sensor_open"
    """A broken thermocouple or an unplugged clamp, reported by the chip."""
    SHORT = "sensor_short"
    """A probe's line touches another line, the supply or ground, reported by the chip."""


FaultText: TypeAlias = tuple[Fault, str]
"""A fault with a sentence in English: what, where, what was found."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One measured quantity: name, unit, physical range of the sensor, axes.

    `low` and `high` bound what this sensor can deliver at all; a value outside is a sensor fault, a value at the
    bound of a waveform is clipping. `period_s` is the expected time between blocks.
    """

    name: str
    unit: str
    quantity: Quantity
    low: float = -np.inf
    high: float = np.inf
    axes: int = 1
    rate_hz: float | None = None
    """Nominal sample rate of a waveform; None for single readings."""
    period_s: float = 1.0
    resolution: float = 0.0
    """Smallest step; a value that stays within it is only suspicious where noise is larger."""
    steady: bool = False
    """True where a constant reading is plausible for hours (a door, a disk); it is then never called stuck."""


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of samples read at once.

    `values` is float64 of shape (n,) or (n, axes); NaN marks a sample the sensor knows to be missing. `start_ns` is the
    node's monotonic time of the first sample, `rate_hz` the *measured* rate (None for a single reading).
    """

    channel: Channel
    start_ns: int
    values: NDArray[np.float64]
    rate_hz: float | None = None
    lost: int = 0
    """Samples known to be missing between the previous block and this one."""
    faults: tuple[FaultText, ...] = field(default=())
    """Faults found while reading."""

    @property
    def end_ns(self) -> int:
        """Monotonic time of the last sample."""
        steps = max(len(self.values) - 1, 0)
        return self.start_ns + (round(steps / self.rate_hz * 1e9) if self.rate_hz else 0)


class SensorError(Exception):
    """The sensor cannot be read now; the machine goes on without it and tries again.

    The text says which bus, address or file, and what was found there.
    """


class SensorConfigError(SensorError):
    """The sensor can never work as configured; stops the daemon before anything starts."""


class Sensor(Protocol):
    """A source of blocks. Opened, read and closed by one thread.

    `open` checks that the right thing is there and raises `SensorError` (retry) or `SensorConfigError` (stop).
    `read` returns what has arrived since the last call, without waiting longer than it takes to transfer it; an empty
    sequence means nothing yet. It raises `SensorError` when the source failed; it may be opened again afterwards.
    `close` is safe to call twice. All times are the monotonic nanoseconds of the clock given at construction.
    """

    @property
    def channels(self) -> Sequence[Channel]:
        """What it delivers; fixed once opened."""
        ...

    def open(self) -> None:
        """Checks the source and starts sampling."""
        ...

    def read(self) -> Sequence[Block]:
        """Blocks since the last call, oldest first."""
        ...

    def close(self) -> None:
        """Stops sampling and releases the source."""
        ...


class UnknownFault(SensorError, ValueError):
    """A fault that this source cannot simulate; the text names those it can."""


@runtime_checkable
class FaultInjectable(Protocol):
    """A simulated source that can be broken on purpose. Both calls may come from another thread than `read`."""

    @property
    def faults(self) -> Sequence[str]:
        """Names that `inject` takes."""
        ...

    def inject(self, fault: str, *, ramp_s: float | None = None, severity: float = 1.0) -> None:
        """Starts a fault now; it grows to `severity` (0 to 1) within `ramp_s` seconds.

        Raises:
            UnknownFault: no such fault here.
            ValueError: `ramp_s` or `severity` is out of range.
        """
        ...

    def clear(self, fault: str | None = None) -> None:
        """Ends one fault, or all of them, at once; one that is not active is no error.

        Raises:
            UnknownFault: no such fault here.
        """
        ...
