"""What an alarm speaks for: evidence belongs to the whole alarm, not to its last sample.

The rules of `causes.py` weigh one picture at a time. Where two of them are about as sure, or one is about as sure as it must be to be
named, noise alone would decide anew with every sample. So what they say is averaged over the alarm; a cause that was once sure enough
to be named is named until its average is well below that, and the one that leads does so until another's average is plainly above its own
(hysteresis, as a thermostat has it). The average fades, so that a fault on top of another one, or after it within the same alarm, takes
the lead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models.condition.causes import LEAST_CONFIDENCE, MOST_CAUSES, UNKNOWN, unknown
from models.condition.contract import PossibleCause

MEMORY = 20
"""Weighed samples that the average goes back; all of a young alarm."""
AHEAD = 1.25
"""By how many times another cause's average must exceed the leader's."""
KEPT = 0.5
"""Share of the least confidence to be named at which a cause is named no longer."""
FORGOTTEN = 0.01


class Evidence:
    """The average confidence of each cause over one alarm, and which of them leads."""

    def __init__(self) -> None:
        self._samples = 0
        self._weights: dict[str, float] = {}
        self._features: dict[str, tuple[str, ...]] = {}
        """What spoke for each cause when it was last heard of."""
        self._named: list[str] = []
        """The leader first."""

    def __bool__(self) -> bool:
        return self._samples > 0

    def weigh(self, causes: Sequence[PossibleCause], sure: float = 1.0) -> None:
        """Takes what the rules say of one alarmed sample, `unknown` aside.

        Args:
            causes: however little sure they are.
            sure: 0 to 1, what confidence is worth where little is known of the normal.
        """
        self._samples = min(self._samples + 1, MEMORY)
        heard = {cause.code: sure * cause.confidence for cause in causes if cause.code != UNKNOWN}
        weights = dict.fromkeys(heard, 0.0) | self._weights
        for code, weight in weights.items():
            weights[code] = weight + (heard.get(code, 0.0) - weight) / self._samples
        self._weights = {code: weight for code, weight in weights.items() if code in heard or weight >= FORGOTTEN}
        self._features.update((cause.code, cause.evidence) for cause in causes)
        self._features = {code: self._features[code] for code in self._weights}
        self._name(heard)

    def ranked(self) -> tuple[PossibleCause, ...]:
        """The leader, then whatever else is named, surest first, `unknown` last.

        None is told as surer than the leader: so near to each other they cannot be told apart.
        """
        lead = self._weights[self._named[0]] if self._named else 0.0
        causes = [
            PossibleCause(code, round(min(self._weights[code], lead), 3), self._features[code])
            for code in self._named[:MOST_CAUSES]
        ]
        return (*causes, unknown(causes))

    def clear(self) -> None:
        """The alarm is over."""
        self._samples = 0
        self._weights.clear()
        self._features.clear()
        self._named.clear()

    def state(self) -> dict[str, Any]:
        """For the snapshot."""
        return {
            "samples": self._samples,
            "weights": {code: [weight, list(self._features[code])] for code, weight in self._weights.items()},
            "named": list(self._named),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """From a snapshot."""
        self._samples = int(state["samples"])
        self._weights = {str(code): float(weight) for code, (weight, _) in state["weights"].items()}
        self._features = {str(code): tuple(map(str, names)) for code, (_, names) in state["weights"].items()}
        self._named = [str(code) for code in state["named"] if code in self._weights]

    def _name(self, heard: Mapping[str, float]) -> None:
        leader = self._named[0] if self._named else ""
        named = [
            code
            for code, weight in self._weights.items()
            if heard.get(code, 0.0) >= LEAST_CONFIDENCE or (code in self._named and weight >= KEPT * LEAST_CONFIDENCE)
        ]
        named.sort(key=lambda code: (-self._weights[code], code))
        if leader in named and self._weights[named[0]] <= AHEAD * self._weights[leader]:
            named.remove(leader)
            named.insert(0, leader)
        self._named = named
