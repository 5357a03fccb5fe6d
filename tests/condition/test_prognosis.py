"""How long: intervals that hold as often as they say, and silence where nothing can be said."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.condition.contract import Prognosis
from models.condition.prognosis import CONFIDENCE, LEAST_BUCKETS, Crossing, crossing
from models.condition.severity import by_growth, graded
from models.condition.trend import FACTOR, Trends

Floats = NDArray[np.float64]
BUCKETS = 64
COURSES: dict[str, Callable[[Floats], Floats]] = {
    "straight": lambda share: share,
    "square": lambda share: share**2,
    "exponential": lambda share: np.expm1(1.2 * share) / np.expm1(1.2),
}
"""Growth from 0 at its onset to 1 at the limit."""


def noise(rng: np.random.Generator, count: int, correlation: float) -> Floats:
    """First-order autoregressive noise of deviation 1."""
    fresh = rng.standard_normal(count) * math.sqrt(1 - correlation**2)
    values, last = np.empty(count), float(rng.standard_normal())
    for k in range(count):
        last = correlation * last + fresh[k]
        values[k] = last
    return values


def growth(rng: np.random.Generator, course: str, correlation: float) -> tuple[Crossing | None, float]:
    """What is said of one growing level, and when it truly reaches the limit."""
    now = BUCKETS - 0.5
    base, onset = rng.uniform(0.2, 0.45), rng.uniform(0.0, 0.5) * BUCKETS
    ahead = float((now - onset) * math.exp(rng.uniform(math.log(0.1), math.log(2.5))))
    times = np.arange(BUCKETS, dtype=np.float64)
    share = np.clip((times - onset) / (now + ahead - onset), 0.0, None)
    levels = base + (1 - base) * COURSES[course](share) + rng.uniform(0.02, 0.06) * noise(rng, BUCKETS, correlation)
    return crossing(times, levels, now), ahead


def test_the_interval_holds_about_as_often_as_it_says() -> None:
    held: dict[str, list[bool]] = {}
    for course in COURSES:
        for correlation in (0.0, 0.5):
            rng = np.random.default_rng(1)
            for _ in range(50):
                said, ahead = growth(rng, course, correlation)
                if said is not None:
                    held.setdefault(course, []).append(said.low_s <= ahead <= said.high_s)
    every = [one for ones in held.values() for one in ones]
    assert len(every) > 100, "it says something of most growths"
    assert CONFIDENCE - 0.05 <= np.mean(every) <= 0.97
    assert all(np.mean(ones) >= CONFIDENCE - 0.15 for ones in held.values()), "of no course much less"


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9, 0.97])
def test_noise_is_not_extrapolated(correlation: float) -> None:
    rng = np.random.default_rng(2)
    times = np.arange(BUCKETS, dtype=np.float64)
    said = [crossing(times, 0.35 + 0.1 * noise(rng, BUCKETS, correlation), BUCKETS - 0.5) for _ in range(250)]
    assert sum(one is not None for one in said) <= 1, "one in a thousand at worst"


def test_a_jump_is_not_growth() -> None:
    rng = np.random.default_rng(3)
    times = np.arange(BUCKETS, dtype=np.float64)
    for _ in range(100):
        jumped = times >= rng.integers(3, BUCKETS - 2)
        levels = np.where(jumped, rng.uniform(0.5, 0.9), 0.3) + 0.03 * rng.standard_normal(BUCKETS)
        assert crossing(times, levels, BUCKETS - 0.5) is None


@settings(max_examples=60, deadline=None)
@given(
    levels=st.lists(st.floats(0.0, 20.0, allow_nan=False), min_size=0, max_size=BUCKETS),
    step=st.floats(1e-3, 1e6),
)
def test_whatever_the_levels_an_interval_lies_ahead_and_in_order(levels: list[float], step: float) -> None:
    times = step * np.arange(len(levels), dtype=np.float64)
    said = crossing(times, np.array(levels), step * len(levels))
    if said is not None:
        assert len(levels) >= LEAST_BUCKETS
        assert 0.0 < said.low_s <= said.high_s < math.inf
        assert levels[-1] < 20.0


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), unit=st.sampled_from([1e-2, 60.0, 86_400.0]))
def test_the_unit_of_time_does_not_matter(seed: int, unit: float) -> None:
    rng = np.random.default_rng(seed)
    times = np.arange(BUCKETS, dtype=np.float64)
    levels = 0.3 + 0.4 * times / BUCKETS + 0.03 * rng.standard_normal(BUCKETS)
    plain, scaled = crossing(times, levels, 63.5), crossing(unit * times, levels, unit * 63.5)
    assert (plain is None) == (scaled is None)
    if plain is not None and scaled is not None:
        assert scaled.low_s == pytest.approx(unit * plain.low_s)
        assert scaled.high_s == pytest.approx(unit * plain.high_s)


def course(trends: Trends, levels: Floats, step_s: float = 10.0, *, alarm: bool = False) -> list[Prognosis | None]:
    return [trends.observe(k * step_s, "on", float(level), alarm=alarm) for k, level in enumerate(levels)]


def test_growth_over_hours_is_told_long_before_the_limit() -> None:
    rng = np.random.default_rng(4)
    count, onset = 4000, 1600
    share = np.clip((np.arange(count) - onset) / (count - onset), 0.0, None)
    levels = 0.3 + 0.7 * share + 0.05 * noise(rng, count, 0.9)
    said = course(Trends(), levels)
    first = next(k for k, one in enumerate(said) if one is not None)
    assert first > onset
    assert share[first] < 0.6
    told = [(one, (count - k) * 10.0) for k, one in enumerate(said) if one is not None and share[k] < 0.9]
    assert np.mean([one.low_s <= left_s <= one.high_s for one, left_s in told]) > 0.7
    assert {(one.confidence, one.reaches) for one, _ in told} == {(CONFIDENCE, "warning")}


@pytest.mark.parametrize("period", [200, 3000])
def test_ups_and_downs_that_were_there_before_are_not_growth(period: int) -> None:
    rng = np.random.default_rng(5)
    index = np.arange(6 * period + 6000)
    levels = 0.45 + 0.2 * np.sin(2 * math.pi * index / period) + 0.04 * noise(rng, len(index), 0.9)
    said = course(Trends(), levels)[2 * period :]
    assert not any(said)


def test_a_machine_beyond_the_limit_is_told_when_it_becomes_an_alarm() -> None:
    rng = np.random.default_rng(6)
    levels = np.linspace(1.05, 1.9, 1500) + 0.02 * rng.standard_normal(1500)
    said = [one for one in course(Trends(), levels, alarm=True) if one is not None]
    assert said
    assert {one.reaches for one in said} == {"alarm"}


def test_what_began_anew_says_nothing_of_before() -> None:
    trends = Trends()
    levels = np.linspace(0.2, 0.9, 600)
    assert any(course(trends, levels))
    trends.clear()
    assert trends.observe(6000.0, "on", 0.91, alarm=False) is None


def test_a_snapshot_goes_on_as_the_original_and_a_restarted_clock_does_not_break_it() -> None:
    rng = np.random.default_rng(7)
    levels = np.linspace(0.2, 0.8, 1200) + 0.02 * rng.standard_normal(1200)
    trends = Trends()
    course(trends, levels[:700])
    restored = Trends()
    restored.load(json.loads(json.dumps(trends.state(), allow_nan=False)))
    assert restored.state() == trends.state()
    for k in range(700, 900):
        time_s, level = 10.0 * k, float(levels[k])
        assert trends.observe(time_s, "on", level, alarm=False) == restored.observe(time_s, "on", level, alarm=False)
    # After a power cut the node counts from its boot again, and was off for nobody knows how long.
    said = [restored.observe(10.0 * (k - 900), "on", float(levels[k]), alarm=False) for k in range(900, 1100)]
    told = [one for one in said if one is not None]
    assert told, "it goes on over a restart"
    assert max(one.high_s for one in told) < 3 * 1200 * 10.0


def test_the_state_stays_small_over_a_long_life() -> None:
    trends = Trends()
    rng = np.random.default_rng(8)
    for k, level in enumerate(rng.uniform(0.2, 0.6, 40_000).tolist()):
        trends.observe(float(k), f"level-{k // 10_000}", level, alarm=False)
    assert len(json.dumps(trends.state())) < 40_000
    assert FACTOR > 1


def test_severity_follows_zone_size_and_speed_of_growth() -> None:
    assert graded(3.0, None, alarm=True) == "alarm"
    assert graded(3.0, "good", alarm=True) == "warning", "zone A: a change, but no danger"
    assert graded(1.1, "alarm", alarm=True) == "alarm", "zone D, however small the change"
    assert graded(0.2, "alarm", alarm=False) == "watch", "zone D was learned as normal: worth a look"
    assert (by_growth(3600.0, alarm=True), by_growth(1e6, alarm=True), by_growth(1e6, alarm=False)) == (
        "alarm",
        "warning",
        "watch",
    )
