"""Runs recordings through a machine's path, offline: the same checks, features and model as on a node.

What is one tick: see `werkpuls.ticks`. A waveform's block is one.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from edge.checks import WORST_FIRST
from edge.machine import MachinePath, MachineSetup, SensorReading, Step
from edge.recordings import Chunk, Recording
from edge.recordings.channels import (
    Overrides,
    WaveChannel,
    is_gappy,
    mains_hz,
    table_channels,
    wave_channels,
)
from edge.recordings.waveform import DEFAULT_BLOCK_S, blocks
from edge.sensors.base import Block, Channel, Fault, Quantity
from models.condition.contract import Verdict
from models.condition.features import Features
from models.condition.model import Condition
from models.condition.settings import Settings
from werkpuls.ticks import Tick, gathered, in_order, interval_ns, row_by_row
from werkpuls.wave_rate import take_rate

COLUMNS = ("file", "row", "time", "regime", "score", "limit", "severity", "alarm", "sensor_fault", "cause", "channel")
SENSOR = "recording"
_LEAST_STEP_NS = 1000
"""Two ticks are this far apart at least: the model tells samples apart by their time."""
_START_NS = 1_000_000_000
_LISTENED_NS = 2_000_000_000
"""How much of a waveform is heard for the running speed before its first block is judged."""
_PROFILE_ROWS = 8192
LEAST_WARMUP = 8
"""Readings that a normal can be learned from at all."""
_MOST_MISSING = 0.5
_NAMED_AT_MOST = 8
_MAINS = (50.0, 60.0)
_MONTH_S = 30 * 86_400.0
_LEAST_BUDGET, _MOST_BUDGET = 1e-12, 0.1


class Scored(NamedTuple):
    """What is said of one row or block. Empty text and None where there is nothing to say."""

    row: int
    time: str
    regime: str
    score: float | None
    limit: float | None
    severity: str
    alarm: bool
    sensor_fault: str
    cause: str
    channel: str
    """The channel that raised the alarm, or else the one whose sensor is faulty."""
    judged: bool
    """Whether the model judged this row itself; otherwise the condition is carried, or the sensor fault explains it."""
    learning: bool
    """Whether the model had not come to the end of its warm-up."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How recordings are to be scored.

    `warmup` is the number of rows or blocks in the beginning that are known normal; without it `warmup_s` says it in
    seconds, and without both it is left to the model.
    """

    setup: MachineSetup
    warmup: int | None = None
    warmup_s: float | None = None
    block_s: float | None = None
    overrides: Overrides | None = None
    false_alarms_per_month: float = 1.0
    """How many false excesses of the limit are allowed; with the time between ticks it is a probability."""
    fresh: bool = False
    """Whether each run of a recording that has several has a model of its own."""
    mains_known: bool = False
    """Whether the setup's mains frequency is the machine's own; otherwise a recorded current tells it."""


class Mismatch(Exception):
    """A later recording has other channels than those that the model has learned."""


class Scorer:
    """One machine's model over one or more recordings; rows come out in the order they went in."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._channels: list[Channel] = []
        self._waves: list[WaveChannel] = []
        self._order: list[int | None] | None = None
        """Where the recording has the channels that were learned; None where it has them as they are."""
        self._model: Condition | None = None
        self._features: Features | None = None
        self._clock_ns = _START_NS
        self._left = plan.warmup
        """Rows still known to be normal."""
        self._last: Verdict | None = None
        self._last_cause = ("", "")

    @property
    def learned(self) -> bool:
        """Whether the model has come to the end of its warm-up."""
        return self._model is not None and self._model.learned >= 1.0

    @property
    def unsteady(self) -> tuple[str, ...]:
        """Features that changed so much in the warm-up that a fault may have been in it."""
        return self._model.unsteady if self._model is not None else ()

    @property
    def unjudged(self) -> tuple[str, ...]:
        """Features that the model has no room for."""
        return self._model.unjudged if self._model is not None else ()

    def score(self, recording: Recording) -> Iterator[list[Scored]]:
        """Every row or block of a recording, in stretches.

        Raises:
            RecordingError: it cannot be read, as of a row that the text names.
            Mismatch: see there.
        """
        if recording.rate_hz is None and self._plan.block_s is not None:
            take_rate(recording)
        setup = replace(self._plan.setup, interval_s=0.0)
        setup = self._learn_channels(recording, setup)
        path, features = self._begin(recording, setup)
        ticks = self._ticks(recording, self._clock_ns - int(recording.head().time_ns[0]))
        runs = 0
        for tick in self._heard(ticks, features):
            self._clock_ns = max(self._clock_ns + _LEAST_STEP_NS, tick.end_ns)
            if self._plan.fresh and not self._waves and bisect_right(recording.restarts, tick.rows[-1]) > runs:
                runs = bisect_right(recording.restarts, tick.rows[-1])
                self._model, self._features, self._left = None, None, self._plan.warmup
                path, _ = self._begin(recording, setup)
            step = path.step(self._clock_ns, [SensorReading(SENSOR, tick.blocks)])
            yield self._rows(recording, tick, step)
            self._count(len(tick.rows))
        self._clock_ns += round(self._channels[0].period_s * 1e9)

    def _begin(self, recording: Recording, setup: MachineSetup) -> tuple[MachinePath, Features]:
        """The way of the next run's samples, with what was learned before, and what computes its features."""
        if self._model is None:
            self._model = Condition(self._settings(recording))
        if self._features is None:
            self._features = setup.features()
        self._features.interrupt()
        self._last, self._last_cause = None, ("", "")
        return MachinePath(setup, self._channels, self._model, self._features), self._features

    def _learn_channels(self, recording: Recording, setup: MachineSetup) -> MachineSetup:
        head = recording.head()
        known = min(self._plan.warmup or _PROFILE_ROWS, _PROFILE_ROWS)
        if recording.rate_hz is None:
            normal = Chunk(head.row, head.time_ns[:known], head.values[:known])
            channels = table_channels(recording.columns, normal, self._plan.overrides)
        else:
            block_s = self._plan.block_s or DEFAULT_BLOCK_S
            waves = wave_channels(
                recording.columns,
                head,
                recording.rate_hz,
                block_s,
                named=recording.named,
                overrides=self._plan.overrides,
                asked=recording.asked,
                notes=recording.notes,
            )
            channels = [wave.channel for wave in waves]
            self._waves = self._waves or waves
            if not self._plan.mains_known:
                setup = _with_mains(setup, waves, head, recording.rate_hz)
        self._order = None
        if self._channels:
            self._match([channel.name for channel in channels], recording)
        self._channels = self._channels or channels
        return setup

    def _match(self, names: list[str], recording: Recording) -> None:
        """Finds the learned channels in a later recording, wherever they stand in it.

        Raises:
            Mismatch: most of them are not there, or it is a waveform of others.
        """
        learned = [channel.name for channel in self._channels]
        if names == learned:
            return
        missing = [name for name in learned if name not in names]
        if recording.rate_hz is not None or len(missing) > _MOST_MISSING * len(learned):
            raise Mismatch(
                f"{recording.name}: has the channels {_listed(names)} where {_listed(learned)} were learned; "
                "score it apart, or with --fresh"
            )
        self._order = [names.index(name) if name in names else None for name in learned]
        more = [name for name in names if name not in learned]
        if more:
            recording.notes.append(f"not learned and left out: {_listed(more)}")
        if missing:
            recording.notes.append(f"learned and not there: {_listed(missing)}")

    def _settings(self, recording: Recording) -> Settings:
        """The model's settings: warm-up in ticks, and the alarm budget a month as a probability per tick."""
        plan, head = self._plan, in_order(recording.head(), self._order)
        rows_a_tick, tick_s = 1.0, self._channels[0].period_s
        if recording.rate_hz is None:
            steps = np.diff(head.time_ns)
            tick_s = float(np.median(steps[steps > 0])) / 1e9 if (steps > 0).any() else 1.0
            if is_gappy(head):
                usual_ns = interval_ns(head)
                ticks = sum(1 for _ in gathered(iter([head]), usual_ns, self._channels, 0))
                rows_a_tick, tick_s = len(head.values) / ticks, usual_ns / 1e9
        setup = plan.setup
        settings = Settings(
            kind=setup.kind,
            iso_class=setup.iso_class.upper() if setup.iso_class else None,
            budget=min(max(plan.false_alarms_per_month * tick_s / _MONTH_S, _LEAST_BUDGET), _MOST_BUDGET),
        )
        if plan.warmup is not None:
            return replace(settings, warmup=max(round(plan.warmup / rows_a_tick), LEAST_WARMUP))
        if plan.warmup_s is not None:
            return replace(settings, warmup=max(round(plan.warmup_s / tick_s), LEAST_WARMUP))
        return settings

    def _count(self, rows: int) -> None:
        if self._left is None or self._model is None:
            return
        self._left -= rows
        if self._left <= 0:
            self._left = None
            self._model.conclude()

    def _ticks(self, recording: Recording, shift_ns: int) -> Iterator[Tick]:
        """The recording's ticks; `shift_ns` makes its time the path's."""
        if recording.rate_hz is not None:
            return self._wave_ticks(recording, recording.rate_hz, shift_ns)
        head = in_order(recording.head(), self._order)
        chunks = (in_order(chunk, self._order) for chunk in recording.chunks())
        if is_gappy(head):
            return gathered(chunks, interval_ns(head), self._channels, shift_ns)
        return row_by_row(chunks, self._channels, shift_ns)

    def _wave_ticks(self, recording: Recording, rate_hz: float, shift_ns: int) -> Iterator[Tick]:
        for cut in blocks(recording, self._plan.block_s):
            made = []
            for wave in self._waves:
                values = cut.values[:, list(wave.columns)] if wave.channel.axes > 1 else cut.values[:, wave.columns[0]]
                made.append(Block(wave.channel, cut.time_ns + shift_ns, np.ascontiguousarray(values), rate_hz))
            end_ns = cut.time_ns + shift_ns + round(len(cut.values) / rate_hz * 1e9)
            yield Tick((cut.number,), (cut.time_ns,), end_ns, made)

    def _heard(self, ticks: Iterator[Tick], features: Features) -> Iterator[Tick]:
        """The same ticks, after the running speed was told from the first of them where nobody knows it.

        Nothing beyond what is known normal is listened to: it is still to be judged.
        """
        first: list[Tick] = []
        most = self._plan.warmup or math.inf
        if self._waves and features.speed.hz is None:
            for tick in ticks:
                first.append(tick)
                if tick.end_ns - first[0].blocks[0].start_ns >= _LISTENED_NS or len(first) >= most:
                    break
            for at, wave in enumerate(self._waves):
                if wave.channel.quantity is Quantity.VIBRATION and wave.channel.rate_hz and first:
                    values = np.nan_to_num(np.concatenate([tick.blocks[at].values for tick in first]))
                    features.listen(values, wave.channel.rate_hz)
        yield from first
        yield from ticks

    def _rows(self, recording: Recording, tick: Tick, step: Step) -> list[Scored]:
        fault, faulty = _worst(step)
        verdict, judged = step.verdict, step.verdict is not None
        if verdict is not None:
            self._last, self._last_cause = verdict, _cause(step)
        elif not fault:
            verdict = self._last
        if verdict is None:
            known: tuple[str, float | None, float | None, str, bool] = ("", None, None, "", False)
            if not fault:
                fault, faulty = Fault.NO_DATA.value, self._channels[0].name
        else:
            known = (verdict.regime, verdict.score, verdict.limit, verdict.severity, verdict.alarm)
        learning = verdict is not None and verdict.learned < 1.0
        cause, moved = self._last_cause if verdict is not None else ("", "")
        channel = moved if verdict is not None and (verdict.alarm or not fault) else faulty
        return [
            Scored(row, spoken_time(time_ns, dated=recording.dated), *known, fault, cause, channel, judged, learning)
            for row, time_ns in zip(tick.rows, tick.times_ns, strict=True)
        ]


