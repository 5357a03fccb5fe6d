"""A chip's FIFO: fetched in as few calls as the bus allows, and in time, or what it lost is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edge.sensors.bus.base import BusError
from edge.sensors.registers import Registers
from edge.sensors.stream import Drained

DISTURBED = "a transfer was disturbed"
OVERFLOWED = "the FIFO overflowed"


class Pace:
    """Knows how long a FIFO's samples take to fetch, so that one that was interrupted is told from a slow one.

    Args:
        fifo_samples: that fit into it.
        rate_hz: nominal rate.
    """

    def __init__(self, fifo_samples: int, rate_hz: float) -> None:
        self._fifo_samples = fifo_samples
        self._samples_a_ns = 1.05 * rate_hz / 1e9
        self._fastest_ns = float("inf")

    def overflowed(self, samples: int, took_ns: int) -> bool:
        """Whether the FIFO ran over between the look at it and the fetch of these samples, which took so long together."""
        if samples == 0:
            return False
        self._fastest_ns = min(self._fastest_ns, took_ns / samples)
        late_ns = took_ns - samples * self._fastest_ns
        return samples + late_ns * self._samples_a_ns > self._fifo_samples + 0.5


def in_time(
    drain: Callable[[Registers], Drained], registers: Registers, pace: Pace, monotonic_ns: Callable[[], int]
) -> Drained:
    """A drain; without its samples where the thread had to wait so long before it fetched them that some were overwritten.

    The chip's overrun bit is then gone with the first sample read.
    """
    began_ns = monotonic_ns()
    drained = drain(registers)
    if pace.overflowed(len(drained.values), monotonic_ns() - began_ns):
        return replace(drained, values=drained.values[:0], gap=OVERFLOWED)
    return drained


def fetch(registers: Registers, register: int, count: int, size: int, *, together: bool = True) -> tuple[bytes, str]:
    """`count` samples of `size` bytes from a register that takes them out of the FIFO, in as few calls as the bus allows.

    A call that is disturbed has taken nobody knows how many of them: then there are none, and the second value says why.

    Args:
        registers, register, count, size: what is read.
        together: whether one transfer may take several samples.

    Raises:
        BusError: the bus does not work at all.
    """
    most = max(registers.longest // size, 1) if together else 1
    whole, rest = divmod(count, most)
    try:
        data = registers.read_each_once(register, most * size, whole) if whole else b""
        return data + (registers.read_once(register, rest * size) if rest else b""), ""
    except BusError:
        registers.read(register, size)
        return b"", DISTURBED


def words(data: bytes, kind: str) -> NDArray[np.float64]:
    """Samples of three axes as (n, 3), whole numbers; `kind` as numpy writes it, such as `<i2`."""
    return np.frombuffer(data, dtype=kind).reshape(-1, 3).astype(np.float64)
