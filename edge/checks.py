"""Is it a reading at all? Every block passes here before anything is computed from it.

A bad reading is left out at once; a *fault* is only told after it has stayed for a few ticks, and is over by itself
when good readings have come back. What is normal for the machine is none of this module's business.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge.habits import OUTAGE, OVERDUE, Heard, Levels, Oddities, Rhythm, Runs
from edge.sensors.base import Block, Channel, Fault, Quantity

Verdict: TypeAlias = tuple[Fault, str]

RAISE_AFTER = 3
"""Bad ticks (less half a tick for every good one) before a fault is told."""
CLEAR_AFTER = 6
"""Good ticks in a row after which a fault is over."""
CLIPPED_SHARE = 0.005
"""Share of a waveform's samples at the end of the range from which it is clipped."""
MISSING_SHARE = 0.1
"""Share of missing samples from which a block has gaps."""
WINDOW = 30
"""Readings over which spikes are counted."""
MOST_SPIKES = 2
"""So many of them are a loose plug, and so is one that no thermometer can have seen."""
IMPOSSIBLE_SHARE = 0.1
"""A temperature that jumps by this share of its sensor's range and back within three readings was none."""
SLOTS = 12
MOST_MISSED = 2
"""A regular channel that leaves out so many of its last `SLOTS` readings has gaps, unless it always did."""
STEADY_AFTER = 30
"""Good ticks in a row after which a fault that comes and goes is over."""
SPIKE_CREST = 8.0
"""Peak over RMS from which a waveform is searched for spikes; an impact's ringing is found there, and left alone."""
SPIKE_ALONE = 0.2
"""A single sample stands alone when its neighbours reach less than this share of it."""
COME_AND_GO = frozenset({Fault.GAPS, Fault.SPIKE})
RANGE_MEANS_BROKEN = (Quantity.TEMPERATURE, Quantity.CURRENT, Quantity.POWER, Quantity.SPEED)
"""Quantities whose sensors are chosen so that no machine drives them to the end of their range."""
CHANGES_BY_REASON = RANGE_MEANS_BROKEN
"""Quantities that have mass, or a switch: they go where they have been before, or stay where they go."""
SWITCHED = (Quantity.CURRENT, Quantity.POWER, Quantity.SPEED)
"""Quantities that a switch moves at once."""
STATE_TOLERANCE = 0.01
ZERO_IS_PLAUSIBLE = (Quantity.CURRENT, Quantity.POWER, Quantity.SPEED, Quantity.ENERGY, Quantity.STATE)
"""Quantities that rest at exactly zero when the machine is off."""
WORST_FIRST = (
    Fault.BUS,
    Fault.OPEN,
    Fault.SHORT,
    Fault.NO_DATA,
    Fault.OUT_OF_RANGE,
    Fault.CLIPPED,
    Fault.STUCK,
    Fault.SPIKE,
    Fault.OVERRUN,
    Fault.GAPS,
)


