"""MCP3008 with clamps on a simulated chip select: waveforms, phases at one time, its bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clamps import Mcp, amplitudes, mains, on_bias, phases, three
from support.sensor_contract import SensorCase, SensorContract

from edge.machine import MachinePath, MachineSetup, SensorReading
from edge.sensors.mcp3008 import Mcp3008
from edge.sensors.registry import sensor_type
from models.condition.model import Condition
from models.condition.settings import Settings


def test_is_registered() -> None:
    assert sensor_type("mcp3008").make is Mcp3008


class TestMcp3008Contract(SensorContract):
    @pytest.fixture
    def case(self) -> SensorCase:
        bench = Mcp(*three(10.0, 10.0, 10.0), clamps=phases())
        return SensorCase(bench.sensor, bench.feed, monotonic_ns=bench.clock)


class TestRmsContract(SensorContract):
    @pytest.fixture
    def case(self) -> SensorCase:
        bench = Mcp(*three(10.0, 10.0, 10.0), clamps=phases(), output="rms")
        return SensorCase(bench.sensor, bench.feed, monotonic_ns=bench.clock)


def test_a_waveform_has_an_even_rate_whole_periods_and_no_bias() -> None:
    bench = Mcp(on_bias(mains(20.0, h3=4.0, h5=2.0, h7=1.0)))
    bench.sensor.open()
    block = bench.read()["current"]
    assert (block.rate_hz, len(block.values), block.channel.rate_hz) == (2000.0, 400, 2000.0)
    assert amplitudes(block, [1, 3, 5, 7]) == pytest.approx([20.0, 4.0, 2.0, 1.0], rel=0.02, abs=0.02)
    others = np.delete(np.abs(np.fft.rfft(block.values)) * np.sqrt(2.0) / 400, [10, 30, 50, 70])
    assert others.max() < 0.05, "jitter of the clock is not in it"
    assert abs(block.values.mean()) < 1e-9


@pytest.mark.parametrize(("order", "within"), [(1, 0.002), (3, 0.002), (5, 0.004), (7, 0.01), (10, 0.05)])
def test_harmonics_seen_by_three_clamps_on_an_mcp3008(order: int, within: float) -> None:
    """On a grid in between the samples, where interpolation is worst: the middle clamp is half a scan later."""
    wave = on_bias(mains(0.0, **{f"h{order}": 20.0}))
    bench = Mcp(wave, wave, wave, clamps=[{"input": k, "channel": f"c{k}"} for k in range(3)], transfer_s=120e-6)
    bench.sensor.open()
    for block in bench.read().values():
        assert amplitudes(block, [order])[0] == pytest.approx(20.0, rel=within)


def test_three_phases_are_at_one_time_though_asked_one_after_the_other() -> None:
    bench = Mcp(*three(20.0, 20.0, 20.0), clamps=phases(), transfer_s=120e-6)
    bench.sensor.open()
    block = bench.read()["current"]
    assert block.values.shape == (400, 3)
    lines = np.fft.rfft(block.values, axis=0)[10]
    angles = np.degrees(np.angle(lines[1:] / lines[0]))
    # 120 µs are 2.2 degrees; a step of the ADC is 0.2 A.
    assert angles == pytest.approx([-120.0, 120.0], abs=0.3)


def test_harmonics_and_unbalance_come_out_of_the_machines_path() -> None:
    waves = [on_bias(mains(amps, degrees=-120.0 * k, h5=0.1 * amps)) for k, amps in enumerate((20.0, 20.0, 14.0))]
    bench = Mcp(*waves, clamps=phases())
    bench.sensor.open()
    path = MachinePath(MachineSetup("mixer"), bench.sensor.channels, Condition(Settings(warmup=8)))
    values: dict[str, float] = {}
    for _ in range(3):
        bench.feed(1.0)
        step = path.step(bench.clock.now_ns, [SensorReading("clamps", bench.sensor.read())])
        assert not step.sensor_faults
        values.update({name: column.values[-1] for name, column in step.series.items() if len(column.values)})
    assert values["current.x.rms"] == pytest.approx(20.1, rel=0.01)
    assert values["current.z.rms"] == pytest.approx(14.07, rel=0.01)
    assert values["current.x.harmonics"] == pytest.approx(10.0, rel=0.05)
    assert values["current.unbalance"] == pytest.approx(22.2, abs=0.5)


def test_clamps_of_two_machines_parts_are_two_channels() -> None:
    clamps = [{"input": 0, "channel": "motor"}, {"input": 5, "channel": "heater", "rated_a": 30.0, "output_ma": 15.0}]
    still = on_bias(mains(0.0))
    bench = Mcp(on_bias(mains(20.0)), still, still, still, still, on_bias(mains(5.0)), clamps=clamps, output="rms")
    bench.sensor.open()
    found = bench.read()
    assert found["motor"].values[0] == pytest.approx(20.0, rel=0.01)
    assert found["heater"].values[0] == pytest.approx(5.0, rel=0.03)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 1023))
def test_an_mcp3008s_bits_are_volts(code: int) -> None:
    bench = Mcp(lambda _: (code + 0.5) * 3.3 / 1024)
    bench.sensor.open()
    _, volts = bench.sensor.sample(0)
    assert volts == pytest.approx(code * 3.3 / 1024)
