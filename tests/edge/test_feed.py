"""A sensor's troubles become readings with an error's text; the machine goes on."""

from __future__ import annotations

import numpy as np
import pytest
from support.sensor_contract import FakeClock

from edge.feed import SensorFeed
from edge.sensors.base import Block, Channel, Fault, Quantity, SensorConfigError, SensorError

LEVEL = Channel("level", "1", Quantity.LEVEL)
SECOND = 1_000_000_000


class Flaky:
    """A sensor that does what its script says: exceptions are raised, lists returned."""

    def __init__(self, opens: list[Exception | None], reads: list[Exception | int]) -> None:
        self.opens = opens
        self.reads = reads
        self.opened = 0
        self.closed = 0

    @property
    def channels(self) -> list[Channel]:
        return [LEVEL]

    def open(self) -> None:
        self.opened += 1
        what = self.opens.pop(0) if self.opens else None
        if what is not None:
            raise what

    def read(self) -> list[Block]:
        what = self.reads.pop(0) if self.reads else 0
        if isinstance(what, Exception):
            raise what
        return [Block(LEVEL, 0, np.array([1.0]), lost=what)]

    def close(self) -> None:
        self.closed += 1
        if self.closed == 1:
            raise RuntimeError("closing fails as well")


def test_it_opens_again_with_growing_pauses() -> None:
    sensor = Flaky([SensorError("bus 1: no answer")] * 3, [])
    made = []
    feed = SensorFeed("oven", "level", lambda: made.append(1) or sensor)  # type: ignore[func-returns-value]  # append's None
    at = []
    for second in range(12):
        before = sensor.opened
        reading = feed.read(second * SECOND)
        if sensor.opened > before:
            at.append(second)
        if second < 7:
            assert reading.error == "bus 1: no answer"
            assert reading.blocks == ()
    assert at == [0, 1, 3, 7]
    assert made == [1]
    assert feed.error is None
    assert feed.failures == 3
    assert feed.state({}).ok


def test_an_unexpected_exception_is_a_sensor_fault_and_makes_the_sensor_anew() -> None:
    made: list[Flaky] = []

    def make() -> Flaky:
        made.append(Flaky([], [0, ZeroDivisionError("division by zero")] if not made else []))
        return made[-1]

    feed = SensorFeed("oven", "level", make)
    assert feed.read(0).error is None
    assert feed.read(SECOND).error == "ZeroDivisionError: division by zero"
    state = feed.state({})
    assert (state.ok, state.fault, state.detail, state.machine) == (
        False,
        "sensor_bus",
        "ZeroDivisionError: division by zero",
        "oven",
    )
    assert made[0].closed == 1
    assert feed.read(3 * SECOND).error is None
    assert len(made) == 2


def test_a_sensor_that_cannot_be_made_is_a_fault_too() -> None:
    def make() -> Flaky:
        raise OSError("no such device")

    feed = SensorFeed("oven", "level", make)
    assert feed.read(0).error == "OSError: no such device"
    assert feed.channels == ()


def test_a_configuration_error_stops_the_first_opening_only() -> None:
    feed = SensorFeed("oven", "level", lambda: Flaky([SensorConfigError("wrong chip")] * 9, []))
    with pytest.raises(SensorConfigError, match="wrong chip"):
        feed.open(0)
    assert feed.read(SECOND).error == "wrong chip"


def test_lost_samples_and_channel_faults_show_in_its_state() -> None:
    feed = SensorFeed("oven", "level", lambda: Flaky([], [3, 4]))
    feed.read(0)
    feed.read(SECOND)
    state = feed.state({"level": (Fault.STUCK, "level: 20 equal readings"), "other": (Fault.GAPS, "")})
    assert (state.ok, state.fault, state.lost_samples) == (False, "sensor_stuck", 7)
    assert feed.channels == (LEVEL,)


def test_closing_twice_is_safe() -> None:
    sensor = Flaky([], [])
    feed = SensorFeed("oven", "level", lambda: sensor)
    feed.read(FakeClock()())
    assert [feed.sensor] == [sensor]
    feed.close()
    feed.close()
    assert [feed.sensor] == [None]
    assert sensor.closed == 1
