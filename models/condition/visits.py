"""How long a machine stays in each of its regimes, and whether it has arrived in the present one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

SETTLING = (0.2, 1, 5)
"""Share of a usual visit to a regime after which the machine has arrived there, and the least and most samples of it.

Until then nothing is learned and nothing alarmed on: it is under way."""
NEWEST = 0.3
"""Weight of the last visit in what is usual."""


class Left(NamedTuple):
    """The regime that a machine has just left, and when it was seen there last."""

    regime: str
    time_s: float


class Visits:
    """Counts the samples of each visit to a regime."""

    def __init__(self) -> None:
        self._usual: dict[str, float] = {}
        self._regime = ""
        self._samples = 0
        self._time_s = 0.0

    def enter(self, regime: str, time_s: float) -> Left | None:
        """Takes the regime of a sample; the one that the machine has just left, if it did."""
        left = None
        if regime != self._regime:
            left = Left(self._regime, self._time_s) if self._regime else None
            if self._regime and self._samples:
                usual = self._usual.get(self._regime, float(self._samples))
                self._usual[self._regime] = usual + NEWEST * (self._samples - usual)
            self._regime, self._samples = regime, 0
        self._samples += 1
        self._time_s = time_s
        return left

    @property
    def settling(self) -> bool:
        """Whether the machine is still under way into its regime."""
        share, least, most = SETTLING
        if self._samples > most:
            return False
        usual = self._usual.get(self._regime, 3.0 / share)
        return self._samples <= min(max(round(share * usual), least), most)

    def clear(self) -> None:
        """Forgets what is usual."""
        self._usual.clear()

    def state(self) -> dict[str, Any]:
        """For the snapshot."""
        return {"visits": dict(self._usual), "regime": [self._regime, self._samples, self._time_s]}

    def load(self, state: Mapping[str, Any]) -> None:
        """From a snapshot."""
        self._usual = {str(name): float(value) for name, value in state["visits"].items()}
        regime, samples, time_s = state["regime"]
        self._regime, self._samples, self._time_s = str(regime), int(samples), float(time_s)
