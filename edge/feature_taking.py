"""From one machine's usable blocks to features: held values for a sample, and columns for the record."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edge.sensors.base import Block, Channel, Quantity
from models.condition.contract import FeatureInfo
from models.condition.features import Features, Found, axis_names
from models.condition.features.current import unbalance
from models.condition.features.temperature import Temperature

RUNNING_SPEED = "running_speed"
SAME_RATE = 0.02
"""Blocks whose measured rates differ by no more belong to one stretch."""
_COMPARABLE = 0.5
"""A waveform of at least this share of another one's length could have told what that one told."""
_FADING = 0.9
"""How much of that length each shorter one leaves."""
SAME_TIME = 0.1
"""And those of which one begins where the other ended, within this share of a block."""


@dataclass(frozen=True, slots=True)
class Column:
    """Values of one raw slow channel or one feature within the tick; times are monotonic nanoseconds."""

    unit: str
    times_ns: Sequence[int]
    values: Sequence[float]


@dataclass
class _Held:
    """The last good values of one channel's features."""

    values: dict[str, float] = field(default_factory=dict)
    stretch_s: dict[str, float] = field(default_factory=dict)
    """How long the waveform was that told each of its features."""
    temperature: Temperature = field(default_factory=Temperature)


class FeatureTaking:
    """Takes the features of one machine's channels and holds them until the next block.

    Args:
        features: computes those of waveforms.
    """

    def __init__(self, features: Features) -> None:
        self.features = features
        self.info: dict[str, FeatureInfo] = {}
        self._held: dict[str, _Held] = {}

    def take(self, name: str, blocks: Sequence[Block], series: dict[str, Column]) -> None:
        """Turns one channel's usable blocks into held features, and into columns of what is not measured itself."""
        last = blocks[-1]
        held = self._held.setdefault(name, _Held())
        if is_wave(last):
            self._take_wave(name, blocks, held, series)
        elif last.values.ndim == 2:
            self._take_axes(name, last, held)
        elif last.channel.quantity is not Quantity.ENERGY and np.isfinite(last.values[-1]):
            # A counter's level says when it was reset, not how the machine is.
            self._take_level(name, last, held, series)

    def forget(self, name: str) -> None:
        """Drops what is held of a channel whose readings turned out to be none."""
        held = self._held.get(name)
        if held is not None:
            held.values.clear()
            held.stretch_s.clear()
            held.temperature.clear()

    def values(self, holds: Callable[[str], bool]) -> dict[str, float]:
        """The held features of all channels that still hold."""
        values: dict[str, float] = {}
        for name, held in self._held.items():
            if holds(name):
                values.update(held.values)
        return values

    def _take_wave(self, name: str, blocks: Sequence[Block], held: _Held, series: dict[str, Column]) -> None:
        channel = blocks[-1].channel
        values, rate_hz = _joined(blocks)
        end_ns = blocks[-1].end_ns
        start_s = end_ns / 1e9 - (len(values) - 1) / rate_hz
        if channel.quantity is Quantity.CURRENT:
            found = self.features.current(values, rate_hz, channel.unit, start_s=start_s)
        else:
            found = self.features.vibration(values, rate_hz, channel.unit, channel=name, start_s=start_s)
        self._keep(name, channel, found, held, len(values) / rate_hz)
        for feature, value in found.values.items():
            if math.isfinite(value):
                series[f"{name}.{feature}"] = Column(found.units[feature], [end_ns], [value])
        if RUNNING_SPEED in found.signs:
            series[f"{name}.{RUNNING_SPEED}"] = Column("rpm", [end_ns], [found.signs[RUNNING_SPEED]])

    def _keep(self, name: str, channel: Channel, found: Found, held: _Held, stretch_s: float) -> None:
        if found.values:
            # What this waveform cannot tell, as a line that has become too slow for it, is not what an earlier one told. A much shorter
            # one, as between two losses, says little of it; many of them do.
            for feature, told_s in tuple(held.stretch_s.items()):
                if stretch_s >= _COMPARABLE * told_s:
                    del held.values[feature], held.stretch_s[feature]
                else:
                    held.stretch_s[feature] = _FADING * told_s
        for feature, value in found.values.items():
            if math.isfinite(value):
                self._hold(held, channel, f"{name}.{feature}", value, found.units[feature])
                held.stretch_s[f"{name}.{feature}"] = stretch_s
        for sign, value in found.signs.items():
            if math.isfinite(value):
                self._hold(held, channel, f"{name}.{sign}", value, "1", scored=False)
                held.stretch_s[f"{name}.{sign}"] = stretch_s

    def _take_axes(self, name: str, block: Block, held: _Held) -> None:
        channel, row = block.channel, block.values[-1]
        for axis, value in zip(axis_names(block.values.shape[1]), row.tolist(), strict=True):
            if math.isfinite(value):
                self._hold(held, channel, f"{name}.{axis}", value, channel.unit)
        if channel.quantity is Quantity.CURRENT and np.isfinite(row).all():
            for feature, value in unbalance(row).items():
                self._hold(held, channel, f"{name}.{feature}", value, "%")

    def _take_level(self, name: str, block: Block, held: _Held, series: dict[str, Column]) -> None:
        channel, value = block.channel, float(block.values[-1])
        self._hold(held, channel, name, value, channel.unit)
        if channel.quantity is Quantity.TEMPERATURE:
            held.temperature.add(block.end_ns / 1e9, value)
            settling = held.temperature.settling()
            if settling is not None:
                self._hold(held, channel, f"{name}.time_constant", settling[0], "min", scored=False)
            else:
                held.values.pop(f"{name}.time_constant", None)
            slope = held.temperature.slope()
            if slope is not None:
                unit = f"{channel.unit}/min"
                self._hold(held, channel, f"{name}.slope", slope, unit)
                series[f"{name}.slope"] = Column(unit, [block.end_ns], [slope])

    def _hold(
        self, held: _Held, channel: Channel, feature: str, value: float, unit: str, *, scored: bool = True
    ) -> None:
        held.values[feature] = value
        if feature not in self.info:
            self.info[feature] = FeatureInfo(unit, channel.name, channel.quantity.value, scored)


