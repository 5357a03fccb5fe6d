"""What the simulated machines' vibration looks like to somebody who knows machines."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.simulation import envelope_spectrum, line, readings, run_of, spectrum, velocity_rms, working

from edge.sensors.simulation.bearing import BearingGeometry, Resonance, hits

SHAFT_HZ = 1475.0 / 60.0


@pytest.fixture(scope="module")
def sound() -> list[Any]:
    return working(run_of("mixer", 26), "motor_current")


def broken(fault: str, severity: float = 1.0) -> list[Any]:
    return working(run_of("mixer", 26, faults=[{"name": fault, "severity": severity}]), "motor_current")


def test_bearing_orders_are_the_textbooks() -> None:
    geometry = BearingGeometry()  # figures in FACTS: n = 9, d = 7.94, D = 39.04 mm at 1475 rpm
    assert geometry.order("outer") * SHAFT_HZ == pytest.approx(88.13, abs=0.01)
    assert geometry.order("inner") * SHAFT_HZ == pytest.approx(133.12, abs=0.01)
    assert geometry.order("ball") * SHAFT_HZ == pytest.approx(2 * 57.94, abs=0.01)
    assert geometry.cage_order * SHAFT_HZ == pytest.approx(9.79, abs=0.01)


def test_a_sound_mixer_runs_at_its_speed_in_zone_a_or_b(sound: list[Any]) -> None:
    lines = spectrum(sound)
    assert 23 <= 15 + int(np.argmax(lines[15:40])) <= 26, "the highest low line is the running speed"
    assert line(lines, SHAFT_HZ) > 10 * np.median(lines[200:600])
    assert line(lines, 100.0) > 5 * np.median(lines[200:600]), "the motor hums at twice the mains' frequency"
    velocity = np.array([velocity_rms(block) for block in sound])
    assert 0.4 < velocity.mean() < 1.5
    assert velocity.std() < 0.2 * velocity.mean()


def test_gravity_shows_on_the_upright_axis_and_noise_on_a_machine_at_rest() -> None:
    run = run_of("mixer", 20)
    off = readings(run, "motor_current") < 0.5
    still = [block.values for block, now in zip(run["vibration"], off, strict=True) if now][1]
    np.testing.assert_allclose(still.mean(axis=0), [0.0, 1.0, 0.0], atol=0.01)
    # 290 µg/√Hz over 1600 Hz is 11.6 mg, and steps of 3.9 mg add a little.
    np.testing.assert_allclose(still.std(axis=0), 0.0117, rtol=0.05)
    steps = np.unique(np.round(still / 0.0039, 6) % 1.0)
    assert len(steps) == 1, "whole steps of the chip only"


@pytest.mark.parametrize(
    ("fault", "place"), [("bearing_outer", "outer"), ("bearing_inner", "inner"), ("bearing_ball", "ball")]
)
def test_a_damaged_bearing_is_heard_in_the_envelope(sound: list[Any], fault: str, place: Any) -> None:
    blocks = broken(fault)
    order = BearingGeometry().order(place)
    lines, before = envelope_spectrum(blocks), envelope_spectrum(sound)
    floor = float(np.median(lines[5:400]))
    for harmonic in (1, 2):
        assert line(lines, harmonic * order * SHAFT_HZ, reach=2) > 4 * floor, f"harmonic {harmonic}"
    assert line(lines, order * SHAFT_HZ, reach=2) > 8 * line(before, order * SHAFT_HZ, reach=2)
    assert np.mean([block.std() for block in blocks]) > 1.8 * np.mean([block.std() for block in sound])
    grown = np.mean([velocity_rms(block) for block in blocks]) / np.mean([velocity_rms(block) for block in sound])
    assert 1.0 < grown < 1.5, "the overall velocity hardly notices a bearing"


def test_outer_race_stands_above_its_sidebands_and_the_inner_race_has_some() -> None:
    outer, inner = envelope_spectrum(broken("bearing_outer")), envelope_spectrum(broken("bearing_inner"))
    bpfo, bpfi = (BearingGeometry().order(place) * SHAFT_HZ for place in ("outer", "inner"))
    for side in (-1, 1):
        assert line(outer, bpfo, 2) > 4 * line(outer, bpfo + side * SHAFT_HZ, 2)
        assert line(inner, bpfi + side * SHAFT_HZ, 2) > 0.2 * line(inner, bpfi, 2), "it turns through the load zone"


def test_a_bearings_damage_grows_with_severity(sound: list[Any]) -> None:
    order = BearingGeometry().order("outer")
    heights = [line(envelope_spectrum(sound), order * SHAFT_HZ, 2)]
    heights += [
        line(envelope_spectrum(broken("bearing_outer", severity)), order * SHAFT_HZ, 2) for severity in (0.2, 0.5, 1.0)
    ]
    assert heights == sorted(heights)
    assert heights[1] > 3 * heights[0], "a fifth of it is heard already"


@pytest.mark.parametrize(
    ("fault", "order", "factor"),
    [
        ("imbalance", 1.0, 3.0),
        ("misalignment", 2.0, 5.0),
        ("looseness", 1.5, 3.0),
        ("looseness", 3.0, 3.0),
        ("belt", 0.353, 5.0),
    ],
)
def test_each_shaft_fault_raises_its_own_orders(sound: list[Any], fault: str, order: float, factor: float) -> None:
    lines, before = spectrum(broken(fault)), spectrum(sound)
    assert line(lines, order * SHAFT_HZ) > factor * line(before, order * SHAFT_HZ)
    if fault in {"imbalance", "belt"}:
        assert line(lines, 2 * SHAFT_HZ) < 1.5 * line(before, 2 * SHAFT_HZ), "and leaves the others alone"


def test_a_slipping_belt_slows_the_spiral_and_not_the_motor(sound: list[Any]) -> None:
    assert sound
    speed = readings(run_of("mixer", 30), "spiral_speed").max()
    slipping = readings(run_of("mixer", 30, faults=[{"name": "belt"}]), "spiral_speed").max()
    assert speed == pytest.approx(1475 / 7.4, rel=0.02)
    assert slipping == pytest.approx(0.95 * speed, rel=0.01)


def test_a_broken_cage_knocks_once_a_turn_of_it() -> None:
    lines = envelope_spectrum(broken("bearing_cage"))
    cage_hz = BearingGeometry().cage_order * SHAFT_HZ
    assert line(lines, cage_hz, 1) > 4 * float(np.median(lines[5:400]))


@pytest.mark.parametrize("kind", ["mixer", "compressor"])
def test_a_loose_sensor_rings_low_and_hears_nothing_high(kind: str) -> None:
    current = "motor_current" if kind == "mixer" else "current_l1"
    tight, loose = (
        spectrum(working(run_of(kind, 40, **options), current))
        for options in ({}, {"faults": [{"name": "loose_sensor"}]})
    )
    assert line(loose, SHAFT_HZ, 2) == pytest.approx(line(tight, SHAFT_HZ, 2), rel=0.1)
    assert loose[380:420].mean() > 2 * tight[380:420].mean()
    assert loose[850:950].mean() < 0.6 * tight[850:950].mean()


def test_at_real_speed_the_shaft_turns_on_from_block_to_block() -> None:
    run = run_of("mixer", 50, speedup=1.0, faults=[{"name": "imbalance"}])
    on = np.flatnonzero(readings(run, "motor_current") > 1.0)
    together = np.concatenate([run["vibration"][i].values[:, 0] for i in on[-4:]])
    one = spectrum([run["vibration"][on[-1]].values[:, 0]])
    four = spectrum([together])
    # A jump of phase between blocks would spread the line over its neighbours.
    assert four[80:120].max() > 0.9 * one[20:30].max()


def test_a_compressor_shakes_at_its_own_speed() -> None:
    lines = spectrum(working(run_of("compressor", 60), "current_l1"))
    assert 23 <= 15 + int(np.argmax(lines[15:60])) <= 25
    assert line(lines, 2 * 1450 / 60) > 10 * np.median(lines[200:600])


def test_one_hit_rings_at_the_resonance_and_dies() -> None:
    housing = Resonance(frequency_hz=900.0, damping=0.05)
    wave = housing.ring(np.array([0.1]), np.array([2.0]), 3200, 3200.0)
    assert not wave[:320].any()
    assert np.abs(wave).max() == pytest.approx(2.0, rel=0.15)
    assert abs(int(np.argmax(np.abs(np.fft.rfft(wave)))) - 900) <= 3
    # The energy of a decaying sine of height A is A²·τ/4.
    decay_s = 1.0 / (0.05 * 2 * math.pi * 900.0)
    assert float(np.sum(wave**2)) / 3200.0 == pytest.approx(4.0 * decay_s / 4, rel=0.05)


def test_a_hit_before_the_block_still_rings_in_it() -> None:
    housing = Resonance()
    whole = housing.ring(np.array([0.099]), np.array([1.0]), 640, 3200.0)
    tail = housing.ring(np.array([-0.001]), np.array([1.0]), 320, 3200.0)
    np.testing.assert_allclose(tail, whole[320:], atol=1e-12)


@given(
    place=st.sampled_from(["outer", "inner", "ball", "cage"]),
    speeds=st.lists(st.floats(0.0, 60.0), min_size=2, max_size=5),
    start=st.floats(0.0, 1e6),
    seed=st.integers(0, 1000),
)
def test_hits_keep_to_the_shaft(place: Any, speeds: list[float], start: float, seed: int) -> None:
    """As many hits as the turns ask for, within the stretch, in order but for the slip."""
    times = np.linspace(0.0, 1.0, 400)
    turns = (
        start + np.concatenate([[0.0], np.cumsum(np.interp(times, np.linspace(0, 1, len(speeds)), speeds)[1:])]) / 399
    )
    at, heights = hits(place, BearingGeometry(), turns, times, np.random.default_rng(seed))
    expected = BearingGeometry().order(place) * (turns[-1] - turns[0])
    assert at.shape == heights.shape
    assert abs(len(at) - expected) <= 2 + 0.15 * math.sqrt(max(expected, 1.0)) * 4
    assert ((at >= 0.0) & (at <= 1.0)).all()
