"""What a machine's steps give to say, and when. Pure: time comes with the steps.

Findings are said at once. A condition is said when it changes and otherwise once in a while; measured values are
gathered for as long as the configuration says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from edge.config import ReportOptions
from edge.drafts import Drafter
from edge.machine import Column, Step
from models.condition.contract import Explanation, FeatureInfo, Verdict
from wire.journal import Record

UNJUDGED = Verdict(0.0, "unknown", 0.0, None, "good", alarm=False, learned=0.0)
"""Before the first verdict: a machine whose sensors have delivered nothing yet."""


class Reporter:
    """Speaks for one machine.

    Args:
        machine: its name.
        drafter: makes the records.
        report: how often things are said.
    """

    def __init__(self, machine: str, drafter: Drafter, report: ReportOptions) -> None:
        self._machine = machine
        self._drafter = drafter
        self._telemetry_ns = round(report.telemetry_s * 1e9)
        self._condition_ns = round(report.condition_s * 1e9)
        self._verdict = UNJUDGED
        self._explanation: Explanation | None = None
        self._info: Mapping[str, FeatureInfo] = {}
        self._columns: dict[str, list[Column]] = {}
        self._began_ns: int | None = None
        self._period: int | None = None
        self._condition_said_ns = 0
        self._said: tuple[object, ...] = ()
        self.product: str | None = None
        """What the machine makes, told with its condition."""

    def take(
        self, step: Step, unsteady: Callable[[], Sequence[str]] = tuple, unjudged: Sequence[str] = ()
    ) -> list[Record]:
        """The records of this step, findings first.

        Args:
            step: of the machine's path.
            unsteady: features that changed while they were learned; asked when a condition is told.
            unjudged: features that the model has no room for.
        """
        if step.verdict is not None:
            self._verdict, self._explanation = step.verdict, step.explanation
        if step.sample is not None:
            self._info = step.sample.info
        now_ns = step.time_ns
        records = [self._drafter.finding(self._machine, step, change, self._info) for change in step.findings]
        verdict = self._verdict
        if self._began_ns is None:
            self._began_ns = now_ns
        # A machine that has just been taken up is not unknown: its first readings are on their way.
        waiting = verdict is UNJUDGED and now_ns - self._began_ns < self._condition_ns
        saying = (
            verdict.regime,
            verdict.severity,
            verdict.alarm,
            step.paused,
            step.paused_until_ns,
            frozenset(step.sensor_faults),
            self.product,
            verdict.prognosis is not None,
        )
        if waiting and not step.paused and not step.sensor_faults:
            pass
        elif saying != self._said or now_ns - self._condition_said_ns >= self._condition_ns:
            self._said, self._condition_said_ns = saying, now_ns
            records.append(
                self._drafter.condition(
                    self._machine,
                    step,
                    verdict,
                    self._explanation,
                    self._info,
                    product=self.product,
                    unsteady=unsteady(),
                    unjudged=len(unjudged),
                )
            )
        for channel, column in step.series.items():
            if len(column.values):
                self._columns.setdefault(channel, []).append(column)
        # On a grid of the clock that all machines share, so that what they say fits into one commit.
        period = now_ns // self._telemetry_ns if self._telemetry_ns else now_ns
        if period != self._period:
            records.extend(self.rest(now_ns))
            self._period = period
        return records

    def rest(self, now_ns: int) -> list[Record]:
        """The measured values gathered so far."""
        if not self._columns:
            return []
        columns, self._columns = self._columns, {}
        return self._drafter.telemetry(self._machine, now_ns, columns)
