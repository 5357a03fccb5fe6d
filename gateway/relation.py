"""What of an oven moved when its goods did: lagged rank correlations that can be defended. Pure: numbers in, numbers out.

Batches of one product are held against what their machine measured shortly before they were taken out. Everything wanders on a
machine, so any two slow series correlate; three rules keep an answer honest:

- the significance of the strongest correlation comes from shifting the goods' series around against the machine's
  (circular shifts keep what each series is like in itself), and always from the largest over *all* features and lags
  (max-T: Westfall and Young, Resampling-based multiple testing, 1993), so looking at many features finds nothing by itself;
- the goods must have changed by a stated least effect, and the interval of that change must not reach back to zero
  (Hodges and Lehmann, Estimates of location based on rank tests, 1963);
- fewer than `LEAST_BATCHES` batches say nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

LEAST_BATCHES = 24
"""With n batches there are n - 1 shifts, so no significance below 1/n can be told."""
LEAST_SIDE = 6
"""Batches before and after a change, at least."""
LEAST_CORRELATION = 0.6
SIGNIFICANCE = 0.05
"""Chance that a report is due to nothing at all, over all features and lags together."""
CONFIDENCE = 0.95
PRESENT = 0.8
"""A feature must be known for this share of the batches."""
LAGS_S = (0.0, 900.0, 1800.0, 3600.0)
"""How long before a batch came out the machine is looked at; an oven's mass answers within the hour."""


class BatchPoint(NamedTuple):
    """One batch: when it was taken out, and the measure of its goods, for instance the mean L* of its crusts."""

    time_ns: int
    value: float


class History(NamedTuple):
    """One feature of the machine: times in nanoseconds, ascending, and values."""

    unit: str
    times_ns: NDArray[np.int64]
    values: Floats


class Change(NamedTuple):
    """The goods' change: when, from and to what, and the interval of the difference."""

    since_ns: int
    before: float
    after: float
    low: float
    high: float


class Related(NamedTuple):
    """One feature that moved with the goods."""

    feature: str
    unit: str
    lag_s: float
    correlation: float
    """Spearman's rank correlation, signed."""
    low: float
    high: float
    """Its interval at `CONFIDENCE` (Fisher's transformation with Fieller's variance for ranks)."""
    significance: float
    """Chance of a correlation as strong anywhere, if nothing were related."""
    before: float
    after: float
    """The feature's median in the batches before and after the goods' change."""


class Relation(NamedTuple):
    """What is told: the change of the goods and what moved with it, strongest first."""

    change: Change
    related: tuple[Related, ...]
    batches: int


def relate(
    batches: Sequence[BatchPoint],
    machine: Mapping[str, History],
    *,
    least_effect: float,
    window_s: float = 1200.0,
    lags_s: Sequence[float] = LAGS_S,
) -> Relation | None:
    """What moved on the machine when its goods changed, or None where nothing can be defended.

    Args:
        batches: of one product and oven; sorted here by time. Values that are no numbers are left out.
        machine: its features by name.
        least_effect: the smallest change of the goods worth telling, in the unit of the batches' values.
        window_s: a feature counts with its mean over so long before a batch (and its lag), in seconds.
        lags_s: lags tried, in seconds.
    """
    points = sorted(batch for batch in batches if math.isfinite(batch.value))
    if len(points) < LEAST_BATCHES:
        return None
    times = np.array([point.time_ns for point in points], dtype=np.int64)
    goods = np.array([point.value for point in points])
    change = change_of(times, goods)
    if change is None or abs(change.after - change.before) < least_effect or change.low <= 0.0 <= change.high:
        return None
    names, lags, columns = _columns(times, machine, window_s, lags_s)
    if not names:
        return None
    table = np.array(columns).T
    ranked = _standardised(table)
    own = _standardised(goods[:, None])[:, 0]
    correlation = ranked.T @ own
    shifted = np.array([np.roll(own, by) for by in range(1, len(own))])
    largest = np.abs(shifted @ ranked).max(axis=1)
    after = times >= change.since_ns
    best: dict[str, Related] = {}
    for index in np.argsort(-np.abs(correlation)).tolist():
        strength = float(correlation[index])
        significance = (1.0 + float((largest >= abs(strength)).sum())) / len(own)
        if abs(strength) < LEAST_CORRELATION or significance > SIGNIFICANCE:
            break
        name = names[index]
        if name in best:
            continue
        low, high = rank_interval(strength, len(own))
        column = table[:, index]
        best[name] = Related(
            name,
            machine[name].unit,
            lags[index],
            strength,
            low,
            high,
            significance,
            float(np.nanmedian(column[~after])),
            float(np.nanmedian(column[after])),
        )
    return Relation(change, tuple(best.values()), len(own)) if best else None


