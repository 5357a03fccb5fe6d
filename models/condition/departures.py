"""Which features of a sample are out of their normal, how far, and since when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models.condition.contract import Deviation, Sample
from models.condition.detector import Normal
from models.condition.suspects import LEANING

WORTH_TELLING = 2.0
"""Deviations from which a feature is named at all, and how many of them: with and without something to explain."""
MANY, FEW = 64, 8
LEFT_NORMAL = 3.0
"""Deviations from which a feature has left its normal."""


class Departures:
    """Remembers since when each feature has been out of its normal."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def told(self, sample: Sample, normal: Normal, *, many: bool) -> tuple[Deviation, ...]:
        """What is worth telling of the sample that this normal has just judged; farthest first."""
        telling, rare = normal.telling(WORTH_TELLING), normal.rare()
        if not telling and not rare:
            self._since.clear()
            return ()
        telling.sort(key=_nearness)
        outside = {normal.names[k] for k, sigma in telling if abs(sigma) >= LEFT_NORMAL}
        outside.update(normal.names[k] for k, _, _ in rare)
        if outside or self._since:
            self._since = {name: self._since.get(name, sample.time_s) for name in outside}
        far = self._named(sample, normal, telling[: MANY if many else FEW])
        named = {deviation.feature for deviation in far}
        # Each by itself is where it may be: it is told after what is not.
        together = [
            Deviation(name, sample.values[name], usual, sigma, self._since.get(name))
            for k, usual, sigma in rare
            if (name := normal.names[k]) in sample.values and name not in named
        ]
        return (*far, *together)

    def moved(self, sample: Sample, normal: Normal) -> tuple[Deviation, ...]:
        """Everything that leans to one side, for the picture of an alarm."""
        return self._named(sample, normal, normal.telling(LEANING))

    def clear(self) -> None:
        """Nothing is out of its normal."""
        self._since.clear()

    def state(self) -> dict[str, float]:
        """For the snapshot."""
        return dict(self._since)

    def load(self, state: Mapping[str, Any]) -> None:
        """From a snapshot."""
        self._since = {str(name): float(value) for name, value in state.items()}

    def _named(self, sample: Sample, normal: Normal, telling: Sequence[tuple[int, float]]) -> tuple[Deviation, ...]:
        return tuple(
            Deviation(name, sample.values[name], normal.expected(k), sigma, self._since.get(name))
            for k, sigma in telling
            if (name := normal.names[k]) in sample.values
        )


def _nearness(entry: tuple[int, float]) -> float:
    return -abs(entry[1])
