"""What a verdict says beyond the moment: time to learn, certainty of the normal, the next limit, and faults known from before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from models.condition.contract import Confirmed, PossibleCause, Verdict
from models.condition.reach import widening
from models.condition.severity import by_growth, worse
from models.condition.signatures import Signatures, sure_rule
from models.condition.trend import Trends

ROWS_A_LOOK = 6.0
"""Samples that follow each other are alike: so many are taken for one independent look."""
SIGMAS = 4.5


class Outlook:
    """Goes along with one machine's model, over its refits and its person's words."""

    def __init__(self) -> None:
        self._signatures = Signatures()
        self._trends = Trends()
        self._pace = (0.0, 0.0, 0)
        """First and last sample time of the warm-up, and steps in it."""

    def left_s(self, time_s: float, samples: int) -> float | None:
        """About how long so many samples of the warm-up still take, None before there is a pace."""
        first, last, steps = self._pace
        if steps < 0 or time_s < last:
            steps = 0  # the node was restarted: another clock
        if steps == 0:
            self._pace = (time_s, time_s, 1)
            return None
        self._pace = (first, time_s, steps + 1)
        return max(samples, 0) * (time_s - first) / steps if time_s > first else None

    def judge(self, verdict: Verdict) -> Verdict:
        """The verdict with its prognosis, and with the severity that the speed of growth gives it."""
        if not verdict.alarm:
            self._signatures.calm()
        if verdict.limit is None:
            return verdict
        if verdict.alarm != self._trends.alarmed:
            # What began with a jump grows from there on, and what was repaired does not go on from before.
            self._trends.clear()
        prognosis = self._trends.observe(verdict.time_s, verdict.regime, verdict.score, alarm=verdict.alarm)
        if prognosis is None:
            return verdict
        grown = by_growth(prognosis.high_s, alarm=verdict.alarm)
        return replace(verdict, prognosis=prognosis, severity=worse(verdict.severity, grown))

    def alarmed(self, verdict: Verdict, measured: Iterable[str], causes: Sequence[PossibleCause]) -> bool:
        """Takes an alarmed sample with what the rules say of it; True for the first one of an alarm."""
        return self._signatures.watch(verdict.deviations, measured, sure_rule(causes))

    def rank(self, causes: Sequence[PossibleCause]) -> tuple[PossibleCause, ...]:
        """Causes of the present alarm with what is recognised."""
        return self._signatures.rank(causes)

    def confirm(self, fault: Confirmed) -> bool:
        """Keeps what the fault looks like; False where no alarm is remembered that could be meant."""
        return self._signatures.confirm(fault)

    def begin_anew(self, *, forget: bool) -> None:
        """Another normal holds from here on; `forget` drops the confirmed faults too."""
        self._trends.clear()
        self._pace = (0.0, 0.0, 0)
        if forget:
            self._signatures = Signatures()

    def state(self) -> dict[str, Any]:
        """For the snapshot."""
        return {"signatures": self._signatures.state(), "trends": self._trends.state(), "pace": list(self._pace)}

    def load(self, state: Mapping[str, Any]) -> None:
        """From a snapshot."""
        self._signatures.load(state["signatures"])
        self._trends.load(state["trends"])
        first, last, steps = state["pace"]
        self._pace = (float(first), float(last), int(steps))


def assurance(known: float, ratio: float) -> float:
    """What a cause is worth that is told so many limits away from a normal known so well (0 to 1): 0 to 1.

    What is just past a limit that rests on little may be nothing; what is many limits away is something, however little was
    learned.

    >>> round(assurance(0.2, 1.0), 2), round(assurance(0.2, 8.0), 2), assurance(1.0, 1.0)
    (0.2, 0.9, 1.0)
    """
    return 1.0 - (1.0 - known) / max(ratio, 1.0)


@lru_cache(maxsize=64)
def certainty(samples: int) -> float:
    """How well a normal of so many samples is known, 0 to 1: the share of a limit that is not for want of knowledge.

    >>> certainty(24), certainty(90), certainty(1500)
    (0.05, 0.65, 0.98)
    """
    return max(round(float(1.0 / widening(np.array([samples / ROWS_A_LOOK]), SIGMAS)[0]), 2), 0.01)
