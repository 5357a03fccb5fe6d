"""What a machine that is seen by nothing but its temperatures is doing: cold, heating up, holding, cooling down.

A current tells at once whether a machine is at work; a temperature tells it by its course. The *plateau* is a narrow band in which the
machine spends half of the time that it is in the upper half of what it reaches: a thermostat's swing is one. Below it the machine is on
its way up or down, and turns where it goes back by more than a swing (a zigzag with hysteresis), until it is cold. One that turns up and
down in the upper half without reaching the plateau, or makes no progress any more, holds where it is: a thermostat that drifted, or a probe that reads too little, is a
fault of the plateau and no way anywhere. Hotter than ever is holding too; colder than ever, where none was met cold, is a state that
is new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.condition.contract import FeatureInfo

Floats: TypeAlias = NDArray[np.float64]

COLD, HEATING, HOLDING, COOLING = range(4)
NAMES = ("cold", "heating", "holding", "cooling")
UNDER_WAY = (HEATING, COOLING)
OTHERS = ("current", "power", "speed", "state", "vibration")
"""Quantities that tell better what a machine is doing: where there is one of them, temperatures tell nothing."""
LEAST_SPAN_K = 20.0
"""Less is a controlled room with its doors: its swing, its defrosting and its loads are one regime."""
NARROW = 0.1
"""Share of the span within which the plateau has half of what is seen in the upper half. A uniform distribution needs 0.25. What stays
within so much above the lowest is cold."""
LEAST_SWING = 0.05
"""Share of the span that it goes back by where it turns, at least."""
LEAST_SHARE = 0.1
"""The upper half, the lower half, and what is cold are each at least so much of the life that is remembered, or they tell nothing."""
LEAST_ROWS, LEAST_VISITS = 48, 2
"""A plateau that was visited once does not say how one visit differs from the next."""
PATIENCE = 10
"""Samples without progress on its way that mean nothing."""
ROOM_C = 20.0
COLDER = 0.25
"""Share of the span by which it is colder than ever."""


@dataclass(frozen=True, slots=True)
class Course:
    """How one temperature comes and goes, °C."""

    channel: str
    low: float
    high: float
    """1st and 99th percentile of what it was seen to reach."""
    swing: float
    """It turns where it goes back by that."""
    reached: float
    """From here on, on its way up, it is on the plateau."""
    left: float
    """And below this not any more."""
    cold: float | None
    """Up to here it is cold, where it ever rests there."""
    patience: int = 0
    """Samples without progress after which it is not on its way any more; 0 where that is not known."""

    @property
    def middle(self) -> float:
        """What turns above it is near the plateau."""
        return (self.low + self.high) / 2


@dataclass(slots=True)
class Place:
    """Where one temperature is on its course."""

    state: int
    extreme: float
    """The farthest it came since it turned, on its way."""
    floor: float | None = None
    """Where it last turned up, while it holds at a level that is not the plateau's;"""
    turned: float | None = None
    """and while it is on its way up, from a turn before it was cold."""
    stalled: int = 0
    """Samples without progress on its way."""

    @classmethod
    def first(cls, value: float, course: Course) -> Place:
        """Of the first reading, which says nothing of a way."""
        if value <= course.middle:
            return cls(COOLING, value)
        return cls(HOLDING, value, value if value < course.left else None)

    def follow(self, value: float, course: Course) -> int:
        """Takes the next reading; one of the four states."""
        before, farthest = self.state, self.extreme
        (self._rest, self._rise, self._hold, self._fall)[self.state](value, course)
        self.stalled = self.stalled + 1 if (self.state, self.extreme) == (before, farthest) else 0
        if self.state in UNDER_WAY and self.extreme > course.middle and 0 < course.patience < self.stalled:
            self.state, self.floor = HOLDING, value
        if self.state == HEATING and value >= course.reached:
            self.state, self.floor = HOLDING, None
        elif self.state == COOLING and course.cold is not None and value <= course.cold:
            self.state = COLD
        return self.state

    def _rest(self, value: float, course: Course) -> None:
        if course.cold is None:
            self.state, self.extreme = COOLING, value
        elif value > course.cold + course.swing:
            self.state, self.extreme, self.turned = HEATING, value, None

    def _rise(self, value: float, course: Course) -> None:
        self.extreme = max(self.extreme, value)
        if value >= self.extreme - course.swing:
            return
        if self.turned is not None and self.turned > course.middle:
            self.state, self.floor = HOLDING, min(self.turned, value)
        else:
            self.state, self.extreme = COOLING, value
        self.turned = None

    def _hold(self, value: float, course: Course) -> None:
        if value >= course.reached:
            self.floor = None
        if value < (course.left if self.floor is None else min(course.left, self.floor - course.swing)):
            self.state, self.extreme, self.floor = COOLING, value, None

    def _fall(self, value: float, course: Course) -> None:
        self.extreme = min(self.extreme, value)
        if value > self.extreme + course.swing:
            self.state, self.turned, self.extreme = HEATING, self.extreme, value


