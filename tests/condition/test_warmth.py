"""Regimes of machines that are seen by nothing but their temperatures."""

import json
from collections.abc import Sequence

import numpy as np
import pytest

from models.condition.contract import FeatureInfo, Sample, Verdict, Word
from models.condition.model import Condition
from models.condition.regime import Regimes
from models.condition.settings import Settings
from models.condition.warmth import LEAST_SPAN_K

DECK = {"deck": FeatureInfo("°C", "deck", "temperature"), "deck.slope": FeatureInfo("°C/min", "deck", "temperature")}
DAY = 480
"""Samples, one in three minutes."""


def oven(days: int, *, seed: int = 0, drift: float = 0.0, night: float = 18.0, from_day: int = 0) -> np.ndarray:
    """Deck temperatures of days of 7 hours of work that begin in the night: (samples,).

    Heating at 6 K a minute, a thermostat's swing of 4 K about 230 °C, cooling with a time constant of 3 hours.
    """
    rng = np.random.default_rng(seed)
    level, heating, levels = night, False, []
    for k in range(from_day * DAY, (from_day + days) * DAY):
        works = 60 <= k % DAY < 200
        surroundings = night + 1.5 * np.sin(k / DAY)
        heating = works and (level < 226.0 + drift if not heating else level < 234.0 + drift)
        level += min(18.0, 238.0 + drift - level) if heating else (surroundings - level) / 60.0
        levels.append(level + 0.2 * rng.standard_normal())
    return np.array(levels)


def table_of(levels: np.ndarray) -> np.ndarray:
    return np.column_stack([levels, np.gradient(levels, 3.0)])


def fitted(levels: np.ndarray) -> Regimes:
    return Regimes.fit(table_of(levels), list(DECK), DECK)


def watched(model: Condition, levels: np.ndarray, start: int = 0) -> list[Verdict]:
    verdicts = []
    for k, (level, slope) in enumerate(table_of(levels).tolist()):
        sample = Sample((start + k) * 180.0, {"deck": level, "deck.slope": slope}, DECK)
        verdicts.append(model.score(sample))
        model.learn(sample, verdicts[-1])
    return verdicts


def courses(regimes: Regimes, levels: Sequence[float]) -> list[str]:
    """Names in their order, each once in a row."""
    names = [regimes.assign({"deck": level})[2] for level in levels]
    return [name for name, before in zip(names, ["", *names], strict=False) if name != before]


def test_a_day_goes_from_cold_through_heating_and_holding_to_cooling_and_cold() -> None:
    regimes = fitted(oven(2))
    assert courses(regimes, oven(3, seed=1)) == ["cold", *["heating", "holding", "cooling", "cold"] * 3]


def test_a_thermostats_swing_is_one_regime_at_another_level_too() -> None:
    regimes = fitted(oven(2))
    assert courses(regimes, oven(1, drift=-40.0)) == [
        "cold",
        *["heating", "cooling"],
        *["heating", "holding"],
        *["cooling", "cold"],
    ]
    assert courses(regimes, oven(1, drift=30.0)) == ["cold", "heating", "holding", "cooling", "cold"]


@pytest.mark.parametrize("other", ["current", "power", "speed", "state", "vibration"])
def test_where_another_quantity_tells_temperatures_do_not(other: str) -> None:
    info = {**DECK, "other": FeatureInfo("", "other", other)}
    table = np.column_stack([table_of(oven(2)), np.ones(2 * DAY)])
    assert Regimes.fit(table, list(info), info).names == ("running",)


def test_what_wanders_swings_or_hardly_moves_is_one_regime() -> None:
    rng = np.random.default_rng(3)
    k = np.arange(2 * DAY)
    wandering = 80.0 + 15.0 * np.convolve(rng.standard_normal(len(k) + 99), np.ones(100) / 10.0, "valid")
    swinging = 6.0 + 20.0 * np.sin(k / 5.0)
    uniform = rng.uniform(20.0, 90.0, len(k))
    gaussian = 60.0 + 10.0 * rng.standard_normal(len(k))
    opened_seldom = 6.0 + 2.0 * np.sin(k / 5.0) + 40.0 * (k % 320 < 10)
    room = 4.0 + 0.8 * LEAST_SPAN_K * (k % DAY > 240) + 0.2 * rng.standard_normal(len(k))
    for levels in (wandering, swinging, uniform, gaussian, opened_seldom, room):
        assert fitted(levels).names == ("running",)


def test_a_thermostat_that_moved_is_found_on_its_plateau_and_a_healthy_life_is_quiet() -> None:
    model = Condition(Settings(warmup=2 * DAY))
    watched(model, oven(2))
    healthy = watched(model, oven(6, seed=1, from_day=2), 2 * DAY)
    assert not any(verdict.alarm for verdict in healthy)
    assert {verdict.regime for verdict in healthy} == {"cold", "heating", "holding", "cooling"}
    state = json.loads(json.dumps(model.snapshot()))
    for drift in (-20.0, 20.0):
        again = Condition.restore(state)
        moved = watched(again, oven(1, seed=2, from_day=8, drift=drift), 8 * DAY)
        first = next(verdict for verdict in moved if verdict.alarm)
        assert first.regime == "holding"
        assert np.sign(first.deviations[0].sigma) == np.sign(drift)


def test_colder_than_ever_is_new_where_no_cold_was_met_and_hotter_than_ever_is_not() -> None:
    def cycle(k: int) -> float:
        return 230.0 + k % 3 if k % 60 < 40 else 230.0 - 5.0 * (k % 60 - 40)

    regimes = fitted(np.array([cycle(k) for k in range(600)]))
    names = [regimes.assign({"deck": level}) for level in np.arange(230.0, 0.0, -5.0)]
    assert names[10] == (3, True, "cooling")
    assert names[-1] == (-1, False, "cold")
    assert regimes.assign({"deck": 400.0}) == (2, True, "holding")


def test_a_probe_that_fails_is_stood_in_for_by_another() -> None:
    info = {**DECK, "air": FeatureInfo("°C", "air", "temperature")}
    deck = oven(2)
    regimes = Regimes.fit(np.column_stack([table_of(deck), 0.9 * deck]), list(info), info)
    names = [regimes.assign({"air": 0.9 * level})[2] for level in oven(1).tolist()]
    assert set(names) == {"cold", "heating", "holding", "cooling"}
    assert regimes.assign({})[2] == names[-1]


def test_a_restored_machine_is_where_it_was_and_a_persons_word_does_not_move_it() -> None:
    model = Condition(Settings(warmup=2 * DAY))
    watched(model, oven(2))
    levels = oven(1, seed=1, from_day=2)
    moved = oven(2, seed=1, from_day=2, drift=20.0)
    watched(model, moved[:150], 2 * DAY)
    again = Condition.restore(json.loads(json.dumps(model.snapshot())))
    assert again.snapshot() == model.snapshot()
    assert again.feedback(Word.FALSE_ALARM)
    assert again.feedback(Word.FALSE_ALARM) is False
    rest = watched(again, moved[150:], 2 * DAY + 150)
    assert not any(verdict.alarm for verdict in rest), "normal from now on"
    assert watched(model, levels[150:], 2 * DAY + 150)[0].regime == "holding"
