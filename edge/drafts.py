"""From a machine's step to the messages about it. No clock, no files, no threads."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from edge.sensor_setup import CHANNEL_NAME
from models.condition.contract import Deviation, Explanation, FeatureInfo, PossibleCause, Prognosis, Verdict
from wire.envelope import Envelope
from wire.fields import LONGEST_S
from wire.journal import Record
from wire.messages import Cause, Condition, Evidence, Finding, Message, Series, Severity, Telemetry
from wire.messages import Prognosis as Told

if TYPE_CHECKING:
    # A daemon of cameras does without the features, checks and regimes that come with a machine.
    from edge.machine import Column, FindingChange, Step

VALUES_PER_MESSAGE = 8_000
"""About 150 kB of JSON with times; the limit on the wire is 262,144 bytes."""
SERIES_PER_MESSAGE = 256
EVIDENCE = 12
CAUSES = 6
MOST_UNSTEADY = 32
SIGNIFICANT = 9
"""Digits kept of a value: more than any sensor resolves, half of what a double would take on the wire."""
TIME_TOLERANCE_MS = 0.01


class Drafter:
    """Makes the journal's records of one daemon.

    Args:
        envelope: the daemon's identity.
        boot: id of the present boot.
        model: name and version of the condition model, for conditions and findings.
    """

    def __init__(self, envelope: Envelope, boot: str, model: str = "") -> None:
        self._envelope = envelope
        self._boot = boot
        self._model = model
        self.unfit: set[str] = set()
        """Names of series that the wire does not take; left out, logged once."""

    def record(self, kind: type[Message], at_ns: int, *, event: bool = False, **fields: object) -> Record:
        """One message as the journal takes it.

        Raises:
            Refused: kind `not_finite`.
        """
        draft = self._envelope.draft(self._envelope.new(kind, self._boot, **fields))
        return Record(stream=draft.stream, payload=draft.body, at_ns=at_ns, boot=self._boot, event=event)

    def telemetry(self, machine: str, at_ns: int, series: Mapping[str, Sequence[Column]]) -> list[Record]:
        """Columns of one machine up to `at_ns`, in as many messages as the wire's limits need."""
        records: list[Record] = []
        part: dict[str, Series] = {}
        size = 0
        for name, columns in series.items():
            if not self._fits(name):
                continue
            for piece in _pieces(columns, at_ns):
                length = len(piece.values)
                if part and (size + length > VALUES_PER_MESSAGE or len(part) == SERIES_PER_MESSAGE or name in part):
                    records.append(self.record(Telemetry, at_ns, machine=machine, series=part))
                    part, size = {}, 0
                part[name] = piece
                size += length
        if part:
            records.append(self.record(Telemetry, at_ns, machine=machine, series=part))
        return records

    def _fits(self, name: str) -> bool:
        if CHANNEL_NAME.fullmatch(name):
            return True
        if name not in self.unfit:
            self.unfit.add(name)
            logging.getLogger(__name__).warning("series %r is not sent: its name is not a channel's name", name)
        return False

    def condition(
        self,
        machine: str,
        step: Step,
        verdict: Verdict,
        explanation: Explanation | None,
        info: Mapping[str, FeatureInfo],
        *,
        product: str | None = None,
        unsteady: Sequence[str] = (),
        unjudged: int = 0,
    ) -> Record:
        """What the model said last, be it in this step or, while it is paused or has no data, before it."""
        return self.record(
            Condition,
            step.time_ns,
            machine=machine,
            regime=verdict.regime,
            score=_finite(verdict.score),
            limit=None if verdict.limit is None else _finite(verdict.limit),
            severity=Severity(verdict.severity),
            learned=min(max(verdict.learned, 0.0), 1.0),
            paused=step.paused,
            product=product,
            sensor_faults=sorted(filter(CHANNEL_NAME.fullmatch, step.sensor_faults))[:256],
            evidence=_evidence(
                explanation.deviations if explanation is not None else verdict.deviations, info, step.time_ns / 1e9
            ),
            causes=_causes(explanation.causes if explanation is not None else ()),
            model=self._model,
            certainty=min(max(verdict.certainty, 0.0), 1.0),
            learning_left_s=None if verdict.learning_left_s is None else _seconds(verdict.learning_left_s),
            prognosis=_prognosis(verdict.prognosis),
            unsteady=list(filter(CHANNEL_NAME.fullmatch, unsteady))[:MOST_UNSTEADY],
            paused_left_s=None
            if step.paused_until_ns is None
            else _seconds((step.paused_until_ns - step.time_ns) / 1e9),
            unjudged=unjudged,
        )

    def finding(self, machine: str, step: Step, change: FindingChange, info: Mapping[str, FeatureInfo]) -> Record:
        """A finding that opened, changed or cleared: an event."""
        return self.record(
            Finding,
            step.time_ns,
            event=True,
            id=change.id,
            machine=machine,
            type=change.type,
            state=change.state,
            cause=change.cause,
            severity=Severity(change.severity),
            # One that was open before this boot no longer knows when it began in this boot's time.
            since_ms=min((change.since_ns - step.time_ns) / 1e6, 0.0) if change.since_ns > 0 else 0.0,
            channel=change.channel,
            regime=change.regime,
            score=None if change.score is None else _finite(change.score),
            limit=None if change.limit is None else _finite(change.limit),
            evidence=_evidence(change.evidence, info, step.time_ns / 1e9),
            causes=_causes(change.causes),
            detail=change.detail[:500],
            model=self._model if change.type == "machine" else "",
            prognosis=_prognosis(change.prognosis),
            certainty=None if change.certainty is None else min(max(change.certainty, 0.0), 1.0),
        )