def _listed(names: Sequence[str]) -> str:
    """Names for a message, not more than fit.

    >>> _listed(["a", "b"]), _listed([str(at) for at in range(20)])
    ('a, b', '0, 1, 2, 3, 4, 5, 6, 7, … (20)')
    """
    more = len(names) - _NAMED_AT_MOST
    return ", ".join(names[:_NAMED_AT_MOST]) + (f", … ({len(names)})" if more > 0 else "")


def spoken_time(time_ns: int, *, dated: bool) -> str:
    """ISO 8601 (as written in the recording, or UTC where it states an offset), or seconds since its start.

    >>> spoken_time(1583764481500000000, dated=True), spoken_time(100_000_000, dated=False)
    ('2020-03-09T14:34:41.500000', '0.1')
    """
    if dated:
        moment = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).replace(tzinfo=None)
        return moment.replace(microsecond=time_ns % 1_000_000_000 // 1000).isoformat()
    return f"{time_ns / 1e9:.6f}".rstrip("0").rstrip(".")


def _worst(step: Step) -> tuple[str, str]:
    """The fault that matters most and its channel."""
    if not step.sensor_faults:
        return "", ""
    channel = min(step.sensor_faults, key=lambda name: WORST_FIRST.index(step.sensor_faults[name][0]))
    return step.sensor_faults[channel][0].value, channel


def _cause(step: Step) -> tuple[str, str]:
    """Best cause and the channel that moved most; empty where nothing is wrong."""
    if step.explanation is None or step.verdict is None:
        return "", ""
    cause = step.explanation.causes[0].code if step.explanation.causes else "unknown"
    deviations = step.explanation.deviations or step.verdict.deviations
    if not deviations or step.sample is None:
        return cause, ""
    info = step.sample.info.get(deviations[0].feature)
    return cause, info.channel if info else ""


def _with_mains(setup: MachineSetup, waves: Sequence[WaveChannel], head: Chunk, rate_hz: float) -> MachineSetup:
    for wave in waves:
        if wave.channel.quantity is Quantity.CURRENT:
            found = mains_hz(head.values[:, wave.columns[0]], rate_hz)
            if found is not None:
                return replace(setup, nominal_hz=min(_MAINS, key=lambda nominal: abs(nominal - found)))
    return setup
