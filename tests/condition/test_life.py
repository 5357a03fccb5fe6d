"""A normal over a machine's life: cycles, changes between regimes, and what its memory has let go."""

import numpy as np
import pytest

from models.condition.detector import Normal


def _ratio(normal: Normal, vector: np.ndarray) -> float:
    seen = normal.score(vector)
    assert seen is not None
    return seen.ratio


def test_both_ends_of_a_cycle_are_followed_alike() -> None:
    rng = np.random.default_rng(6)

    def cold_room(row: int) -> np.ndarray:
        return np.array([2.0 + 0.5 * (row % 7) + 0.05 * rng.standard_normal()])

    normal = Normal(["room"])
    # What was learned lay a little beside what follows.
    normal.fit(np.array([cold_room(row) for row in range(400)]) - 0.2, np.zeros(1, dtype=bool))
    for row in range(4000):
        _ratio(normal, vector := cold_room(row))
        normal.follow(vector)
    assert normal.expected(0) == pytest.approx(3.5, abs=0.1)


def test_a_sample_half_of_the_next_regime_leaves_nothing() -> None:
    rng = np.random.default_rng(7)
    normal = Normal(["a", "b"])
    normal.fit(rng.standard_normal((300, 2)), np.zeros(2, dtype=bool))
    for row in rng.standard_normal((20, 2)):
        _ratio(normal, row)
    before = normal.state()["smooth"]
    _ratio(normal, np.array([20.0, 20.0]))
    assert normal.state()["smooth"] != before
    normal.leave()
    assert normal.state()["smooth"] == before
    usual = np.array([0.1, 0.1])
    _ratio(normal, usual)
    after = normal.state()["smooth"]
    normal.leave()
    assert normal.state()["smooth"] == after, "an ordinary last sample counts"


def test_what_the_memory_let_go_is_still_normal() -> None:
    rng = np.random.default_rng(8)
    linear = np.zeros(1, dtype=bool)

    def motor(row: int) -> np.ndarray:
        # Warm in one of ten samples.
        return np.array([22.0 + 0.2 * rng.standard_normal() + (35.0 if row % 10 == 0 else 0.0)])

    before = Normal(["motor"])
    before.fit(np.array([motor(row) for row in range(600)]), linear)
    for row in range(600):
        assert _ratio(before, motor(row)) < 1.0
        before.remember()
    cold = np.array([motor(row) for row in range(600) if row % 10])
    with_life, without = Normal(["motor"]), Normal(["motor"])
    with_life.fit(cold, linear, older=before)
    without.fit(cold, linear)
    assert _ratio(without, np.array([57.0])) > 1.0
    assert _ratio(with_life, np.array([57.0])) < 1.0
    assert _ratio(with_life, np.array([157.0])) > 1.0
