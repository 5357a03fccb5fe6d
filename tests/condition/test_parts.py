"""The model's parts: memory, regimes, limits, reach, persistence, severity."""

import copy
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river.base import AnomalyDetector

from models.condition.contract import FeatureInfo
from models.condition.detector import Normal
from models.condition.limit import YOUNG, crossing, fit_pareto, root_mean_square, sigmas, spending, tail_limits
from models.condition.memory import Memory, round_significant
from models.condition.persistence import Persistence
from models.condition.reach import effective_samples, widening
from models.condition.regime import Regimes, two_clusters
from models.condition.severity import by_score, by_velocity, worse
from models.condition.smoothing import LIFE, WEIGHTS, Smoother, nothing, smoothed

CURRENT = {f"l{k}": FeatureInfo("A", "current", "current") for k in (1, 2, 3)}


def on_and_off(rng: np.random.Generator, rows: int = 200) -> np.ndarray:
    on = (np.arange(rows) // 20) % 2
    return np.abs(on[:, None] * 8 + 0.05 * rng.standard_normal((rows, 3)))


class TestMemory:
    def test_is_bounded_and_even(self) -> None:
        memory = Memory(numbers=400, rows=100)
        memory.register(["a", "b"])
        for k in range(5000):
            memory.add(float(k), np.array([k, -k]))
        assert 30 < len(memory) <= 100
        apart = np.flatnonzero(np.diff(memory.times) > 1)
        assert len(apart) >= 3, "several stretches"
        assert set(np.diff(apart)) == {memory.stretch}, "each whole"
        assert set(np.diff(memory.times)[apart]) == {memory.stretch * (memory.stride - 1) + 1}, "evenly over the life"

    def test_new_columns_are_absent_before(self) -> None:
        memory = Memory()
        memory.register(["a"])
        memory.add(0.0, np.array([1.0]))
        memory.register(["b"])
        memory.add(1.0, np.array([1.0, 2.0]))
        assert math.isnan(memory.table[0, 1])
        assert memory.table[1].tolist() == [1.0, 2.0]

    @given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=9))
    def test_rounding_is_stable(self, values: list[float]) -> None:
        once = round_significant(np.array(values))
        assert np.allclose(once, values, rtol=1e-5, atol=1e-300)
        assert np.allclose(round_significant(once), once, rtol=1e-12)


class TestRegimes:
    def test_on_and_off(self) -> None:
        table = on_and_off(np.random.default_rng(0))
        regimes = Regimes.fit(table, list(CURRENT), CURRENT)
        assert set(regimes.names) == {"off", "on"}
        assert regimes.assign({"l1": 8.0, "l2": 8.0, "l3": 8.0}) == (1, True, "on")
        assert regimes.assign({"l1": 0.0, "l2": 0.1, "l3": 0.0})[2] == "off"

    def test_a_lost_phase_is_no_regime(self) -> None:
        regimes = Regimes.fit(on_and_off(np.random.default_rng(0)), list(CURRENT), CURRENT)
        assert regimes.assign({"l1": 8.0, "l2": 0.0, "l3": 8.0}) == (1, True, "on")

    @settings(max_examples=30, deadline=None)
    @given(st.integers(0, 10_000), st.sampled_from(["normal", "uniform", "exponential"]))
    def test_one_hump_is_one_regime(self, seed: int, kind: str) -> None:
        rng = np.random.default_rng(seed)
        values = {
            "normal": rng.normal(10, 1, 150),
            "uniform": rng.uniform(5, 9, 150),
            "exponential": 5 + rng.exponential(1, 150),
        }
        assert two_clusters(values[kind]) is None

    def test_switched_off_was_not_met(self) -> None:
        table = 8 + 0.05 * np.random.default_rng(0).standard_normal((100, 3))
        regimes = Regimes.fit(table, list(CURRENT), CURRENT)
        assert regimes.names == ("running",)
        assert regimes.assign(dict.fromkeys(CURRENT, 0.02)) == (-1, False, "off")
        assert regimes.assign(dict.fromkeys(CURRENT, 12.0))[1], "an overload is judged, not excused"

    def test_louder_is_never_a_new_regime(self) -> None:
        info = {"v.rms": FeatureInfo("g", "v", "vibration")}
        table = 1 + 0.05 * np.random.default_rng(0).standard_normal((100, 1))
        regimes = Regimes.fit(table, ["v.rms"], info)
        assert regimes.assign({"v.rms": 30.0})[1]
        assert not regimes.assign({"v.rms": 0.01})[1]

    def test_no_driver_is_one_regime(self) -> None:
        info = {"t": FeatureInfo("°C", "t", "temperature")}
        regimes = Regimes.fit(np.arange(50.0)[:, None], ["t"], info)
        assert regimes.assign({"t": 1e9}) == (0, True, "running")
        assert regimes.assign({})[1]

    def test_survives_a_snapshot(self) -> None:
        table = on_and_off(np.random.default_rng(0))
        regimes = Regimes.fit(table, list(CURRENT), CURRENT)
        again = Regimes.from_state(regimes.state())
        assert again.state() == regimes.state()
        assert (again.leaves(table, list(CURRENT)) == regimes.leaves(table, list(CURRENT))).all()


