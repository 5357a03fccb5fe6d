"""How long: simulated scores that grow, and scores that do not. Nothing of them was used to choose a constant but their kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from benchmarks.condition.row import Bench, Floor, Row
from models.condition.contract import Prognosis
from models.condition.prognosis import CONFIDENCE
from models.condition.trend import Trends

Floats = NDArray[np.float64]
STEP_S = 10.0
DAY_S = 86_400.0
COURSES: Mapping[str, Callable[[Floats], Floats]] = {
    "straight": lambda share: share,
    "power 1.5": lambda share: share**1.5,
    "square": lambda share: share**2,
    "exponential": lambda share: np.expm1(2.0 * share) / np.expm1(2.0),
}
LASTING_S = (3 * 3600.0, DAY_S, 5 * DAY_S)
"""From the onset to the limit."""
SEEDS, FULL_SEEDS = 4, 20
EVERY = 30
"""Of the statements one in so many samples is counted: what is said holds for a while."""
ENOUGH = (
    Floor("held %", 100 * CONFIDENCE - 10),
    Floor("held %", 98, at_least=False),
    Floor("foreseen %", 80),
)
QUIET = (Floor("false a month", 1, at_least=False),)


def growth(bench: Bench) -> Row:
    """Four courses over hours and days, with noise as a smoothed score has it, after as long a time at rest."""
    held: list[bool] = []
    first: list[float] = []
    wide: list[float] = []
    count = 0
    for course in COURSES.values():
        for lasting_s in LASTING_S:
            for seed in range(FULL_SEEDS if bench.full else SEEDS):
                rng = np.random.default_rng([seed, round(lasting_s)])
                rest_s = lasting_s * rng.uniform(0.3, 1.5)
                share = np.clip((np.arange(0, rest_s + lasting_s, STEP_S) - rest_s) / lasting_s, 0.0, None)
                base = rng.uniform(0.2, 0.5)
                levels = base + (1 - base) * course(share) + 0.05 * noise(rng, len(share))
                end = int(np.argmax(levels >= 1.0)) or len(levels)
                said = [(k, one) for k, one in enumerate(stated(levels[:end])) if one is not None]
                count += 1
                if said:
                    first.append(float(share[said[0][0]]))
                for k, one in said[::EVERY]:
                    left_s = (len(share) - k) * STEP_S
                    held.append(one.low_s <= left_s <= one.high_s)
                    wide.append(one.high_s / max(one.low_s, STEP_S))
    return Row(
        f"{count} simulated growths over 3 hours to 5 days, straight, power 1.5, square and exponential",
        {
            "held %": round(100 * float(np.mean(held)), 1),
            "foreseen %": round(100 * len(first) / count, 1),
            "first at % of the way": round(100 * float(np.median(first))),
            "end over beginning, median": round(float(np.median(wide)), 2),
            "statements": len(held),
        },
        ENOUGH,
        notes=(f"stated confidence {CONFIDENCE:.0%}; the way is from the onset to the limit",),
    )


def silence(bench: Bench) -> Row:
    """A month at rest, with the ups and downs of a day, with batches of an hour, and with jumps to another level."""
    months = 4 if bench.full else 1
    index = np.arange(0, 30 * DAY_S, STEP_S)
    told = 0
    for seed in range(months):
        rng = np.random.default_rng(seed)
        jumps = np.repeat(rng.uniform(0.25, 0.6, 60), -(-len(index) // 60))[: len(index)]
        for levels in (
            np.full(len(index), 0.4),
            0.45 + 0.2 * np.sin(2 * math.pi * index / DAY_S),
            0.4 + 0.15 * np.sign(np.sin(2 * math.pi * index / 3600.0)),
            jumps,
        ):
            said = [one is not None for one in stated(levels + 0.08 * noise(rng, len(index)))]
            told += sum(now and not before for before, now in zip([False, *said], said, strict=False))
    return Row(
        f"{4 * months} simulated months of a score that does not grow: steady, daily and hourly cycles, two jumps a day",
        {"false a month": round(told / (4 * months), 2), "samples": 4 * months * len(index)},
        QUIET,
    )


def noise(rng: np.random.Generator, count: int, correlation: float = 0.9) -> Floats:
    """First-order autoregressive noise of deviation 1: a smoothed score remembers about ten samples."""
    fresh = (math.sqrt(1 - correlation**2) * rng.standard_normal(count)).tolist()
    values, last = [], 0.0
    for step in fresh:
        last = correlation * last + step
        values.append(last)
    return np.array(values)


def stated(levels: Floats) -> Iterator[Prognosis | None]:
    """What is said after each of these scores."""
    trends = Trends()
    for k, level in enumerate(np.abs(levels).tolist()):
        yield trends.observe(k * STEP_S, "on", level, alarm=False)
