"""A score's history over minutes and weeks in a few hundred numbers, by regime, and what it says of the time to come.

Eight samples make a bucket, eight buckets one of the next coarser scale; of each scale the latest are kept. Time is the
machine's observed life: it stands still while the node is off, and goes on over restarts. What a scale has said holds
until it says something else, or until its time has passed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from itertools import islice
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from models.condition.contract import Prognosis
from models.condition.prognosis import CONFIDENCE, LEAST_BUCKETS, crossing
from models.condition.severity import ALARM_SHARE

FACTOR = 8
"""Samples in the finest bucket, and buckets of one scale in one of the next."""
KEPT = 64
SCALES = 6
EVERY = 4
"""The finest scale is looked at after so many of its buckets, the others after each."""
HIGHER = 0.05
"""Growth must have led this far (shares of the limit) above all that was there before it: a day's ups and downs do not."""
LONGEST_SILENCE_S = 3600.0
"""A longer silence, in seconds and in `USUAL_STEPS`, is not counted as observed life."""
USUAL_STEPS = 20.0
MOST_REGIMES = 12


class Statement(NamedTuple):
    """What one scale has said: when, in observed seconds, the limit of so many shares is reached; and how sure that it grows."""

    low_s: float
    high_s: float
    share: float
    evidence: float


class Scale:
    """Buckets of one width: the middle of each in observed seconds, and the mean score."""

    def __init__(self) -> None:
        self.times: deque[float] = deque(maxlen=KEPT)
        self.levels: deque[float] = deque(maxlen=KEPT)
        self.said: Statement | None = None
        self._open = (0.0, 0.0, 0)

    def add(self, time_s: float, level: float) -> tuple[float, float] | None:
        """Takes a value; returns the bucket that it completes."""
        times, levels, count = self._open
        times, levels, count = times + time_s, levels + level, count + 1
        if count < FACTOR:
            self._open = (times, levels, count)
            return None
        self._open = (0.0, 0.0, 0)
        bucket = (float(f"{times / count:.9g}"), float(f"{levels / count:.5g}"))
        self.times.append(bucket[0])
        self.levels.append(bucket[1])
        return bucket

    def state(self) -> list[Any]:
        """For the snapshot."""
        return [list(self.times), list(self.levels), list(self._open), list(self.said) if self.said else None]

    @classmethod
    def of(cls, state: Any) -> Scale:
        """From a snapshot."""
        times, levels, pending, said = state
        scale = cls()
        scale.times.extend(float(value) for value in times)
        scale.levels.extend(float(value) for value in levels)
        scale._open = (float(pending[0]), float(pending[1]), int(pending[2]))
        scale.said = Statement(*(float(value) for value in said)) if said else None
        return scale


