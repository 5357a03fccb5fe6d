"""What a machine is held against besides its own past: the speed that a tachometer measures, and declared set points."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from edge.sensors.base import Block
from models.condition.contract import FeatureInfo

TURNS = {"": 1 / 60, "rpm": 1 / 60, "1/min": 1 / 60, "Hz": 1.0, "1/s": 1.0, "rad/s": 0.5 / math.pi}
"""Revolutions a second for one of each unit of rotation."""
STANDING_HZ = 0.5
"""Slower than this a shaft has no orders."""
PATIENCE_S = 600.0
"""So long a temperature may come no nearer to a set point that was moved, before it counts as not following."""
SETTLING = 0.5
"""Share of the time that it took to get there in which it settles, within `PATIENCE_S`."""
NEARER = 0.05
"""Share of the first distance by which it has come nearer."""
FLICKERS_K = 1.05
"""A set point that differs by no more was not moved: a controller's read-back flickers by its last digit, whole degrees at most."""
FARTHER = 0.25
"""Share of the distance by which it must differ besides while there is some to go: what heats, heats for that as well."""
LONGEST_S = 4 * 3600.0
"""From the first move since it settled on: a stone oven is hot from cold by then, however often somebody turned the knob."""
_MOVED = ("", ".slope", ".at_off", ".set_point")
"""Features of a regulated temperature that go where its set point goes."""


@dataclass(frozen=True, slots=True)
class Tachometer:
    """A channel of speed, and how often the shaft that vibration is told by turns for each of its turns."""

    channel: str
    ratio: float = 1.0


@dataclass(frozen=True, slots=True)
class SetPoint:
    """Where a regulated temperature should be: always at `value`, or where the channel `source` says."""

    channel: str
    value: float | None = None
    source: str = ""


@dataclass
class _Way:
    """A regulated temperature on its way to a set point that was moved."""

    target: float
    """The set point when it was last moved; what it flickers by since then is no move."""
    first: float = 0.0
    """Distance, with its sign, when it was moved; 0 where it has settled."""
    moved_s: float = 0.0
    nearest: float = 0.0
    nearest_s: float = 0.0
    settled_s: float = math.inf
    away_s: float = 0.0
    """When it was moved first since the temperature settled."""
    given_up: bool = False
    """Whether it comes no nearer; holds until the next move."""

    def goes_on(self, time_s: float, target: float, distance: float) -> bool:
        """Whether it is still coming nearer, or has just come; takes a reading."""
        left = abs(distance)
        under_way = FARTHER * abs(distance + target - self.target) if self.first else 0.0
        if abs(target - self.target) > FLICKERS_K + under_way:
            self.away_s = self.away_s if self.first else time_s
            self.target, self.first, self.moved_s, self.settled_s = target, distance, time_s, math.inf
            self.nearest, self.nearest_s, self.given_up = left, time_s, False
        elif left < self.nearest - NEARER * abs(self.first):
            self.nearest, self.nearest_s = left, time_s
        if distance * self.first <= 0.0 and self.settled_s == math.inf:
            self.settled_s = time_s + min(SETTLING * (time_s - self.moved_s), PATIENCE_S)
        if time_s >= self.settled_s:
            self.first = 0.0
        self.given_up = self.given_up or time_s >= min(self.nearest_s + PATIENCE_S, self.away_s + LONGEST_S)
        return self.first != 0.0 and not self.given_up


class References:
    """Of one machine.

    Args:
        tachometer: what measures the shaft's speed, if anything does.
        set_points: one at most for each channel.
    """

    def __init__(self, tachometer: Tachometer | None = None, set_points: Sequence[SetPoint] = ()) -> None:
        self._tachometer = tachometer
        self._set_points = tuple(set_points)
        self._reading_hz: float | None = None
        self._running_hz: float | None = None
        self._ways: dict[str, _Way] = {}

    def shaft_hz(self, usable: Mapping[str, Sequence[Block]], holds: Callable[[str], bool]) -> float | None:
        """Revolutions a second of the shaft; None where nothing measures it now.

        Of a shaft that stands it is where it ran last, so that its features remain those of the same frequencies.

        Args:
            usable: this tick's blocks by channel.
            holds: whether the last reading of a channel that has delivered still stands.
        """
        if self._tachometer is None:
            return None
        blocks = usable.get(self._tachometer.channel)
        if blocks:
            last = float(blocks[-1].values.reshape(-1)[-1])
            turns = TURNS.get(blocks[-1].channel.unit)
            self._reading_hz = None if turns is None or not math.isfinite(last) else abs(last) * turns
        if self._reading_hz is None or not holds(self._tachometer.channel):
            return None
        running_hz = self._reading_hz * self._tachometer.ratio
        if running_hz >= STANDING_HZ:
            self._running_hz = running_hz
        return self._running_hz

    def distances(self, time_s: float, values: Mapping[str, float], info: dict[str, FeatureInfo]) -> dict[str, float]:
        """`<channel>.distance` of each regulated temperature to its set point, in its unit; `info` is brought up to date.

        Where the set point is a channel, people move it. What moves along with it is then no sign of a fault, and the distance is
        what is judged, but not as long as the temperature is on its way to a set point that was moved (by more than it flickers), and never
        for longer than `LONGEST_S`. Where it is fixed the level says the same already, and the distance only helps to name a cause.
        """
        found: dict[str, float] = {}
        for point in self._set_points:
            target = values.get(point.source) if point.source else point.value
            level = values.get(point.channel)
            if point.source:
                moved = (f"{point.channel}{ending}" for ending in _MOVED)
                for name in (*moved, point.source, f"{point.source}.slope"):
                    if name in info and info[name].scored:
                        info[name] = replace(info[name], scored=False)
            if level is not None and target is not None:
                name, whole = f"{point.channel}.distance", info[point.channel]
                if point.source:
                    way = self._ways.setdefault(point.channel, _Way(target))
                    if way.goes_on(time_s, target, level - target):
                        continue
                found[name] = level - target
                info[name] = FeatureInfo(whole.unit, whole.channel, whole.quantity, bool(point.source))
        return found
