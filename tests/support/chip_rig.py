"""What tests of slow chips share: simulated buses, a clock, and words for what a read gave."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import pytest

from edge.feed import FIRST_PAUSE_S, SensorFeed
from edge.machine import SensorReading
from edge.sensors.base import Fault, Sensor, SensorError
from edge.sensors.registry import Surroundings
from edge.sensors.simulation.chips.bus import SimulatedBuses
from support.sensor_contract import FakeClock, SensorCase

S = TypeVar("S", bound=Sensor)


class Rig:
    """A board with a clock."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.buses = SimulatedBuses()
        self.surroundings = Surroundings("oven", "oven", self.clock, 1.0, buses=self.buses)

    def feed(self, sensor: Sensor, name: str = "chip") -> SensorFeed:
        """The sensor as the daemon runs it, opened."""
        feed = SensorFeed("oven", name, lambda: sensor)
        feed.open(self.clock())
        return feed

    def later(self, feed: SensorFeed, seconds: float = 2 * FIRST_PAUSE_S) -> SensorReading:
        """What the daemon reads after so long."""
        self.clock.step(seconds)
        return feed.read(self.clock())


class Bench(Rig, Generic[S]):
    """A board with one chip on it, and its sensor."""

    SETTLE_S = 1.0
    """After so long it has a reading."""
    sensor: S

    def opened(self) -> S:
        """The sensor, opened, with a reading to give."""
        self.sensor.open()
        self.clock.step(self.SETTLE_S)
        return self.sensor

    def case(self) -> SensorCase:
        """For the shared suite."""
        return SensorCase(self.sensor, self.clock.step, monotonic_ns=self.clock)


def values(sensor: Sensor) -> dict[str, float]:
    """One read's values by channel; none of them may have a fault."""
    blocks = sensor.read()
    assert not [block.faults for block in blocks if block.faults]
    return {block.channel.name: float(block.values[0]) for block in blocks}


def faults(sensor: Sensor) -> dict[str, list[Fault]]:
    """One read's faults by channel; a reading with a fault has no value."""
    blocks = sensor.read()
    assert all(bool(block.faults) == bool(block.values[0] != block.values[0]) for block in blocks)
    return {block.channel.name: [fault for fault, _ in block.faults] for block in blocks}


def sentence(sensor: Sensor) -> str:
    """The only fault's sentence of one read."""
    ((_, said),) = [fault for block in sensor.read() for fault in block.faults]
    return said


@contextmanager
def refused(*words: str) -> Iterator[None]:
    """What is done here raises a SensorError whose text holds all of these words."""
    with pytest.raises(SensorError) as caught:
        yield
    for word in words:
        assert word in str(caught.value), str(caught.value)


class ForeignI2c:
    """A chip of another kind: whatever is asked, it answers the same bytes."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.written: list[tuple[int, bytes]] = []

    def read(self, register: int, count: int) -> bytes:
        return self.exchange(bytes([register]), count)

    def write(self, register: int, data: bytes) -> None:
        self.written.append((register, data))

    def exchange(self, out: bytes, count: int) -> bytes:
        assert out or count
        return (self.answer + bytes(count))[:count]


class ForeignSpi:
    """A chip of another kind: whatever is asked, it sends the same bytes, then zeros."""

    def __init__(self, answer: str) -> None:
        self.answer = bytes.fromhex(answer)

    def transfer(self, out: bytes) -> bytes:
        return (self.answer + bytes(len(out)))[: len(out)]
