"""A bench for ADCs with clamps: waves as currents, a clock that goes on with each transfer, and a computer that stalls."""

from __future__ import annotations

import math
from collections.abc import Callable

from edge.sensors.simulation.chips.bus import I2cChip, SpiChip
from support.sensor_contract import FakeClock

Wave = Callable[[float], float]
A_PER_V = 100.0 / (0.050 * 33.0)
"""Of a clamp of 100 A : 50 mA into 33 ohm."""


def mains(amps: float, *, hz: float = 50.0, degrees: float = 0.0, **harmonics: float) -> Wave:
    """A current in amperes: RMS of its fundamental, and of harmonics as h3=1.5."""

    def at(time_s: float) -> float:
        turn = 2 * math.pi * hz * time_s + math.radians(degrees)
        total = amps * math.sin(turn)
        for name, share in harmonics.items():
            total += share * math.sin(int(name[1:]) * turn)
        return math.sqrt(2.0) * total

    return at


def on_bias(current: Wave, bias_v: float = 1.65, a_per_v: float = A_PER_V) -> Wave:
    """The voltage that the ADC sees of it."""
    return lambda time_s: bias_v + current(time_s) / a_per_v


class SlowI2c:
    """A chip whose transfers take their time."""

    def __init__(self, chip: I2cChip, clock: FakeClock, seconds: float) -> None:
        self.chip, self.clock, self.seconds = chip, clock, seconds

    def read(self, register: int, count: int) -> bytes:
        self.clock.step(self.seconds)
        return self.chip.read(register, count)

    def write(self, register: int, data: bytes) -> None:
        self.clock.step(self.seconds)
        self.chip.write(register, data)

    def exchange(self, out: bytes, count: int) -> bytes:
        self.clock.step(self.seconds)
        return self.chip.exchange(out, count)


class SlowSpi:
    """A chip whose transfers take their time; the conversion happens in the middle."""

    def __init__(self, chip: SpiChip, clock: FakeClock, seconds: float) -> None:
        self.chip, self.clock, self.seconds = chip, clock, seconds

    def transfer(self, out: bytes) -> bytes:
        self.clock.step(self.seconds / 2)
        answer = self.chip.transfer(out)
        self.clock.step(self.seconds / 2)
        return answer


class Scheduler:
    """Sleeps a little too long each time, as an operating system does, and now and then much too long.

    Args:
        clock: goes on by it.
        stall_every: every so many sleeps there is a stall; 0: never.
        stall_s: how long it takes.
    """

    def __init__(self, clock: FakeClock, *, stall_every: int = 0, stall_s: float = 0.02) -> None:
        self.clock = clock
        self.stall_every, self.stall_s = stall_every, stall_s
        self._sleeps = 0

    def __call__(self, seconds: float) -> None:
        self._sleeps += 1
        jitter_s = 60e-6 + 40e-6 * math.sin(self._sleeps * 2.399)
        stalled = self.stall_every and self._sleeps % self.stall_every == 0
        self.clock.step(seconds + jitter_s + (self.stall_s if stalled else 0.0))
