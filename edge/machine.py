"""One machine's path: blocks in, columns, a verdict and findings out. Pure: no I/O, no thread, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from edge.checks import Checks
from edge.findings import FindingChange, Findings
from edge.sensors.base import Block, Channel, Fault, Quantity
from models.condition.bearing import Bearing
from models.condition.contract import ConditionModel, Explanation, FeatureInfo, Sample, Verdict, Word
from models.condition.features import Features, axis_names, unbalance

__all__ = ["Column", "FindingChange", "MachinePath", "MachineSetup", "SensorReading", "Step"]

SLOPE_WINDOW_S = 60.0
SLOPE_POINTS = 240
SAME_RATE = 0.02
"""Blocks whose measured rates differ by no more belong to one stretch."""
SNAPSHOT_VERSION = 1


@dataclass(frozen=True, slots=True)
class MachineSetup:
    """What is known of a machine beforehand.

    `interval_s` is the time between two judgements; steps that come faster are collected. `boot` makes the findings' ids
    unique over restarts.
    """

    name: str
    kind: str = "generic"
    interval_s: float = 1.0
    running_speed_hz: float | None = None
    bearing: Bearing | None = None
    iso_class: str | None = None
    nominal_hz: float = 50.0
    boot: str = ""


@dataclass(frozen=True, slots=True)
class SensorReading:
    """What one sensor gave in one tick; `error` is the text of its `SensorError`."""

    sensor: str
    blocks: Sequence[Block] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """Values of one raw slow channel or one feature within the tick; times are monotonic nanoseconds."""

    unit: str
    times_ns: Sequence[int]
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Step:
    """What came of one tick. `time_ns` is monotonic, the end of the interval.

    `sample` and `verdict` are None where nothing new could be judged: no usable data, paused, or too soon after the last
    judgement.
    """

    time_ns: int
    series: Mapping[str, Column]
    sample: Sample | None
    verdict: Verdict | None
    explanation: Explanation | None
    sensor_faults: Mapping[str, tuple[Fault, str]]
    findings: Sequence[FindingChange]
    paused: bool


@dataclass
class _Held:
    """The last good values of one channel's features."""

    values: dict[str, float] = field(default_factory=dict)
    slope: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=SLOPE_POINTS))


