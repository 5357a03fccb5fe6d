"""FIFOs that are fetched too late, and identities that are not the right ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sensor_contract import FakeClock

from edge.sensors.accelerometer import response
from edge.sensors.fifo import DISTURBED, OVERFLOWED, Pace, fetch, in_time
from edge.sensors.registers import I2cRegisters, flag_below, flags_on_top
from edge.sensors.simulation.chips.adxl345 import SimulatedAdxl345
from edge.sensors.simulation.chips.bus import SimulatedI2c
from edge.sensors.stream import Drained


def test_an_interrupted_fetch_is_told_from_a_slow_one() -> None:
    pace = Pace(32, 3200.0)
    slow_bus_ns = 250_000
    assert not pace.overflowed(12, 12 * slow_bus_ns)
    assert not pace.overflowed(30, 30 * slow_bus_ns), "slow, but it began in time"
    assert not pace.overflowed(12, 12 * slow_bus_ns + 4_000_000), "late, but there was room"
    assert pace.overflowed(24, 24 * slow_bus_ns + 4_000_000), "13 samples came meanwhile"
    assert not pace.overflowed(0, 50_000_000)


def test_samples_of_a_fifo_that_ran_over_are_left_out() -> None:
    clock = FakeClock()
    bus = SimulatedI2c()
    bus.plug(0x53, SimulatedAdxl345(clock))
    registers = I2cRegisters(bus, 1, 0x53)
    pauses = [0.001, 0.02]

    def drain(_registers: object) -> Drained:
        at_ns = clock()
        clock.step(pauses.pop(0))
        return Drained(at_ns, np.ones((20, 3)))

    pace = Pace(32, 3200.0)
    assert len(in_time(drain, registers, pace, clock).values) == 20
    late = in_time(drain, registers, pace, clock)
    assert (len(late.values), late.gap) == (0, OVERFLOWED)


def test_a_fetch_is_made_in_as_few_calls_as_the_bus_allows() -> None:
    asked: list[tuple[int, int]] = []

    class Chip(SimulatedAdxl345):
        def read(self, register: int, count: int) -> bytes:
            asked.append((register, count))
            return bytes(count)

    bus = SimulatedI2c()
    bus.plug(0x53, Chip(FakeClock()))
    registers = I2cRegisters(bus, 1, 0x53)
    assert fetch(registers, 0x32, 12, 6) == (bytes(72), "")
    assert asked == [(0x32, 30), (0x32, 30), (0x32, 12)]
    asked.clear()
    assert fetch(registers, 0x32, 3, 6, together=False) == (bytes(18), "")
    assert asked == [(0x32, 6)] * 3
    assert fetch(registers, 0x32, 0, 6) == (b"", "")
    bus.disturbed = 1
    assert fetch(registers, 0x32, 12, 6) == (b"", DISTURBED)


@pytest.mark.parametrize(
    ("first", "read_one", "read_more", "write"), [(flags_on_top, 0xB2, 0xF2, 0x32), (flag_below, 0x65, 0x65, 0x64)]
)
def test_the_first_byte_of_a_transfer(first: object, read_one: int, read_more: int, write: int) -> None:
    # The SPI diagrams of the data sheets of ADXL345 and ADXL355.
    assert callable(first)
    assert first(0x32, 1, write=False) == read_one
    assert first(0x32, 6, write=False) == read_more
    assert first(0x32, 1, write=True) == write


@given(st.floats(0.0, 3.0), st.floats(0.2, 0.4))
def test_a_self_test_allows_for_what_the_machine_shakes(shaking_g: float, force_g: float) -> None:
    times = np.arange(24) / 800.0
    shake = shaking_g * np.sin(2 * np.pi * 25.0 * times)[:, None] * np.ones(3)
    assert response(shake, shake + force_g, (0.1,) * 3, (0.9,) * 3) == ""
    assert response(shake - shake, shake - shake, (0.1,) * 3, (0.9,) * 3).startswith("x moved by +0.000 g")
    assert response(shake, shake[:0], (0.1,) * 3, (0.9,) * 3) == "no samples come"
