"""Knocking: how deep, in which rhythm, and how it swells."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from models.condition.bearing import Bearing
from models.condition.features import Features
from models.condition.features.envelope import decimation, depths, envelope, envelope_plan, knocks, spectrum_of

RATE = 12_000.0
Floats = NDArray[np.float64]


def knocking(rng: np.random.Generator, rhythm_hz: float, swell_hz: float, depth: float, seconds: float) -> Floats:
    """A resonance struck in a rhythm that slips a little, as strongly as the load at that moment, in three axes with noise."""
    n = int(seconds * RATE)
    struck = np.zeros(n)
    at = 0.0
    while (place := int(at * RATE)) < n:
        struck[place] = 1.0 + depth * math.cos(2 * math.pi * swell_hz * at)
        at += (1 + rng.normal(0, 0.004)) / rhythm_hz
    t = np.arange(60) / RATE
    rung = np.convolve(struck, np.exp(-1500 * t) * np.sin(2 * math.pi * 3000 * t))[:n]
    return rung[:, None] * rng.uniform(0.5, 1, 3) + 0.04 * rng.standard_normal((n, 3))


def spectrum(wave: Floats) -> tuple[Floats, int]:
    rows = np.ascontiguousarray(wave.T)
    factor = decimation(len(wave), RATE)
    whole = envelope(rows, factor)
    return depths(spectrum_of(whole, np.hanning(len(whole)))), factor


@pytest.mark.parametrize("depth", [0.1, 0.3, 0.6])
def test_depth_of_a_known_modulation(depth: float) -> None:
    t = np.arange(12_000) / RATE
    wave = (1 + depth * np.sin(2 * math.pi * 80 * t)) * np.sin(2 * math.pi * 2500 * t)
    found, _ = spectrum(wave[:, None])
    assert found[80] == pytest.approx(depth, rel=0.05)
    assert found[100:400].max() < 0.1 * depth


def test_slow_shaking_is_no_knocking() -> None:
    t = np.arange(12_000) / RATE
    noise = np.random.default_rng(1).standard_normal(12_000)
    quiet, _ = spectrum((0.1 * noise)[:, None])
    shaken, _ = spectrum((0.1 * noise + 3.0 * np.sin(2 * math.pi * 25 * t))[:, None])
    assert abs(shaken[20:60].max() - quiet[20:60].max()) < 0.05


def test_an_axis_in_which_nothing_moves_does_not_count() -> None:
    rng = np.random.default_rng(2)
    wave = knocking(rng, 90.0, 0.0, 0.0, 1.0)
    still = wave.copy()
    still[:, 2] = 0.0
    assert spectrum(still)[0][90] == pytest.approx(spectrum(wave)[0][90], abs=0.1)
    assert not spectrum(np.zeros((12_000, 3)))[0].any()


def test_rings_are_told_apart_whatever_the_bearing() -> None:
    rng = np.random.default_rng(3)
    right = 0
    for _ in range(40):
        speed = rng.uniform(15, 45)
        lines = Bearing(int(rng.integers(7, 14)), rng.uniform(6, 12), 40.0).lines(speed)
        for ring, line, depth in (("outer", "bpfo", 0.0), ("inner", "bpfi", 0.9)):
            found, factor = spectrum(knocking(rng, lines[line], speed, depth, 2.0))
            told = knocks(found, envelope_plan(24_000 // factor, RATE / factor, speed, {}))
            assert told is not None
            swelling = 0.5 * (told.sidebands + told.shaft / told.depth)
            aside = abs(lines[line] / speed - round(lines[line] / speed))
            if aside > 0.03:  # else it knocks as if it were a multiple of the speed
                assert told.order == pytest.approx(lines[line] / speed, abs=0.06) or told.order > 2.3
                right += (swelling > 0.33) == (ring == "inner")
            else:
                right += 1
    assert right >= 76


def test_a_ball_swells_as_the_cage_turns() -> None:
    rng = np.random.default_rng(4)
    lines = Bearing(8, 9.5, 40.0).lines(30.0)
    found, factor = spectrum(knocking(rng, 2 * lines["bsf"], lines["ftf"], 0.9, 2.0))
    ball = knocks(found, envelope_plan(24_000 // factor, RATE / factor, 30.0, {}))
    found, _ = spectrum(knocking(rng, lines["bpfo"], 0.0, 0.0, 2.0))
    outer = knocks(found, envelope_plan(24_000 // factor, RATE / factor, 30.0, {}))
    assert ball is not None
    assert outer is not None
    assert ball.cage > 0.3
    assert outer.cage < 0.1


def test_the_shafts_own_multiples_are_no_bearing_where_lines_are_close() -> None:
    found, factor = spectrum(knocking(np.random.default_rng(5), 29.0, 0.0, 0.0, 2.0))
    told = knocks(found, envelope_plan(24_000 // factor, RATE / factor, 29.0, {}))
    assert told is not None
    assert told.depth < 0.2
    assert told.shaft > 0.3


def test_short_blocks_hear_a_rhythm_together_that_none_hears_alone() -> None:
    rng = np.random.default_rng(6)
    lines = Bearing(8, 9.5, 40.0).lines(30.0)
    wave = knocking(rng, lines["bpfi"], 30.0, 0.9, 2.5)
    features = Features(30.0)
    for k in range(25):
        found = features.vibration(wave[1200 * k : 1200 * (k + 1)], RATE, "g", channel="v", start_s=0.1 * k)
    assert found.signs["knock_order"] == pytest.approx(lines["bpfi"] / 30.0, abs=0.03)
    assert found.signs["knock_turns"] == pytest.approx(60, abs=5)
    alone = Features(30.0).vibration(wave[:1200], RATE, "g", channel="v", start_s=0.0)
    assert alone.signs["knock_turns"] < 4
