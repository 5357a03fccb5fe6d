"""How often goods are related to an oven that had nothing to do with it, and how often to the one that had.

`python -m benchmarks.relation [--runs N] [--days N …] [--ovens NAME …] [--json]` makes bakeries by the hundred. In each the crust gets
darker on some day. In the rows `false` nothing of the oven has to do with it, and what the oven's twelve channels do by themselves is
made as misleading as ovens can be; every report is a false one. In the rows `right` an element's duty rises at the same moment.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from gateway.relation import BatchPoint, Feature, Floats, Goods, History, relate

HOUR_NS = 3_600_000_000_000
START_NS = 1_780_012_800_000_000_000
"""A midnight."""
STEP_S = 300
LONG = 20
"""Days of history from which on it is also asked again and again, as the gateway does."""
CHANNELS = 12
ASKED = 30
LOADS = 6
"""A day, from 4 o'clock on, 100 minutes apart."""
GOODS = Goods("roll", "lightness", "L*", 2.0)
DUTY = Feature("element_current", "duty")


class Days(NamedTuple):
    """When the oven is measured: hours since the start, one a reading, and how many days."""

    hours: Floats
    number: int


def wandering(rng: np.random.Generator, count: int, memory: float) -> Floats:
    """A first-order autoregressive series of deviation 1; each value keeps `memory` of the one before."""
    noise = rng.standard_normal(count) * np.sqrt(1.0 - memory**2)
    noise[0] = rng.standard_normal()
    values = np.empty(count)
    level = 0.0
    for index, new in enumerate(noise):
        level = memory * level + new
        values[index] = level
    return values


def _hourly(rng: np.random.Generator, days: Days, memory: float) -> Floats:
    return np.asarray(
        np.interp(days.hours, np.arange(24 * days.number + 1), wandering(rng, 24 * days.number + 1, memory))
    )


def steady(rng: np.random.Generator, days: Days, _: int) -> Floats:
    """Wanders with half a day's memory."""
    return _hourly(rng, days, 0.9)


def slow(rng: np.random.Generator, days: Days, _: int) -> Floats:
    """Wanders with more than a week's memory."""
    return _hourly(rng, days, 0.995)


def walk(rng: np.random.Generator, days: Days, _: int) -> Floats:
    """Never comes back."""
    steps = np.cumsum(rng.standard_normal(24 * days.number + 1)) / np.sqrt(24.0)
    return np.asarray(np.interp(days.hours, np.arange(len(steps)), steps))