def limit_of(scores: np.ndarray, budget: float, floor: float = 0.1) -> float:
    looks = np.array([float(max(len(scores), 1))])
    return float(tail_limits(scores[:, None], 1, budget, np.array([floor]), looks)[0])


class TestLimit:
    def test_tail_of_a_normal_variable(self) -> None:
        scores = np.abs(np.random.default_rng(0).standard_normal(20_000))
        assert limit_of(scores, 1e-5) == pytest.approx(sigmas(1e-5), rel=0.15)

    def test_a_heavier_tail_has_a_higher_limit(self) -> None:
        rng = np.random.default_rng(0)
        assert limit_of(np.abs(rng.standard_t(3, 5000)), 1e-5) > 2 * limit_of(np.abs(rng.standard_normal(5000)), 1e-5)

    def test_floor_holds(self) -> None:
        assert limit_of(np.zeros(500), 1e-6, 3.0) == 3.0
        assert limit_of(np.array([]), 1e-6, 3.0) == 3.0

    def test_never_below_what_was_healthy(self) -> None:
        scores = np.array([1.0] * 99 + [9.0])
        assert limit_of(scores, 1e-3) > 9.0

    def test_a_record_from_few_looks_says_less(self) -> None:
        scores = np.full((100, 1), 4.0)
        few, many = (tail_limits(scores, 1, 1e-6, np.zeros(1), np.array([m]))[0] for m in (3.0, 100.0))
        assert few > 1.2 * many

    def test_shape_is_drawn_in(self) -> None:
        shape, scale = fit_pareto(np.array([[1.0]] * 99 + [[1e9]]))
        assert shape == 0.35
        assert scale > 0

    def test_smaller_budget_higher_limit(self) -> None:
        scores = np.random.default_rng(0).exponential(1.0, 2000)
        assert limit_of(scores, 1e-7) > limit_of(scores, 1e-3)

    def test_a_budget_is_spent_once(self) -> None:
        budget = 1e-5
        assert sum(spending(budget, age) for age in range(int(YOUNG), int(1 / budget))) == pytest.approx(1.0, rel=0.02)

    @pytest.mark.parametrize("fading", [0.4, 0.15, 0.04])
    def test_noise_passes_a_crossing_as_often_as_stated(self, fading: float) -> None:
        rng, rate, chains, rows = np.random.default_rng(0), 1e-4, 2000, 1500
        limit = crossing(rate, fading) * math.sqrt(fading / (2.0 - fading))
        smooth = np.zeros(chains)
        recent, above, raised = np.zeros((3, chains)), np.zeros(chains, dtype=int), 0
        for row in range(rows + 100):
            smooth += fading * (rng.standard_normal(chains) - smooth)
            recent[row % 3] = np.abs(smooth)
            above = np.where(np.median(recent, axis=0) > limit, above + 1, 0)
            raised += int((above == 3).sum()) if row >= 100 else 0
        assert 0.4 < raised / (rate * chains * rows) < 1.5

    def test_many_features_need_a_smaller_mean_distance(self) -> None:
        distances = [root_mean_square(freedom, 4.5) for freedom in (1, 5, 30, 1000)]
        assert (np.diff(distances) < 0).all()
        assert distances[-1] > 1