class MachinePath:
    """Runs checks, features and the model over what the sensors of one machine deliver.

    Args:
        setup: what is known of the machine.
        channels: what its sensors deliver; one that appears later is taken in.
        model: learns this machine, nobody else calls it.
    """

    def __init__(self, setup: MachineSetup, channels: Sequence[Channel], model: ConditionModel) -> None:
        self.setup = setup
        self._model = model
        self._checks = Checks(channels)
        self._features = Features(setup.running_speed_hz, setup.bearing, setup.nominal_hz)
        self._findings = Findings(setup.name, setup.boot)
        self._held: dict[str, _Held] = {}
        self._info: dict[str, FeatureInfo] = {}
        self._fresh = False
        self._judged_ns: int | None = None
        self._paused = False
        self._paused_until_ns: int | None = None

    @property
    def model(self) -> ConditionModel:
        """The model as it is now; `restore` replaces it."""
        return self._model

    @property
    def paused(self) -> bool:
        """Whether someone asked for quiet."""
        return self._paused

    def step(self, now_ns: int, readings: Sequence[SensorReading]) -> Step:
        """One tick.

        Args:
            now_ns: monotonic time of the end of the interval; never before the last one.
            readings: one per sensor of the machine.
        """
        if self._paused and self._paused_until_ns is not None and now_ns >= self._paused_until_ns:
            self.resume()
        blocks: dict[str, dict[str, list[Block]]] = {}
        errors: dict[str, str] = {}
        for reading in readings:
            channels = blocks.setdefault(reading.sensor, {})
            for block in reading.blocks:
                channels.setdefault(block.channel.name, []).append(block)
            if reading.error is not None:
                errors[reading.sensor] = reading.error
        usable = self._checks.look(now_ns, blocks, errors)
        series = self._raw(blocks)
        for name, good in usable.items():
            self._take(name, good, series)
        self._fresh = self._fresh or bool(usable)
        faults = self._checks.faults
        for name in faults:
            # What a broken sensor said before it was found out is in no slope afterwards.
            self._held.pop(name, None)
        sample = verdict = explanation = None
        if not self._paused and self._due(now_ns):
            sample = self._sample(now_ns)
        if sample is not None:
            self._fresh, self._judged_ns = False, now_ns
            verdict = self._model.score(sample)
            self._model.learn(sample, verdict)
            if verdict.alarm or verdict.severity != "good":
                explanation = self._model.explain(verdict)
        findings = self._findings.update(
            now_ns,
            verdict,
            explanation,
            {name: (fault, text, self._checks.since_ns(name)) for name, (fault, text) in faults.items()},
            paused=self._paused,
        )
        return Step(now_ns, series, sample, verdict, explanation, faults, findings, self._paused)

    def hear(self, word: Word) -> None:
        """Passes a person's word to the model."""
        self._model.feedback(word)

    def pause(self, until_ns: int | None = None) -> None:
        """No findings and no learning until then (monotonic), or until `resume`."""
        self._paused, self._paused_until_ns = True, until_ns

    def resume(self) -> None:
        """Ends a pause."""
        self._paused, self._paused_until_ns = False, None

    def snapshot(self) -> dict[str, Any]:
        """Everything a restart must not lose, as JSON numbers."""
        return {
            "version": SNAPSHOT_VERSION,
            "model": self._model.snapshot(),
            "checks": self._checks.state(),
            "findings": self._findings.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes up a snapshot.

        Raises:
            ValueError: not a snapshot of this format; the path is as it was.
        """
        if state.get("version") != SNAPSHOT_VERSION:
            raise ValueError(f"machine snapshot version {state.get('version')!r}, this reads {SNAPSHOT_VERSION}")
        try:
            model = type(self._model).restore(state["model"])
            findings = Findings(self.setup.name, self.setup.boot)
            findings.load(state["findings"])
            self._checks.load(state["checks"])
        except (KeyError, TypeError, IndexError, AttributeError) as exc:
            raise ValueError(f"machine snapshot is damaged: {exc!r}") from exc
        self._model, self._findings = model, findings

    def _due(self, now_ns: int) -> bool:
        # Half an interval of slack: a tick that comes a little early is still its own.
        return self._fresh and (
            self._judged_ns is None or (now_ns - self._judged_ns) / 1e9 >= 0.5 * self.setup.interval_s
        )

    def _raw(self, blocks: Mapping[str, Mapping[str, Sequence[Block]]]) -> dict[str, Column]:
        series: dict[str, Column] = {}
        for channels in blocks.values():
            for name, arrived in channels.items():
                if _is_wave(arrived[0]):
                    continue
                axes = axis_names(arrived[0].values.shape[1]) if arrived[0].values.ndim == 2 else ("",)
                for index, axis in enumerate(axes):
                    times: list[int] = []
                    values: list[float] = []
                    for block in arrived:
                        column = block.values[:, index] if axis else block.values
                        step_ns = 1e9 / block.rate_hz if block.rate_hz else 0.0
                        for k, value in enumerate(column.tolist()):
                            if np.isfinite(value):
                                times.append(block.start_ns + round(k * step_ns))
                                values.append(value)
                    series[f"{name}.{axis}" if axis else name] = Column(arrived[0].channel.unit, times, values)
        return series

    def _take(self, name: str, blocks: Sequence[Block], series: dict[str, Column]) -> None:
        """Turns one channel's usable blocks into held features and columns."""
        last = blocks[-1]
        held = self._held.setdefault(name, _Held())
        if _is_wave(last):
            self._take_wave(name, blocks, held, series)
        elif last.values.ndim == 2:
            self._take_axes(name, last, held)
        elif last.channel.quantity is not Quantity.ENERGY and np.isfinite(last.values[-1]):
            # A counter's level says when it was reset, not how the machine is.
            self._take_level(name, last, held, series)

    def _take_wave(self, name: str, blocks: Sequence[Block], held: _Held, series: dict[str, Column]) -> None:
        channel = blocks[-1].channel
        values, rate_hz = _joined(blocks)
        compute = self._features.current if channel.quantity is Quantity.CURRENT else self._features.vibration
        for feature, (value, unit) in compute(values, rate_hz, channel.unit).items():
            if np.isfinite(value):
                self._hold(held, channel, f"{name}.{feature}", value, unit)
                series[f"{name}.{feature}"] = Column(unit, [blocks[-1].end_ns], [value])

    def _take_axes(self, name: str, block: Block, held: _Held) -> None:
        channel, row = block.channel, block.values[-1]
        for axis, value in zip(axis_names(block.values.shape[1]), row.tolist(), strict=True):
            if np.isfinite(value):
                self._hold(held, channel, f"{name}.{axis}", value, channel.unit)
        if channel.quantity is Quantity.CURRENT and np.isfinite(row).all():
            for feature, (value, unit) in unbalance(row).items():
                self._hold(held, channel, f"{name}.{feature}", value, unit)

    def _take_level(self, name: str, block: Block, held: _Held, series: dict[str, Column]) -> None:
        channel, value = block.channel, float(block.values[-1])
        self._hold(held, channel, name, value, channel.unit)
        if channel.quantity is Quantity.TEMPERATURE:
            held.slope.append((block.end_ns, value))
            slope = _slope_per_minute(held.slope, SLOPE_WINDOW_S)
            if slope is not None:
                unit = f"{channel.unit}/min"
                self._hold(held, channel, f"{name}.slope", slope, unit)
                series[f"{name}.slope"] = Column(unit, [block.end_ns], [slope])

    def _hold(self, held: _Held, channel: Channel, feature: str, value: float, unit: str) -> None:
        held.values[feature] = value
        if feature not in self._info:
            self._info[feature] = FeatureInfo(unit, channel.name, channel.quantity.value)

    def _sample(self, now_ns: int) -> Sample | None:
        values: dict[str, float] = {}
        for name, held in self._held.items():
            if self._checks.holds(name, now_ns):
                values.update(held.values)
        return Sample(now_ns / 1e9, values, self._info) if values else None


def _is_wave(block: Block) -> bool:
    return (
        block.rate_hz is not None
        and len(block.values) >= 16
        and block.channel.quantity in (Quantity.VIBRATION, Quantity.CURRENT)
    )


def _joined(blocks: Sequence[Block]) -> tuple[np.ndarray[Any, np.dtype[np.float64]], float]:
    """The longest unbroken stretch at the end of these blocks, gaps of single samples bridged, its length rounded.

    Lengths are rounded down to multiples of 64 so that a FIFO's jitter does not need a new plan every time.
    """
    parts = [blocks[-1].values]
    rate = float(blocks[-1].rate_hz or 1.0)
    for newer, older in pairwise(reversed(blocks)):
        if newer.lost or older.rate_hz is None or abs(older.rate_hz / rate - 1) > SAME_RATE:
            break
        parts.append(older.values)
    values = np.concatenate(parts[::-1]) if len(parts) > 1 else parts[0]
    if len(values) > 512:
        values = values[len(values) % 64 :]
    if not np.isfinite(values).all():
        values = _bridged(values)
    return values, rate


def _bridged(values: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    columns = values.reshape(len(values), -1).copy()
    index = np.arange(len(columns))
    for column in columns.T:
        good = np.isfinite(column)
        column[~good] = np.interp(index[~good], index[good], column[good]) if good.any() else 0.0
    return columns.reshape(values.shape)


def _slope_per_minute(points: deque[tuple[int, float]], window_s: float) -> float | None:
    """Least-squares slope over the window, None before half of it (or eight readings) is there."""
    if len(points) < 8:
        return None
    start_ns = points[-1][0] - window_s * 1e9
    start_ns = min(start_ns, points[-8][0])
    table = np.array([(t - points[-1][0], v) for t, v in points if t >= start_ns])
    minutes = table[:, 0] / 60e9
    if -minutes[0] * 60 < 0.5 * window_s:
        return None
    centred = minutes - minutes.mean()
    spread = float(centred @ centred)
    return float(centred @ table[:, 1]) / spread if spread > 0 else None
