"""A bench for ADCs with clamps: waves as currents, a clock that goes on with each transfer, and a computer that stalls."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edge.sensors.ads1115 import Ads1115, Ads1115Clamp, Ads1115Config
from edge.sensors.base import Block, Fault
from edge.sensors.clamped import Clamped
from edge.sensors.mcp3008 import Mcp3008, Mcp3008Clamp, Mcp3008Config
from edge.sensors.registry import Surroundings
from edge.sensors.simulation.chips.ads1115 import SimulatedAds1115
from edge.sensors.simulation.chips.bus import I2cChip, SimulatedBuses, SpiChip
from edge.sensors.simulation.chips.mcp3008 import SimulatedMcp3008
from support.sensor_contract import FakeClock

Wave = Callable[[float], float]
SCT: dict[str, Any] = {"rated_a": 100.0, "output_ma": 50.0, "burden_ohm": 33.0}
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


class Bench:
    """What both have: a clock that transfers and sleeps move, a scheduler that can stall."""

    sensor: Clamped

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.buses = SimulatedBuses()
        self.scheduler = Scheduler(self.clock)
        self.surroundings = Surroundings("mixer", "mixer", self.clock, 1.0, buses=self.buses)

    def feed(self, seconds: float) -> None:
        self.clock.step(seconds)
        self.sensor.pump()

    def read(self, seconds: float = 1.0) -> dict[str, Block]:
        self.feed(seconds)
        return {block.channel.name: block for block in self.sensor.read()}

    def fault(self) -> tuple[Fault, str]:
        (block,) = self.read().values()
        (found,) = block.faults
        return found


class Ads(Bench):
    """An ADS1115 at 0x48 on a bus of 400 kHz."""

    def __init__(
        self,
        *waves: Wave,
        clamps: Sequence[dict[str, Any]] | None = None,
        transfer_s: float = 0.00014,
        speed: float = 1.0,
        bits: int = 16,
        **options: Any,
    ) -> None:
        super().__init__()
        self.bus = self.buses.wire_i2c(1)
        volts = [*waves, *([lambda _: 0.0] * (4 - len(waves)))]
        self.chip = SimulatedAds1115(self.clock, volts, speed=speed, bits=bits)
        self.bus.plug(0x48, SlowI2c(self.chip, self.clock, transfer_s))
        made = [Ads1115Clamp(**{**SCT, **clamp}) for clamp in clamps or [{}]]
        self.sensor = Ads1115(
            Ads1115Config(clamps=made, **options), self.surroundings, sleep=self.scheduler, background=False
        )


class Mcp(Bench):
    """An MCP3008 whose transfers take 80 µs each."""

    def __init__(
        self,
        *waves: Wave,
        clamps: Sequence[dict[str, Any]] | None = None,
        transfer_s: float = 80e-6,
        bits: int = 10,
        **options: Any,
    ) -> None:
        super().__init__()
        self.line = self.buses.wire_spi(0, 0)
        self.chip = SimulatedMcp3008(self.clock, waves, bits=bits)
        self.line.chip = SlowSpi(self.chip, self.clock, transfer_s)
        made = [Mcp3008Clamp(**{**SCT, **clamp}) for clamp in clamps or [{}]]
        self.sensor = Mcp3008(
            Mcp3008Config(clamps=made, **options), self.surroundings, sleep=self.scheduler, background=False
        )


def phases(count: int = 3) -> list[dict[str, Any]]:
    return [{"input": number, "channel": "current"} for number in range(count)]


def three(*amps: float) -> list[Wave]:
    return [on_bias(mains(one, degrees=-120.0 * place)) for place, one in enumerate(amps)]


def amplitudes(block: Block, orders: Sequence[int]) -> list[float]:
    """RMS of these harmonics in a block of ten periods."""
    lines = np.abs(np.fft.rfft(block.values)) * np.sqrt(2.0) / len(block.values)
    return [float(lines[10 * order]) for order in orders]
