"""ADS1115 with clamps on a simulated bus: true RMS, its codes, what one converter can see."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clamps import A_PER_V, Ads, amplitudes, mains, on_bias, three
from support.sensor_contract import SensorCase, SensorContract

from edge.machine import MachinePath, MachineSetup, SensorReading
from edge.sensors.ads1115 import Ads1115
from edge.sensors.base import SensorError
from edge.sensors.registry import sensor_type
from models.condition.model import Condition
from models.condition.settings import Settings


def test_is_registered() -> None:
    assert sensor_type("ads1115").make is Ads1115


class TestAds1115Contract(SensorContract):
    @pytest.fixture
    def case(self) -> SensorCase:
        bench = Ads(on_bias(mains(10.0)))
        return SensorCase(bench.sensor, bench.feed, monotonic_ns=bench.clock)


def test_true_rms_at_60_hz_and_of_small_currents() -> None:
    bench = Ads(on_bias(mains(0.5, hz=60.0)), output="rms", mains_hz=60)
    bench.sensor.open()
    assert bench.read()["current"].values[0] == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize("speed", [0.91, 1.09])
def test_a_converter_that_is_slower_or_faster_than_nominal_gives_the_same(speed: float) -> None:
    bench = Ads(on_bias(mains(10.0)), speed=speed, output="rms")
    bench.sensor.open()
    assert bench.read()["current"].values[0] == pytest.approx(10.0, rel=0.004)


def test_a_difference_of_two_inputs_needs_no_bias() -> None:
    bench = Ads(on_bias(mains(10.0)), lambda _: 1.65, clamps=[{"input": "0-1"}], range_v=2.048, output="rms")
    bench.sensor.open()
    assert bench.read()["current"].values[0] == pytest.approx(10.0, rel=0.004)


@pytest.mark.parametrize(("rate_hz", "low"), [(350.0, {1: 0.0, 3: 0.044}), (550.0, {1: 0.0, 3: 0.044, 5: 0.15})])
def test_harmonics_seen_by_an_ads1115(rate_hz: float, low: dict[int, float]) -> None:
    for order, share in low.items():
        bench = Ads(on_bias(mains(0.0, **{f"h{order}": 20.0})), rate_hz=rate_hz)
        bench.sensor.open()
        block = bench.read()["current"]
        assert block.rate_hz == rate_hz
        assert amplitudes(block, [order])[0] == pytest.approx(20.0 * (1.0 - share), rel=0.02)


def test_an_ads1115_gives_phases_as_rms_one_after_the_other() -> None:
    clamps = [{"input": str(number), "channel": "current"} for number in range(3)]
    bench = Ads(*three(10.0, 8.0, 6.0), clamps=clamps, output="rms")
    bench.sensor.open()
    block = bench.read()["current"]
    assert block.values == pytest.approx(np.array([[10.0, 8.0, 6.0]]), rel=0.005)
    path = MachinePath(MachineSetup("mixer"), bench.sensor.channels, Condition(Settings(warmup=8)))
    step = path.step(bench.clock.now_ns, [SensorReading("clamps", [block])])
    assert step.sample is not None
    assert step.sample.values["current.unbalance"] == pytest.approx(25.0, abs=0.2)


def test_the_largest_current_that_fits_is_not_clipped() -> None:
    bench = Ads(on_bias(mains(1.60 * A_PER_V / math.sqrt(2.0))), output="rms")
    bench.sensor.open()
    block = bench.read()["current"]
    assert not block.faults
    assert block.channel.low <= block.values[0] <= block.channel.high


def test_an_ads1115_that_loses_power_in_a_burst_is_noticed_and_the_next_burst_is_right() -> None:
    bench = Ads(on_bias(mains(10.0)), output="rms")
    bench.sensor.open()
    chip = bench.chip
    chip.power_cycle()
    with pytest.raises(SensorError, match="configuration is 0x8583, not 0xC3E3; it lost power"):
        bench.sensor.check()
    assert bench.read()["current"].values[0] == pytest.approx(10.0, rel=0.004)


@settings(max_examples=100, deadline=None)
@given(st.floats(-3.3, 3.3), st.sampled_from([6.144, 4.096, 2.048, 1.024, 0.512, 0.256]))
def test_an_ads1115s_codes_are_volts_with_a_sign(volts: float, range_v: float) -> None:
    plus, minus = max(volts, 0.0), max(-volts, 0.0)
    bench = Ads(lambda _: plus, lambda _: minus, clamps=[{"input": "0-1"}], range_v=range_v)
    bench.sensor.open()
    _, read = bench.sensor.sample(0)
    expected = min(max(volts, -range_v), range_v)
    assert read == pytest.approx(expected, abs=range_v / 32768)


@pytest.mark.parametrize(
    ("volts", "code"), [(2.047, "3ff8"), (-1.0, "e0c0"), (0.000125, "0001"), (4.0, "6720"), (-4.0, "98e0")]
)
def test_examples_of_an_ads1115s_codes(volts: float, code: str) -> None:
    """Tables 3 and 5 of the data sheet: at ±4.096 V a step is 125 µV, two's complement; the inputs end at the supply, 3.3 V."""
    plus, minus = max(volts, 0.0), max(-volts, 0.0)
    bench = Ads(lambda _: plus, lambda _: minus, clamps=[{"input": "0-1"}])
    bench.sensor.open()
    _, read = bench.sensor.sample(0)
    assert bench.bus.read(0x48, 0x00, 2).hex() == code
    assert read == pytest.approx(min(max(volts, -3.3), 3.3))
