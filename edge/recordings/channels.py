"""A recording's columns as channels: what they measure, how often they speak, and whether they may stand still.

Names say what a column is; the beginning of the recording says how it behaves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.recordings.base import Chunk
from edge.recordings.naming import Meaning, channel_name, meaning, unique
from edge.sensors.base import Channel, Quantity

NS = 1e9
FULL_SHARE = 0.9
"""A column filled in so many rows speaks with every row."""
GAPPY_SHARE = 0.6
"""A table in which no column is filled in so many rows has one measurement a row, as it arrived."""
_LONG_RUN = 10
_REPEATS = 0.5
_COARSE = 200
"""A reading with fewer steps than that over its range stands still without being stuck."""
_FEW = 20
_SLOW = (Quantity.TEMPERATURE, Quantity.SPEED, Quantity.ENERGY, Quantity.STATE)
_UNEVEN = 3.0
"""Gaps whose longest twentieth exceeds this many medians have no rhythm: the device speaks when something changes."""
_ON_CHANGE = 10.0
_RARELY_S = 30 * 86_400.0
_MAINS_HZ = (45.0, 65.0)
_MAINS_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Overrides:
    """What a person says of columns, by column name; it counts more than any guess."""

    units: Mapping[str, str] = field(default_factory=dict)
    quantities: Mapping[str, Quantity] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


def table_channels(columns: Sequence[str], head: Chunk, overrides: Overrides | None = None) -> list[Channel]:
    """One channel a column of a table.

    `period_s` is how often the column speaks in the beginning of the recording; `steady` is set where it repeats
    itself there, because a coarse or slow reading that stands still is no stuck sensor.

    Args:
        columns: names as in the recording.
        head: its first rows.
        overrides: what is known better.
    """
    overrides = overrides or Overrides()
    names = unique(channel_name(overrides.names.get(column, column)) for column in columns)
    times = head.time_ns / NS
    row_s = _row_period(times)
    channels = []
    for at, (column, name) in enumerate(zip(columns, names, strict=True)):
        values = head.values[:, at]
        known = ~np.isnan(values)
        said = _meaning(column, values[known], overrides)
        period_s, steady, resolution = _behaviour(values[known], times[known], known.mean(), row_s)
        channels.append(
            Channel(
                name=name,
                unit=said.unit,
                quantity=said.quantity,
                low=said.low,
                high=said.high,
                period_s=period_s,
                resolution=resolution,
                steady=steady,
            )
        )
    return channels


@dataclass(frozen=True, slots=True)
class WaveChannel:
    """A channel of a waveform and the columns that are its axes."""

    channel: Channel
    columns: tuple[int, ...]


def wave_channels(
    columns: Sequence[str],
    head: Chunk,
    rate_hz: float,
    block_s: float,
    *,
    named: bool,
    overrides: Overrides | None = None,
    asked: bool = False,
    notes: list[str] | None = None,
) -> list[WaveChannel]:
    """One channel for each quantity of a waveform, its columns as axes.

    A column that does not move at all, or measures what has no waveform (a temperature, a speed), is left out where
    another is left: as an axis it would spoil the others.

    A column without a telling name is a current where nine tenths of its power lie at one mains frequency, and
    vibration otherwise. Its unit is then unknown, so nothing is compared with limits in absolute units.

    Args:
        columns, head, overrides: as for `table_channels`.
        rate_hz: sample rate.
        block_s: length of a block, seconds.
        named: whether the columns' names are the file's own.
        asked: whether the columns were asked for, so that none is left out.
        notes: takes what was left out.
    """
    overrides = overrides or Overrides()
    left_out = {} if asked else _not_waves(columns, head.values, overrides, named=named)
    for at, why in left_out.items():
        if notes is not None:
            notes.append(f"column {repr(columns[at]) if named else columns[at]} {why} and is left out")
    groups: dict[tuple[Quantity, str], list[int]] = {}
    for at, column in enumerate(columns):
        if at in left_out:
            continue
        values = head.values[:, at]
        said = _meaning(column, values, overrides) if named or column in overrides.quantities else None
        quantity = said.quantity if said else Quantity.LEVEL
        unit = overrides.units.get(column, said.unit if said else "")
        if quantity not in (Quantity.VIBRATION, Quantity.CURRENT):
            quantity = Quantity.CURRENT if mains_hz(values, rate_hz) else Quantity.VIBRATION
        groups.setdefault((quantity, unit), []).append(at)
    named_alone = [(quantity, members) for (quantity, _), members in groups.items()]
    names = unique(
        channel_name(columns[members[0]]) if named and len(members) == 1 and len(columns) > 1 else quantity.value
        for quantity, members in named_alone
    )
    return [
        WaveChannel(
            Channel(name=name, unit=unit, quantity=quantity, axes=len(members), rate_hz=rate_hz, period_s=block_s),
            tuple(members),
        )
        for name, ((quantity, unit), members) in zip(names, groups.items(), strict=True)
    ]


def _not_waves(
    columns: Sequence[str], values: NDArray[np.float64], overrides: Overrides, *, named: bool
) -> dict[int, str]:
    """Columns of a waveform that are none, and why; empty where none else is left."""
    found = {}
    for at, column in enumerate(columns):
        known = values[~np.isnan(values[:, at]), at]
        said = _meaning(column, known, overrides) if named and column not in overrides.quantities else None
        if len(known) >= _FEW and np.ptp(known) == 0:
            found[at] = "does not move"
        elif said is not None and (said.quantity in _SLOW or said.unit == "%"):
            found[at] = f"is no waveform but a {said.quantity.value}"
    return found if len(found) < len(columns) else {}


def is_gappy(head: Chunk) -> bool:
    """Whether no column speaks in most rows: single measurements as they arrived, not rows of them."""
    return bool((~np.isnan(head.values)).mean(axis=0).max() < GAPPY_SHARE)


def mains_hz(values: NDArray[np.float64], rate_hz: float) -> float | None:
    """The frequency of a waveform that is one line at 45 to 65 Hz and little else; None for any other."""
    wave = values[~np.isnan(values)][: max(int(rate_hz * 2), 64)]
    if len(wave) < 64 or rate_hz < 2 * _MAINS_HZ[1]:
        return None
    power = np.abs(np.fft.rfft((wave - wave.mean()) * np.hanning(len(wave)))) ** 2
    step_hz = rate_hz / len(wave)
    peak_hz = float(np.argmax(power)) * step_hz
    if not _MAINS_HZ[0] <= peak_hz <= _MAINS_HZ[1]:
        return None
    frequency = np.arange(len(power)) * step_hz
    near = np.abs(frequency - peak_hz) <= max(2.0, 2 * step_hz)
    return peak_hz if power[near].sum() >= _MAINS_SHARE * power.sum() else None


def _meaning(column: str, values: NDArray[np.float64], overrides: Overrides) -> Meaning:
    said = meaning(column)
    if (
        len(values)
        and said.quantity is Quantity.LEVEL
        and not said.unit
        and set(np.unique(values[:2000])) <= {0.0, 1.0}
    ):
        said = Meaning(Quantity.STATE, "")
    quantity = overrides.quantities.get(column)
    if quantity is not None and quantity is not said.quantity:
        said = Meaning(quantity, "")
    unit = overrides.units.get(column)
    return said if unit is None or unit == said.unit else Meaning(said.quantity, unit)


def _row_period(times: NDArray[np.float64]) -> float:
    steps = np.diff(times)
    steps = steps[steps > 0]
    return float(np.median(steps)) if len(steps) else 1.0


def _behaviour(
    values: NDArray[np.float64], times: NDArray[np.float64], share: float, row_s: float
) -> tuple[float, bool, float]:
    """(expected seconds between values, whether standing still is normal, smallest step)."""
    if len(values) < 3:
        return _RARELY_S, True, 0.0
    period_s = row_s if share >= FULL_SHARE else max(_rhythm(np.diff(times)), row_s)
    steps = np.abs(np.diff(values))
    moved = steps[steps > 0]
    resolution = float(moved.min()) if len(moved) else 0.0
    spread = float(np.quantile(values, 0.99) - np.quantile(values, 0.01))
    still = steps == 0
    steady = (
        len(values) < _FEW
        or _longest_run(still) >= _LONG_RUN
        or float(still.mean()) > _REPEATS
        or (still.any() and spread < _COARSE * resolution)
    )
    return max(period_s, 1e-9), bool(steady), resolution


def _rhythm(gaps: NDArray[np.float64]) -> float:
    """Expected seconds between values: the longest gap so far, or ten times that where values come when they change."""
    longest = float(gaps.max())
    regular = len(gaps) >= _FEW and float(np.quantile(gaps, 0.95)) <= _UNEVEN * float(np.median(gaps))
    return longest if regular else _ON_CHANGE * longest


def _longest_run(still: NDArray[np.bool_]) -> int:
    """Most values in a row that are equal."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], still.astype(np.int8), [0]))))
    runs = edges[1::2] - edges[::2]
    return int(runs.max()) + 1 if len(runs) else 1
