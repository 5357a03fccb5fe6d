"""What comes of bad input: no crash, no silent normal, no storm of alarms."""

import json
import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.condition.contract import FeatureInfo, Sample, Verdict, Word
from models.condition.model import Condition
from models.condition.settings import Settings

QUANTITIES = (("bar", "level"), ("A", "current"), ("g", "vibration"), ("°C", "temperature"))
WARMUP = 120


def info_of(features: int) -> dict[str, FeatureInfo]:
    return {
        f"c{k}": FeatureInfo(*(unit, f"c{k}", quantity))
        for k in range(features)
        for unit, quantity in [QUANTITIES[k % 4]]
    }


def healthy(features: int, count: int, seed: int = 0, start_s: float = 0.0) -> Iterator[Sample]:
    rng, info = np.random.default_rng(seed), info_of(features)
    for k in range(count):
        values = 5.0 + 0.1 * rng.standard_normal(features)
        yield Sample(start_s + float(k), dict(zip(info, values.tolist(), strict=True)), info)


def run(model: Condition, samples: Iterator[Sample] | list[Sample]) -> list[Verdict]:
    verdicts = []
    for sample in samples:
        verdict = model.score(sample)
        model.learn(sample, verdict)
        assert math.isfinite(verdict.score)
        verdicts.append(verdict)
    return verdicts


def episodes(verdicts: list[Verdict]) -> int:
    alarms = [False, *(verdict.alarm for verdict in verdicts)]
    return sum(now and not before for before, now in pairwise(alarms))


def changed(samples: Iterator[Sample], change: Callable[[int, dict[str, float]], dict[str, float]]) -> Iterator[Sample]:
    for k, sample in enumerate(samples):
        yield Sample(sample.time_s, change(k, dict(sample.values)), sample.info)


@pytest.mark.parametrize("features", [1, 2, 40])
def test_a_healthy_machine_of_any_size_is_quiet_and_a_broken_one_is_not(features: int) -> None:
    model = Condition(Settings(warmup=WARMUP))
    assert episodes(run(model, healthy(features, WARMUP + 1500))) == 0
    broken = changed(healthy(features, 60, 1, 2000.0), lambda _k, values: values | {"c0": 7.0})
    assert run(model, broken)[-1].alarm


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("all zeros", lambda _k, values: dict.fromkeys(values, 0.0)),
        ("one channel zero", lambda _k, values: values | {"c0": 0.0}),
        ("one channel constant", lambda _k, values: values | {"c1": 5.0}),
        ("two identical", lambda _k, values: values | {"c1": values["c0"]}),
        ("bursts of nothing", lambda k, values: {n: v for n, v in values.items() if k % 30 < 20 or n == "c0"}),
        ("not a number", lambda k, values: values | ({"c0": math.nan} if k % 7 == 0 else {})),
        ("channels by turns", lambda k, values: {n: v for n, v in values.items() if (k + int(n[1:])) % 3}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_was_always_so_is_quiet(name: str, change: Callable[[int, dict[str, float]], dict[str, float]]) -> None:
    model = Condition(Settings(warmup=WARMUP))
    assert episodes(run(model, changed(healthy(6, WARMUP + 800), change))) == 0, name


def test_a_clock_that_jumps_and_a_month_off_are_no_alarm() -> None:
    model = Condition(Settings(warmup=WARMUP))
    run(model, healthy(6, 300))
    for start_s in (300.0 + 30 * 86_400.0, 10.0, 1e9, 0.0):
        assert episodes(run(model, healthy(6, 150, 3, start_s))) == 0


def test_a_restart_each_hour_changes_nothing() -> None:
    once, often = Condition(Settings(warmup=WARMUP)), Condition(Settings(warmup=WARMUP))
    for k, sample in enumerate(healthy(5, 900)):
        if k % 100 == 99:
            often = Condition.restore(json.loads(json.dumps(often.snapshot(), allow_nan=False)))
        assert run(once, [sample]) == run(often, [sample])


def test_another_rate_is_no_storm() -> None:
    model = Condition(Settings(warmup=WARMUP))
    run(model, healthy(6, 600))
    quick = [Sample(600.0 + 0.05 * k, s.values, s.info) for k, s in enumerate(healthy(6, 600, 4))]
    slow = [Sample(700.0 + 60.0 * k, s.values, s.info) for k, s in enumerate(healthy(6, 600, 5))]
    assert episodes(run(model, [*quick, *slow])) == 0


def test_a_warm_up_with_the_fault_in_it_says_that_it_may() -> None:
    def fault(k: int, values: dict[str, float]) -> dict[str, float]:
        return values | ({"c0": values["c0"] + 1.5} if k > WARMUP // 2 else {})

    model = Condition(Settings(warmup=WARMUP))
    run(model, changed(healthy(4, WARMUP + 5), fault))
    assert model.unsteady == ("c0",)
    sound = Condition(Settings(warmup=WARMUP))
    run(sound, healthy(4, WARMUP + 5))
    assert sound.unsteady == ()


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    features=st.integers(1, 12),
    missing=st.floats(0.0, 0.9),
    spike=st.floats(-1e30, 1e30, allow_nan=False),
)
def test_no_storm_from_gaps_and_spikes(*, seed: int, features: int, missing: float, spike: float) -> None:
    rng = np.random.default_rng(seed)

    def change(k: int, values: dict[str, float]) -> dict[str, float]:
        kept = {name: value for name, value in values.items() if rng.random() >= missing}
        return kept | ({"c0": spike} if k % 50 == 49 else {})

    model = Condition(Settings(warmup=80))
    verdicts = run(model, changed(healthy(features, 400, seed), change))
    assert episodes(verdicts) <= 2
    model.feedback(Word.RELEARN)
    run(model, healthy(features, 100, seed))
    json.dumps(model.snapshot(), allow_nan=False)
