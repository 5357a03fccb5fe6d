"""The simulated machines as a sensor: the contract, time, determinism, options."""

from __future__ import annotations

from typing import Any

import pytest
from support.sensor_contract import FakeClock, SensorCase, SensorContract

from edge.sensors.registry import Surroundings, sensor_type
from edge.sensors.simulated import Simulated, SimulatedConfig


def simulated(kind: str, clock: FakeClock, interval_s: float = 1.0, **options: Any) -> Simulated:
    surroundings = Surroundings(machine=f"{kind}-1", kind=kind, monotonic_ns=clock, interval_s=interval_s)
    return Simulated(SimulatedConfig(**options), surroundings)


class TestContract(SensorContract):
    @pytest.fixture(params=["oven", "mixer", "compressor"])
    def case(self, request: pytest.FixtureRequest) -> SensorCase:
        clock = FakeClock()
        sensor = simulated(request.param, clock, speedup=60, schedule="continuous")
        return SensorCase(sensor=sensor, feed=clock.step, monotonic_ns=clock)


def test_is_registered() -> None:
    found = sensor_type("simulated")
    assert found.config is SimulatedConfig
    assert found.make is Simulated
