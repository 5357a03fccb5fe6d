"""The simulated machines as a sensor: the contract, time, determinism, options."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sensor_contract import FakeClock, SensorCase, SensorContract, check_block, check_order
from support.simulation import go_on, readings, run_of, simulated

from edge.sensors.base import Block, Fault, FaultInjectable, Quantity, SensorConfigError, SensorError, UnknownFault
from edge.sensors.registry import sensor_type
from edge.sensors.simulated import KEPT_PERIODS, LONGEST_SLEEP_PERIODS, MACHINES, Simulated, SimulatedConfig

KINDS = sorted(MACHINES)


class TestContract(SensorContract):
    @pytest.fixture(params=KINDS)
    def case(self, request: pytest.FixtureRequest) -> SensorCase:
        clock = FakeClock()
        sensor = simulated(request.param, clock, speedup=60, schedule="continuous")
        return SensorCase(sensor=sensor, feed=clock.step, monotonic_ns=clock)


class TestContractWithLongIntervals(SensorContract):
    """Ten seconds between readings, of which one is sampled; one axis only."""

    @pytest.fixture
    def case(self) -> SensorCase:
        clock = FakeClock()
        sensor = simulated("mixer", clock, interval_s=10.0, axes=1, schedule="continuous")
        return SensorCase(sensor=sensor, feed=clock.step, seconds=25.0, monotonic_ns=clock)


def test_is_registered() -> None:
    found = sensor_type("simulated")
    assert found.config is SimulatedConfig
    assert found.make is Simulated


def bytes_of(blocks: list[Block]) -> list[tuple[str, int, bytes, int]]:
    return [(block.channel.name, block.start_ns, block.values.tobytes(), block.lost) for block in blocks]


def collected(kind: str, seed: int, cadence_s: list[float]) -> list[tuple[str, int, bytes, int]]:
    clock = FakeClock()
    options: dict[str, Any] = {"faults": [{"name": "bearing_outer", "at_s": 2.0}]} if kind == "mixer" else {}
    sensor = simulated(kind, clock, 0.5, seed=seed, speedup=30.0, schedule="continuous", **options)
    sensor.open()
    blocks: list[Block] = []
    for step in cadence_s:
        clock.step(step)
        blocks.extend(sensor.read())
    clock.now_ns = FakeClock().now_ns + 3_000_000_000
    blocks.extend(sensor.read())
    return bytes_of(sorted(blocks, key=lambda block: (block.start_ns, block.channel.name)))


@given(
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 2**31 - 1),
    cadence=st.lists(st.floats(0.0, 0.95), max_size=3),
)
@settings(max_examples=5, deadline=None)
def test_a_run_depends_on_the_seed_and_not_on_when_it_is_read(kind: str, seed: int, cadence: list[float]) -> None:
    once = collected(kind, seed, [3.0])
    assert once == collected(kind, seed, cadence)
    assert once != collected(kind, (seed + 1) % 2**31, [3.0])


def test_two_machines_of_one_seed_differ() -> None:
    clock = FakeClock()
    first = simulated("mixer", clock, schedule="continuous", speedup=60)
    second = simulated("mixer", clock, name="mixer-2", schedule="continuous", speedup=60)
    first.open()
    second.open()
    assert not np.array_equal(
        readings(go_on(first, clock, 5), "motor_current"), readings(go_on(second, clock, 5), "motor_current")
    )


def test_waveforms_have_the_length_and_rate_they_promise() -> None:
    run = run_of("mixer", 4, block_s=0.5)
    blocks = run["vibration"]
    assert len(blocks) == 4
    for block in blocks:
        assert block.values.shape == (1600, 3)
        assert block.rate_hz == 3200.0
    assert np.diff([block.start_ns for block in blocks]).tolist() == [1_000_000_000] * 3


def test_speedup_lets_temperatures_pass_quickly_and_leaves_frequencies_alone() -> None:
    slow = run_of("oven", 60, speedup=1.0)
    quick = run_of("oven", 60, speedup=120.0)
    assert np.ptp(readings(slow, "deck_temperature")) < 5.0
    assert np.ptp(readings(quick, "deck_temperature")) > 8.0
    assert slow["deck_temperature"][1].start_ns - slow["deck_temperature"][0].start_ns == 1_000_000_000


def test_every_regime_comes_round_within_two_minutes() -> None:
    oven = run_of("oven", 120, speedup=120.0, schedule="short_day")
    on = readings(oven, "current_l1") > 1.0
    assert np.count_nonzero(np.diff(on.astype(int)) == 1) >= 6
    mixer = run_of("mixer", 120, channels=["motor_current"])
    assert np.count_nonzero(np.diff((readings(mixer, "motor_current") > 1.0).astype(int)) == 1) >= 6
    compressor = run_of("compressor", 120, channels=["current_l1"])
    assert np.count_nonzero(np.diff((readings(compressor, "current_l1") > 0.5).astype(int)) == 1) >= 6


@pytest.mark.parametrize("kind", KINDS)
def test_a_sound_machine_shows_no_sensor_fault(kind: str) -> None:
    for name, blocks in run_of(kind, 90).items():
        channel = blocks[0].channel
        values = np.concatenate([block.values for block in blocks])
        assert all(not block.faults and block.lost == 0 for block in blocks), name
        assert np.isfinite(values).all(), name
        if channel.quantity is not Quantity.STATE:
            assert (values < channel.high).all(), name
        if not channel.steady:
            assert len(np.unique(values[-20:])) > 1, f"{name} looks stuck"


def test_what_nobody_fetched_is_counted() -> None:
    clock = FakeClock()
    sensor = simulated("mixer", clock, speedup=60, schedule="continuous")
    sensor.open()
    clock.step(KEPT_PERIODS + 7)
    blocks = [block for block in sensor.read() if block.channel.name == "vibration"]
    assert len(blocks) == KEPT_PERIODS
    assert blocks[0].lost == 7 * 3200
    assert blocks[0].faults[0][0] is Fault.OVERRUN
    assert all(block.lost == 0 and not block.faults for block in blocks[1:])


def test_what_nobody_fetched_does_not_change_what_follows() -> None:
    def later(first_read_s: float) -> bytes:
        clock = FakeClock()
        sensor = simulated("compressor", clock, speedup=60, schedule="continuous")
        sensor.open()
        clock.step(first_read_s)
        sensor.read()
        clock.step(KEPT_PERIODS + 20 - first_read_s)
        return sensor.read()[-1].values.tobytes()

    assert later(10.0) == later(KEPT_PERIODS + 15.0)


def test_a_suspended_board_does_not_simulate_for_hours() -> None:
    clock = FakeClock()
    sensor = simulated("oven", clock)
    sensor.open()
    clock.step(LONGEST_SLEEP_PERIODS * 500.0)
    blocks = sensor.read()
    assert len(blocks) == KEPT_PERIODS * len(sensor.channels)
    assert blocks[-1].end_ns <= clock()
    assert clock() - blocks[-1].end_ns < 2_000_000_000


def test_while_closed_the_machine_goes_on_unseen() -> None:
    clock = FakeClock()
    sensor = simulated("oven", clock, speedup=60, schedule="continuous")
    sensor.open()
    first = go_on(sensor, clock, 5)
    sensor.close()
    clock.step(30.4)
    reopened = clock()
    sensor.open()
    second = go_on(sensor, clock, 5)
    block = second["deck_temperature"][0]
    assert block.start_ns >= reopened
    assert block.lost == 0
    assert abs(block.values[0] - first["deck_temperature"][-1].values[0]) > 0.5


def test_only_the_channels_asked_for() -> None:
    clock = FakeClock()
    sensor = simulated("mixer", clock, channels=["motor_current", "vibration"], axes=1)
    assert [channel.name for channel in sensor.channels] == ["vibration", "motor_current"]
    sensor.open()
    clock.step(2)
    blocks = sensor.read()
    assert {block.channel.name for block in blocks} == {"vibration", "motor_current"}
    for block in blocks:
        check_block(block, sensor.channels)
    check_order(blocks)


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        ("lathe", {}, "no simulated machine of kind 'lathe'; there are oven, mixer, compressor"),
        ("generic", {}, "there are oven, mixer, compressor"),
        ("mixer", {"channels": ["vibrations"]}, "no channel 'vibrations'; it has vibration, motor_current"),
        ("mixer", {"running_speed_rpm": 1500.0}, "1500 rpm"),
        ("mixer", {"running_speed_rpm": 1200.0}, "1200 rpm"),
    ],
)
def test_what_cannot_work_is_refused_with_what_can(kind: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(SensorConfigError, match=says.replace("(", r"\(")):
        simulated(kind, FakeClock(), **options)


def test_a_bearing_that_cannot_be_is_refused() -> None:
    with pytest.raises(SensorConfigError, match="does not fit"):
        simulated("mixer", FakeClock(), bearing={"ball_mm": 40.0})


@pytest.mark.parametrize(
    "options",
    [
        {"seed": -1},
        {"speedup": 0.5},
        {"schedule": "weekly"},
        {"axes": 4},
        {"unknown": 1},
        {"faults": [{"name": "imbalance", "severity": 2.0}]},
        {"faults": [{"name": "imbalance", "ramp": 2.0}]},
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(options, SimulatedConfig)


def test_kind_may_be_given_apart_from_the_machines_own() -> None:
    clock = FakeClock()
    sensor = simulated("generic", clock, kind="compressor")
    assert "room_temperature" in [channel.name for channel in sensor.channels]


def test_faults_are_offered_and_unknown_ones_refused() -> None:
    sensor = simulated("oven", FakeClock())
    assert isinstance(sensor, FaultInjectable)
    assert {"heating_element_open", "sensor_stuck", "sensor_bus"} <= set(sensor.faults)
    assert "bearing_outer" not in sensor.faults
    for wrong in ("bearing_outer", "sensor_stuck.vibration", ""):
        with pytest.raises(UnknownFault, match="heating_element_open"):
            sensor.inject(wrong)
        with pytest.raises(UnknownFault):
            sensor.clear(wrong)
    with pytest.raises(ValueError, match="severity"):
        sensor.inject("door_seal", severity=1.5)
    with pytest.raises(ValueError, match="ramp_s"):
        sensor.inject("door_seal", ramp_s=-1.0)


def test_a_planned_fault_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SensorConfigError, match="heating_element_open"):
        simulated("oven", FakeClock(), faults=[{"name": "bearing_outer"}])


def test_an_injected_fault_grows_and_ends_when_cleared() -> None:
    clock = FakeClock()
    sensor = simulated("oven", clock, speedup=60, schedule="continuous")
    sensor.open()
    go_on(sensor, clock, 5)
    sound = simulated("oven", sound_clock := FakeClock(), speedup=60, schedule="continuous")
    sound.open()
    go_on(sound, sound_clock, 5)
    sensor.inject("thermocouple_drift", ramp_s=10.0, severity=0.8)
    off = readings(go_on(sound, sound_clock, 20), "deck_temperature") - readings(
        go_on(sensor, clock, 20), "deck_temperature"
    )
    np.testing.assert_allclose(off[:10], np.arange(10) * 2.0, atol=0.1)
    np.testing.assert_allclose(off[10:], 20.0, atol=0.1)
    sensor.clear()
    np.testing.assert_array_equal(
        readings(go_on(sensor, clock, 5), "deck_temperature"),
        readings(go_on(sound, sound_clock, 5), "deck_temperature"),
    )


def test_a_silent_bus_fails_reads_and_opens_until_it_is_cleared() -> None:
    clock = FakeClock()
    sensor = simulated("mixer", clock, speedup=60, schedule="continuous")
    sensor.open()
    go_on(sensor, clock, 3)
    sensor.inject("sensor_bus", ramp_s=0.0)
    clock.step(1)
    with pytest.raises(SensorError, match="bus"):
        sensor.read()
    sensor.close()
    with pytest.raises(SensorError, match="bus"):
        sensor.open()
    clock.step(5)
    sensor.clear("sensor_bus")
    sensor.open()
    assert len(go_on(sensor, clock, 3)["vibration"]) == 3
