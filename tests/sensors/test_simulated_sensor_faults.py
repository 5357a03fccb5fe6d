"""Every broken sensor delivers what its fault says, and nothing else changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sensor_contract import FakeClock, check_block, check_order
from support.simulation import Run, go_on, readings, run_of, simulated

from edge.sensors.base import Block, Channel, Fault, Quantity, UnknownFault
from edge.sensors.simulation.fault_plan import FaultAt, FaultPlan
from edge.sensors.simulation.sensor_faults import CHANNEL_FAULTS, BrokenSensor

SEEN = 10


def broken(kind: str, fault: str, **options: Any) -> Run:
    """Thirty seconds, the sensor breaks after ten."""
    return run_of(kind, 30, faults=[{"name": fault, "at_s": float(SEEN)}], **options)


@pytest.mark.parametrize("fault", CHANNEL_FAULTS)
@pytest.mark.parametrize("kind", ["oven", "mixer"])
def test_a_broken_sensor_breaks_one_channel_only_and_keeps_the_contract(kind: str, fault: str) -> None:
    sound, run = run_of(kind, 30), broken(kind, fault)
    first, *others = sound
    for name in others:
        for block, same in zip(run[name], sound[name], strict=True):
            np.testing.assert_array_equal(block.values, same.values)
    for block, same in zip(run[first][:SEEN], sound[first][:SEEN], strict=True):
        np.testing.assert_array_equal(block.values, same.values)
    channels = [blocks[0].channel for blocks in sound.values()]
    for blocks in run.values():
        check_order(blocks)
        for block in blocks:
            check_block(block, channels)


def test_a_channel_can_be_named() -> None:
    sound, run = run_of("oven", 30), broken("oven", "sensor_stuck.power")
    assert len(np.unique(readings(run, "power")[SEEN - 1 :])) == 1
    np.testing.assert_array_equal(readings(run, "deck_temperature"), readings(sound, "deck_temperature"))


def test_a_command_names_a_channel_without_a_dot() -> None:
    clock = FakeClock()
    sensor = simulated("oven", clock, speedup=60, schedule="continuous")
    sensor.open()
    go_on(sensor, clock, 2)
    sensor.inject("sensor_no_data-air_temperature", ramp_s=0.0)
    run = go_on(sensor, clock, 5)
    assert run["air_temperature"] == []
    assert len(run["deck_temperature"]) == 5
    sensor.clear("sensor_no_data-air_temperature")
    back = go_on(sensor, clock, 2)["air_temperature"]
    assert len(back) == 2
    assert back[0].lost == 5


def test_no_data_is_silence() -> None:
    assert len(broken("mixer", "sensor_no_data")["vibration"]) == SEEN


def test_stuck_repeats_the_last_value() -> None:
    oven = readings(broken("oven", "sensor_stuck"), "deck_temperature")
    assert (oven[SEEN:] == oven[SEEN - 1]).all()
    vibration = broken("mixer", "sensor_stuck")["vibration"]
    last = vibration[SEEN - 1].values[-1]
    for block in vibration[SEEN:]:
        assert (block.values == last).all()


@pytest.mark.parametrize(("kind", "name"), [("oven", "deck_temperature"), ("mixer", "vibration")])
def test_out_of_range_is_beyond_the_channels_range(kind: str, name: str) -> None:
    for block in broken(kind, "sensor_out_of_range")[name][SEEN:]:
        assert (block.values > block.channel.high).all()


def test_clipped_waveforms_touch_both_ends_again_and_again() -> None:
    for block in broken("mixer", "sensor_clipped")["vibration"][SEEN:]:
        for axis in range(3):
            assert np.count_nonzero(block.values[:, axis] == block.channel.high) > 30
            assert np.count_nonzero(block.values[:, axis] == block.channel.low) > 30


def test_a_clipped_reading_is_the_top_of_the_range() -> None:
    assert (readings(broken("oven", "sensor_clipped"), "deck_temperature")[SEEN:] == 1372.0).all()


def test_gaps_lose_blocks_and_stretches_and_say_how_many() -> None:
    vibration = broken("mixer", "sensor_gaps")["vibration"]
    late = vibration[SEEN:]
    assert 3 <= len(late) <= 17
    assert all(np.isnan(block.values).any() for block in late)
    last_tick = (late[-1].start_ns - vibration[0].start_ns) // 1_000_000_000
    assert sum(block.lost for block in late) == (last_tick + 1 - len(vibration)) * 3200


def test_an_open_input_is_reported_by_the_chip() -> None:
    for block in broken("oven", "sensor_open")["deck_temperature"][SEEN:]:
        assert np.isnan(block.values).all()
        assert [fault for fault, _ in block.faults] == [Fault.OPEN]


def test_spikes_are_few_wild_and_within_the_range() -> None:
    sound, run = run_of("mixer", 30)["vibration"], broken("mixer", "sensor_spike")["vibration"]
    differing = [np.any(a.values != b.values, axis=1).sum() for a, b in zip(sound, run, strict=True)]
    assert sum(differing[:SEEN]) == 0
    assert 10 < sum(differing[SEEN:]) < 200
    assert max(np.abs(block.values[:, 0]).max() for block in run[SEEN:]) > 4.0
    assert max(np.abs(block.values).max() for block in run) <= 16.0


def test_faults_end_by_themselves_when_planned_so() -> None:
    run = run_of("oven", 30, faults=[{"name": "sensor_open", "at_s": 10.0, "until_s": 20.0}])
    missing = np.isnan(readings(run, "deck_temperature"))
    assert missing.tolist() == [False] * 10 + [True] * 10 + [False] * 10


@given(
    fault=st.sampled_from(CHANNEL_FAULTS),
    values=st.lists(st.floats(-16.0, 16.0), min_size=1, max_size=40),
    axes=st.integers(1, 3),
    severity=st.floats(0.01, 1.0),
)
@settings(deadline=None)
def test_any_block_survives_any_broken_sensor(fault: str, values: list[float], axes: int, severity: float) -> None:
    channel = Channel("x", "g", Quantity.VIBRATION, low=-16.0, high=16.0, axes=axes, rate_hz=100.0)
    column = np.array(values)
    block = Block(channel, 5, column if axes == 1 else np.tile(column[:, None], (1, axes)), rate_hz=100.0)
    before = block.values.copy()
    sensor = BrokenSensor()
    for number in range(3):
        arrived = sensor.deliver(block, {fault: severity}, np.random.default_rng(number))
        if arrived is not None:
            check_block(arrived, [channel])
            assert arrived.values.shape == block.values.shape
    np.testing.assert_array_equal(block.values, before)


def test_severity_grows_in_proportion_and_ends() -> None:
    fault = FaultAt(name="x", at_s=10.0, ramp_s=20.0, severity=0.5, until_s=60.0)
    assert [fault.severity_at(at) for at in (0.0, 9.9, 10.0, 20.0, 30.0, 59.0, 60.0)] == [0, 0, 0, 0.25, 0.5, 0.5, 0]


def test_the_plan_holds_one_fault_of_a_name_and_several_stretches_of_a_planned_one() -> None:
    plan = FaultPlan(["x", "y"], [FaultAt(name="x", at_s=1.0, until_s=2.0), FaultAt(name="x", at_s=5.0, severity=0.5)])
    assert [plan.severities(at) for at in (0.0, 1.0, 3.0, 6.0)] == [{}, {"x": 1.0}, {}, {"x": 0.5}]
    plan.inject(FaultAt(name="y", at_s=6.0, severity=0.2))
    plan.inject(FaultAt(name="y", at_s=6.0, severity=0.3))
    assert plan.severities(6.0) == {"x": 0.5, "y": 0.3}
    plan.clear("y")
    assert plan.severities(6.0) == {"x": 0.5}
    plan.clear()
    assert plan.severities(6.0) == {}
    with pytest.raises(UnknownFault, match="x, y"):
        plan.clear("z")