class TestSmoothing:
    def test_a_slow_memory_does_not_go_on_about_what_is_over(self) -> None:
        smooth = nothing(1)
        smoother = Smoother(smooth)
        for _ in range(400):
            smoother.add(WEIGHTS * 6.0)
        for _ in range(30):
            smoother.add(np.zeros_like(smooth))
        assert smooth[2, 0] < 1.0
        assert smooth[LIFE, 0] > 3.0, "the life's memory is not pulled"

    def test_noise_is_left_alone(self) -> None:
        rng = np.random.default_rng(0)
        smooth, plain, apart = nothing(1), 0.0, 0.0
        smoother = Smoother(smooth)
        for value in rng.standard_normal(3000):
            smoother.add(WEIGHTS * value)
            plain += 0.04 * (value - plain)
            apart = max(apart, abs(smooth[2, 0] - plain))
        assert apart < 0.15

    def test_many_rows_at_once_are_as_one_after_the_other(self) -> None:
        rng = np.random.default_rng(1)
        residual, level = rng.standard_normal((2, 500, 4)) * 3
        residual[200:240] += 8.0
        known = rng.random((500, 4)) < 0.9
        smooth = nothing(4)
        smoother, one_by_one = Smoother(smooth), []
        for row in range(500):
            before = smooth.copy()
            smoother.add(WEIGHTS * np.vstack([residual[row], residual[row], residual[row], level[row]]))
            smooth[:, ~known[row]] = before[:, ~known[row]]
            one_by_one.append(smooth.copy())
        assert smoothed(residual[:, :0], level[:, :0], known[:, :0]).shape == (LIFE + 1, 500, 0)
        for rows in (1, 2, 3, 500):
            found = smoothed(residual[:rows], level[:rows], known[:rows])
            assert np.allclose(found.swapaxes(0, 1), one_by_one[:rows], rtol=0.0, atol=1e-12)


class TestReach:
    def test_slow_channels_were_seen_few_times(self) -> None:
        rng = np.random.default_rng(0)
        table = np.stack(
            [rng.standard_normal(400), np.cumsum(rng.standard_normal(400)), np.linspace(0, 1, 400)], axis=1
        )
        looks = effective_samples(table)
        assert looks[0] > 250
        assert looks[1] < 25
        assert looks[2] < 8

    def test_constants_do_not_divide_by_zero(self) -> None:
        assert np.isfinite(effective_samples(np.ones((20, 2)))).all()

    def test_widening_falls_to_one(self) -> None:
        wide = widening(np.array([2.0, 5.0, 20.0, 1e5]), 4.5)
        assert (np.diff(wide) < 0).all()
        assert wide[-1] == pytest.approx(1.0, abs=0.01)


class TestPersistence:
    def test_one_odd_sample_is_no_alarm(self) -> None:
        persistence = Persistence()
        for ratio in [0.3] * 10 + [500.0] + [0.3] * 10:
            persistence.update(ratio)
            assert not persistence.alarm
            assert persistence.ratio < 1

    def test_raises_soon_and_clears_later(self) -> None:
        persistence = Persistence()
        for _ in range(10):
            persistence.update(0.3)
        raised = [persistence.update(3.0) is not None and persistence.alarm for _ in range(6)]
        assert raised[-1]
        cleared = [persistence.update(0.2) is not None and not persistence.alarm for _ in range(30)]
        assert not cleared[10]
        assert cleared[-1]

    def test_most_of_a_large_fault_gone_is_over(self) -> None:
        persistence = Persistence()
        for ratio in [12.0] * 30 + [1.4] * 60:
            persistence.update(ratio)
        assert not persistence.alarm, "the rest is what a repair leaves"
        for _ in range(10):
            persistence.update(2.5)
        assert persistence.alarm, "but not more than that"

    def test_a_small_fault_that_stays_stays(self) -> None:
        persistence = Persistence()
        for ratio in [1.3] * 10 + [0.85] * 200:
            persistence.update(ratio)
        assert persistence.alarm

    def test_a_slow_memory_does_not_keep_an_alarm(self) -> None:
        persistence = Persistence()
        for _ in range(10):
            persistence.update(3.0, 3.0)
        for _ in range(30):
            persistence.update(2.9, 0.2)
        assert not persistence.alarm

    def test_hovering_does_not_flap(self) -> None:
        persistence = Persistence()
        states = []
        for k in range(200):
            persistence.update(1.15 if k % 2 else 0.9)
            states.append(persistence.alarm)
        assert int(np.abs(np.diff(np.array(states, dtype=int))).sum()) <= 1

    @given(st.lists(st.floats(0, 1e6), max_size=30), st.lists(st.floats(0, 1e6), max_size=30))
    def test_survives_a_snapshot(self, before: list[float], after: list[float]) -> None:
        first, second = Persistence(), Persistence()
        for ratio in before:
            first.update(ratio)
        second.load(first.state())
        for ratio in after:
            assert first.update(ratio) == second.update(ratio)
            assert first.alarm == second.alarm


