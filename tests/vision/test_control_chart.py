"""Control charts: run lengths as the books state them, drift told early, limits learned from good subgroups, restarts."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from models.quality.control_chart import ChartSettings, ChartState, ControlChart, average_run_length


def trays(seed: int, count: int, shift_a_tray: float = 0.0) -> list[tuple[int, float, float]]:
    """Lightness on trays: L* 60, 1.5 between trays, 3 between the items of one, 8 to 16 items, shifting by so much a tray."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        items = rng.normal(60 + rng.normal(0, 1.5) + shift_a_tray * number, 3, size=rng.integers(8, 17))
        found.append((len(items), float(items.mean()), float(items.std(ddof=1))))
    return found


@pytest.mark.parametrize(
    ("weight", "limit", "shift", "published"),
    [(0.1, 2.814, 0, 500), (0.1, 2.814, 0.5, 31.3), (0.1, 2.814, 1, 10.3), (0.2, 2.962, 0, 500), (0.2, 2.962, 1, 10.5)],
)
def test_run_lengths_are_those_of_montgomerys_table(
    weight: float, limit: float, shift: float, published: float
) -> None:
    """Table 9.11 in the 7th edition; there is no second chart in it, so jumps are put out of reach."""
    length = average_run_length(shift, ChartSettings(weight, limit, jump_limit=8))
    assert length == pytest.approx(published, rel=0.01)


def test_the_defaults_have_the_run_lengths_that_they_state() -> None:
    assert average_run_length(0) == pytest.approx(821, abs=5)
    assert average_run_length(1) == pytest.approx(12, abs=0.5)
    assert average_run_length(-1) == pytest.approx(average_run_length(1))


def test_simulated_charts_run_as_long_as_computed_when_limits_are_known() -> None:
    settings = ChartSettings()
    known = ChartState(learned=10**9, mean=0.0, squares=1e9, inverse=1e9, within=0.0, freedom=1, since=1000)
    rng = np.random.default_rng(3)
    lengths = []
    for _ in range(400):
        chart = ControlChart(settings, known)
        lengths.append(next(k for k in range(1, 1000) if chart.add(1, rng.normal() + 1, 0.0).rule))
    assert np.mean(lengths) == pytest.approx(average_run_length(1), rel=0.08)


def test_learned_limits_seldom_warn_of_good_trays_and_always_of_drift() -> None:
    quiet, told = [], []
    for seed in range(30):
        chart = ControlChart()
        for tray in trays(seed, 25):
            assert chart.add(*tray).learning
        frozen = chart.state
        quiet.append(sum(bool(chart.add(*tray).rule) for tray in trays(1000 + seed, 60)) > 0)
        chart = ControlChart(state=frozen)
        # A quarter of an L* a tray: the hundredth would be 25 L* darker, and black bread.
        told.append(next(k for k, tray in enumerate(trays(2000 + seed, 100, -0.25)) if chart.add(*tray).rule))
    assert np.mean(quiet) < 0.25
    assert np.median(told) < 16
    assert max(told) < 32


def test_a_jump_is_told_at_once_and_a_drift_as_a_drift() -> None:
    chart = ControlChart()
    for tray in trays(1, 25):
        chart.add(*tray)
    learned = chart.state
    jump = chart.add(12, 45.0, 3.0)
    assert jump.rule == "jump"
    assert jump.deviation < -3.7
    assert jump.value < jump.jump_low < jump.drift_low < jump.expected < jump.drift_high < jump.jump_high
    chart = ControlChart(state=learned)
    signals = [chart.add(12, 57.0, 3.0) for _ in range(30)]
    assert next(signal for signal in signals if signal.rule).rule == "drift"
    assert signals[-1].average < signals[-1].drift_low


def test_bad_subgroups_teach_nothing_but_are_watched() -> None:
    chart = ControlChart()
    for tray in trays(1, 20):
        chart.add(*tray)
    before = chart.state
    chart.add(12, 20.0, 3.0, good=False)
    assert chart.state == before
    for tray in trays(2, 5):
        chart.add(*tray)
    assert chart.add(12, 20.0, 3.0, good=False).rule == "jump"


def test_a_subgroup_of_few_items_may_depart_further() -> None:
    chart = ControlChart()
    for tray in trays(1, 25):
        chart.add(*tray)
    state = chart.state
    many = chart.add(50, 60.0, 3.0)
    few = ControlChart(state=state).add(1, 60.0, 0.0)
    assert few.jump_high - few.jump_low > 1.3 * (many.jump_high - many.jump_low)


def test_goods_that_are_all_alike_have_limits_too() -> None:
    chart = ControlChart()
    for _ in range(25):
        chart.add(5, 60.0, 0.0)
    assert chart.add(5, 60.0, 0.0).rule == ""
    assert chart.add(5, 61.0, 0.0).rule == "jump"


def test_a_restart_changes_nothing() -> None:
    whole, state = ControlChart(), msgspec.json.encode(ChartState())
    rules = set()
    for tray in trays(5, 60, -0.1):
        resumed = ControlChart(state=msgspec.json.decode(state, type=ChartState))
        signal = whole.add(*tray)
        assert resumed.add(*tray) == signal
        state = msgspec.json.encode(resumed.state)
        rules.add(signal.rule)
    assert "drift" in rules


@pytest.mark.parametrize("kept", ['{"mean": 1e999}', '{"learned": -1}', "[]", "{", '{"a": 1}', '{"squares": -1.0}'])
def test_what_is_no_state_is_refused(kept: str) -> None:
    with pytest.raises(msgspec.MsgspecError):
        msgspec.json.decode(kept, type=ChartState)


@pytest.mark.parametrize("subgroup", [(0, 1.0, 1.0), (3, math.nan, 1.0), (3, 1.0, -1.0), (3, 1.0, math.inf)])
def test_what_is_no_subgroup_is_refused(subgroup: tuple[int, float, float]) -> None:
    with pytest.raises(ValueError, match="no subgroup"):
        ControlChart().add(*subgroup)


@pytest.mark.parametrize("settings", [{"weight": 0.0}, {"drift_limit": 9.0}, {"jump_limit": 0.0}, {"learn": 2}])
def test_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="out of range"):
        ChartSettings(**settings)  # type: ignore[arg-type]  # learn is a whole number where it is given


def test_a_state_is_plain_numbers() -> None:
    state = ChartState(learned=3, mean=1.5)
    assert msgspec.json.decode(msgspec.json.encode(state), type=ChartState) == state
