"""What a channel's buckets say of an oven: time switched on, level while on, recovery after loading."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateway.oven_history import features, recoveries
from gateway.relation import Feature
from gateway.store.base import Chart, SeriesKey
from gateway.store.rollup import rolled, single

STEP_S = 120.0
START_NS = 1_780_000_000_000_000_000


def chart(values: NDArray[np.float64], unit: str, *, every_s: float = 10.0) -> Chart:
    """A reading each `every_s`, as the store gives it in buckets of two minutes."""
    times_ms = START_NS // 10**6 + np.round(np.arange(len(values)) * every_s * 1000.0).astype(np.int64)
    buckets = rolled(single(times_ms, values), round(STEP_S * 1000))
    return Chart(
        SeriesKey("bakery", "pi-1", "oven", "channel"),
        unit,
        (buckets.start_ms * 10**6).tolist(),
        buckets.mean.tolist(),
        buckets.low.tolist(),
        buckets.high.tolist(),
    )


def switching(duty: float, *, hours: float = 10.0, period_s: float = 1030.0, level: float = 9.0) -> NDArray[np.float64]:
    """Switched on for a share of each period, a reading each ten seconds."""
    times = np.arange(0.0, hours * 3600.0, 10.0)
    noise = 0.05 * np.random.default_rng(1).standard_normal(len(times))
    return np.where((times % period_s) / period_s < duty, level + noise, 0.0)


@pytest.mark.parametrize("duty", [0.1, 0.42, 0.56, 0.9])
@pytest.mark.parametrize("unit", ["A", "kW"])
def test_the_share_of_time_on_of_a_thermostat(duty: float, unit: str) -> None:
    found = features({"current": chart(switching(duty), unit)}, STEP_S)
    assert set(found) == {Feature("current", "duty"), Feature("current", "on_level")}
    shares = found[Feature("current", "duty")]
    assert shares.unit == "%"
    within = shares.values[15:-15]
    assert within == pytest.approx(100 * duty, abs=7.0), "each cycle to about a bucket's width"
    assert within.mean() == pytest.approx(100 * duty, abs=1.0)
    level = found[Feature("current", "on_level")]
    assert level.unit == unit
    if len(level.values):  # at 10 % no bucket is on as a whole
        assert level.values == pytest.approx(9.0, abs=0.2)


def test_a_contact_has_a_share_and_no_level() -> None:
    found = features({"door": chart(switching(0.2, level=1.0).round(), "")}, STEP_S)
    assert set(found) == {Feature("door", "duty")}


def test_a_pause_of_the_night_is_no_cycle() -> None:
    day = switching(0.5, hours=8.0)
    found = features({"power": chart(np.concatenate([day, np.zeros(12 * 360), day]), "W")}, STEP_S)
    shares = found[Feature("power", "duty")].values
    assert (shares[8 * 30 + 10 : 20 * 30 - 5] == 0.0).all()
    assert shares[:200].mean() == pytest.approx(50.0, abs=2.0)


@pytest.mark.parametrize(
    "values", [np.full(3600, 4.0), 5.0 + np.sin(np.arange(3600) / 50.0), np.zeros(3600), np.linspace(0.0, 9.0, 3600)]
)
def test_what_is_not_switched_has_its_level(values: NDArray[np.float64]) -> None:
    found = features({"current": chart(values, "A")}, STEP_S)
    assert set(found) == {Feature("current")}
    assert found[Feature("current")].values.mean() == pytest.approx(values.mean(), abs=0.1)


def loaded(*, tau_min: float, loads: int = 6, every_min: float = 90.0, fall: float = 25.0) -> NDArray[np.float64]:
    """A deck at 230 °C that each load cools at once."""
    minutes = np.arange(0.0, loads * every_min, 1 / 6)
    since = minutes % every_min - 10.0
    return 230.0 - fall * np.where(since >= 0.0, np.exp(-np.maximum(since, 0.0) / tau_min), 0.0)


@pytest.mark.parametrize("tau_min", [5.0, 8.0, 20.0])
def test_recovery_after_loading_is_the_time_to_half(tau_min: float) -> None:
    found = features({"deck_temperature": chart(loaded(tau_min=tau_min), "°C")}, STEP_S)
    recovery = found[Feature("deck_temperature", "recovery")]
    assert recovery.unit == "min"
    assert len(recovery.values) == 6
    assert recovery.values == pytest.approx(tau_min * np.log(2.0), abs=1.0)
    assert set(found) == {Feature("deck_temperature"), Feature("deck_temperature", "recovery")}


def test_no_recovery_from_small_falls_nights_and_gaps() -> None:
    def minutes_of(values: NDArray[np.float64], times: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        grid = START_NS + np.arange(len(values), dtype=np.int64) * round(STEP_S * 1e9)
        return recoveries(grid if times is None else times, values, STEP_S)[1]

    small = np.full(200, 230.0)
    small[50:55] -= 5.0
    assert not len(minutes_of(small))
    night = np.concatenate([np.full(50, 230.0), 230.0 - np.minimum(np.arange(400) * 2.0, 200.0)])
    assert not len(minutes_of(night))
    dip = np.full(200, 230.0)
    dip[50:60] = np.linspace(200.0, 228.0, 10)
    assert len(minutes_of(dip)) == 1
    late = START_NS + np.arange(200, dtype=np.int64) * round(STEP_S * 1e9)
    late[52:] += 1800 * 10**9
    assert not len(minutes_of(dip, late)), "half of it happened in a gap"


@pytest.mark.parametrize("away_s", [400, 1800, 8 * 3600])
def test_heating_up_after_the_node_was_away_is_no_recovery(away_s: int) -> None:
    values = np.concatenate([np.full(60, 230.0), np.linspace(40.0, 230.0, 40), np.full(60, 230.0)])
    values[130:140] = np.linspace(200.0, 228.0, 10)
    times = START_NS + np.arange(len(values), dtype=np.int64) * round(STEP_S * 1e9)
    times[60:] += away_s * 10**9
    ends, minutes = recoveries(times, values, STEP_S)
    assert len(minutes) == 1, "the load after it, and not the way up from cold"
    assert times[130] < ends[0] < times[140]


def test_a_single_missing_bucket_hides_no_load() -> None:
    values = np.full(100, 230.0)
    values[50:60] = np.linspace(200.0, 228.0, 10)
    times = START_NS + np.arange(len(values), dtype=np.int64) * round(STEP_S * 1e9)
    kept = np.delete(np.arange(100), 49)
    assert recoveries(times[kept], values[kept], STEP_S)[1] == pytest.approx(recoveries(times, values, STEP_S)[1])


def test_channels_without_values_are_left_out() -> None:
    assert features({"power": chart(np.array([1.0]), "W")}, STEP_S) == {}
    assert features({}, STEP_S) == {}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300),
    st.sampled_from(["A", "°C", "W", "", "bar"]),
    st.integers(0, 2**32 - 1),
)
def test_odd_values_break_nothing(values: list[float], unit: str, seed: int) -> None:
    whole = chart(np.array(values), unit, every_s=60.0)
    kept = np.flatnonzero(np.random.default_rng(seed).random(len(whole.times_ns)) < 0.8).tolist()
    times, mean, low, high = (
        [column[place] for place in kept] for column in (whole.times_ns, whole.mean, whole.low, whole.high)
    )
    gaps = Chart(whole.key, unit, [int(time) for time in times], mean, low, high)
    for history in features({"a": gaps}, STEP_S).values():
        assert len(history.times_ns) == len(history.values)
        assert np.isfinite(history.values).all()
        assert (np.diff(history.times_ns) >= 0).all()
