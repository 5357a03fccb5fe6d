"""What slow chips have in common: found and tested when opened, asked for a reading every few seconds, lost and found again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from edge.sensors.base import Block, Channel, Fault, SensorError


@dataclass(frozen=True, slots=True)
class Reading:
    """One channel's value now, or the faults for which there is none (then it is NaN)."""

    channel: Channel
    value: float = float("nan")
    faults: tuple[tuple[Fault, str], ...] = field(default=())


class Polled(ABC):
    """A `Sensor` that gives one reading per channel every `every_s` seconds.

    A subclass says what it delivers and how it is started, measured and stopped. Whatever these raise as `SensorError` ends
    the reading; the caller opens it again later.

    Args:
        channels: what it delivers.
        every_s: seconds between readings.
        monotonic_ns: the clock.
    """

    def __init__(self, channels: Sequence[Channel], every_s: float, monotonic_ns: Callable[[], int]) -> None:
        self._channels = tuple(channels)
        self._every_ns = round(every_s * 1e9)
        self._monotonic_ns = monotonic_ns
        self._opened = False
        self._due_ns: int | None = None

    @property
    def channels(self) -> Sequence[Channel]:
        """What it delivers."""
        return self._channels

    def open(self) -> None:
        """Finds the chip, tests it and starts it; raises SensorError with what was found instead."""
        self.close()
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        self._opened = True
        self._due_ns = None

    def read(self) -> Sequence[Block]:
        """One reading of each channel when it is time, else nothing; raises SensorError when the chip cannot be read."""
        if not self._opened:
            raise SensorError(f"{type(self).__name__} is not open")
        now_ns = self._monotonic_ns()
        if self._due_ns is not None and now_ns < self._due_ns:
            return []
        readings = self.measure()
        if readings is None:
            return []
        # On a grid, so that a reading a little late does not make all later ones late.
        behind = self._due_ns is None or now_ns - self._due_ns > self._every_ns
        self._due_ns = (now_ns if behind else self._due_ns or now_ns) + self._every_ns
        taken_ns = self._monotonic_ns()
        return [Block(r.channel, taken_ns, np.array([r.value], dtype=np.float64), faults=r.faults) for r in readings]

    def close(self) -> None:
        """Stops the chip and releases the bus; safe to call twice."""
        self._opened = False
        self.stop()

    @abstractmethod
    def start(self) -> None:
        """Opens the bus, checks that the right chip is there, tests and configures it."""

    @abstractmethod
    def measure(self) -> Sequence[Reading] | None:
        """The readings now, or None while the chip is still converting; never waits for a conversion."""

    @abstractmethod
    def stop(self) -> None:
        """Releases what `start` took; must not raise, and may be called without it or twice."""