class Warmth:
    """The regimes of one machine that has only temperatures; `assign` is what runs on every sample, in time order.

    Args:
        courses: of its temperatures, the one with the narrowest plateau first; the next stands in where it is not measured.
    """

    def __init__(self, courses: Sequence[Course]) -> None:
        self.courses = tuple(courses)
        self.places: list[Place | None] = [None for _ in self.courses]
        self.now = HOLDING

    @classmethod
    def fit(
        cls, table: Floats, names: Sequence[str], info: Mapping[str, FeatureInfo], before: Warmth | None = None
    ) -> Warmth | None:
        """From (rows, features) in time order; None where other quantities tell, or no plateau stands out.

        `before` stays where the table shows none any more, and its place on the way is kept.
        """
        if any(known.quantity in OTHERS for known in info.values()):
            return None
        found = []
        for column, name in enumerate(names):
            known = info.get(name)
            if known is not None and is_level(name, known):
                values = table[:, column]
                course = _course(name, values[np.isfinite(values)])
                if course is not None:
                    found.append((course[0], _patient(_as_cold_as(course[1], before), values)))
        if not found:
            return before
        made = cls([course for _, course in sorted(found, key=lambda each: each[0])])
        made.run(table, names)
        if before is not None:
            places = dict(zip((course.channel for course in before.courses), before.places, strict=True))
            made.places = [
                places.get(course.channel, place) for course, place in zip(made.courses, made.places, strict=True)
            ]
            made.now = before.now
        return made

    def assign(self, values: Mapping[str, float]) -> tuple[int, bool, str]:
        """State, whether it was met before, and its name for the next sample."""
        level: tuple[float, Course] | None = None
        for k, course in enumerate(self.courses):
            value = values.get(course.channel)
            if value is None:
                continue
            place = self.places[k] or Place.first(value, course)
            self.places[k] = place
            state = place.follow(value, course)
            if level is None:
                level, self.now = (value, course), state
        if level is not None and self.now == COOLING:
            value, course = level
            if course.cold is None and value < course.low - COLDER * (course.high - course.low):
                return -1, False, NAMES[COLD]
        return self.now, True, NAMES[self.now]

    @property
    def idle(self) -> tuple[int, ...]:
        """States in which a temperature itself means nothing, only how fast it goes: on its way, and where it follows the room."""
        course = self.courses[0]
        follows = COLD if abs(course.low - ROOM_C) <= abs(course.reached - ROOM_C) else HOLDING
        return (*UNDER_WAY, follows)

    def leaves(self, table: Floats, names: Sequence[str]) -> NDArray[np.intp]:
        """States of (rows, features) in time order; where this machine is now stays as it is."""
        return Warmth(self.courses).run(table, names)

    def run(self, table: Floats, names: Sequence[str]) -> NDArray[np.intp]:
        """The same, and this machine is now where the table ends."""
        columns = {course.channel: names.index(course.channel) for course in self.courses}
        states = np.zeros(len(table), dtype=np.intp)
        channels, rows = list(columns), table[:, list(columns.values())]
        for k, row in enumerate(rows.tolist()):
            present = {channel: value for channel, value in zip(channels, row, strict=True) if isfinite(value)}
            self.assign(present)
            states[k] = self.now
        return states

    def state(self) -> dict[str, Any]:
        """For the snapshot."""
        return {
            "courses": [asdict(course) for course in self.courses],
            "places": [None if place is None else asdict(place) for place in self.places],
            "state": self.now,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Warmth:
        """From a snapshot."""
        made = cls([Course(**entry) for entry in state["courses"]])
        made.places = [None if entry is None else Place(**entry) for entry in state["places"]]
        made.now = int(state["state"])
        return made


def is_level(name: str, info: FeatureInfo) -> bool:
    """Whether a feature is a temperature itself, and nothing told from it."""
    return info.quantity == "temperature" and name == info.channel


def _course(channel: str, values: Floats) -> tuple[float, Course] | None:
    """A temperature's course and the width of its plateau as a share of the span; None where it has no such plateau."""
    if len(values) < LEAST_ROWS:
        return None
    low, high = (float(each) for each in np.quantile(values, (0.01, 0.99)))
    span, middle = high - low, (low + high) / 2
    if span < LEAST_SPAN_K:
        return None
    hot = values[values > middle]
    upper = _densest(hot)
    if upper is None or min(len(hot), len(values) - len(hot)) < LEAST_SHARE * len(values):
        return None
    wide = upper[1] - upper[0]
    if wide > NARROW * span or _visits(values, middle, upper[0]) < LEAST_VISITS:
        return None
    swing = max(LEAST_SWING * span, wide)
    cold = low + NARROW * span
    rests = float((values <= cold).mean()) >= LEAST_SHARE
    return wide / span, Course(channel, low, high, swing, upper[0], upper[0] - swing, cold if rests else None)


def _visits(values: Floats, below: float, reached: float) -> int:
    """How often it was at a plateau after it had been below."""
    there = values[(values <= below) | (values >= reached)] >= reached
    return int(np.count_nonzero(there & ~np.concatenate(([False], there[:-1]))))


def _as_cold_as(course: Course, before: Warmth | None) -> Course:
    """As cold as it was, if it never rests there any more: nights may have become shorter."""
    if course.cold is None and before is not None:
        cold = next((old.cold for old in before.courses if old.channel == course.channel), None)
        return replace(course, cold=cold)
    return course


def _patient(course: Course, values: Floats) -> Course:
    """With twice the longest pause that it made on its way near the plateau, and some."""
    place, longest = Place(COOLING, course.low), 0
    for value in values[np.isfinite(values)].tolist():
        if place.follow(value, course) in UNDER_WAY and place.extreme > course.middle:
            longest = max(longest, place.stalled)
    return replace(course, patience=2 * longest + PATIENCE)


def _densest(values: Floats) -> tuple[float, float] | None:
    """The shortest interval that holds half of them (the shorth); None where there are fewer than eight."""
    half = (len(values) + 1) // 2
    if len(values) < 8:
        return None
    ordered = np.sort(values)
    widths = ordered[half - 1 :] - ordered[: len(ordered) - half + 1]
    first = int(np.argmin(widths))
    return float(ordered[first]), float(ordered[first + half - 1])