def change_of(times_ns: NDArray[np.int64], values: Floats) -> Change | None:
    """The best split of a series into before and after, with the Hodges-Lehmann difference and its interval.

    The split is that of the largest standardised rank sum (Pettitt, A non-parametric approach to the change-point
    problem, Applied Statistics 1979).
    """
    count = len(values)
    if count < 2 * LEAST_SIDE:
        return None
    ranks = _ranks(values)
    cuts = np.arange(LEAST_SIDE, count - LEAST_SIDE + 1)
    sums = np.cumsum(ranks)[cuts - 1]
    spread = np.sqrt(cuts * (count - cuts) * (count + 1) / 12.0)
    z = (sums - cuts * (count + 1) / 2.0) / spread
    cut = int(cuts[int(np.argmax(np.abs(z)))])
    before, after = values[:cut], values[cut:]
    differences = np.sort((after[:, None] - before[None, :]).ravel())
    pairs = len(differences)
    margin = _NORMAL_95 * math.sqrt(cut * (count - cut) * (count + 1) / 12.0)
    low = max(math.floor(pairs / 2.0 - margin), 0)
    return Change(
        int(times_ns[cut]),
        float(np.median(before)),
        float(np.median(after)),
        float(differences[low]),
        float(differences[pairs - 1 - low]),
    )


_NORMAL_95 = 1.959964
"""97.5 % quantile of the normal distribution, for two-sided intervals at `CONFIDENCE`."""


def rank_interval(correlation: float, count: int) -> tuple[float, float]:
    """Interval of Spearman's correlation at `CONFIDENCE`.

    By Fisher's transformation with the variance 1.06 / (n - 3) (Fieller, Hartley and Pearson, Tests for rank correlation
    coefficients, Biometrika 1957).

    >>> [round(bound, 2) for bound in rank_interval(0.8, 40)]
    [0.65, 0.89]
    """
    transformed = math.atanh(min(max(correlation, -0.999999), 0.999999))
    reach = _NORMAL_95 * math.sqrt(1.06 / max(count - 3, 1))
    return math.tanh(transformed - reach), math.tanh(transformed + reach)


def _columns(
    times_ns: NDArray[np.int64], machine: Mapping[str, History], window_s: float, lags_s: Sequence[float]
) -> tuple[list[str], list[float], list[Floats]]:
    names: list[str] = []
    lags: list[float] = []
    columns: list[Floats] = []
    for name, history in machine.items():
        for lag_s in lags_s:
            column = _means(times_ns - round(lag_s * 1e9), history, round(window_s * 1e9))
            known = np.isfinite(column)
            if known.mean() >= PRESENT and np.ptp(column[known]) > 0.0:
                names.append(name)
                lags.append(lag_s)
                columns.append(column)
    return names, lags, columns


def _means(ends_ns: NDArray[np.int64], history: History, window_ns: int) -> Floats:
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
    """Ranks of each column with mean 0 and length 1; what is unknown has the middle rank."""
    ranks = np.empty_like(table)
    for index, column in enumerate(table.T):
        known = np.isfinite(column)
        ranks[:, index] = (known.sum() + 1) / 2.0
        ranks[known, index] = _ranks(column[known])
    ranks -= ranks.mean(axis=0)
    length = np.sqrt((ranks * ranks).sum(axis=0))
    standardised: Floats = ranks / np.where(length > 0, length, 1.0)
    return standardised


def _ranks(values: Floats) -> Floats:
    """Ranks from 1, equal values sharing their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    shared: Floats = (last - (counts - 1) / 2.0)[inverse]
    return shared
