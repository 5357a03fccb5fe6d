"""Goods held against their oven: what is related is found, what only wanders is not."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.relation import (
    CAUSES,
    DUTY,
    GOODS,
    OVENS,
    START_NS,
    Cause,
    batches,
    false_reports,
    machine,
    right_reports,
    steady,
)
from gateway.related import Relation
from gateway.relation import (
    LEAST_BATCHES,
    LEAST_DAYS,
    SIGNIFICANCE,
    BatchPoint,
    Feature,
    Goods,
    History,
    correlation_interval,
    cut_of,
    moved_at,
    relate,
)

DAY_NS = 86_400_000_000_000


def bakery(
    seed: int = 3, *, days: int = 21, when: float = 16.25, lag_h: float = 0.0
) -> tuple[list[BatchPoint], dict[Feature, History]]:
    """Six batches a day; from some moment on the element's duty is 14 higher and, `lag_h` later, the crust 6 darker."""
    rng = np.random.default_rng(seed)
    measured, found = machine(rng, days, steady)
    duty = 42.0 + 4.0 * rng.standard_normal(len(measured.hours)) + 14.0 * (measured.hours / 24.0 >= when)
    found[DUTY] = History("%", next(iter(found.values())).times_ns, duty)
    return batches(rng, days, when + lag_h / 24.0, 6.0), found


def test_a_darker_crust_is_related_to_the_element_that_changed() -> None:
    points, oven = bakery()
    found = relate(points, oven, GOODS)
    assert found is not None
    (first, *_) = found.related
    assert (first.channel, first.aspect, first.unit, first.lag_s) == ("element_current", "duty", "%", 0.0)
    assert first.correlation < -0.8
    assert -1.0 < first.low < first.correlation < first.high < -0.6
    assert first.significance <= SIGNIFICANCE
    assert first.moved.after - first.moved.before == pytest.approx(14.0, abs=1.0)
    assert found.moved.after - found.moved.before == pytest.approx(-6.0, abs=1.0)
    assert found.moved.low <= -6.0 + 1.0 < 0.0
    assert abs(found.since_ns - (START_NS + round(16.25 * DAY_NS))) <= DAY_NS / 4
    assert (found.product, found.measure, found.unit, found.batches) == ("roll", "lightness", "L*", 126)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Relation) == found
    assert found.text.startswith("lightness of roll 5")


def test_goods_that_follow_later_are_told_with_the_lag() -> None:
    """The crust follows whatever the duty was an hour before, up and down."""
    rng = np.random.default_rng(11)
    measured, oven = machine(rng, 14, steady)
    times = next(iter(oven.values())).times_ns
    level = np.cumsum(rng.standard_normal(len(measured.hours))) * 0.3 + 14.0 * (measured.hours / 24.0 >= 9.25)
    duty = 42.0 + 6.0 * np.sin(measured.hours * 2.1) + level
    oven[DUTY] = History("%", times, duty)
    points = [
        BatchPoint(point.time_ns, 75.0 - 0.5 * float(np.interp(point.time_ns - 5400e9, times, duty)))
        for point in batches(rng, 14, 9.25, 0.0)
    ]
    found = relate(points, oven, GOODS)
    assert found is not None
    assert found.related[0].channel == "element_current"
    assert found.related[0].lag_s == 3600.0


def test_what_is_not_there_is_seldom_told() -> None:
    """Whatever an oven does by itself: the benchmark's kinds, a few of each."""
    runs = 12
    told = {
        name: false_reports(oven, days=10, runs=runs, gradual=index % 2 == 1)
        for index, (name, oven) in enumerate(OVENS.items())
    }
    # Binomial: of 96 at 5 % more than 11 have a chance below one in a hundred.
    assert sum(told.values()) <= 11, told


def test_what_is_there_is_mostly_told_and_named_first() -> None:
    assert CAUSES[0] == Cause(steady)
    told, right = right_reports(CAUSES[0], days=14, runs=20)
    assert right == told
    assert right >= 12


def test_goods_that_did_not_change_are_not_explained() -> None:
    rng = np.random.default_rng(5)
    _, oven = bakery()
    assert relate(batches(rng, 14, 9.0, 0.0), oven, GOODS) is None


def test_a_change_too_small_to_matter_is_not_explained() -> None:
    points, oven = bakery()
    assert relate(points, oven, Goods("roll", "lightness", "L*", 8.0)) is None


def test_few_batches_or_few_days_say_nothing() -> None:
    points, oven = bakery()
    assert relate(points[-(LEAST_BATCHES - 1) :], oven, GOODS) is None
    # As many as one likes within the days that are too few.
    dense = [BatchPoint(START_NS + 9 * DAY_NS + k * 10**12, 55.0 - 6.0 * (k > 60)) for k in range(90)]
    assert len({point.time_ns // DAY_NS for point in dense}) < LEAST_DAYS
    assert relate(dense, oven, GOODS) is None
    assert relate([], oven, GOODS) is None
    assert relate(points, {}, GOODS) is None


def test_one_odd_day_is_a_day_and_no_relation() -> None:
    """A last day that differs in goods and oven differs in flour and weather too; with more such days it is told."""
    points, oven = bakery(days=20, when=19.0)
    assert relate(points, oven, GOODS) is None
    points, oven = bakery(days=21, when=19.0)
    assert relate(points, oven, GOODS) is not None


def test_a_feature_unknown_for_most_batches_is_left_out() -> None:
    points, oven = bakery()
    late = oven[DUTY].times_ns > START_NS + 5 * DAY_NS
    oven[DUTY] = History("%", oven[DUTY].times_ns[late], oven[DUTY].values[late])
    found = relate(points, oven, GOODS)
    assert found is None or "element_current" not in {one.channel for one in found.related}


def test_the_same_question_has_the_same_answer() -> None:
    points, oven = bakery()
    assert relate(points, oven, GOODS) == relate(points[::-1], oven, GOODS)


def test_the_interval_of_a_change_covers_it() -> None:
    """The stated 95 % hold over many series."""
    covered = 0
    for seed in range(200):
        values = np.random.default_rng(seed).standard_normal(40) + 4.0 * (np.arange(40) >= 20)
        moved = moved_at(values, 20)
        covered += moved.low <= 4.0 <= moved.high
    assert covered >= 182


def test_a_series_without_a_change_has_no_split() -> None:
    found = sum(cut_of(np.random.default_rng(seed).standard_normal(40)) is not None for seed in range(200))
    assert found <= 18
    assert cut_of(np.arange(11.0)) is None
    assert cut_of(np.array([*[0.0] * 20, *[1.0] * 12])) == 20


def test_an_interval_is_wider_where_values_follow_on_themselves() -> None:
    rng = np.random.default_rng(1)
    white, other = rng.standard_normal(60), rng.standard_normal(60)
    slowly = np.cumsum(white), np.cumsum(other)
    low, high = correlation_interval(-0.7, white, other, 30)
    wider = correlation_interval(-0.7, *slowly, 30)
    assert -1.0 < wider[0] < low < -0.7 < high < wider[1] < 1.0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 10**16), st.floats(allow_nan=True, allow_infinity=True)), max_size=80),
    st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=1, max_size=80),
)
def test_odd_numbers_break_nothing(points: list[tuple[int, float]], values: list[float]) -> None:
    history = History("", np.arange(len(values), dtype=np.int64) * 10**14, np.array(values))
    found = relate([BatchPoint(*point) for point in points], {Feature("a"): history}, Goods("roll", "size", "mm", 0.5))
    assert found is None or found.batches >= LEAST_BATCHES
