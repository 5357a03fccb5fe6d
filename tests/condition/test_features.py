"""Features against signals whose answer is known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.condition.bearing import Bearing
from models.condition.features import Features
from models.condition.features.current import unbalance
from models.condition.features.vibration import STANDARD_GRAVITY

RATE = 3200.0
BEARING = Bearing(9, 7.94, 39.04)
SPEED = 1475 / 60


def sine(frequency: float, amplitude: float, seconds: float = 1.0, rate: float = RATE) -> np.ndarray:
    wave: np.ndarray = amplitude * np.sin(2 * math.pi * frequency * np.arange(int(seconds * rate)) / rate)
    return wave


@settings(max_examples=25, deadline=None)
@given(frequency=st.floats(20, 900), amplitude=st.floats(0.01, 5), offset=st.floats(-2, 2))
def test_velocity_of_a_sine(frequency: float, amplitude: float, offset: float) -> None:
    found = Features().vibration(sine(frequency, amplitude) + offset, RATE, "g")
    expected = amplitude * STANDARD_GRAVITY / (2 * math.pi * frequency) / math.sqrt(2) * 1000
    assert found.units["velocity_rms"] == "mm/s"
    assert found.values["velocity_rms"] == pytest.approx(expected, rel=0.03)


def test_velocity_leaves_out_what_the_standard_leaves_out() -> None:
    inside = Features().vibration(sine(100, 1.0), RATE, "g").values["velocity_rms"]
    outside = Features().vibration(sine(1400, 1.0), RATE, "g").values["velocity_rms"]
    assert outside < 0.001 * inside


def test_an_unknown_unit_is_integrated_in_its_own() -> None:
    found = Features().vibration(sine(100, 1.0), RATE, "V")
    assert "velocity_rms" not in found.values
    assert found.units["velocity"] == "V·s"
    assert found.values["velocity"] == pytest.approx(1 / math.sqrt(2) / (2 * math.pi * 100), rel=0.02)
    assert found.values["rms"] == pytest.approx(1 / math.sqrt(2), rel=1e-3)


def test_shape_numbers_of_a_sine() -> None:
    found = Features().vibration(sine(100, 2.0), RATE, "m/s²")
    assert found.values["crest"] == pytest.approx(math.sqrt(2), rel=1e-2)
    assert found.values["kurtosis"] == pytest.approx(1.5, rel=1e-2)
    assert found.values["peak"] == pytest.approx(2.0, rel=1e-2)


def test_bands_share_the_whole_power() -> None:
    noise = np.random.default_rng(1).standard_normal(3200)
    found = Features().vibration(noise, RATE, "g")
    bands = sum(found.values[f"band_{k}"] ** 2 for k in range(1, 5))
    assert math.sqrt(bands) == pytest.approx(found.values["rms"], rel=0.05)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_orders_are_amplitudes(order: int) -> None:
    found = Features(SPEED).vibration(sine(order * SPEED, 0.7), RATE, "g")
    assert found.values[f"order_{order}"] == pytest.approx(0.7, rel=0.03)
    assert all(found.values[f"order_{other}"] < 0.02 for other in {1, 2, 3} - {order})


@pytest.mark.parametrize("line", ["bpfo", "bpfi", "bsf"])
def test_envelope_shows_the_line_that_knocks(line: str) -> None:
    rng = np.random.default_rng(2)
    hertz = BEARING.lines(SPEED)[line]
    phase = (np.arange(3200) / RATE * hertz) % 1
    knocks = np.exp(-phase / hertz * 600) * np.sin(2 * math.pi * 900 * phase / hertz)
    found = Features(SPEED, BEARING).vibration(knocks + 0.05 * rng.standard_normal(3200), RATE, "g")
    lines = {name: found.values[f"envelope_{name}"] for name in ("bpfo", "bpfi", "bsf")}
    assert max(lines, key=lambda name: lines[name]) == line
    assert lines[line] > 4


def test_envelope_of_noise_is_flat() -> None:
    rng = np.random.default_rng(3)
    values = [
        Features(SPEED, BEARING).vibration(rng.standard_normal(3200), RATE, "g").values["envelope_bpfo"]
        for _ in range(20)
    ]
    assert 0.5 < float(np.mean(values)) < 2.0


@settings(max_examples=20, deadline=None)
@given(turns=st.floats(0.92, 1.98), size=st.floats(0.1, 5.0), phase=st.floats(0, 6.28))
def test_orders_of_a_shaft_that_turns_about_once(turns: float, size: float, phase: float) -> None:
    t = np.arange(2000) / 20_000.0
    wave = 3.0 + size * np.sin(2 * math.pi * turns / 0.1 * t + phase) + 0.5 * size * np.sin(2 * math.pi * 800 * t)
    found = Features(turns / 0.1).vibration(wave, 20_000.0, "g").values
    assert found["order_1"] == pytest.approx(size, rel=0.05)
    assert found["order_2"] < 0.05 * size


def test_teeth_and_what_stands_beside_them() -> None:
    mesh = sine(17 * SPEED, 0.4)
    healthy = Features(SPEED, gear_teeth=17).vibration(mesh, RATE, "g").values
    worn = Features(SPEED, gear_teeth=17).vibration(mesh * (1 + sine(SPEED, 0.5)), RATE, "g").values
    assert healthy["mesh"] == pytest.approx(0.4, rel=0.03)
    assert healthy["mesh_sidebands"] < 0.02
    assert worn["mesh_sidebands"] == pytest.approx(0.4 * 0.25 * 2**0.5, rel=0.05)


def test_shape_of_the_spectrum_and_of_the_wave() -> None:
    noise = np.random.default_rng(5).standard_normal(3200)
    tone, hiss = (Features().vibration(wave, RATE, "g").values for wave in (sine(300, 1.0), noise))
    assert tone["entropy"] < 0.2
    assert hiss["entropy"] > 0.95
    assert abs(hiss["skewness"]) < 0.2
    pushed = Features().vibration(np.maximum(noise, 0) ** 2, RATE, "g").values["skewness"]
    assert pushed > 2
    assert Features().vibration(-(np.maximum(noise, 0) ** 2), RATE, "g").values["skewness"] == pytest.approx(-pushed)


def test_every_feature_has_a_unit() -> None:
    rng = np.random.default_rng(6)
    made = Features(SPEED, BEARING, gear_teeth=17)
    for found in (
        made.vibration(rng.standard_normal((3200, 3)), RATE, "mg"),
        made.vibration(rng.standard_normal(3200), RATE, "V"),
        made.current(rng.standard_normal((3200, 3)), RATE, "A"),
    ):
        assert set(found.values) <= set(found.units)


def test_axes_are_named() -> None:
    found = Features().vibration(np.random.default_rng(4).standard_normal((640, 3)), RATE, "g")
    assert {"x.rms", "y.rms", "z.rms"} <= set(found.values)


@pytest.mark.parametrize("values", [np.zeros(640), np.full(640, 1.0), np.zeros((64, 3))])
def test_silence_is_finite(values: np.ndarray) -> None:
    found = Features(SPEED, BEARING).vibration(values, RATE, "g")
    assert found.values
    assert all(math.isfinite(value) for value in (*found.values.values(), *found.signs.values()))


def test_too_short_is_nothing() -> None:
    assert Features().vibration(np.ones(8), RATE, "g").values == {}
    assert Features().current(np.ones(8), RATE, "A").values == {}


def test_current_of_three_phases() -> None:
    wave = np.stack(
        [sine(50, 10 * math.sqrt(2), 0.5), sine(50, 10 * math.sqrt(2), 0.5), sine(50, 7 * math.sqrt(2), 0.5)], axis=1
    )
    found = Features().current(wave, RATE, "A")
    assert found.values["x.rms"] == pytest.approx(10, rel=1e-3)
    assert found.values["unbalance"] == pytest.approx(22.2, abs=0.1)
    assert found.values["x.harmonics"] < 2


@settings(max_examples=25, deadline=None)
@given(
    negative=st.complex_numbers(min_magnitude=0.0, max_magnitude=0.4),
    start=st.floats(0, 1),
    hertz=st.floats(49.8, 50.2),
    swapped=st.booleans(),
)
def test_negative_sequence_of_a_known_system(negative: complex, start: float, hertz: float, *, swapped: bool) -> None:
    turn = np.exp(2j * math.pi / 3)
    phasors = 8.0 * np.array([1 + negative, turn**2 + negative * turn, turn + negative * turn**2])
    t = start + np.arange(1600) / RATE
    wave = (phasors * np.exp(2j * math.pi * hertz * t)[:, None]).real
    # Two clamps exchanged turn the field the other way round, and the two sequences change their names.
    found = Features().current(wave[:, [0, 2, 1]] if swapped else wave, RATE, "A").values
    told = complex(found["negative_real"], found["negative_imaginary"]) / 100
    assert told == pytest.approx(negative, abs=0.012)


def test_sidebands_of_a_broken_bar() -> None:
    t = np.arange(3200) / RATE
    whole = 5 * np.sin(2 * math.pi * 50 * t)
    broken = whole * (1 + 0.08 * np.sin(2 * math.pi * 4 * t))
    assert Features().current(whole, RATE, "A").values["sidebands"] < 0.5
    assert Features().current(broken, RATE, "A").values["sidebands"] == pytest.approx(100 * 0.04 * 2**0.5, rel=0.1)


def test_harmonics_of_a_current() -> None:
    found = Features().current(sine(50, 1.0, 0.5) + sine(150, 0.3, 0.5), RATE, "A")
    assert found.values["harmonics"] == pytest.approx(30, abs=1)


def test_no_current_has_no_unbalance() -> None:
    assert unbalance(np.zeros(3)) == {}


def test_lines_of_a_6205() -> None:
    lines = BEARING.lines(SPEED)
    assert lines == pytest.approx({"bpfo": 88.13, "bpfi": 133.12, "bsf": 57.94, "ftf": 9.79}, abs=0.01)


@pytest.mark.parametrize("geometry", [(2, 8, 39, 0), (9, 39, 39, 0), (9, 0, 39, 0), (9, 8, 39, 90)])
def test_impossible_bearings(geometry: tuple[int, float, float, float]) -> None:
    with pytest.raises(ValueError, match=r"bearing|ball|angle"):
        Bearing(*geometry)


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=40, deadline=None)
@given(
    values=arrays(np.float64, st.tuples(st.integers(0, 80), st.integers(1, 4)), elements=FINITE),
    rate=st.floats(1e-3, 1e6),
    known=st.booleans(),
)
def test_any_finite_block_has_finite_features(values: np.ndarray, rate: float, *, known: bool) -> None:
    made = Features(SPEED, BEARING, gear_teeth=9) if known else Features()
    for found in (
        made.vibration(values, rate, "g", channel="v", start_s=1.0),
        made.vibration(values, rate, "g", channel="v", start_s=1.0 + len(values) / rate),
        made.current(values, rate, "A", start_s=1.0),
    ):
        assert all(math.isfinite(value) for value in (*found.values.values(), *found.signs.values()))


@settings(max_examples=25, deadline=None)
@given(samples=st.integers(1, 700), rate=st.floats(1, 50_000), scale=st.floats(1e-12, 1e12))
def test_any_block_is_finite(samples: int, rate: float, scale: float) -> None:
    values = scale * np.random.default_rng(samples).standard_normal((samples, 2))
    for found in (Features(SPEED, BEARING).vibration(values, rate, "g"), Features().current(values, rate, "A")):
        assert all(math.isfinite(value) for value in (*found.values.values(), *found.signs.values()))
