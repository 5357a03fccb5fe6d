"""What of an oven moved when its goods did: lagged correlations that can be defended. Pure: numbers in, numbers out.

Batches of one product are held against what their machine measured shortly before they were taken out. Everything wanders on a
machine, so any two slow series correlate. These rules keep an answer honest:

- the goods must have changed at all (Pettitt, A non-parametric approach to the change-point problem, Applied Statistics 1979), by a
  stated least effect, and the interval of that change must not reach back to zero (Hodges and Lehmann, Estimates of location
  based on rank tests, 1963);
- a correlation counts by how seldom chance does as well, and chance is always the *strongest* over all features and lags
  (max-T: Westfall and Young, Resampling-based multiple testing, 1993), so looking at many features finds nothing by itself;
- chance is tried in three ways, and the one that does best decides: the goods' series turned around against the machine's (what is
  slow stays slow); their change put to every other moment (two things that step once in a while); their days dealt out anew (a day
  has its flour, its weather and its people, and both goods and oven know it);
- fewer than `LEAST_BATCHES` batches or `LEAST_DAYS` days say nothing.

How often it is wrong all the same is measured by `python -m benchmarks.relation`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gateway.related import Aspect, Measure, Moved, Related, Relation

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

LEAST_BATCHES = 32
"""With n batches there are n - 11 moments for a change, so no significance below 1/(n - 10) can be told."""
MOST_BATCHES = 360
"""The latest. How seldom something happens is known from all of them, how strong it is from those around the change."""
LEAST_DAYS = 5
"""With fewer there are too few ways to deal them out."""
LEAST_DAYS_SINCE = 2
"""One odd day has its own flour, weather and people, and goods and oven both know it."""
LEAST_SIDE = 6
"""Batches before and after a change, at least."""
LEAST_CORRELATION = 0.6
SIGNIFICANCE = 0.05
"""Chance that a report is due to nothing at all, over all features and lags together."""
PRESENT = 0.8
"""A feature must be known for this share of the batches."""
LAGS_S = (0.0, 1800.0, 3600.0)
"""How long before a batch came out the machine is looked at; an oven's mass answers within the hour."""
WINDOW_S = 3600.0
"""A feature counts with its mean over so long before that: several turns of a thermostat, and the load from door to door."""
MOST_RELATED = 3
_AS_STRONG = 0.05
"""A longer lag is told only where its correlation is stronger by more."""
_DEALS = 400
_REST_S = 3 * 3600.0
_LONGEST_DAY_S = 18 * 3600.0
"""Batches belong to one day until nothing came out for `_REST_S`, or for as long as this."""
_LONGEST_REST_S = 12 * 3600.0
"""A longer rest counts as this: what is switched off does not wear."""
_NORMAL_95 = 1.959964
"""97.5 % quantile of the normal distribution, for two-sided intervals at 95 %."""


class BatchPoint(NamedTuple):
    """One batch: when it was taken out, and the measure of its goods, for instance the mean L* of its crusts."""

    time_ns: int
    value: float


class Feature(NamedTuple):
    """What a history is of."""

    channel: str
    aspect: Aspect = "level"


class History(NamedTuple):
    """One feature of the machine: times in nanoseconds, ascending, and values."""

    unit: str
    times_ns: Ints
    values: Floats


class Goods(NamedTuple):
    """What the batches' values are, and the smallest change of them worth telling, in their unit."""

    product: str
    measure: Measure
    unit: str
    least_effect: float