def shorten(value: float) -> float | None:
    """The value with nine significant digits; None for NaN and infinities."""
    return float(f"{value:.{SIGNIFICANT}g}") if math.isfinite(value) else None


def _finite(value: float) -> float:
    return max(shorten(value) or 0.0, 0.0) if math.isfinite(value) else 1e9


def _seconds(value: float) -> float:
    """To a tenth, and no longer than the wire takes: a pause in the first minute makes a warm-up's pace that of years."""
    return min(round(_finite(value), 1), LONGEST_S)


def _pieces(columns: Sequence[Column], at_ns: int) -> Iterable[Series]:
    """Columns of one name joined, then cut to what one message holds."""
    if not columns:
        return
    times = [time for column in columns for time in column.times_ns]
    values = [shorten(value) for column in columns for value in column.values]
    for start in range(0, len(values), VALUES_PER_MESSAGE):
        yield _series(
            columns[0].unit,
            times[start : start + VALUES_PER_MESSAGE],
            values[start : start + VALUES_PER_MESSAGE],
            at_ns,
        )


def _series(unit: str, times: Sequence[int], values: list[float | None], at_ns: int) -> Series:
    offsets = [round((time - at_ns) / 1e6, 3) for time in times]
    if len(offsets) == 1:
        return Series(unit=unit, values=values, start_ms=offsets[0])
    step = (offsets[-1] - offsets[0]) / (len(offsets) - 1)
    if all(abs(offset - offsets[0] - i * step) <= TIME_TOLERANCE_MS for i, offset in enumerate(offsets)):
        return Series(unit=unit, values=values, start_ms=offsets[0], step_ms=step)
    return Series(unit=unit, values=values, at_ms=offsets)


def _evidence(deviations: Sequence[Deviation], info: Mapping[str, FeatureInfo], now_s: float) -> list[Evidence]:
    found = []
    for deviation in deviations[:EVIDENCE]:
        about = info.get(deviation.feature)
        numbers = [shorten(number) for number in (deviation.value, deviation.expected, deviation.sigma)]
        if None in numbers:
            continue
        value, expected, sigma = numbers
        found.append(
            Evidence(
                feature=deviation.feature,
                value=value or 0.0,
                expected=expected or 0.0,
                unit=about.unit if about is not None else "",
                deviation=sigma or 0.0,
                channel=about.channel if about is not None else "unknown",
                since_ms=None if deviation.since_s is None else min((deviation.since_s - now_s) * 1000.0, 0.0),
            )
        )
    return found


def _causes(causes: Sequence[PossibleCause]) -> list[Cause]:
    return [
        Cause(
            code=cause.code,
            confidence=min(max(cause.confidence, 0.0), 1.0),
            evidence=list(cause.evidence),
            label=cause.label,
            recognised=cause.recognised,
        )
        for cause in causes[:CAUSES]
    ]


def _prognosis(said: Prognosis | None) -> Told | None:
    """Whole seconds: more than anybody can know."""
    if said is None:
        return None
    low_s, high_s = float(round(_seconds(said.low_s))), float(round(_seconds(said.high_s)))
    return Told(low_s=low_s, high_s=high_s, confidence=said.confidence, reaches=Severity(said.reaches))
