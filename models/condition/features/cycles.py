"""What a thermostat's switching says: share of time on, readings at the moment of switching, and with them the set point.

A machine that heats or cools by switching on and off hides most of its faults in one reading and shows them in its cycles: a
regulated temperature keeps its switching points whatever it costs, and the cost is the time on (ISO 50002 calls it the duty of a
thermostatic load). Where the points themselves move, the regulation did.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

from models.condition.contract import FeatureInfo

ON_SHARE, OFF_SHARE = 0.6, 0.4
"""Of the highest level seen lately: above the one it is on, below the other off."""
FORGETTING = 2e-4
"""Of the highest level, with each sample."""
FADING = 0.3
"""Weight of a new cycle in what is told."""
SPREAD_FADING = 0.1
LEAST_CYCLES = 6
PAUSE = 3.0
"""A rest of so many usual ones is a pause of the work, and says nothing of the thermostat."""
AWAY = 10.0
"""Distances between the switching points from the set point beyond which a machine is on its way to it, or has been left."""
REGULATED = 0.75
"""A regulated temperature's switching points scatter by less than this share of the distance between them."""


@dataclass
class _Point:
    """Readings of one temperature at one kind of switching."""

    mean: float = 0.0
    told: float = 0.0
    variance: float = 0.0
    count: int = 0
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=3))

    def hear(self, value: float) -> None:
        self.count += 1
        weight = max(1.0 / self.count, SPREAD_FADING)
        off = value - self.mean
        self.mean += weight * off
        self.variance += weight * (off * (value - self.mean) - self.variance)
        # The middle of three: now and then it switches while a door is open.
        self.recent.append(value)
        self.told += max(1.0 / self.count, FADING) * (median(self.recent) - self.told)

    def state(self) -> list[float]:
        return [self.mean, self.told, self.variance, float(self.count)]


@dataclass
class Cycles:
    """Follows one machine's switching; features are there once six cycles have been seen.

    `<driver>.duty` in percent; `<temperature>.at_off` for every temperature, the reading when the machine last switched off; and
    `<temperature>.set_point`, the middle between the two switching points, for the regulated one, with its unscored `.distance` from
    it. All are means over the last few
    cycles. `<temperature>.away`, a state, is 1 while the regulated one is far from there: heating up in the morning, or left to cool.
    A machine that is switched by hand has none.
    """

    info: dict[str, FeatureInfo] = field(default_factory=dict)
    regulated: str = ""
    _high: float = 0.0
    _on: bool | None = None
    _since_s: float = 0.0
    _on_s: float = 0.0
    _usual_rest_s: float = 0.0
    _rests: int = 0
    _whole: bool = False
    """The present cycle has been seen from its beginning, and follows an ordinary rest."""
    _duty: float = 0.0
    _duties: int = 0
    _points: dict[str, tuple[_Point, _Point]] = field(default_factory=dict)
    _before: dict[str, float] = field(default_factory=dict)

    def look(self, time_s: float, values: Mapping[str, float], info: Mapping[str, FeatureInfo]) -> dict[str, float]:
        """Takes the features of one moment; returns those of the cycles so far."""
        found = _driver(values, info)
        driver: FeatureInfo | None = None
        if found is not None:
            driver, level = found
            self._high = max(level, self._high * (1.0 - FORGETTING))
            on = level > (OFF_SHARE if self._on else ON_SHARE) * self._high
            if self._on is None:
                self._on, self._since_s = on, time_s
            elif on != self._on:
                self._switched(time_s, to_on=on)
                self._on, self._since_s = on, time_s
            self._before = {
                name: value
                for name, value in values.items()
                if info[name].quantity == "temperature" and name == info[name].channel
            }
        return self._features(driver, info) if driver is not None and self.regulated else {}

    def state(self) -> dict[str, Any]:
        """For the snapshot."""
        return {
            "regulated": self.regulated,
            "numbers": [self._high, self._usual_rest_s, self._rests, self._duty, self._duties],
            "points": {name: [off.state(), on.state()] for name, (off, on) in self._points.items()},
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """From a snapshot."""
        self.regulated = str(state["regulated"])
        high, rest, rests, duty, duties = (float(number) for number in state["numbers"])
        self._high, self._usual_rest_s, self._rests, self._duty, self._duties = (
            high,
            rest,
            int(rests),
            duty,
            int(duties),
        )
        self._points = {str(name): (_point(off), _point(on)) for name, (off, on) in state["points"].items()}

    def _switched(self, time_s: float, *, to_on: bool) -> None:
        length_s = time_s - self._since_s
        if not to_on:
            self._on_s = length_s
            if self._whole:
                for name, value in self._before.items():
                    self._points.setdefault(name, (_Point(), _Point()))[0].hear(value)
            return
        pause = self._rests >= LEAST_CYCLES and length_s > PAUSE * self._usual_rest_s
        if not pause:
            self._rests += 1
            self._usual_rest_s += max(1.0 / self._rests, SPREAD_FADING) * (length_s - self._usual_rest_s)
            for name, value in self._before.items():
                self._points.setdefault(name, (_Point(), _Point()))[1].hear(value)
            if self._whole and self._on_s > 0:
                self._duties += 1
                share = 100.0 * self._on_s / (self._on_s + length_s)
                self._duty += max(1.0 / self._duties, FADING) * (share - self._duty)
        self._whole = not pause
        if not self.regulated and self._duties >= LEAST_CYCLES:
            self.regulated = self._found()

    def _found(self) -> str:
        """The temperature whose switching points scatter least, if it is regulated at all."""
        scatter = {
            name: float(np.sqrt(off.variance) + np.sqrt(on.variance))
            for name, (off, on) in self._points.items()
            if min(off.count, on.count) >= LEAST_CYCLES
            and np.sqrt(off.variance) + np.sqrt(on.variance) < REGULATED * abs(off.mean - on.mean)
        }
        return min(scatter, key=scatter.__getitem__, default="")

    def _features(self, driver: FeatureInfo, info: Mapping[str, FeatureInfo]) -> dict[str, float]:
        duty = f"{driver.channel}.duty"
        found = {duty: self._duty}
        if duty not in self.info:
            self.info[duty] = FeatureInfo("%", driver.channel, driver.quantity)
        for name, (off, on) in self._points.items():
            if name in self._before and off.count >= LEAST_CYCLES:
                found[f"{name}.at_off"] = off.told
                if name == self.regulated:
                    middle, band = (off.told + on.told) / 2, abs(off.mean - on.mean)
                    found[f"{name}.set_point"] = middle
                    found[f"{name}.distance"] = self._before[name] - middle
                    found[f"{name}.away"] = float(abs(self._before[name] - middle) > AWAY * band)
        for name in found.keys() - self.info.keys():
            channel = name.rpartition(".")[0]
            away = name.endswith(".away")
            self.info[name] = FeatureInfo(
                "" if away else info[channel].unit,
                channel,
                "state" if away else "temperature",
                not name.endswith(".distance"),
            )
        return found


def _driver(values: Mapping[str, float], info: Mapping[str, FeatureInfo]) -> tuple[FeatureInfo, float] | None:
    """What tells whether the machine is on, and its level: its power, else the mean of its currents."""
    for quantity in ("power", "current"):
        members = [
            name
            for name in values
            if info[name].quantity == quantity
            and info[name].unit != "%"
            and (name == info[name].channel or name.endswith("rms"))
        ]
        if members:
            return info[min(members)], sum(values[name] for name in members) / len(members)
    return None


def _point(numbers: list[float]) -> _Point:
    mean, told, variance, count = numbers
    return _Point(float(mean), float(told), float(variance), int(count))
