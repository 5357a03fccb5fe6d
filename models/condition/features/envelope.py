"""The envelope: how strongly and in which rhythm a machine knocks.

The second difference of an acceleration weighs a frequency by its square, so the ringing that a knock excites stands out from the
shaft's own slow shaking, however strong, without a band having to be chosen. Its mean square over a few samples is the squared
envelope, and the root of that the envelope: one hard knock does not drown the rhythm of many. Every axis counts the same.

The spectrum of it is a *depth of modulation*: 0.5 at a frequency means that the envelope swings by half of its mean in that rhythm.
Noise has a few percent. Lines between the shaft's own multiples come from rolling bearings alone (Randall and Antoni, Rolling element
bearing diagnostics: a tutorial, MSSP 25, 2011): they roll, and slip a little, while everything else turns with the shaft.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from models.condition.features.spectrum import Floats, near

HARMONICS = 3
"""How many harmonics of a bearing's frequency are looked at."""
RACE_ORDERS = (2.3, 13.0)
"""Where the rings' frequencies lie, in multiples of the running speed: 7 to 22 balls of usual proportions."""
CAGE_ORDERS = (0.33, 0.46)
"""Where the cage's lies: half the running speed, less the ratio of ball to pitch diameter (0.1 to 0.33)."""
RESOLVED = 30.0
"""Revolutions in a window from which the shaft's own multiples can be told from what lies beside them."""
LEAST_REVOLUTIONS = 2.5
QUIET = 0.08
"""A depth that noise reaches as well."""
_SYNCHRONOUS_LINES = 1.2
_SYNCHRONOUS_SHARE = 0.015
_RATE_HZ = 1600.0


class EnvelopePlan(NamedTuple):
    """What is fixed for one length, rate and running speed."""

    told: tuple[str, ...]
    """Features: what `ratios` tells, then line and shaft where `knocks` tells anything."""
    lines: Floats
    """(1 + ratios, lines of the spectrum): the mean of the spectrum, then that of the harmonics of each line that is watched."""
    races: slice
    """Lines at which a ring's frequency may be; empty while the running speed is unknown or too slow for the window."""
    apart: Floats | None
    """Of these lines 0 at the shaft's own multiples and 1 elsewhere; None where a window is too short to tell them apart."""
    order: float
    """The running speed, in lines."""
    once: int
    twice: int
    """The lines nearest to it and to twice of it."""
    cage: tuple[int, ...]
    """Where once and twice the cage's speed begin and end; empty where a window is too short to tell them from the shaft's."""