class TestSeverity:
    @pytest.mark.parametrize(
        ("velocity", "iso_class", "expected"),
        [(0.5, "I", "good"), (1.0, "I", "watch"), (3.0, "I", "warning"), (5.0, "I", "alarm"), (5.0, "IV", "watch")],
    )
    def test_zones(self, velocity: float, iso_class: str, expected: str) -> None:
        assert by_velocity(velocity, iso_class) == expected

    def test_score(self) -> None:
        assert by_score(5.0, alarm=False) == "watch"
        assert by_score(5.0, alarm=True) == "alarm"
        assert worse("watch", "warning") == "warning"


def _ratio(normal: Normal, vector: np.ndarray) -> float:
    seen = normal.score(vector)
    assert seen is not None
    return seen.ratio


class TestNormal:
    def test_is_a_river_detector(self) -> None:
        rng = np.random.default_rng(0)
        normal = Normal(["a", "b"])
        assert isinstance(normal, AnomalyDetector)
        assert normal.score_one({"a": 1.0}) == 0.0, "knows nothing yet"
        normal.fit(rng.standard_normal((200, 2)), np.zeros(2, dtype=bool))
        assert normal.score_one({"a": 0.1, "b": 0.1}) < 1 < normal.score_one({"a": 12.0, "b": 0.1})
        normal.learn_one({"a": 0.1, "b": 0.1})

    def test_one_feature_among_thirty(self) -> None:
        rng = np.random.default_rng(1)
        normal = Normal([str(k) for k in range(30)])
        normal.fit(rng.standard_normal((300, 30)), np.zeros(30, dtype=bool))
        healthy = max(_ratio(normal, rng.standard_normal(30)) for _ in range(300))
        odd = rng.standard_normal(30)
        odd[7] = 21.0
        assert healthy < 1 < _ratio(normal, odd)

    def test_identical_and_constant_columns(self) -> None:
        rng = np.random.default_rng(2)
        column = rng.standard_normal(100)
        normal = Normal(["a", "b", "c"])
        normal.fit(np.stack([column, column, np.full(100, 5.0)], axis=1), np.zeros(3, dtype=bool))
        assert 0 <= _ratio(normal, np.array([0.0, 0.0, 5.0])) < 1
        assert math.isfinite(_ratio(normal, np.array([1e30, -1e30, 5.0])))

    def test_follows_only_so_far(self) -> None:
        rng = np.random.default_rng(3)
        normal = Normal(["a"])
        normal.fit(rng.standard_normal((300, 1)), np.zeros(1, dtype=bool))
        for _ in range(5000):
            normal.follow(np.array([100.0]))
        assert _ratio(normal, np.array([100.0])) > 1

    def test_judges_what_is_there(self) -> None:
        rng = np.random.default_rng(4)
        normal = Normal(["a", "b", "c"])
        normal.fit(rng.standard_normal((300, 3)), np.zeros(3, dtype=bool))
        assert normal.score(np.full(3, np.nan)) is None
        for _ in range(4):
            alone = _ratio(normal, np.array([np.nan, 0.3, np.inf]))
        assert 0.0 <= alone < 1.0
        assert _ratio(normal, np.array([0.0, np.nan, -30.0])) > 1.0
        [(told, sigma)] = normal.telling(3.0)
        assert told == 2
        assert -40.0 < sigma < -20.0

    def test_a_copy_goes_on_alike_and_apart(self) -> None:
        rng = np.random.default_rng(5)
        normal = Normal(["a", "b"])
        normal.fit(rng.standard_normal((300, 2)), np.zeros(2, dtype=bool))
        for row in rng.standard_normal((20, 2)):
            _ratio(normal, row)
            normal.follow(row)
        other = copy.deepcopy(normal)
        for row in rng.standard_normal((20, 2)):
            assert _ratio(other, row) == _ratio(normal, row)
            other.follow(row)
            normal.follow(row)
        before = normal.state()
        for _ in range(20):
            _ratio(other, np.array([2.0, 2.0]))
            other.follow(np.array([2.0, 2.0]))
        assert normal.state() == before
        assert other.expected(0) > normal.expected(0)
