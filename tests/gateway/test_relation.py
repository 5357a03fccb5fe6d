"""Goods held against their oven: what is related is found, what only wanders is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.relation import (
    LEAST_BATCHES,
    SIGNIFICANCE,
    BatchPoint,
    History,
    change_of,
    rank_interval,
    relate,
)

DAY_NS = 86_400_000_000_000
MINUTE_NS = 60_000_000_000
START_NS = 1_780_000_000_000_000_000


def wandering(rng: np.random.Generator, count: int, share: float) -> np.ndarray:
    """A first-order autoregressive series of deviation 1."""
    series = np.empty(count)
    series[0] = rng.standard_normal()
    for k in range(1, count):
        series[k] = share * series[k - 1] + np.sqrt(1 - share**2) * rng.standard_normal()
    return series


def oven(rng: np.random.Generator, days: int, duty_step_day: float | None) -> dict[str, History]:
    """A reading a minute: a duty that may rise by 14 at some day, and features that only wander."""
    times = START_NS + np.arange(days * 1440, dtype=np.int64) * MINUTE_NS
    hours = np.arange(days * 24)
    features = {}
    for index in range(12):
        slow = np.interp(np.arange(days * 1440) / 60, hours, wandering(rng, len(hours), 0.9))
        features[f"feature-{index}"] = History("A", times, slow + 0.1 * rng.standard_normal(len(times)))
    duty = 60.0 + 2.0 * rng.standard_normal(len(times))
    if duty_step_day is not None:
        duty[times >= START_NS + duty_step_day * DAY_NS] += 14.0
    features["left-duty"] = History("%", times, duty)
    return features


def batches(rng: np.random.Generator, days: int, darker_from_day: float | None, lag_s: float = 0.0) -> list[BatchPoint]:
    """Six batches a day of L* 55 with deviation 1, six darker from some day on."""
    made = []
    for day in range(days):
        for hour in (4, 5, 6, 7, 8, 9):
            time_ns = START_NS + day * DAY_NS + hour * 60 * MINUTE_NS
            darker = darker_from_day is not None and time_ns >= START_NS + darker_from_day * DAY_NS + lag_s * 1e9
            made.append(BatchPoint(time_ns, 55.0 - 6.0 * darker + rng.standard_normal()))
    return made


def test_a_darker_crust_is_related_to_the_element_that_changed() -> None:
    rng = np.random.default_rng(3)
    found = relate(batches(rng, 10, 6.0), oven(rng, 10, 6.0), least_effect=2.0)
    assert found is not None
    assert found.related[0].feature == "left-duty"
    assert found.related[0].correlation < -0.6
    assert found.related[0].low < found.related[0].correlation < found.related[0].high
    assert found.related[0].after - found.related[0].before == pytest.approx(14.0, abs=1.0)
    assert found.change.after - found.change.before == pytest.approx(-6.0, abs=1.0)
    assert found.change.low < -6.0 + 1.0
    assert abs(found.change.since_ns - (START_NS + 6 * DAY_NS)) <= DAY_NS


def test_a_darker_crust_that_nothing_explains_has_no_culprit() -> None:
    """Over many ovens whose features only wander, something is blamed no more often than stated."""
    blamed = 0
    runs = 60
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        blamed += relate(batches(rng, 10, 6.0), oven(rng, 10, None), least_effect=2.0) is not None
    # Binomial: at 5 % more than 8 of 60 has a chance below one in a hundred.
    assert SIGNIFICANCE == 0.05
    assert blamed <= 8


def test_goods_that_did_not_change_are_not_explained() -> None:
    rng = np.random.default_rng(5)
    assert relate(batches(rng, 10, None), oven(rng, 10, 6.0), least_effect=2.0) is None


def test_few_batches_say_nothing() -> None:
    rng = np.random.default_rng(7)
    few = batches(rng, 10, 6.0)[-(LEAST_BATCHES - 1) :]
    assert relate(few, oven(rng, 10, 6.0), least_effect=2.0) is None


def test_a_feature_unknown_for_most_batches_is_left_out() -> None:
    rng = np.random.default_rng(9)
    machine = oven(rng, 10, 6.0)
    late = machine["left-duty"].times_ns > START_NS + 5 * DAY_NS
    machine["left-duty"] = History("%", machine["left-duty"].times_ns[late], machine["left-duty"].values[late])
    found = relate(batches(rng, 10, 6.0), machine, least_effect=2.0)
    assert found is None or "left-duty" not in {one.feature for one in found.related}


def test_the_interval_of_a_change_covers_it() -> None:
    """The stated 95 % hold over many series, up to the choice of the split."""
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        values = rng.standard_normal(40) + 4.0 * (np.arange(40) >= 20)
        change = change_of(np.arange(40, dtype=np.int64), values)
        assert change is not None
        covered += change.low <= 4.0 <= change.high
    assert covered >= 180


def test_rank_interval_holds_the_estimate() -> None:
    low, high = rank_interval(-0.7, 30)
    assert -1.0 < low < -0.7 < high < 0.0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 10**15), st.floats(allow_nan=True, allow_infinity=True)), max_size=60),
    st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=1, max_size=80),
)
def test_odd_numbers_break_nothing(points: list[tuple[int, float]], values: list[float]) -> None:
    history = History("", np.arange(len(values), dtype=np.int64) * 10**13, np.array(values))
    found = relate([BatchPoint(*point) for point in points], {"a": history}, least_effect=0.5)
    assert found is None or found.batches >= LEAST_BATCHES
