"""Single readings of one channel, or of one of its axes: the end of the range, values without any reason, runs of the same value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edge.habits import Company, Heard, Levels, Oddities, Runs
from edge.sensors.base import Channel, Fault, FaultText, Quantity

WINDOW = 30
"""Readings over which spikes are counted."""
MOST_SPIKES = 2
"""So many of them are a loose plug, and so is one that no thermometer can have seen."""
IMPOSSIBLE_SHARE = 0.1
"""A temperature that jumps by this share of its sensor's range and back within three readings was none."""
RANGE_MEANS_BROKEN = (Quantity.TEMPERATURE, Quantity.CURRENT, Quantity.POWER, Quantity.SPEED)
"""Quantities whose sensors are chosen so that no machine drives them to the end of their range."""
CHANGES_BY_REASON = RANGE_MEANS_BROKEN
"""Quantities that have mass, or a switch: they go where they have been before, or stay where they go."""
SWITCHED = (Quantity.CURRENT, Quantity.POWER, Quantity.SPEED)
"""Quantities that a switch moves at once."""
STATE_TOLERANCE = 0.01
ZERO_IS_PLAUSIBLE = (Quantity.CURRENT, Quantity.POWER, Quantity.SPEED, Quantity.ENERGY, Quantity.STATE)
"""Quantities that rest at exactly zero when the machine is off."""


@dataclass
class SlowCheck:
    """Knows what the readings of one axis are used to; `name` is what they are called in a fault."""

    channel: Channel
    name: str
    runs: Runs = field(default_factory=Runs)
    levels: Levels = field(default_factory=Levels)
    spikes: Oddities = field(default_factory=lambda: Oddities(WINDOW))
    company: Company = field(default_factory=Company)
    doubted: bool = False
    """The last reading may be none."""

    def __post_init__(self) -> None:
        self.levels.switched = self.channel.quantity in SWITCHED

    @property
    def unreliable(self) -> bool:
        """Whether the last reading is better not held: doubted itself, or one of a run that is odd."""
        return self.doubted or (self.runs.doubtful and not self._may_rest)

    def hear(self, values: Sequence[float], *, alone: bool = False) -> list[FaultText]:
        """Takes readings, oldest first, none of which is missing or out of range.

        Args:
            values: of one moment, mostly one.
            alone: no other channel of the machine goes the same way at this moment.
        """
        channel, faults, spiked = self.channel, list[FaultText](), False
        self.doubted = False
        for value in values:
            if channel.quantity in RANGE_MEANS_BROKEN and value >= channel.high - 0.5 * channel.resolution:
                return [(Fault.CLIPPED, f"{self.name}: {value:g} {channel.unit} is the end of the range")]
            if channel.quantity is Quantity.STATE:
                spiked = self.doubted = abs(value - round(value)) > STATE_TOLERANCE
            elif channel.steady or channel.quantity not in CHANGES_BY_REASON:
                spiked = False
            else:
                jump, before = self.levels.jump, self.levels.last
                jumped = len(values) == 1 and self.levels.way(value) != 0
                heard = self.levels.hear(value, odd=jumped and alone and self.company.expected)
                if jumped and heard is Heard.READING:
                    self.company.hear(alone=alone)
                spiked = heard in {Heard.SPIKE, Heard.WILD}
                self.doubted = heard in {Heard.DOUBT, Heard.WILD}
                if heard is Heard.SPIKE and self._impossible(jump, abs(value - before)):
                    faults.append((Fault.SPIKE, f"{self.name}: {jump:g} {channel.unit} there and back at once"))
            self.spikes.hear(odd=spiked)
            if not self.doubted and not channel.steady:
                self.runs.hear(value)
        if spiked and self.spikes.unusual(MOST_SPIKES):
            count, window = self.spikes.count, len(self.spikes.recent)
            faults.append((Fault.SPIKE, f"{self.name}: {count} of {window} readings without any reason"))
        if not channel.steady and self.runs.improbable and not self._may_rest:
            faults.append(
                (Fault.STUCK, f"{self.name}: {self.runs.run} readings of exactly {self.runs.last:g} {channel.unit}")
            )
        return faults

    def state(self) -> dict[str, list[float]]:
        """For the snapshot."""
        return {
            "runs": [self.runs.longest, self.runs.pairs, self.runs.repeats],
            "levels": self.levels.state(),
            "spikes": [self.spikes.odd, self.spikes.all],
            "company": [self.company.jumps, self.company.alone],
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """From a snapshot."""
        run, pairs, repeats = (int(number) for number in state["runs"])
        self.runs = Runs(longest=run, pairs=pairs, repeats=repeats)
        self.levels.load([float(number) for number in state["levels"]])
        self.spikes.odd, self.spikes.all = (int(number) for number in state["spikes"])
        self.company = Company(*(int(number) for number in state.get("company", ())))

    @property
    def _may_rest(self) -> bool:
        return self.channel.steady or (self.channel.quantity in ZERO_IS_PLAUSIBLE and self.runs.last == 0.0)

    def _impossible(self, jump: float, left: float) -> bool:
        span = self.channel.high - self.channel.low
        return self.channel.quantity is Quantity.TEMPERATURE and left < 0.5 * jump and IMPOSSIBLE_SHARE * span < jump