def decimation(samples: int, rate_hz: float) -> int:
    """By how much an envelope's rate is lowered, to 1600 Hz or some more: what bearings of fast shafts need.

    Where there is one, it divides the length.

    >>> decimation(2000, 20_000), decimation(3200, 3200), decimation(667, 6667)
    (10, 2, 4)
    """
    return _divisor(samples, max(min(int(rate_hz / _RATE_HZ), samples // 16), 1))


@lru_cache(maxsize=256)
def _divisor(samples: int, most: int) -> int:
    return next((factor for factor in range(most, most // 2, -1) if samples % factor == 0), most)


def envelope(wave: Floats, factor: int) -> Floats:
    """Envelope of (axes, n), (n / factor,) rounded down.

    Every axis counts the same; one in which nothing moves does not count.
    """
    axes, samples = wave.shape
    # One contiguous row is half as dear as three; what runs over from one axis into the next is taken out. The first and the last
    # sample have one neighbour only: nothing there does less harm than a guess.
    energy = np.empty((axes, samples))
    flat, bent = wave.reshape(-1), energy.reshape(-1)
    inner = bent[1:-1]
    np.add(flat[1:-1], flat[1:-1], out=inner)
    inner -= flat[:-2]
    inner -= flat[2:]
    energy[:, :: samples - 1] = 0.0
    means = np.vecdot(energy, energy).tolist()
    bent *= bent
    whole: Floats = np.array([samples / mean if mean > 0 else 0.0 for mean in means]).dot(energy)
    if factor > 1:
        whole = np.add.reduce(whole[: samples - samples % factor].reshape(-1, factor), axis=1)
    np.sqrt(whole, out=whole)
    return whole


def envelope_plan(samples: int, rate_hz: float, speed_hz: float | None, lines: dict[str, float]) -> EnvelopePlan:
    """The plan for an envelope of that length; `lines` are frequencies in Hz to watch, by name."""
    step_hz = rate_hz / samples
    frequency = np.arange(samples // 2 + 1) * step_hz
    names: list[str] = []
    rows: list[Floats] = []
    for name, line_hz in lines.items():
        if line_hz > 2.5 * step_hz and line_hz < frequency[-1]:
            chosen = near(frequency, [line_hz * k for k in range(1, HARMONICS + 1)], step_hz, lobe=1)
            names.append(f"envelope_{name}")
            rows.append(chosen / max(chosen.sum(), 1.0))
    top = max(frequency[-1] * 0.5, 8 * step_hz)
    background = ((frequency > 1.5 * step_hz) & (frequency <= top)).astype(np.float64)
    order = (speed_hz or 0.0) / step_hz
    races, apart = slice(0, 0), None
    if order >= LEAST_REVOLUTIONS:
        first, last = math.ceil(RACE_ORDERS[0] * order), math.floor(RACE_ORDERS[1] * order)
        races = slice(first, max(min(last + 1, len(frequency)), first))
        if order >= RESOLVED:
            turns = np.arange(races.start, races.stop) / order
            least = max(_SYNCHRONOUS_LINES / order, _SYNCHRONOUS_SHARE)
            apart = (np.abs(turns - np.round(turns)) > least).astype(np.float64)
    ends = tuple(round(k * end * order) for k in (1, 2) for end in CAGE_ORDERS) if order >= RESOLVED else ()
    return EnvelopePlan(
        (*names, "envelope_line", "envelope_shaft") if races.stop > races.start else tuple(names),
        np.array([background / max(background.sum(), 1.0), *rows]),
        races,
        apart,
        order,
        round(order),
        round(2 * order),
        ends,
    )


def spectrum_of(whole: Floats, window: Floats) -> Floats:
    """Amplitude at each line of a windowed envelope's spectrum, not scaled."""
    return np.abs(np.fft.rfft(whole * window))


def depths(amplitude: Floats) -> Floats:
    """Depth of modulation at each line: twice its amplitude over that of the mean, which stands at line 0."""
    return amplitude * (2.0 / max(float(amplitude[0]), 1e-300))


def ratios(depth: Floats, plan: EnvelopePlan) -> list[float]:
    """How far the watched frequencies stand above the mean of the spectrum."""
    if len(plan.lines) == 1:
        return []
    background, *lines = plan.lines.dot(depth).tolist()
    level = max(background, 1e-300)
    return [line / level for line in lines]


class Knocks(NamedTuple):
    """The strongest rhythm in which rolling elements may knock."""

    turns: float
    """Revolutions in the window: below 30 lines of a shaft and of a bearing run into each other."""
    order: float
    """In multiples of the running speed."""
    depth: float
    """Depth of modulation at it, 0 to about 2."""
    sidebands: float
    """How deep, in comparison, its neighbours one and two running speeds away are: a spot that turns with the shaft is loaded and
    unloaded once a turn (inner ring: about 1), one that stands still is not (outer ring: well below 0.5). 0 where nothing knocks."""
    shaft: float
    """Depth at once and twice the running speed."""
    cage: float
    """Depth at once or twice the cage's speed: a damaged ball is loaded and unloaded as the cage turns. 0 where a window is too short
    to tell it from the shaft's."""


def knocks(depth: Floats, plan: EnvelopePlan) -> Knocks | None:
    """The strongest line where a bearing's rings may have theirs, and what stands around it."""
    places = depth[plan.races]
    if not len(places):
        return None
    if plan.apart is not None:
        places = places * plan.apart
    at = plan.races.start + int(places.argmax())
    line = depth.item(at)
    # A few numbers are quicker in Python, each taken by itself.
    value, last = depth.item, len(depth) - 1

    def top(place: int) -> float:
        """The largest of three lines; 0 where the spectrum has none."""
        if place < last:
            return max(value(place - 1), value(place), value(place + 1))
        return max(depth[place - 1 :].tolist(), default=0.0)

    once, twice = plan.once, plan.twice
    shaft = 0.5 * (top(once) + top(twice))
    cage = 0.0
    if plan.cage:
        first, to_first, second, to_second = plan.cage
        cage = max(*depth[first : to_first + 1].tolist(), *depth[second : to_second + 1].tolist())
    beside = 0.0
    if line > QUIET:
        # The lowest ring turns 2.3 times as fast as the shaft: below it is always room for its neighbours, above not always.
        beside = max(top(at - once) + top(at + once), top(at - twice) + top(at + twice))
    at = at if line > 0.0 else 0
    return Knocks(plan.order, at / plan.order, line, 0.5 * beside / max(line, 1e-12), shaft, cage)