@dataclass
class ChannelCheck:
    """Checks one channel. `usable` blocks go on to the features; `fault` is what a person should be told."""

    channel: Channel
    fault: Verdict | None = None
    since_ns: int | None = None
    rhythm: Rhythm = field(default_factory=Rhythm)
    runs: Runs = field(default_factory=Runs)
    levels: Levels = field(default_factory=Levels)
    spikes: Oddities = field(default_factory=lambda: Oddities(WINDOW))
    misses: Oddities = field(default_factory=lambda: Oddities(SLOTS))
    _doubted: bool = False
    _heard_ns: int | None = None
    _last_ns: int | None = None
    _usable_ns: int | None = None
    _started_ns: int | None = None
    _bad: float = 0.0
    _good: int = 0
    _first_bad_ns: int | None = None

    def __post_init__(self) -> None:
        self.levels.switched = self.channel.quantity in SWITCHED

    def look(self, now_ns: int, blocks: Sequence[Block], error: str | None = None) -> list[Block]:
        """Takes one tick's blocks of this channel; returns those that are readings."""
        if self._started_ns is None:
            self._started_ns = now_ns
        usable: list[Block] = []
        found: list[Verdict] = []
        for block in blocks:
            faults = self._faults(block)
            found.extend(faults)
            if len(block.values) and not self._doubted and not any(fault is not Fault.OVERRUN for fault, _ in faults):
                usable.append(block)
        if any(len(block.values) for block in blocks):
            if self._last_ns is not None:
                self.rhythm.hear((now_ns - self._last_ns) / 1e9)
            self._last_ns = now_ns
        if usable:
            self._usable_ns = now_ns
        if error is not None:
            found.append((Fault.BUS, error))
        silent = self.silent_s(now_ns)
        if not blocks and silent > self.limit_s:
            found.append((Fault.NO_DATA, f"{self.channel.name}: nothing for {silent:.1f} s"))
        self._judge(now_ns, found, heard=bool(blocks))
        return usable

    @property
    def limit_s(self) -> float:
        """How long a reading may be held before it counts as absent."""
        return self.rhythm.limit_s(self.channel.period_s)

    def silent_s(self, now_ns: int) -> float:
        """Seconds since something arrived (or since the start)."""
        since = self._last_ns if self._last_ns is not None else self._started_ns
        return (now_ns - since) / 1e9 if since is not None else 0.0

    def holds(self, now_ns: int) -> bool:
        """Whether the last reading still stands: nothing is wrong with it, and the next one is not overdue."""
        if self.fault is not None or self._doubted:
            return False
        if self.runs.doubtful and not self._may_rest:
            return False
        if self._usable_ns is None:
            return False
        silent = (now_ns - self._usable_ns) / 1e9
        return silent <= (OVERDUE * self.rhythm.mean_s if self.rhythm.regular else self.limit_s)

    @property
    def _may_rest(self) -> bool:
        return self.channel.steady or (self.channel.quantity in ZERO_IS_PLAUSIBLE and self.runs.last == 0.0)

    def _faults(self, block: Block) -> list[Verdict]:
        faults = list(block.faults)
        values = block.values
        self._doubted = False
        if not len(values):
            return faults
        name = self.channel.name
        finite = np.isfinite(values)
        missing = 1.0 - float(finite.mean())
        slow = block.rate_hz is None
        lost = 0.0 if slow else block.lost / max(len(values) + block.lost, 1)
        if slow:
            faults.extend(self._slots(block))
        if missing > MISSING_SHARE or lost > MISSING_SHARE or (missing == 1.0):
            faults.append((Fault.GAPS, f"{name}: {max(missing, lost):.0%} of the samples are missing"))
            return faults
        present = values[finite]
        beyond = (present < self.channel.low) | (present > self.channel.high)
        if beyond.any():
            faults.append((Fault.OUT_OF_RANGE, f"{self._said(float(present[beyond][0]))}, {self._range}"))
        elif not slow and len(values) > 1:
            faults.extend(self._waveform(values))
        elif self.channel.axes == 1:
            faults.extend(self._slow(present))
        return faults

    def _slots(self, block: Block) -> list[Verdict]:
        """Whether a regular channel leaves out readings now and then."""
        gap_s = (block.start_ns - self._heard_ns) / 1e9 if self._heard_ns is not None else 0.0
        self._heard_ns = block.start_ns
        if not self.rhythm.regular and not block.lost:
            return []
        missed = max(block.lost, self.rhythm.missed(gap_s))
        if missed > OUTAGE:  # which was told as what it was
            self.misses.recent.clear()
            return []
        for odd in (*[True] * missed, False):
            self.misses.hear(odd=odd)
        if missed == 0 or not self.misses.unusual(MOST_MISSED):
            return []
        return [
            (Fault.GAPS, f"{self.channel.name}: {self.misses.count} of {len(self.misses.recent)} readings are missing")
        ]

    def _waveform(self, values: NDArray[np.float64]) -> list[Verdict]:
        channel = self.channel
        with np.errstate(invalid="ignore"):
            margin = (
                max(channel.resolution, 1e-9 * max(abs(channel.low), abs(channel.high), 1e-9))
                if math.isfinite(channel.high)
                else 0.0
            )
            at_end = (values >= channel.high - margin) | (values <= channel.low + margin)
        if (
            channel.quantity in (Quantity.VIBRATION, Quantity.CURRENT)
            and channel.low < 0
            and at_end.mean() > CLIPPED_SHARE
            and at_end.sum() > 2
        ):
            return [
                (Fault.CLIPPED, f"{channel.name}: {float(at_end.mean()):.1%} of the samples at the end of the range")
            ]
        if channel.steady or len(values) < 16:
            return []
        axes = values.reshape(len(values), -1)
        still = np.all(axes == axes[0], axis=0)
        if channel.quantity in ZERO_IS_PLAUSIBLE:
            still &= axes[0] != 0.0
        if still.any():
            which = "" if still.all() else f" on axis {int(np.flatnonzero(still)[0])}"
            return [(Fault.STUCK, f"{channel.name}: {len(values)} samples without any change{which}")]
        if (alone := _samples_alone(axes)) > 0:
            return [(Fault.SPIKE, f"{channel.name}: {alone} samples far from those before and after")]
        return []

    def _slow(self, values: NDArray[np.float64]) -> list[Verdict]:
        """Of single readings: the end of the range, values that no machine has, runs of the same value."""
        channel, faults, spiked = self.channel, list[Verdict](), False
        for value in values.tolist():
            if channel.quantity in RANGE_MEANS_BROKEN and value >= channel.high - 0.5 * channel.resolution:
                return [(Fault.CLIPPED, f"{self._said(value)} is the end of the range")]
            if channel.quantity is Quantity.STATE:
                spiked = self._doubted = abs(value - round(value)) > STATE_TOLERANCE
            elif channel.steady or channel.quantity not in CHANGES_BY_REASON:
                spiked = False
            else:
                jump, before = self.levels.jump, self.levels.last
                heard = self.levels.hear(value)
                spiked = heard in {Heard.SPIKE, Heard.WILD}
                self._doubted = heard in {Heard.DOUBT, Heard.WILD}
                if heard is Heard.SPIKE and self._impossible(jump, abs(value - before)):
                    faults.append((Fault.SPIKE, f"{channel.name}: {jump:g} {channel.unit} there and back at once"))
            self.spikes.hear(odd=spiked)
            if not self._doubted and not channel.steady:
                self.runs.hear(value)
        if spiked and self.spikes.unusual(MOST_SPIKES):
            count, window = self.spikes.count, len(self.spikes.recent)
            faults.append((Fault.SPIKE, f"{channel.name}: {count} of {window} readings without any reason"))
        if not channel.steady and self.runs.improbable and not self._may_rest:
            faults.append(
                (Fault.STUCK, f"{channel.name}: {self.runs.run} readings of exactly {self.runs.last:g} {channel.unit}")
            )
        return faults

    def _impossible(self, jump: float, left: float) -> bool:
        span = self.channel.high - self.channel.low
        return self.channel.quantity is Quantity.TEMPERATURE and left < 0.5 * jump and IMPOSSIBLE_SHARE * span < jump

    def _said(self, value: float) -> str:
        return f"{self.channel.name}: {value:g} {self.channel.unit}"

    @property
    def _range(self) -> str:
        return f"range {self.channel.low:g} to {self.channel.high:g}"

    def _judge(self, now_ns: int, found: Sequence[Verdict], *, heard: bool) -> None:
        if found:
            worst = min(found, key=lambda entry: WORST_FIRST.index(entry[0]))
            if self._bad == 0.0:
                self._first_bad_ns = now_ns
            self._bad = min(self._bad + 1.0, 2.0 * RAISE_AFTER)
            self._good = 0
            if self._bad >= RAISE_AFTER or self.fault is not None or self._counted(worst[0]):
                if self.fault is None:
                    self.since_ns = self._first_bad_ns
                self.fault = worst
        elif heard:
            self._bad = max(self._bad - 0.5, 0.0)
            self._good += 1
            lasting = self.fault is None or self.fault[0] not in COME_AND_GO
            if self._good >= (CLEAR_AFTER if lasting else STEADY_AFTER):
                self.fault, self.since_ns, self._bad = None, None, 0.0

    def _counted(self, fault: Fault) -> bool:
        """Whether such a fault was counted before it was found: it is told at once."""
        slow = self.channel.rate_hz is None
        return fault is Fault.NO_DATA or (slow and fault in COME_AND_GO)


