"""From a machine's stored channels to what can be held against its goods: levels, time switched on, recovery after loading. Pure.

The store gives a channel as buckets of a minute or two with mean, lowest and highest. Of a channel that is switched (a current, a
power, a contact) more than its mean is in them: a bucket in which it was switched lies between both levels, and where its mean
lies between them is the share of time that it was on.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gateway.relation import Feature, Floats, History
from gateway.store.base import Chart

Bools: TypeAlias = NDArray[np.bool_]

TEMPERATURES = frozenset({"°C", "degC"})
SWITCHED = frozenset({"A", "mA", "W", "kW", ""})
"""Units of channels that may be switched: currents, powers, contacts."""
ON, OFF = 0.6, 0.4
"""Of the highest level: above the one it is on, below the other off."""
LEAST_SHARE = 0.02
"""Of the buckets: a channel that is on (or off) more seldom is not switched."""
MOST_BETWEEN = 0.1
"""Of the buckets: one that is in between more often has levels, not two of them."""
LONGEST_CYCLE_S = 7200.0
"""Of a thermostat: a longer one is the oven's pause."""
FALL_K = 8.0
"""A temperature that falls so far within `FALL_S` was loaded, or its door was open."""
FALL_S = 900.0
RECOVERS_S = 3600.0
"""What has not made up for half of its fall by then was switched off."""


def features(charts: Mapping[str, Chart], step_s: float) -> dict[Feature, History]:
    """Everything that can be told of these channels.

    | of a channel | features |
    |---|---|
    | switched | `duty`: percent of time on; `on_level`: its reading while on (none of a contact) |
    | temperature | `level`; `recovery`: minutes from the lowest reading after loading until half of the fall is made up |
    | anything else | `level` |

    Args:
        charts: by channel, oldest first, in buckets of `step_s`.
        step_s: width of a bucket, seconds.
    """
    found: dict[Feature, History] = {}
    for channel, chart in charts.items():
        times = np.asarray(chart.times_ns, dtype=np.int64)
        mean, low, high = (np.asarray(column, dtype=np.float64) for column in (chart.mean, chart.low, chart.high))
        if len(times) < 2:
            continue
        on = _on_share(mean, low, high) if chart.unit in SWITCHED else None
        if on is not None:
            found[Feature(channel, "duty")] = History("%", times, 100.0 * _by_cycles(times, on))
            whole = on >= 1.0
            if chart.unit:
                found[Feature(channel, "on_level")] = History(chart.unit, times[whole], mean[whole])
            continue
        found[Feature(channel)] = History(chart.unit, times, mean)
        if chart.unit in TEMPERATURES:
            ends, minutes = recoveries(times, mean, step_s)
            found[Feature(channel, "recovery")] = History("min", ends, minutes)
    return found


def recoveries(times_ns: NDArray[np.int64], values: Floats, step_s: float) -> tuple[NDArray[np.int64], Floats]:
    """When a temperature had made up for half of each fall, and how many minutes from its lowest reading that took.

    A fall from which it does not recover within `RECOVERS_S`, or that ends in another one, tells nothing.

    Args:
        times_ns: of the buckets, ascending; a gap ends whatever was under way.
        values: °C.
        step_s: width of a bucket, seconds.
    """
    back = max(round(FALL_S / step_s), 1)
    reach_ns, gap_ns = round(RECOVERS_S * 1e9), round(3.0 * step_s * 1e9)
    before = _highest_before(times_ns, values, step_s, back, gap_ns)
    fallen = before - values >= FALL_K
    edges = np.flatnonzero(np.diff(fallen.astype(np.int8), prepend=0, append=0))
    ends: list[int] = []
    minutes: list[float] = []
    for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        lowest = first + int(np.argmin(values[first:end]))
        wanted = values[lowest] + (before[lowest] - values[lowest]) / 2.0
        last = int(np.searchsorted(times_ns, times_ns[lowest] + reach_ns, side="right"))
        stretch = values[lowest:last]
        risen = np.flatnonzero(stretch >= wanted)
        if not len(risen):
            continue
        at = lowest + int(risen[0])
        steps = np.diff(times_ns[lowest : at + 1])
        # Lower than where it was lowest: the next load came before it had recovered from this one.
        if np.any(steps > gap_ns) or values[lowest:at].min(initial=values[lowest]) < values[lowest]:
            continue
        share = (wanted - values[at - 1]) / (values[at] - values[at - 1])
        took_ns = times_ns[at - 1] + share * (times_ns[at] - times_ns[at - 1]) - times_ns[lowest]
        ends.append(int(times_ns[at]))
        minutes.append(float(took_ns) / 60e9)
    return np.array(ends, dtype=np.int64), np.array(minutes)


def _highest_before(
    times_ns: NDArray[np.int64], values: Floats, step_s: float, back: int, gap_ns: int
) -> NDArray[np.float64]:
    """The highest reading of the last `back` steps up to each; what was before a gap is none of them."""
    if not len(values):
        return values
    apart = np.diff(times_ns)
    steps = np.where(apart > gap_ns, back + 1, np.maximum(np.rint(apart / (step_s * 1e9)), 1)).astype(np.int64)
    place = back + np.concatenate([[0], np.cumsum(steps)])
    spread = np.full(int(place[-1]) + 1, -np.inf)
    spread[place] = values
    highest: Floats = np.lib.stride_tricks.sliding_window_view(spread, back + 1)[place - back].max(axis=1)
    return highest


def _by_cycles(times_ns: NDArray[np.int64], on: Floats) -> Floats:
    """The share of time on of the whole cycle, from one switching on to the next, at each of its buckets.

    A window cuts cycles anywhere; the share within it would tell where. What is on or off for longer than `LONGEST_CYCLE_S` is no
    cycle and stays as it is.
    """
    begins = np.flatnonzero(np.diff((on >= 0.5).astype(np.int8), prepend=1) > 0)
    total = np.concatenate([[0.0], np.cumsum(on)])
    shares = on.copy()
    for first, end in pairwise(begins.tolist()):
        if times_ns[end] - times_ns[first] <= LONGEST_CYCLE_S * 1e9:
            shares[first:end] = (total[end] - total[first]) / (end - first)
    return shares


def _on_share(mean: Floats, low: Floats, high: Floats) -> Floats | None:
    """Share of each bucket in which the channel was on, 0 to 1; None of a channel that is not switched."""
    top, bottom = float(np.quantile(high, 0.95)), float(np.quantile(low, 0.05))
    if top <= 0.0 or bottom > OFF * top:
        return None
    on: Bools = low > ON * top
    off: Bools = high < OFF * top
    switched: Bools = (low < OFF * top) & (high > ON * top)
    if (~(on | off | switched)).mean() > MOST_BETWEEN:
        return None
    if (on | switched).mean() < LEAST_SHARE or (off | switched).mean() < LEAST_SHARE:
        return None
    between = (mean - low) / np.where(high > low, high - low, 1.0)
    share: Floats = np.where(on, 1.0, np.where(off, 0.0, np.where(switched, between, mean > (ON + OFF) / 2 * top)))
    return share
