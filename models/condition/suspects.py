"""Causes remembered over an alarm: what spoke for one a moment ago still does while the machine stands still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from models.condition.causes import LEAST_CONFIDENCE, unknown
from models.condition.contract import Explanation, PossibleCause

FADING = 0.9
"""What is left of a cause's confidence after another alarmed sample that does not speak for it."""


class Suspects:
    """The causes of the present alarm, each with the best evidence that there was for it, fading."""

    def __init__(self) -> None:
        self._causes: dict[str, PossibleCause] = {}

    def __bool__(self) -> bool:
        return bool(self._causes)

    def hear(self, explanation: Explanation) -> None:
        """Takes what one alarmed sample speaks for."""
        heard = {code: replace(c, confidence=round(c.confidence * FADING, 3)) for code, c in self._causes.items()}
        for cause in explanation.causes:
            known = heard.get(cause.code)
            if cause.code != "unknown" and (known is None or cause.confidence > known.confidence):
                heard[cause.code] = cause
        self._causes = {code: cause for code, cause in heard.items() if cause.confidence >= LEAST_CONFIDENCE}

    def clear(self) -> None:
        """The alarm is over."""
        self._causes.clear()

    def ranked(self) -> tuple[PossibleCause, ...]:
        """Most likely first, `unknown` last."""
        causes = sorted(self._causes.values(), key=lambda cause: -cause.confidence)
        return (*causes[:5], unknown(causes))

    def state(self) -> list[Any]:
        """For the snapshot."""
        return [[cause.code, cause.confidence, list(cause.evidence)] for cause in self._causes.values()]

    def load(self, state: Sequence[Any]) -> None:
        """From a snapshot."""
        self._causes = {
            str(code): PossibleCause(str(code), float(confidence), tuple(str(name) for name in evidence))
            for code, confidence, evidence in state
        }