class Checks:
    """All channels of one machine, and which sensor each came from."""

    def __init__(self, channels: Sequence[Channel]) -> None:
        self._checks = {channel.name: ChannelCheck(channel) for channel in channels}
        self._sensors: dict[str, set[str]] = {}

    def look(
        self, now_ns: int, blocks: Mapping[str, Mapping[str, Sequence[Block]]], errors: Mapping[str, str]
    ) -> dict[str, list[Block]]:
        """One tick: blocks by sensor and channel, errors by sensor; returns the usable blocks by channel."""
        usable: dict[str, list[Block]] = {}
        by_channel: dict[str, list[Block]] = {}
        for sensor, channels in blocks.items():
            for name, arrived in channels.items():
                self._sensors.setdefault(sensor, set()).add(name)
                if name not in self._checks and arrived:
                    self._checks[name] = ChannelCheck(arrived[0].channel)
                by_channel.setdefault(name, []).extend(arrived)
        failed = {name: text for sensor, text in errors.items() for name in self._of(sensor)}
        for name, check in self._checks.items():
            good = check.look(now_ns, by_channel.get(name, ()), failed.get(name))
            if good:
                usable[name] = good
        return usable

    @property
    def faults(self) -> dict[str, Verdict]:
        """Channels that are faulty now."""
        return {name: check.fault for name, check in self._checks.items() if check.fault is not None}

    def since_ns(self, channel: str) -> int | None:
        """When a channel's present fault began."""
        return self._checks[channel].since_ns

    def holds(self, channel: str, now_ns: int) -> bool:
        """Whether this channel's last reading still stands."""
        return self._checks[channel].holds(now_ns)

    def channel(self, name: str) -> Channel:
        """A channel by name; raises KeyError."""
        return self._checks[name].channel

    def _of(self, sensor: str) -> set[str]:
        known = self._sensors.get(sensor)
        if known:
            return known
        # It never delivered anything: what no other sensor delivers must be its.
        others: set[str] = set().union(*self._sensors.values())
        return set(self._checks) - others

    def state(self) -> dict[str, Any]:
        """Rhythms and habits of the channels, for the snapshot."""
        return {
            name: {
                "rhythm": [c.rhythm.mean_s, c.rhythm.longest_s, c.rhythm.gaps, c.rhythm.jitter],
                "runs": [c.runs.longest, c.runs.pairs, c.runs.repeats],
                "levels": c.levels.state(),
                "oddities": [c.spikes.odd, c.spikes.all, c.misses.odd, c.misses.all],
            }
            for name, c in self._checks.items()
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """From a snapshot; channels that are gone are left out, and habits in an older form are learned anew."""
        for name, habits in state.items():
            check = self._checks.get(str(name))
            if check is not None and isinstance(habits, Mapping):
                mean, longest, gaps, jitter = habits["rhythm"]
                check.rhythm = Rhythm(float(mean), float(longest), int(gaps), float(jitter))
                run, pairs, repeats = habits["runs"]
                check.runs = Runs(longest=int(run), pairs=int(pairs), repeats=int(repeats))
                check.levels.load([float(number) for number in habits["levels"]])
                oddities = [int(number) for number in habits["oddities"]]
                (check.spikes.odd, check.spikes.all, check.misses.odd, check.misses.all) = oddities


def _samples_alone(axes: NDArray[np.float64]) -> int:
    """How many samples of (n, axes) stand alone: spikes of a plug or a line.

    A machine's knock rings on for several samples, and the converter's own filter spreads what is shorter than one.
    """
    moving = np.abs(axes - axes.mean(axis=0))
    peak = moving.max(axis=0)
    suspected = peak > SPIKE_CREST * np.sqrt(np.square(moving).mean(axis=0))
    alone = set[int]()
    for column, top in zip(moving.T[suspected], peak[suspected], strict=True):
        high = np.flatnonzero(column > 0.5 * top)
        around = np.pad(column, 2, mode="edge")
        beside = np.maximum.reduce([around[high], around[high + 1], around[high + 3], around[high + 4]])
        if not (beside < SPIKE_ALONE * column[high]).all():
            return 0
        alone.update(high.tolist())
    return len(alone)
