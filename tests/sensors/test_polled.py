"""What slow chips have in common: readings on a grid, errors that close, a start that failed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from support.sensor_contract import FakeClock

from edge.sensors.base import Channel, Fault, Quantity, SensorError
from edge.sensors.polled import Polled, Reading

LEVEL = Channel("level", "1", Quantity.LEVEL)


class Chip(Polled):
    """Counts what is asked of it."""

    def __init__(self, clock: FakeClock, every_s: float = 5.0) -> None:
        super().__init__([LEVEL], every_s, clock)
        self.broken = False
        self.converting = 0
        self.measured = 0
        self.stopped = 0

    def start(self) -> None:
        if self.broken:
            raise SensorError("nobody answers")

    def measure(self) -> Sequence[Reading] | None:
        if self.converting:
            self.converting -= 1
            return None
        self.measured += 1
        return [Reading(LEVEL, float(self.measured))]

    def stop(self) -> None:
        self.stopped += 1


def at(clock: FakeClock, chip: Chip, seconds: Sequence[float]) -> list[float]:
    """Times (from now) at which a reading came, of those at which it was asked."""
    began = clock()
    came = []
    for second in seconds:
        clock.now_ns = began + round(second * 1e9)
        if chip.read():
            came.append(second)
    return came


def test_readings_come_on_a_grid_and_one_that_is_late_delays_no_other() -> None:
    clock = FakeClock()
    chip = Chip(clock)
    chip.open()
    assert at(clock, chip, [0, 1, 4.9, 5, 6, 10.8, 14.9, 15, 16, 20]) == [0, 5, 10.8, 15, 20]


def test_after_a_long_pause_nothing_is_made_up_for() -> None:
    clock = FakeClock()
    chip = Chip(clock)
    chip.open()
    assert at(clock, chip, [0, 100, 101, 104.9, 105]) == [0, 100, 105]


def test_a_conversion_that_is_not_over_is_asked_for_again() -> None:
    clock = FakeClock()
    chip = Chip(clock)
    chip.open()
    chip.converting = 2
    assert at(clock, chip, [0, 1, 2, 3, 7]) == [2, 7]


def test_a_start_that_failed_is_stopped_and_not_open() -> None:
    chip = Chip(FakeClock())
    chip.broken = True
    with pytest.raises(SensorError, match="nobody answers"):
        chip.open()
    assert chip.stopped >= 1
    with pytest.raises(SensorError, match="not open"):
        chip.read()


def test_a_fault_has_no_value() -> None:
    reading = Reading(LEVEL, faults=((Fault.OPEN, "level: open"),))
    assert reading.value != reading.value
