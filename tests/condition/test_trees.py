"""What only the half-space trees see: a machine where it never is, though each of its features may be there."""

import json
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from models.condition.contract import FeatureInfo, Sample, Verdict, Word
from models.condition.detector import Normal
from models.condition.hollows import hollow_pairs
from models.condition.model import Condition
from models.condition.settings import Settings
from models.condition.trees import LEAST_ROWS, Trees

Floats = NDArray[np.float64]

NAMES = ("feed", "return", "oil", "air")
INFO = {name: FeatureInfo("bar", name, "level") for name in NAMES}
WARMUP, HEALTHY, FAULT = 400, 500, 60


def turns(count: int, states: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """One of so many states at a time, for 15 to 35 samples each."""
    visits = count // 15 + 1
    return np.repeat(rng.integers(0, states, visits), rng.integers(15, 36, visits))[:count]


def two_modes(count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Both pressures are of one mode or both of the other; the fault is half way."""
    high = turns(count, 2, rng)
    return np.column_stack([2.0 + high, 5.0 - 2.0 * high]), np.array([2.5, 4.0])


def three_of_four(count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Either pressure may be high, but the feed's not alone: this is the fault."""
    state = turns(count, 3, rng)
    return np.column_stack([2.0 + (state == 2), 3.0 + 2.0 * (state > 0)]), np.array([3.0, 3.0])


def stroke(count: int, _rng: np.random.Generator) -> tuple[Floats, Floats]:
    """A piston goes round; the fault is in the middle of it."""
    angle = 2.0 * np.pi * np.arange(count) / 37.3
    return np.column_stack([2.0 + np.cos(angle), 5.0 + 2.0 * np.sin(angle)]), np.array([2.0, 5.0])


MACHINES = (two_modes, three_of_four, stroke)
Machine = Callable[[int, np.random.Generator], tuple[Floats, Floats]]


def table(machine: Machine, healthy: int, faulty: int = 0, seed: int = 0) -> Floats:
    """(rows, features) with noise, and two features that are nothing but noise."""
    rng = np.random.default_rng(seed)
    pressures, fault = machine(healthy, rng)
    pressures = np.vstack([pressures, np.tile(fault, (faulty, 1))])
    noise = rng.standard_normal((len(pressures), 4))
    return np.column_stack([pressures + 0.04 * noise[:, :2], 10.0 + 0.3 * noise[:, 2:]])


def lived(model: Condition, rows: Floats, since: int = 0) -> list[Verdict]:
    verdicts = []
    for k, row in enumerate(rows.tolist()):
        sample = Sample(float(since + k), dict(zip(NAMES, row, strict=True)), INFO)
        verdicts.append(model.score(sample))
        model.learn(sample, verdicts[-1])
    return verdicts


@pytest.mark.parametrize("machine", MACHINES)
def test_a_combination_that_never_was_alarms(machine: Machine) -> None:
    model = Condition(Settings(warmup=WARMUP))
    rows = table(machine, WARMUP + HEALTHY, FAULT)
    verdicts = lived(model, rows)
    assert not any(verdict.alarm for verdict in verdicts[:-FAULT])
    fault = verdicts[-FAULT:]
    assert fault[7].alarm
    assert all(verdict.alarm for verdict in fault[7:]), "it learned the fault"
    assert {deviation.feature for deviation in fault[10].deviations} >= {"feed", "return"}
    # By itself each is where it may be, and so are both to a distance.
    assert all(abs(deviation.sigma) < 3.5 for verdict in fault for deviation in verdict.deviations)
    blind = Normal(NAMES)
    blind.fit(rows[:WARMUP], np.zeros(4, dtype=bool))
    blind._trees = Trees()
    told = [blind.score(row) for row in rows[WARMUP:]]
    assert max(each.ratio for each in told[HEALTHY:] if each is not None) < 1.0


def test_what_is_told_is_where_the_machine_usually_is() -> None:
    model = Condition(Settings(warmup=WARMUP))
    fault = lived(model, table(two_modes, WARMUP + HEALTHY, FAULT))[-1]
    told = {deviation.feature: deviation for deviation in fault.deviations}
    assert told["feed"].value == pytest.approx(2.5, abs=0.2)
    assert min(abs(told["feed"].expected - mode) for mode in (2.0, 3.0)) < 0.2
    assert told["feed"].since_s is not None
    assert told["feed"].since_s < WARMUP + HEALTHY + 10


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("machine", MACHINES)
def test_a_healthy_machine_of_several_modes_stays_quiet(machine: Machine, seed: int) -> None:
    rows = table(machine, 1500, seed=seed + 10)
    rows[:, :2] += np.linspace(0.0, 0.15, len(rows))[:, None]
    assert not any(verdict.alarm for verdict in lived(Condition(Settings(warmup=WARMUP)), rows))


def test_no_trees_grow_where_they_would_see_nothing() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((1000, 3))
    modes = table(two_modes, 1000)
    assert not hollow_pairs(noise), "an ellipse"
    assert not hollow_pairs(np.round(noise)), "steps of a coarse reading"
    assert [0, 1] in hollow_pairs(modes)
    for nothing in (noise, np.cumsum(noise, axis=0), modes[: LEAST_ROWS - 1], np.full((1000, 3), np.nan), modes[:, :1]):
        trees = Trees()
        trees.fit(nothing)
        assert len(trees) == 0
        assert trees.score(nothing[0]) == 0.0
        assert Trees.from_state(json.loads(json.dumps(trees.state())), 1e-7).score(nothing[0]) == 0.0


def test_an_absent_feature_says_nothing() -> None:
    trees = Trees()
    trees.fit(table(two_modes, 1000))
    between = np.array([2.5, 4.0, 10.0, 10.0])
    for _ in range(20):
        far = trees.score(between)
    assert far > 1.0
    for _ in range(20):
        near = trees.score(np.array([np.nan, np.nan, np.nan, 10.0]), complete=False)
    assert near < 0.2 * far


def test_a_restored_model_says_the_same() -> None:
    rows = table(stroke, WARMUP + HEALTHY, FAULT)
    model = Condition(Settings(warmup=WARMUP))
    lived(model, rows[: -FAULT + 4])
    restored = Condition.restore(json.loads(json.dumps(model.snapshot(), allow_nan=False)))
    rest = rows[-FAULT + 4 :]
    first, second = lived(model, rest, 10_000), lived(restored, rest, 10_000)
    assert first == second
    assert first[-1].alarm
    assert json.dumps(model.snapshot()) == json.dumps(restored.snapshot())


def test_a_person_s_word_makes_one_combination_normal_and_no_other() -> None:
    model = Condition(Settings(warmup=WARMUP))
    assert lived(model, table(two_modes, WARMUP + HEALTHY, FAULT))[-1].alarm
    assert model.feedback(Word.FALSE_ALARM)
    after = np.vstack([table(two_modes, 75, 25, seed) for seed in range(12)])
    assert not any(verdict.alarm for verdict in lived(model, after, 2_000)), "also after everything was learned anew"
    other = table(two_modes, 0, 30, seed=3)
    other[:, :2] = np.array([2.0, 3.0]) + 0.04 * np.random.default_rng(4).standard_normal((30, 2))
    assert lived(model, other, 4_000)[-1].alarm
