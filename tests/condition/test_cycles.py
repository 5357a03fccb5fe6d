"""What a thermostat's switching says."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.condition.contract import FeatureInfo
from models.condition.features.cycles import Cycles

INFO = {
    "power": FeatureInfo("W", "power", "power"),
    "deck": FeatureInfo("°C", "deck", "temperature"),
    "deck.slope": FeatureInfo("°C/min", "deck", "temperature"),
    "air": FeatureInfo("°C", "air", "temperature"),
}


class Oven:
    """Heats by 1 K a tick between its points, cools by as much as it loses; the air is 30 K cooler and shaky."""

    def __init__(self, seed: int = 0) -> None:
        self.cycles, self.time_s = Cycles(), 0.0
        self.rng = np.random.default_rng(seed)
        self.point, self.deck, self.on, self.loss = 200.0, 200.0, True, 0.5

    def run(self, ticks: int) -> dict[str, float]:
        found: dict[str, float] = {}
        for _ in range(ticks):
            self.time_s += 10.0
            self.deck += (1.0 if self.on else 0.0) - self.loss
            if self.deck >= self.point + 4.0:
                self.on = False
            elif self.deck <= self.point - 4.0:
                self.on = True
            values = {
                "power": 6000.0 if self.on else 5.0,
                "deck": self.deck + 0.1 * float(self.rng.standard_normal()),
                "air": self.deck - 30.0 + 5.0 * float(self.rng.standard_normal()),
            }
            found = self.cycles.look(self.time_s, values, INFO)
        return found


def test_duty_set_point_and_readings_at_switching() -> None:
    found = Oven().run(600)
    assert found["power.duty"] == pytest.approx(50.0, abs=6.0)
    assert found["deck.set_point"] == pytest.approx(200.0, abs=1.0)
    assert found["deck.at_off"] == pytest.approx(203.5, abs=1.0)
    assert found["air.at_off"] == pytest.approx(173.5, abs=8.0)
    assert "air.set_point" not in found, "the deck is what is regulated"
    assert found["deck.away"] == 0.0


def test_more_loss_is_more_time_on_and_not_another_set_point() -> None:
    oven = Oven()
    before = oven.run(600)
    oven.loss = 0.7
    after = oven.run(600)
    assert after["power.duty"] > before["power.duty"] + 10.0
    assert after["deck.set_point"] == pytest.approx(before["deck.set_point"], abs=1.0)


def test_a_drifted_thermostat_moves_its_points() -> None:
    oven = Oven()
    oven.run(600)
    oven.point = 225.0
    assert oven.run(900)["deck.set_point"] == pytest.approx(225.0, abs=2.0)


def test_a_night_is_no_cycle_and_a_cold_oven_is_away() -> None:
    oven = Oven()
    before = oven.run(600)
    oven.point = -1000.0
    oven.run(300)
    assert oven.run(1)["deck.away"] == 1.0
    assert oven.run(1)["power.duty"] == before["power.duty"]
    oven.point = 200.0
    after = oven.run(800)
    assert after["power.duty"] == pytest.approx(before["power.duty"], abs=6.0)
    assert after["deck.away"] == 0.0


def test_a_machine_that_never_switches_has_no_cycles() -> None:
    cycles = Cycles()
    for k in range(500):
        assert cycles.look(float(k), {"power": 100.0 + k % 3, "deck": 40.0}, INFO) == {}
        assert cycles.look(float(k), {"deck": 40.0}, INFO) == {}


def test_cycles_survive_a_restart() -> None:
    oven, again = Oven(), Cycles()
    found = oven.run(600)
    again.load(json.loads(json.dumps(oven.cycles.state())))
    values = {"power": 6000.0, "deck": 199.0, "air": 170.0}
    assert again.look(1e6, values, INFO).keys() == found.keys()
    assert again.state() == oven.cycles.state()


@given(st.lists(st.tuples(st.floats(0, 1e7), st.floats(-1e3, 1e3), st.booleans()), max_size=120))
def test_any_readings_give_finite_numbers(readings: list[tuple[float, float, bool]]) -> None:
    cycles = Cycles()
    for k, (power, deck, measured) in enumerate(readings):
        values = {"deck": deck, **({"power": power} if measured else {})}
        assert all(np.isfinite(value) for value in cycles.look(float(k), values, INFO).values())
