"""Slope and time constant of temperatures whose course is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.condition.features.temperature import Temperature


def course(values: np.ndarray, step_s: float = 5.0) -> Temperature:
    made = Temperature()
    for k, value in enumerate(values.tolist()):
        made.add(k * step_s, value)
    return made


def test_slope_of_a_straight_line_is_its_own() -> None:
    made = course(20.0 + 0.1 * np.arange(60))
    assert made.slope() == pytest.approx(1.2)
    assert made.settling() is None


def test_half_a_minute_is_needed_for_a_slope_and_a_whole_one_after_a_gap() -> None:
    assert course(np.arange(6.0)).slope() is None
    assert course(np.arange(20.0), 1.0).slope() is None
    assert course(np.arange(20.0), 2.0).slope() == pytest.approx(30.0)
    again = course(np.arange(60.0), 1.0)
    again.clear()
    for k in range(60):
        again.add(100.0 + k, 3.0 * k)
        assert (again.slope() is None) == (k < 51)
    for count, step_s, slope in ((8, 7.5, 8.0), (8, 600.0, 0.1)):
        seldom = Temperature()
        seldom.clear()
        for k in range(count):
            seldom.add(k * step_s, float(k))
        assert seldom.slope() == pytest.approx(slope)


@settings(max_examples=30, deadline=None)
@given(minutes=st.floats(3.0, 15.0), start=st.floats(20, 90), end=st.floats(120, 250), cooling=st.booleans())
def test_time_constant_of_heating_and_cooling(minutes: float, start: float, end: float, *, cooling: bool) -> None:
    first, last = (end, start) if cooling else (start, end)
    t = np.arange(240) * 5.0
    noise = 0.05 * np.random.default_rng(1).standard_normal(240)
    found = course(last + (first - last) * np.exp(-t / (60 * minutes)) + noise).settling()
    assert found is not None
    assert {type(number) for number in found} == {float}, "a snapshot is JSON"
    assert found[0] == pytest.approx(minutes, rel=0.08)
    assert found[1] == pytest.approx(last, abs=0.05 * (end - start))


def test_what_holds_or_jitters_has_no_time_constant() -> None:
    noise = np.random.default_rng(2).standard_normal(240)
    assert course(np.full(240, 80.0)).settling() is None
    assert course(80.0 + noise).settling() is None
    assert course(80.0 + np.sin(np.arange(240) / 8.0)).settling() is None


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e9, 1e9)), max_size=60))
def test_odd_times_and_values_are_survived(points: list[tuple[float, float]]) -> None:
    made = Temperature()
    for time_s, value in sorted(points):
        made.add(time_s, value)
    slope, settling = made.slope(), made.settling()
    assert slope is None or np.isfinite(slope)
    assert settling is None or np.isfinite(settling).all()
