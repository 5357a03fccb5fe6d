"""Motor, dough, refrigerant and cold room behave as nameplates, tables and textbooks say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.simulation import Run, line, readings, run_of, spectrum, working

from edge.sensors.simulation.compressor import MOTOR as SMALL
from edge.sensors.simulation.induction_motor import InductionMotor, MotorWarmth
from edge.sensors.simulation.mixer import MOTOR as LARGE
from edge.sensors.simulation.mixer import farinogram
from edge.sensors.simulation.refrigerant import cycle, pressure_bar


@pytest.mark.parametrize(("plate", "rpm"), [(LARGE, 1475.0), (SMALL, 1450.0), (LARGE, 2940.0)])
def test_a_motor_gives_what_its_plate_says(plate: object, rpm: float) -> None:
    assert plate in {LARGE, SMALL}
    motor = InductionMotor(LARGE if plate is LARGE else SMALL, rpm, 0.6)
    rated = motor.slip(motor.rated_torque)
    assert motor.current(rated) == pytest.approx(motor.plate.current_a, rel=0.01)
    assert motor.torque(rated) * motor.synchronous_rad_s * (1 - rated) == pytest.approx(motor.plate.power_w, rel=0.01)
    assert max(motor.torque(slip) for slip in np.linspace(0.01, 1, 500)) == pytest.approx(
        motor.plate.breakdown_ratio * motor.rated_torque, rel=0.01
    )
    usual = (1 - motor.slip(0.6 * motor.rated_torque)) * motor.synchronous_rad_s * 60 / 2 / np.pi
    assert usual == pytest.approx(rpm, rel=0.001)
    assert 3.0 < motor.current(1.0) / motor.plate.current_a < 8.0, "inrush"
    assert 0.3 < motor.current(1e-6) / motor.plate.current_a < 0.8, "magnetising current"


@given(step=st.floats(0.001, 2.0), load=st.floats(0.0, 1.5), voltage=st.floats(0.85, 1.1))
def test_a_motor_settles_at_its_slip_whatever_the_step(step: float, load: float, voltage: float) -> None:
    motor = InductionMotor(LARGE, 1475.0, 0.6)
    speed, torque = 0.9 * motor.synchronous_rad_s, load * motor.rated_torque
    for _ in range(60):
        speed = motor.run(speed, torque, step, voltage)
        assert 0.0 <= speed <= motor.synchronous_rad_s
    if step * 60 > 1.0:
        expected = motor.synchronous_rad_s * (1 - motor.slip(torque, voltage))
        assert speed == pytest.approx(expected, rel=0.003)


def test_it_runs_up_within_a_second_and_stands_when_it_coasts() -> None:
    motor = InductionMotor(LARGE, 1475.0, 0.6)
    speed, seconds = 0.0, 0.0
    while speed < 0.97 * motor.synchronous_rad_s and seconds < 5.0:
        speed = motor.run(speed, 5.0, 0.02)
        seconds += 0.02
    assert 0.1 < seconds < 1.5
    for _ in range(500):
        speed = motor.coast(speed, 8.0, 0.02)
    assert speed == 0.0


def test_an_overloaded_motor_stays_at_its_breakdown_slip() -> None:
    motor = InductionMotor(LARGE, 1475.0, 0.6)
    assert motor.slip(10 * motor.rated_torque) == motor.breakdown_slip


def test_warmth_ends_where_losses_and_cooling_meet() -> None:
    warmth = MotorWarmth(20.0, 20.0, 3_000.0, 15_000.0, 12.0, 8.0, 4.0)
    for _ in range(30_000):
        warmth.step(1.0, 320.0, 20.0, turning=True)
    assert warmth.housing_c == pytest.approx(20.0 + 320.0 / 8.0, abs=0.1)
    assert warmth.winding_c == pytest.approx(warmth.housing_c + 320.0 / 12.0, abs=0.1)


def test_a_dough_stiffens_to_its_peak_and_breaks_down() -> None:
    curve = [farinogram(x) for x in np.linspace(0, 2.5, 101)]
    assert curve[0] == 0.0
    assert int(np.argmax(curve)) == 40
    assert max(curve) == pytest.approx(1.0)
    assert curve[-1] < 0.9


def test_the_motor_works_harder_as_the_dough_stiffens() -> None:
    run = run_of("mixer", 60, speedup=20.0)
    current = readings(run, "motor_current")
    begin = int(np.flatnonzero((current[1:] > 1.0) & (current[:-1] < 1.0))[0]) + 1
    batch = current[begin : begin + 30]
    assert batch[20:26].mean() > 1.15 * batch[2:5].mean()
    assert 4.0 < batch[20:26].mean() < 8.1, "less than the rated current"


def test_batches_differ() -> None:
    current = readings(run_of("mixer", 160, channels=["motor_current"]), "motor_current")
    peaks = [current[start : start + 16].max() for start in range(0, 160, 16)]
    assert 0.01 < np.std(peaks) / np.mean(peaks) < 0.15


@pytest.mark.parametrize(
    ("celsius", "bar"), [(-20.0, 1.327), (-10.0, 2.007), (0.0, 2.928), (40.0, 10.166), (55.0, 14.915)]
)
def test_pressure_is_the_tables(celsius: float, bar: float) -> None:
    assert pressure_bar(celsius) == pytest.approx(bar, rel=0.015)


def test_the_cycle_is_one_a_catalogue_could_hold() -> None:
    point = cycle(-10.0, 40.0, 10.0, 5.7 / 3600)
    assert 1_500.0 < point.cooling_w < 2_300.0
    assert 2.2 < point.cooling_w / point.work_w < 3.8
    assert 60.0 < point.discharge_c < 85.0
    hotter = cycle(-10.0, 55.0, 10.0, 5.7 / 3600)
    assert hotter.cooling_w < point.cooling_w
    assert hotter.discharge_c > point.discharge_c + 10.0
    assert cycle(-10.0, 40.0, 10.0, 0.0).cooling_w == 0.0


SLOW = [
    *(f"current_l{phase}" for phase in (1, 2, 3)),
    *(f"{place}_temperature" for place in ("suction", "discharge", "room")),
]


def compressor(seconds: float, **options: Any) -> Run:
    """A run without vibration, which takes the longest to make."""
    return run_of("compressor", seconds, channels=SLOW, **options)


def test_the_cold_room_is_kept_and_the_compressor_rests() -> None:
    run = compressor(240)
    room = readings(run, "room_temperature")
    assert room.min() > 1.0
    assert room.max() < 7.0
    on = readings(run, "current_l1") > 0.5
    assert 0.3 < on.mean() < 0.8
    starts = np.count_nonzero(np.diff(on.astype(int)) == 1)
    assert 3 * 4 <= starts <= 10 * 4, "three to ten starts an hour"
    phases = np.array([readings(run, f"current_l{phase}")[on].mean() for phase in (1, 2, 3)])
    assert np.ptp(phases) / phases.mean() < 0.04
    assert 1.4 < phases.mean() < 2.4


def running(run: Run, channel: str) -> float:
    """Mean of a channel while the compressor runs, the second half of the run."""
    on = readings(run, "current_l3") > 0.5
    values = readings(run, channel)
    half = len(values) // 2
    return float(values[half:][on[half:]].mean())


def test_a_blocked_fan_is_hot_and_draws_more() -> None:
    sound, blocked = (
        compressor(160),
        compressor(160, faults=[{"name": "fan_blocked", "severity": 0.7}]),
    )
    assert running(blocked, "discharge_temperature") > running(sound, "discharge_temperature") + 10.0
    assert running(blocked, "current_l1") > 1.08 * running(sound, "current_l1")


def test_a_fully_blocked_fan_trips_the_pressure_switch_and_stays_bounded() -> None:
    blocked = compressor(200, faults=[{"name": "fan_blocked"}], ambient_c=35.0)
    assert readings(blocked, "discharge_temperature").max() < 135.0
    on = readings(blocked, "current_l1") > 0.5
    assert np.count_nonzero(np.diff(on.astype(int)) == 1) > 3


def test_a_leak_runs_long_and_hot_with_less_current() -> None:
    sound, leaking = compressor(160), compressor(160, faults=[{"name": "refrigerant_leak"}])
    on = [(readings(run, "current_l1")[80:] > 0.5).mean() for run in (sound, leaking)]
    assert on[1] > on[0] + 0.1
    assert running(leaking, "discharge_temperature") > running(sound, "discharge_temperature") + 8.0
    assert running(leaking, "suction_temperature") > running(sound, "suction_temperature") + 1.0
    assert running(leaking, "current_l1") < running(sound, "current_l1")


def test_a_leaking_valve_is_hot_hisses_and_cools_less_for_the_same_work() -> None:
    sound, leaking = run_of("compressor", 160), run_of("compressor", 160, faults=[{"name": "valve_leak"}])
    on = [(readings(run, "current_l1")[80:] > 0.5).mean() for run in (sound, leaking)]
    assert on[1] > on[0] + 0.05
    assert running(leaking, "discharge_temperature") > running(sound, "discharge_temperature") + 15.0
    assert running(leaking, "current_l1") == pytest.approx(running(sound, "current_l1"), rel=0.1)
    high = [spectrum(working(run, "current_l1"))[1000:1500].mean() for run in (sound, leaking)]
    assert high[1] > 1.2 * high[0]


def test_shorted_turns_unbalance_the_phases() -> None:
    shorted = compressor(100, faults=[{"name": "winding_short"}])
    phases = np.array([running(shorted, f"current_l{phase}") for phase in (1, 2, 3)])
    assert phases.argmax() == 0
    assert np.ptp(phases) / phases.mean() > 0.25


def test_a_start_draws_several_times_the_running_current() -> None:
    run = run_of("mixer", 80, speedup=1.0, schedule="daily", start_hour=3.0, period_s=0.5)
    current = readings(run, "motor_current")
    assert current.shape == (160,)
    assert current.max() > 3 * current[-1]
    assert current[-1] > 3.0


@pytest.mark.parametrize("options", [{"running_speed_rpm": 2950.0}, {"mains_hz": 60.0}, {"running_speed_rpm": 960.0}])
def test_other_motors_turn_the_same_spiral(options: dict[str, Any]) -> None:
    run = run_of("mixer", 20, channels=["motor_current", "spiral_speed"], **options)
    on = readings(run, "motor_current") > 1.0
    assert readings(run, "spiral_speed")[on].mean() == pytest.approx(200.0, rel=0.02)
    assert 4.0 < readings(run, "motor_current")[on].max() < 8.1


def test_shorted_turns_of_the_mixer_draw_hum_and_heat() -> None:
    sound, shorted = run_of("mixer", 90), run_of("mixer", 90, faults=[{"name": "winding_short"}])
    on = readings(sound, "motor_current") > 1.0
    assert readings(shorted, "motor_current")[on].mean() == pytest.approx(
        1.45 * readings(sound, "motor_current")[on].mean(), rel=0.02
    )
    assert readings(shorted, "motor_temperature")[-1] > readings(sound, "motor_temperature")[-1] + 5.0
    hum = [line(spectrum(working(run, "motor_current")), 100.0, 0) for run in (sound, shorted)]
    assert hum[1] > 3 * hum[0]