def relate(batches: Sequence[BatchPoint], machine: Mapping[Feature, History], goods: Goods) -> Relation | None:
    """What moved on the machine when its goods changed, or None where nothing can be defended.

    Args:
        batches: of one product and oven; sorted here by time. Values that are no numbers are left out.
        machine: its features.
        goods: what the batches' values are.
    """
    points = sorted(batch for batch in batches if math.isfinite(batch.value))[-MOST_BATCHES:]
    times = np.array([point.time_ns for point in points], dtype=np.int64)
    values = np.array([point.value for point in points])
    day = _days(times)
    if len(points) < LEAST_BATCHES or day[-1] + 1 < LEAST_DAYS:
        return None
    start, cut = _recent(values, goods.least_effect)
    names, lags, table = _columns(times, machine)
    if cut is None or not names or day[-1] - day[start + cut] + 1 < LEAST_DAYS_SINCE:
        return None
    significance = _significance(values, times, start + cut, table)
    recent, near = values[start:], table[start:]
    correlation = _standardised(near).T @ _standardised(recent[:, None])[:, 0]
    related: dict[Feature, Related] = {}
    for index in _strongest(names, lags, correlation):
        strength = float(correlation[index])
        if abs(strength) < LEAST_CORRELATION or significance[index] > SIGNIFICANCE:
            continue
        own = moved_at(near[:, index], cut)
        if own.low <= 0.0 <= own.high:
            continue
        low, high = correlation_interval(strength, recent, near[:, index], cut)
        if low <= 0.0 <= high:
            continue
        related[names[index]] = Related(
            channel=names[index].channel,
            aspect=names[index].aspect,
            unit=machine[names[index]].unit,
            lag_s=lags[index],
            correlation=strength,
            low=low,
            high=high,
            significance=float(significance[index]),
            moved=own,
        )
    if not related:
        return None
    return Relation(
        product=goods.product,
        measure=goods.measure,
        unit=goods.unit,
        since_ns=int(times[start + cut]),
        moved=moved_at(recent, cut),
        batches=len(values),
        related=list(related.values())[:MOST_RELATED],
    )


def cut_of(values: Floats) -> int | None:
    """Where a series is best split into before and after; None where no split is worth one at `SIGNIFICANCE`.

    The split of the largest standardised rank sum; whether there is one at all by Pettitt's statistic,
    p = 2 exp(-6 K² / (n³ + n²)).
    """
    count = len(values)
    if count < 2 * LEAST_SIDE:
        return None
    cuts = np.arange(LEAST_SIDE, count - LEAST_SIDE + 1)
    sums = np.cumsum(_ranks(values))[cuts - 1] - cuts * (count + 1) / 2.0
    spread = np.sqrt(cuts * (count - cuts) * (count + 1) / 12.0)
    best = int(np.argmax(np.abs(sums) / spread))
    # K is twice the rank sum's departure, at its largest.
    largest = 2.0 * float(np.abs(sums).max())
    chance = 2.0 * math.exp(-6.0 * largest**2 / (count**3 + count**2))
    return int(cuts[best]) if chance <= SIGNIFICANCE else None


def moved_at(values: Floats, cut: int) -> Moved:
    """Medians before and after a split, with the interval of their Hodges-Lehmann difference; values that are NaN are left out."""
    before, after = (part[np.isfinite(part)] for part in (values[:cut], values[cut:]))
    if not len(before) or not len(after):
        return Moved(before=math.nan, after=math.nan, low=0.0, high=0.0)
    differences = np.sort((after[:, None] - before[None, :]).ravel())
    pairs = len(differences)
    margin = _NORMAL_95 * math.sqrt(pairs * (len(before) + len(after) + 1) / 12.0)
    low = max(math.floor(pairs / 2.0 - margin), 0)
    return Moved(
        before=float(np.median(before)),
        after=float(np.median(after)),
        low=float(differences[low]),
        high=float(differences[pairs - 1 - low]),
    )


