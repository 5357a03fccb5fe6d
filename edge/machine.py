"""One machine's path: blocks in, columns, a verdict and findings out. Pure: no I/O, no thread, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge.checks import Checks
from edge.feature_taking import Column, FeatureTaking, raw_series
from edge.findings import FindingChange, Findings
from edge.references import References, SetPoint, Tachometer
from edge.sensors.base import Block, Channel, Fault
from models.condition.bearing import Bearing
from models.condition.contract import ConditionModel, Confirmed, Explanation, Sample, Verdict, Word
from models.condition.features import Features
from models.condition.features.cycles import Cycles

__all__ = ["Column", "FindingChange", "MachinePath", "MachineSetup", "SensorReading", "Step"]

SNAPSHOT_VERSION = 1
SWITCHED_BY_HAND = ("mixer", "lathe")
"""Kinds of machine whose time on is a person's choice and says nothing of a thermostat."""


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
    gear_teeth: int | None = None
    bearing: Bearing | None = None
    iso_class: str | None = None
    nominal_hz: float = 50.0
    tachometer: Tachometer | None = None
    set_points: tuple[SetPoint, ...] = ()
    boot: str = ""

    def features(self) -> Features:
        """What computes the features of this machine's waveforms."""
        return Features(self.running_speed_hz, self.bearing, self.nominal_hz, self.gear_teeth)


@dataclass(frozen=True, slots=True)
class SensorReading:
    """What one sensor gave in one tick; `error` is the text of its `SensorError`."""

    sensor: str
    blocks: Sequence[Block] = ()
    error: str | None = None


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
    paused_until_ns: int | None = None
    """Until when, monotonic; None where there is no pause, or one without end."""


class MachinePath:
    """Runs checks, features and the model over what the sensors of one machine deliver.

    Args:
        setup: what is known of the machine.
        channels: what its sensors deliver; one that appears later is taken in.
        model: learns this machine, nobody else calls it.
        features: computes the features of its waveforms; one that comes from an earlier path knows the running speed already.
    """

    def __init__(
        self,
        setup: MachineSetup,
        channels: Sequence[Channel],
        model: ConditionModel,
        features: Features | None = None,
    ) -> None:
        self.setup = setup
        self._model = model
        self._checks = Checks(channels)
        self._taking = FeatureTaking(features or setup.features())
        self._cycles = Cycles()
        self._references = References(setup.tachometer, setup.set_points)
        self._findings = Findings(setup.name, setup.boot)
        self._fresh = False
        self._judged_ns: int | None = None
        self._paused = False
        self._paused_until_ns: int | None = None

    @property
    def model(self) -> ConditionModel:
        """The model as it is now; `restore` replaces it."""
        return self._model

    @property
    def unsteady(self) -> Sequence[str]:
        """Features that changed while they were learned; empty where the model does not tell."""
        return tuple(getattr(self._model, "unsteady", ()))

    @property
    def unjudged(self) -> Sequence[str]:
        """Features that the model has no room for; empty where it does not tell."""
        return tuple(getattr(self._model, "unjudged", ()))

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
        series = raw_series(blocks)
        speed = self._taking.features.speed
        speed.measure(self._references.shaft_hz(usable, lambda name: self._checks.holds(name, now_ns)))
        for name, good in usable.items():
            self._taking.take(name, good, series)
        self._fresh = self._fresh or bool(usable)
        faults = self._checks.faults
        for name in faults:
            # What a broken sensor said before it was found out is in no slope afterwards.
            self._taking.forget(name)
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
        return Step(now_ns, series, sample, verdict, explanation, faults, findings, self._paused, self._paused_until_ns)

    def hear(self, word: Word, confirmed: Confirmed | None = None) -> bool:
        """Passes a person's word to the model; False where there is nothing that it could mean."""
        return self._model.feedback(word, confirmed)

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
            "cycles": self._cycles.state(),
            "speed": self._taking.features.speed.state(),
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
            if "cycles" in state:
                self._cycles.load(state["cycles"])
            self._taking.features.speed.load(state.get("speed", ()))
        except (KeyError, TypeError, IndexError, AttributeError) as exc:
            raise ValueError(f"machine snapshot is damaged: {exc!r}") from exc
        self._model, self._findings = model, findings

    def _due(self, now_ns: int) -> bool:
        # Half an interval of slack: a tick that comes a little early is still its own.
        return self._fresh and (
            self._judged_ns is None or (now_ns - self._judged_ns) / 1e9 >= 0.5 * self.setup.interval_s
        )

    def _sample(self, now_ns: int) -> Sample | None:
        values = self._taking.values(lambda name: self._checks.holds(name, now_ns))
        if self.setup.kind not in SWITCHED_BY_HAND:
            values.update(self._cycles.look(now_ns / 1e9, values, self._taking.info))
            self._taking.info.update(self._cycles.info)
        values.update(self._references.distances(now_ns / 1e9, values, self._taking.info))
        return Sample(now_ns / 1e9, values, self._taking.info) if values else None
