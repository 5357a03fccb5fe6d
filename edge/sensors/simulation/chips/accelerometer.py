"""What simulated accelerometers have in common: an oscillator of their own that samples a waveform, and a FIFO."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Callable
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge.sensors.simulation.chips.bus import RegisterChip

Waveform: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Acceleration in g, (n, 3), at these times in seconds."""

LONGEST_ADVANCE = 20_000
"""Nobody sees more samples than that at once: the FIFO holds far fewer."""


def at_rest(times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """A chip that lies flat, with a little noise that depends on the time only."""
    resting: NDArray[np.float64] = 0.01 * np.sin(times_s[:, None] * np.array([7919.0, 6101.0, 4787.0]))
    resting[:, 2] += 1.0
    return resting


class Oscillator:
    """Says which samples were taken since it was last asked.

    Args:
        monotonic_ns: the node's clock.
        error: by which share it runs too fast.
        waveform: what happens to the chip.
    """

    def __init__(self, monotonic_ns: Callable[[], int], error: float = 0.0, waveform: Waveform = at_rest) -> None:
        self._monotonic_ns = monotonic_ns
        self._error = error
        self.waveform = waveform
        self.rate_hz = 0.0
        """True rate; 0 while it does not run."""
        self._began_ns = 0
        self._taken = 0

    def run(self, nominal_hz: float) -> None:
        """Samples at this rate from now on; 0 stops it. The same rate again changes nothing."""
        rate_hz = nominal_hz * (1.0 + self._error)
        if rate_hz != self.rate_hz:
            self.rate_hz, self._began_ns, self._taken = rate_hz, self._monotonic_ns(), 0

    def samples(self) -> NDArray[np.float64]:
        """Acceleration in g, (n, 3), of the samples since the last call; of very many only the last."""
        if self.rate_hz <= 0.0:
            return np.empty((0, 3))
        due = int((self._monotonic_ns() - self._began_ns) * self.rate_hz / 1e9)
        first, self._taken = max(self._taken, due - LONGEST_ADVANCE), due
        numbers = np.arange(first + 1, due + 1)
        return self.waveform(self._began_ns / 1e9 + numbers / self.rate_hz) if len(numbers) else np.empty((0, 3))


class Fifo:
    """The newest samples, up to its depth, as the bytes in which they are read."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.entries: deque[bytes] = deque()
        self.overrun = False

    def put(self, entry: bytes) -> None:
        """Adds one; the oldest gives way."""
        self.entries.append(entry)
        if len(self.entries) > self.depth:
            self.entries.popleft()
            self.overrun = True

    def pop(self) -> bytes | None:
        """The oldest one."""
        self.overrun = False
        return self.entries.popleft() if self.entries else None

    def clear(self) -> None:
        """Empties it."""
        self.entries.clear()
        self.overrun = False

    def __len__(self) -> int:
        return len(self.entries)


class SimulatedAccelerometer(RegisterChip):
    """One with a FIFO of whole samples, on I²C or SPI.

    Args:
        monotonic_ns: the node's clock.
        error: by which share its oscillator is too fast.
        waveform: what happens to it.
    """

    FORCE_G: ClassVar[tuple[float, float, float]]
    """What the self-test adds."""
    DEPTH: ClassVar[int]
    """Of the FIFO."""

    def __init__(self, monotonic_ns: Callable[[], int], error: float = 0.0, waveform: Waveform = at_rest) -> None:
        self.oscillator = Oscillator(monotonic_ns, error, waveform)
        self.force_g: tuple[float, ...] = self.FORCE_G
        self.fifo = Fifo(self.DEPTH)
        self.registers = bytearray(0x40)
        self.power_cycle()

    @abstractmethod
    def power_cycle(self) -> None:
        """Power lost and back: every register at its reset value."""