def correlation_interval(correlation: float, first: Floats, second: Floats, cut: int) -> tuple[float, float]:
    """Interval of a correlation at 95 %, by Fisher's transformation with the variance 1 / (n - 3).

    What follows on itself counts less: n is divided by 1 + 2 Σ r₁(k) r₂(k) of what is left of both series once the change at
    `cut` is taken out (Bartlett, On the theoretical specification of the autocorrelation properties of time series, 1946).
    """
    own, other = (_left(series, cut) for series in (first, second))
    count = len(first)
    echo = sum(_echo(own, k) * _echo(other, k) for k in range(1, count // 4))
    effective = min(count / max(1.0 + 2.0 * echo, 1.0), float(count))
    transformed = math.atanh(min(max(correlation, -0.999999), 0.999999))
    reach = _NORMAL_95 / math.sqrt(max(effective - 3.0, 1.0))
    return math.tanh(transformed - reach), math.tanh(transformed + reach)


def _recent(values: Floats, least_effect: float) -> tuple[int, int | None]:
    """The latest change: where the stretch begins that shows it, and where in that it is; None without one.

    Of the stretches that end now and double in length the shortest counts: a change of yesterday is nothing in six weeks.
    """
    length = LEAST_BATCHES
    while True:
        start = max(len(values) - length, 0)
        cut = cut_of(values[start:])
        if cut is not None:
            moved = moved_at(values[start:], cut)
            if abs(moved.after - moved.before) >= least_effect and not moved.low <= 0.0 <= moved.high:
                return start, cut
        if start == 0:
            return 0, None
        length *= 2


def _significance(values: Floats, times_ns: Ints, cut: int, table: Floats) -> Floats:
    """For each column of `table` (batches, columns) the chance that any of them does as well by accident."""
    columns = _standardised(table)
    correlation = columns.T @ _standardised(values[:, None])[:, 0]
    tried = (
        _turned(values, columns, correlation),
        _elsewhere(values, times_ns, cut, columns, correlation),
        _by_the_day(values, _days(times_ns), table),
    )
    return np.asarray(np.maximum.reduce(tried), dtype=np.float64)


def _turned(values: Floats, columns: Floats, correlation: Floats) -> Floats:
    """For each column how often something is as strong when the goods' series is turned around."""
    own = _standardised(values[:, None])[:, 0]
    turned = np.array([np.roll(own, by) for by in range(1, len(values))])
    strongest = np.abs(turned @ columns).max(axis=1)
    return _chance(strongest, np.ones(len(strongest)), 1.0, correlation)


def _elsewhere(values: Floats, times_ns: Ints, cut: int, columns: Floats, correlation: Floats) -> Floats:
    """For each column how often something is as strong when the goods change, as they did, at another moment.

    A moment counts by the time between its two batches: after a night more can have happened than between two loads.
    """
    count = len(values)
    cuts = np.arange(LEAST_SIDE, count - LEAST_SIDE + 1)
    weights = np.minimum(np.diff(times_ns)[cuts - 1] / 1e9, _LONGEST_REST_S)
    other = cuts != cut
    moved = np.array([_shifted(values, cut, int(at)) for at in cuts[other]])
    strongest = np.abs(_standardised(moved.T).T @ columns).max(axis=1)
    return _chance(strongest, weights[other], float(weights[~other].sum()), correlation)


def _shifted(values: Floats, cut: int, to: int) -> Floats:
    """The series with its change at `to` instead of `cut`; what is missing at an end is more of what was there."""
    count, by = len(values), to - cut
    if by > 0:
        first = values[: max(cut // 2, 1)]
        return np.concatenate([np.resize(first, by)[::-1], values[: count - by]])
    last = values[cut + (count - cut) // 2 :]
    return np.concatenate([values[-by:], np.resize(last[::-1], -by)])


def _by_the_day(values: Floats, day: Ints, table: Floats) -> Floats:
    """For each column how often something is as strong between the days' means when the goods' days are dealt out anew."""
    days = int(day[-1]) + 1
    own: Floats = np.bincount(day, values, days) / np.bincount(day, minlength=days)
    known = np.isfinite(table)
    counts = np.array([np.bincount(day, column, days) for column in known.T]).T
    sums = np.array([np.bincount(day, column, days) for column in np.where(known, table, 0.0).T]).T
    columns = _standardised(np.where(counts > 0, sums / np.maximum(counts, 1), np.nan))
    level = _standardised(own[:, None])[:, 0]
    deals = np.random.default_rng(days)  # the same batches always give the same answer
    dealt = np.array([deals.permutation(level) for _ in range(_DEALS)])
    strongest = np.abs(dealt @ columns).max(axis=1)
    return _chance(strongest, np.ones(len(strongest)), 1.0, columns.T @ level)


def _chance(strongest: Floats, weights: Floats, own: float, correlation: Floats) -> Floats:
    """Share by weight of the accidents that are as strong as each correlation; what was seen counts among them with weight `own`."""
    order = np.argsort(strongest)
    above = np.concatenate([np.cumsum(weights[order][::-1])[::-1], [0.0]])
    place = np.searchsorted(strongest[order], np.abs(correlation) - 1e-12)
    return np.asarray((own + above[place]) / (own + weights.sum()), dtype=np.float64)


def _strongest(names: Sequence[Feature], lags: Sequence[float], correlation: Floats) -> list[int]:
    """One column a feature, the strongest feature first: of its lags the shortest that is about as strong as any."""
    best: dict[Feature, list[int]] = {}
    for index in range(len(names)):
        best.setdefault(names[index], []).append(index)
    chosen = []
    for indices in best.values():
        most = max(abs(correlation[index]) for index in indices)
        strong = [index for index in indices if abs(correlation[index]) >= most - _AS_STRONG]
        chosen.append(min(strong, key=lambda index: lags[index]))
    return sorted(chosen, key=lambda index: -abs(correlation[index]))


def _days(times_ns: Ints) -> Ints:
    """The number of each batch's working day, from 0."""
    day, began = 0, 0
    numbers = np.zeros(len(times_ns), dtype=np.int64)
    for index in range(1, len(times_ns)):
        rest_s = (times_ns[index] - times_ns[index - 1]) / 1e9
        if rest_s > _REST_S or (times_ns[index] - times_ns[began]) / 1e9 > _LONGEST_DAY_S:
            day, began = day + 1, index
        numbers[index] = day
    return numbers


def _columns(times_ns: Ints, machine: Mapping[Feature, History]) -> tuple[list[Feature], list[float], Floats]:
    names: list[Feature] = []
    lags: list[float] = []
    columns: list[Floats] = []
    for name, history in machine.items():
        for lag_s in LAGS_S:
            column = _means(times_ns - round(lag_s * 1e9), history, round(WINDOW_S * 1e9))
            known = np.isfinite(column)
            if known.mean() >= PRESENT and np.ptp(column[known]) > 0.0:
                names.append(name)
                lags.append(lag_s)
                columns.append(column)
    return names, lags, np.array(columns).T


def _means(ends_ns: Ints, history: History, window_ns: int) -> Floats:
    """Mean of the feature in the window before each moment; NaN where nothing was measured in it."""
    finite = np.isfinite(history.values)
    times, values = history.times_ns[finite], history.values[finite]
    total = np.concatenate([[0.0], np.cumsum(values)])
    first = np.searchsorted(times, ends_ns - window_ns, side="left")
    last = np.searchsorted(times, ends_ns, side="right")
    count = last - first
    means: Floats = np.where(count > 0, (total[last] - total[first]) / np.maximum(count, 1), np.nan)
    return means


def _standardised(table: Floats) -> Floats:
    """Columns with mean 0 and length 1. What is unknown is 0; single values far out are drawn in.

    Far out is beyond the range between the 5 % and 95 % quantiles by more than that range: ranks would do the same, but they
    keep a change of a few batches from ever being strong.
    """
    ordered = np.sort(table, axis=0)  # what is unknown comes last
    last = np.isfinite(table).sum(axis=0) - 1
    low, high = (
        np.take_along_axis(ordered, np.maximum(np.rint(share * last), 0).astype(np.int64)[None], axis=0)[0]
        for share in (0.05, 0.95)
    )
    reach = high - low
    # Where nearly all values are the same there is no such range, and all of them count.
    reach[reach == 0.0] = np.inf
    drawn = np.clip(table, low - reach, high + reach)
    drawn = drawn - np.nanmean(drawn, axis=0)
    drawn = np.where(np.isfinite(drawn), drawn, 0.0)
    length = np.sqrt((drawn * drawn).sum(axis=0))
    standardised: Floats = drawn / np.where(length > 0, length, 1.0)
    return standardised


def _left(values: Floats, cut: int) -> Floats:
    """What is left of a series once the levels before and after a split are taken out; 0 where unknown."""
    levels = np.concatenate(
        [np.full(cut, np.nanmedian(values[:cut])), np.full(len(values) - cut, np.nanmedian(values[cut:]))]
    )
    left: Floats = np.nan_to_num(values - levels, nan=0.0)
    return left


def _echo(values: Floats, lag: int) -> float:
    """Autocorrelation."""
    power = float(values @ values)
    return float(values[lag:] @ values[:-lag]) / power if power > 0.0 else 0.0


def _ranks(values: Floats) -> Floats:
    """Ranks from 1, equal values sharing their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    shared: Floats = (last - (counts - 1) / 2.0)[inverse]
    return shared