class Trend:
    """One regime's history."""

    def __init__(self) -> None:
        self.scales = [Scale() for _ in range(SCALES)]
        self._buckets = 0
        self._saying = False

    def add(self, time_s: float, level: float, share: float) -> None:
        """Takes a score (in limits) at an observed time; `share` is the limit that is looked out for."""
        value: tuple[float, float] | None = (time_s, level)
        for place, scale in enumerate(self.scales):
            value = scale.add(*value) if value is not None else None
            if value is None:
                return
            if place == 0:
                self._buckets += 1
                if self._buckets % EVERY:
                    continue
            self._look(place, time_s, share)

    def latest(self, time_s: float, share: float) -> Statement | None:
        """What holds now: of the scales' statements the one that rests on the clearest growth."""
        if not self._saying:
            return None
        holding = [
            scale.said
            for scale in self.scales
            if scale.said is not None and scale.said.share == share and scale.said.high_s > time_s
        ]
        return max(holding, key=lambda said: said.evidence, default=None)

    def _look(self, place: int, time_s: float, share: float) -> None:
        self.scales[place].said = self._statement(place, time_s, share)
        self._saying = any(scale.said is not None for scale in self.scales)

    def _statement(self, place: int, time_s: float, share: float) -> Statement | None:
        scale = self.scales[place]
        if len(scale.levels) < LEAST_BUCKETS:
            return None
        times, levels = np.array(scale.times), np.array(scale.levels) / share
        # Where all of it is no clear growth the later half may be: something else happened before.
        found = crossing(times, levels, time_s) or crossing(times[-KEPT // 2 :], levels[-KEPT // 2 :], time_s)
        if found is None:
            return None
        began_s = time_s - found.growth_s
        before = [
            level
            for each in self.scales[place:]
            for moment, level in zip(each.times, each.levels, strict=True)
            if moment < began_s
        ]
        if fmean(islice(reversed(scale.levels), 3)) > max(before, default=0.0) + HIGHER * share:
            return Statement(time_s + found.low_s, time_s + found.high_s, share, found.evidence)
        return None

    def state(self) -> list[Any]:
        """For the snapshot."""
        return [self._buckets, [scale.state() for scale in self.scales]]

    @classmethod
    def of(cls, state: Any) -> Trend:
        """From a snapshot."""
        trend = cls()
        trend._buckets = int(state[0])
        trend.scales = [Scale.of(entry) for entry in state[1]]
        trend._saying = any(scale.said is not None for scale in trend.scales)
        return trend


class Trends:
    """The histories of a machine's regimes."""

    def __init__(self) -> None:
        self.alarmed = False
        """Whether the last sample was."""
        self._regimes: dict[str, Trend] = {}
        self._life_s = 0.0
        self._last_s: float | None = None
        self._step_s = 0.0

    def observe(self, time_s: float, regime: str, level: float, *, alarm: bool) -> Prognosis | None:
        """Takes a judged sample.

        Args:
            time_s: of the sample; a step back is a restart of the node.
            regime: what the machine does.
            level: its score in multiples of the limit.
            alarm: whether it is beyond the limit; then the next limit is where a warning becomes an alarm.

        Returns:
            When the next limit is reached, where that can be said.
        """
        self._pass(time_s)
        trend = self._regimes.pop(regime, None) or Trend()
        self._regimes[regime] = trend
        if len(self._regimes) > MOST_REGIMES:
            del self._regimes[next(iter(self._regimes))]
        self.alarmed = alarm
        share = ALARM_SHARE if alarm else 1.0
        trend.add(self._life_s, level, share)
        said = trend.latest(self._life_s, share) if level < share else None
        if said is None:
            return None
        low_s, high_s = max(said.low_s - self._life_s, 0.0), said.high_s - self._life_s
        return Prognosis(low_s, high_s, CONFIDENCE, "alarm" if alarm else "warning")

    def clear(self) -> None:
        """Begins anew: what was is over, or was normal."""
        self._regimes.clear()

    def state(self) -> dict[str, Any]:
        """For the snapshot."""
        return {
            "life": [self._life_s, self._step_s, self._last_s],
            "alarmed": self.alarmed,
            "regimes": {name: trend.state() for name, trend in self._regimes.items()},
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """From a snapshot."""
        life_s, step_s, last_s = state["life"]
        self._life_s, self._step_s = float(life_s), float(step_s)
        self._last_s = float(last_s) if last_s is not None else None
        self.alarmed = bool(state["alarmed"])
        self._regimes = {str(name): Trend.of(entry) for name, entry in state["regimes"].items()}

    def _pass(self, time_s: float) -> None:
        step_s = time_s - self._last_s if self._last_s is not None else 0.0
        self._last_s = time_s
        if self._step_s <= 0.0:
            self._step_s = max(step_s, 0.0)
        if step_s < 0.0 or step_s > max(LONGEST_SILENCE_S, USUAL_STEPS * self._step_s):
            step_s = self._step_s
        self._step_s += 0.05 * (step_s - self._step_s)
        self._life_s += step_s
