"""What every sensor must do: one suite, subclassed by each sensor's own test.

    class TestSimulated(SensorContract):
        @pytest.fixture
        def case(self) -> Iterator[SensorCase]:
            clock = FakeClock()
            yield SensorCase(sensor=Simulated(...), feed=clock.step)

`feed(seconds)` lets about that much time pass and, for a source that listens, brings about that much data in;
after it, `read` must find something. Twice is enough to compare one read with the next.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from edge.sensors.base import Block, Channel, Sensor, SensorError

CHANNEL_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")


class FakeClock:
    """Monotonic nanoseconds that move only when told to."""

    def __init__(self, start_ns: int = 5_000_000_000_000) -> None:
        self.now_ns = start_ns

    def __call__(self) -> int:
        return self.now_ns

    def step(self, seconds: float) -> None:
        """Lets time pass."""
        self.now_ns += round(seconds * 1e9)


@dataclass(frozen=True)
class SensorCase:
    """One sensor, closed, with what makes data arrive."""

    sensor: Sensor
    feed: Callable[[float], None]
    seconds: float = 3.0
    """How much to feed for at least one block of at least one channel."""
    monotonic_ns: Callable[[], int] | None = None
    """The clock given to the sensor, where the test can ask it."""


def check_channel(channel: Channel) -> None:
    """A channel whose name can travel and whose range and rates make sense."""
    assert channel.name, "a channel has a name"
    assert set(channel.name) <= CHANNEL_CHARACTERS, f"{channel.name!r} holds characters the wire refuses"
    assert len(channel.unit) <= 16
    assert channel.low < channel.high, channel.name
    assert channel.axes >= 1
    assert channel.rate_hz is None or channel.rate_hz > 0
    assert channel.period_s > 0
    assert channel.resolution >= 0
    assert not math.isnan(channel.low)
    assert not math.isnan(channel.high)


def check_block(block: Block, channels: Sequence[Channel]) -> None:
    """A block that belongs to one of the channels, of the promised shape and type."""
    assert block.channel in channels, f"{block.channel.name} is not one of the announced channels"
    assert isinstance(block.start_ns, int)
    assert block.values.dtype == np.float64
    expected = (len(block.values),) if block.channel.axes == 1 else (len(block.values), block.channel.axes)
    assert block.values.shape == expected, block.channel.name
    assert len(block.values) >= 1, "an empty block says nothing; leave it out"
    assert not np.isinf(block.values).any(), "missing samples are NaN, never infinite"
    assert block.lost >= 0
    assert block.end_ns >= block.start_ns
    if len(block.values) > 1:
        assert block.rate_hz is not None, "several samples need a rate"
        assert block.rate_hz > 0
    for fault, sentence in block.faults:
        assert fault.value.startswith("sensor_")
        assert sentence


def check_order(*reads: Sequence[Block]) -> None:
    """Each read's blocks oldest first; those of one channel never overlap, over all reads."""
    ends: dict[str, int] = {}
    for blocks in reads:
        starts = [block.start_ns for block in blocks]
        assert starts == sorted(starts), "blocks of one read come oldest first"
    for block in (block for blocks in reads for block in blocks):
        last = ends.get(block.channel.name)
        assert last is None or block.start_ns > last, f"{block.channel.name}: blocks overlap"
        ends[block.channel.name] = block.end_ns


class SensorContract:
    """Tests that hold for every sensor; a subclass gives the `case` fixture."""

    @pytest.fixture
    def case(self) -> SensorCase:
        """The sensor under test, not opened yet."""
        raise NotImplementedError("give a `case` fixture")

    def test_channels_are_announced_and_fixed(self, case: SensorCase) -> None:
        case.sensor.open()
        before = tuple(case.sensor.channels)
        case.feed(case.seconds)
        case.sensor.read()
        assert before, "a sensor has at least one channel once opened"
        assert tuple(case.sensor.channels) == before
        assert len({channel.name for channel in before}) == len(before), "two channels of one name"
        for channel in before:
            check_channel(channel)
        case.sensor.close()

    def test_blocks_are_well_formed_and_in_order(self, case: SensorCase) -> None:
        case.sensor.open()
        reads: list[Sequence[Block]] = []
        for _ in range(4):
            case.feed(case.seconds)
            reads.append(case.sensor.read())
        blocks = [block for read in reads for block in read]
        assert blocks, "something was fed, something must be read"
        for block in blocks:
            check_block(block, case.sensor.channels)
        check_order(*reads)
        case.sensor.close()

    def test_blocks_lie_in_the_past(self, case: SensorCase) -> None:
        if case.monotonic_ns is None:
            pytest.skip("this case has no clock to ask")
        opened = case.monotonic_ns()
        case.sensor.open()
        case.feed(case.seconds)
        blocks = case.sensor.read()
        now = case.monotonic_ns()
        assert blocks
        assert all(block.end_ns <= now for block in blocks)
        assert all(block.start_ns >= opened for block in blocks)
        case.sensor.close()

    def test_nothing_is_delivered_twice(self, case: SensorCase) -> None:
        case.sensor.open()
        case.feed(case.seconds)
        first = case.sensor.read()
        second = case.sensor.read()
        assert first
        check_order(first, second)
        case.sensor.close()

    def test_values_are_the_readers_own(self, case: SensorCase) -> None:
        case.sensor.open()
        case.feed(case.seconds)
        blocks = case.sensor.read()
        copies = [block.values.copy() for block in blocks]
        case.feed(case.seconds)
        case.sensor.read()
        assert blocks
        for block, copy in zip(blocks, copies, strict=True):
            np.testing.assert_array_equal(block.values, copy)
        case.sensor.close()

    def test_read_before_open_is_refused(self, case: SensorCase) -> None:
        with pytest.raises(SensorError):
            case.sensor.read()

    def test_close_twice_then_read_is_refused(self, case: SensorCase) -> None:
        case.sensor.open()
        case.sensor.close()
        case.sensor.close()
        with pytest.raises(SensorError):
            case.sensor.read()

    def test_close_without_open_is_harmless(self, case: SensorCase) -> None:
        case.sensor.close()
        case.sensor.close()
        with pytest.raises(SensorError):
            case.sensor.read()

    def test_opens_again_after_close(self, case: SensorCase) -> None:
        case.sensor.open()
        case.feed(case.seconds)
        first = list(case.sensor.read())
        case.sensor.close()
        case.sensor.open()
        case.feed(case.seconds)
        second = list(case.sensor.read())
        assert second, "it delivers again"
        for block in second:
            check_block(block, case.sensor.channels)
        check_order(first, second)
        case.sensor.close()