def raw_series(blocks: Mapping[str, Mapping[str, Sequence[Block]]]) -> dict[str, Column]:
    """Columns of the slow channels as they were measured."""
    series: dict[str, Column] = {}
    for channels in blocks.values():
        for name, arrived in channels.items():
            if is_wave(arrived[0]):
                continue
            axes = axis_names(arrived[0].values.shape[1]) if arrived[0].values.ndim == 2 else ("",)
            for index, axis in enumerate(axes):
                times: list[int] = []
                values: list[float] = []
                for block in arrived:
                    column = block.values[:, index] if axis else block.values
                    step_ns = 1e9 / block.rate_hz if block.rate_hz else 0.0
                    for k, value in enumerate(column.tolist()):
                        if math.isfinite(value):
                            times.append(block.start_ns + round(k * step_ns))
                            values.append(value)
                series[f"{name}.{axis}" if axis else name] = Column(arrived[0].channel.unit, times, values)
    return series


def is_wave(block: Block) -> bool:
    """Whether a block is a waveform that has a spectrum."""
    return (
        block.rate_hz is not None
        and len(block.values) >= 16
        and block.channel.quantity in (Quantity.VIBRATION, Quantity.CURRENT)
    )


def _joined(blocks: Sequence[Block]) -> tuple[NDArray[np.float64], float]:
    """The longest unbroken stretch at the end of these blocks, gaps of single samples bridged."""
    parts = [blocks[-1].values]
    rate = float(blocks[-1].rate_hz or 1.0)
    for newer, older in pairwise(reversed(blocks)):
        if newer.lost or older.rate_hz is None or abs(older.rate_hz / rate - 1) > SAME_RATE:
            break
        length_ns = 1e9 * len(older.values) / older.rate_hz
        if abs(newer.start_ns - older.start_ns - length_ns) > SAME_TIME * length_ns:
            break  # looked at now and then: what was between is missing
        parts.append(older.values)
    values = np.concatenate(parts[::-1]) if len(parts) > 1 else parts[0]
    if not np.isfinite(values).all():
        values = _bridged(values)
    return values, rate


def _bridged(values: NDArray[np.float64]) -> NDArray[np.float64]:
    columns = values.reshape(len(values), -1).copy()
    index = np.arange(len(columns))
    for column in columns.T:
        good = np.isfinite(column)
        column[~good] = np.interp(index[~good], index[good], column[good]) if good.any() else 0.0
    return columns.reshape(values.shape)
