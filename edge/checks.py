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
STUCK_SURPRISE = 9.0
"""A run of equal readings is a fault when its probability is below ten to the minus this."""
LEAST_RUN = 6
UNSEEN_GAPS = 4
PATIENCE_S = 30.0
"""Before a channel's rhythm is known it may be silent for so long."""
ZERO_IS_PLAUSIBLE = (Quantity.CURRENT, Quantity.POWER, Quantity.SPEED, Quantity.ENERGY, Quantity.STATE)
"""Quantities that rest at exactly zero when the machine is off."""
WORST_FIRST = (
    Fault.BUS,
    Fault.OPEN,
    Fault.NO_DATA,
    Fault.OUT_OF_RANGE,
    Fault.CLIPPED,
    Fault.STUCK,
    Fault.OVERRUN,
    Fault.GAPS,
)


@dataclass
class Rhythm:
    """How often a channel delivers, learned from it: regular sensors and bursty tables alike."""

    mean_s: float = 0.0
    longest_s: float = 0.0
    gaps: int = 0

    def hear(self, gap_s: float) -> None:
        """Takes the time between two deliveries."""
        if gap_s <= 0.0:
            return
        self.gaps += 1
        if self.gaps > UNSEEN_GAPS and gap_s > 50 * self.mean_s:
            return  # an outage says nothing about the rhythm
        weight = max(1.0 / self.gaps, 0.02)
        self.mean_s += weight * (gap_s - self.mean_s)
        self.longest_s = max(gap_s, self.longest_s * 0.999)

    def limit_s(self, period_s: float) -> float:
        """Silence beyond this is no data."""
        if self.gaps < UNSEEN_GAPS:
            return max(PATIENCE_S, 10 * period_s)
        return max(3.0, 4 * period_s, 4 * self.mean_s, 1.5 * min(self.longest_s, 20 * self.mean_s))


@dataclass
class Runs:
    """How often a slow channel repeats itself, so that a run of equal readings can be called improbable.

    A quantised channel at rest repeats itself often and long, and is then never called stuck.
    """

    last: float = math.nan
    run: int = 1
    longest: int = 1
    pairs: int = 0
    repeats: int = 0

    def hear(self, value: float) -> None:
        """Takes the next reading."""
        if value == self.last:
            self.run += 1
            return
        # A run counts when it is over: while it lasts it must not excuse itself, and a stuck one is no habit.
        if not math.isnan(self.last) and not self.improbable:
            self.pairs += self.run
            self.repeats += self.run - 1
            self.longest = max(self.longest, self.run)
        self.run = 1
        self.last = value

    @property
    def improbable(self) -> bool:
        """Whether the present run would not happen by chance."""
        if self.pairs < 2 * LEAST_RUN:
            return False
        # Two repeats in advance: a channel is given the benefit of the doubt.
        share = min(max((self.repeats + 2.0) / (self.pairs + 4.0), 0.02), 0.999)
        return self.run >= max(LEAST_RUN, STUCK_SURPRISE / -math.log10(share), 3 * self.longest)


@dataclass
class ChannelCheck:
    """Checks one channel. `usable` blocks go on to the features; `fault` is what a person should be told."""

    channel: Channel
    fault: Verdict | None = None
    since_ns: int | None = None
    rhythm: Rhythm = field(default_factory=Rhythm)
    runs: Runs = field(default_factory=Runs)
    _last_ns: int | None = None
    _started_ns: int | None = None
    _bad: float = 0.0
    _good: int = 0
    _first_bad_ns: int | None = None

    def look(self, now_ns: int, blocks: Sequence[Block], error: str | None = None) -> list[Block]:
        """Takes one tick's blocks of this channel; returns those that are readings."""
        if self._started_ns is None:
            self._started_ns = now_ns
        usable: list[Block] = []
        found: list[Verdict] = []
        for block in blocks:
            faults = self._faults(block)
            found.extend(faults)
            if len(block.values) and not any(fault is not Fault.OVERRUN for fault, _ in faults):
                usable.append(block)
        if any(len(block.values) for block in blocks):
            if self._last_ns is not None:
                self.rhythm.hear((now_ns - self._last_ns) / 1e9)
            self._last_ns = now_ns
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

    def _faults(self, block: Block) -> list[Verdict]:
        faults = list(block.faults)
        values = block.values
        if not len(values):
            return faults
        name = self.channel.name
        finite = np.isfinite(values)
        missing = 1.0 - float(finite.mean())
        lost = block.lost / max(len(values) + block.lost, 1)
        if missing > MISSING_SHARE or lost > MISSING_SHARE or (missing == 1.0):
            faults.append((Fault.GAPS, f"{name}: {max(missing, lost):.0%} of the samples are missing"))
            return faults
        present = values[finite]
        beyond = (present < self.channel.low) | (present > self.channel.high)
        if beyond.any():
            worst = float(present[beyond][0])
            faults.append(
                (
                    Fault.OUT_OF_RANGE,
                    f"{name}: {worst:g} {self.channel.unit}, range {self.channel.low:g} to {self.channel.high:g}",
                )
            )
            return faults
        if block.rate_hz is not None and len(values) > 1:
            faults.extend(self._waveform(values))
        elif not self.channel.steady and self.channel.axes == 1:
            faults.extend(self._slow(present))
        return faults

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
        return []

    def _slow(self, values: NDArray[np.float64]) -> list[Verdict]:
        for value in values:
            self.runs.hear(float(value))
        if not self.runs.improbable or (self.channel.quantity in ZERO_IS_PLAUSIBLE and self.runs.last == 0.0):
            return []
        return [
            (
                Fault.STUCK,
                f"{self.channel.name}: {self.runs.run} readings of exactly {self.runs.last:g} {self.channel.unit}",
            )
        ]

    def _judge(self, now_ns: int, found: Sequence[Verdict], *, heard: bool) -> None:
        if found:
            worst = min(found, key=lambda entry: WORST_FIRST.index(entry[0]))
            if self._bad == 0.0:
                self._first_bad_ns = now_ns
            self._bad = min(self._bad + 1.0, 2.0 * RAISE_AFTER)
            self._good = 0
            if self._bad >= RAISE_AFTER or self.fault is not None or worst[0] is Fault.NO_DATA:
                if self.fault is None:
                    self.since_ns = self._first_bad_ns
                self.fault = worst
        elif heard:
            self._bad = max(self._bad - 0.5, 0.0)
            self._good += 1
            if self._good >= CLEAR_AFTER:
                self.fault, self.since_ns, self._bad = None, None, 0.0


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
        check = self._checks[channel]
        return check.fault is None and check.silent_s(now_ns) <= check.limit_s

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
            name: [c.rhythm.mean_s, c.rhythm.longest_s, c.rhythm.gaps, c.runs.longest, c.runs.pairs, c.runs.repeats]
            for name, c in self._checks.items()
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """From a snapshot; channels that are gone are left out."""
        for name, numbers in state.items():
            check = self._checks.get(str(name))
            if check is not None:
                mean, longest, gaps, run, pairs, repeats = numbers
                check.rhythm = Rhythm(float(mean), float(longest), int(gaps))
                check.runs = Runs(longest=int(run), pairs=int(pairs), repeats=int(repeats))