def daily(rng: np.random.Generator, days: Days, _: int) -> Floats:
    """Every day has its own level."""
    levels = rng.standard_normal(days.number)[np.minimum(days.hours // 24, days.number - 1).astype(np.int64)]
    return np.asarray(levels + 0.3 * _hourly(rng, days, 0.9))


def rhythm(rng: np.random.Generator, days: Days, _: int) -> Floats:
    """Goes up and down with the hour of the day."""
    return np.asarray(np.sin(2 * np.pi * (days.hours / 24.0 + rng.random())) + 0.3 * _hourly(rng, days, 0.9))


def one_step(rng: np.random.Generator, days: Days, channel: int) -> Floats:
    """One channel changes far and for good, at a moment of its own."""
    return _hourly(rng, days, 0.9) + (_step(rng, days) if channel == 0 else 0.0)


def three_steps(rng: np.random.Generator, days: Days, channel: int) -> Floats:
    """Three channels do."""
    return _hourly(rng, days, 0.9) + (_step(rng, days) if channel < 3 else 0.0)


def all_step(rng: np.random.Generator, days: Days, _: int) -> Floats:
    """All do."""
    return _hourly(rng, days, 0.9) + _step(rng, days)


def _step(rng: np.random.Generator, days: Days) -> Floats:
    return np.asarray(rng.choice([-6.0, 6.0]) * (days.hours / 24.0 > rng.uniform(1.0, days.number - 1.0)))


Oven = Callable[[np.random.Generator, Days, int], Floats]
OVENS: Mapping[str, Oven] = {
    oven.__name__: oven for oven in (steady, slow, walk, daily, rhythm, one_step, three_steps, all_step)
}


def batches(rng: np.random.Generator, days: int, when: float, by: float, *, gradual: bool = False) -> list[BatchPoint]:
    """L* around 55 with a deviation of 1 from load to load and 0.7 from day to day; `by` darker from day `when` on.

    `gradual`: it gets there over three days, and wanders besides.
    """
    own = 0.7 * rng.standard_normal(days)
    apart = wandering(rng, days * LOADS, 0.95) if gradual else np.zeros(days * LOADS)
    made = []
    for load in range(days * LOADS):
        at = load // LOADS + (4.0 + 10.0 * (load % LOADS) / LOADS) / 24.0
        share = min(max((at - when) / 3.0, 0.0), 1.0) if gradual else float(at >= when)
        value = 55.0 + own[load // LOADS] + rng.standard_normal() + apart[load] - by * share
        made.append(BatchPoint(START_NS + round(at * 24 * HOUR_NS), value))
    return made


def machine(rng: np.random.Generator, count: int, oven: Oven) -> tuple[Days, dict[Feature, History]]:
    """An oven of that kind for so many days."""
    hours = np.arange(0.0, 24.0 * count, STEP_S / 3600.0)
    days = Days(hours, count)
    times = START_NS + np.round(hours * HOUR_NS).astype(np.int64)
    found = {}
    for channel in range(CHANNELS):
        values = oven(rng, days, channel) + 0.1 * rng.standard_normal(len(hours))
        found[Feature(f"channel_{channel}")] = History("A", times, values)
    return days, found


def false_reports(oven: Oven, *, days: int, runs: int, gradual: bool) -> int:
    """Of so many bakeries, those in which something is said."""
    told = 0
    for seed in range(runs):
        rng = np.random.default_rng([seed, days, gradual])
        _, histories = machine(rng, days, oven)
        goods = batches(rng, days, rng.uniform(1.5, days - 1.5), 6.0, gradual=gradual)
        told += relate(goods, histories, GOODS) is not None
    return told


def false_after_all(oven: Oven, *, days: int, runs: int) -> int:
    """Of so many bakeries, those in which something is said at last: asked with each of the 30 batches after the change."""
    told = 0
    for seed in range(runs):
        rng = np.random.default_rng([seed, days, 2])
        _, histories = machine(rng, days, oven)
        when = days - 5.0 - 2.0 * rng.random()
        goods = batches(rng, days, when, 6.0)
        before = sum(point.time_ns < START_NS + round(when * 24 * HOUR_NS) for point in goods)
        told += any(relate(goods[: before + more], histories, GOODS) is not None for more in range(1, ASKED + 1))
    return told


class Cause(NamedTuple):
    """A bakery whose element is the cause: what else its oven does, how much darker the crust gets, and how much later."""

    oven: Oven
    by: float = 6.0
    lag_h: float = 0.0


def right_reports(cause: Cause, *, days: int, runs: int) -> tuple[int, int]:
    """Of so many bakeries: those in which something is said, and the element first."""
    told = right = 0
    for seed in range(runs):
        rng = np.random.default_rng([seed, days])
        measured, histories = machine(rng, days, cause.oven)
        when = rng.uniform(1.5, days - 1.5)
        duty = 42.0 + 4.0 * rng.standard_normal(len(measured.hours)) + 14.0 * (measured.hours / 24.0 >= when)
        histories[DUTY] = History("%", next(iter(histories.values())).times_ns, duty)
        found = relate(batches(rng, days, when + cause.lag_h / 24.0, cause.by), histories, GOODS)
        told += found is not None
        right += found is not None and found.related[0].channel == DUTY.channel
    return told, right


CAUSES = (Cause(steady), Cause(steady, lag_h=0.5), Cause(steady, by=3.0), Cause(slow), Cause(daily))


def main() -> int:
    """Prints both tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.relation", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--runs", type=int, default=200, help="bakeries a row")
    parser.add_argument("--days", type=int, nargs="+", default=[10, 20], help="of history")
    parser.add_argument("--ovens", nargs="+", default=list(OVENS), choices=list(OVENS), help="of the first table")
    parser.add_argument("--json", action="store_true", help="only one JSON object")
    options = parser.parse_args()
    report: dict[str, list[Mapping[str, object]]] = {"false": [], "after_all": [], "right": []}
    for days in options.days:
        for name in options.ovens:
            for gradual in (False, True):
                told = false_reports(OVENS[name], days=days, runs=options.runs, gradual=gradual)
                report["false"].append(
                    {"days": days, "oven": name, "gradual": gradual, "told": told, "of": options.runs}
                )
                if not options.json:
                    print(_line("false", days, f"{name}, {'gradual' if gradual else 'at once'}", told, options.runs))
            if days >= LONG:
                runs = max(options.runs // 4, 1)
                told = false_after_all(OVENS[name], days=days, runs=runs)
                report["after_all"].append({"days": days, "oven": name, "told": told, "of": runs})
                if not options.json:
                    print(_line("false", days, f"{name}, asked {ASKED} times", told, runs))
        for cause in CAUSES:
            told, right = right_reports(cause, days=days, runs=options.runs)
            name = f"{cause.oven.__name__}, {cause.by:g} L*, {cause.lag_h:g} h later"
            report["right"].append({"days": days, "bakery": name, "told": told, "right": right, "of": options.runs})
            if not options.json:
                print(_line("right", days, name, right, options.runs))
    if options.json:
        print(json.dumps(report))
    return 0


def _line(table: str, days: int, name: str, count: int, runs: int) -> str:
    return f"{table}  {days:3} days  {name:30} {count:4} of {runs}  {100 * count / runs:5.1f} %"


if __name__ == "__main__":
    raise SystemExit(main())
