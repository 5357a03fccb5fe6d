"""Is it a reading at all? Every block passes here before anything is computed from it.

A bad reading is left out at once; a *fault* is only told after it has stayed for a few ticks, and is over by itself
when good readings have come back. What is normal for the machine is none of this module's business.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edge.habits import OUTAGE, OVERDUE, Oddities, Rhythm
from edge.sensors.base import Block, Channel, Fault, FaultText
from edge.slow_check import SlowCheck
from edge.wave_check import wave_faults
from models.condition.features import axis_names

RAISE_AFTER = 3
"""Bad ticks (less half a tick for every good one) before a fault is told."""
CLEAR_AFTER = 6
"""Good ticks in a row after which a fault is over."""
MISSING_SHARE = 0.1
"""Share of missing samples from which a block has gaps."""
SLOTS = 12
MOST_MISSED = 2
"""A regular channel that leaves out so many of its last `SLOTS` readings has gaps, unless it always did."""
STEADY_AFTER = 30
"""Good ticks in a row after which a fault that comes and goes is over."""
COME_AND_GO = frozenset({Fault.GAPS, Fault.SPIKE})
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
    fault: FaultText | None = None
    since_ns: int | None = None
    rhythm: Rhythm = field(default_factory=Rhythm)
    misses: Oddities = field(default_factory=lambda: Oddities(SLOTS))
    axes: list[SlowCheck] = field(default_factory=list)
    """Of a channel of single readings."""
    _heard_ns: int | None = None
    _last_ns: int | None = None
    _usable_ns: int | None = None
    _started_ns: int | None = None
    _bad: float = 0.0
    _good: int = 0
    _first_bad_ns: int | None = None

    def __post_init__(self) -> None:
        names = [f".{axis}" for axis in axis_names(self.channel.axes)] if self.channel.axes > 1 else [""]
        self.axes = [SlowCheck(self.channel, f"{self.channel.name}{axis}") for axis in names]

    def way(self, blocks: Sequence[Block]) -> int:
        """Whether this channel of single readings jumps up (1) or down (-1) with these blocks, or neither (0)."""
        if len(blocks) != 1 or blocks[0].values.shape != (1,) or not self.axes[0].levels.switched:
            return 0
        return self.axes[0].levels.way(float(blocks[0].values[0]))

    def look(
        self, now_ns: int, blocks: Sequence[Block], error: str | None = None, *, alone: bool = False
    ) -> list[Block]:
        """Takes one tick's blocks of this channel; returns those that are readings.

        Args:
            now_ns: monotonic time of the tick.
            blocks: what arrived.
            error: why its sensor cannot be read.
            alone: it jumps, and no other channel of the machine jumps the same way.
        """
        if self._started_ns is None:
            self._started_ns = now_ns
        usable: list[Block] = []
        found: list[FaultText] = []
        for block in blocks:
            faults = self._faults(block, alone=alone)
            found.extend(faults)
            doubted = any(axis.doubted for axis in self.axes)
            if len(block.values) and not doubted and not any(fault is not Fault.OVERRUN for fault, _ in faults):
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
        if self.fault is not None or self._usable_ns is None or any(axis.unreliable for axis in self.axes):
            return False
        silent = (now_ns - self._usable_ns) / 1e9
        return silent <= (OVERDUE * self.rhythm.mean_s if self.rhythm.regular else self.limit_s)

    def _faults(self, block: Block, *, alone: bool) -> list[FaultText]:
        faults = list(block.faults)
        values = block.values
        for axis in self.axes:
            axis.doubted = False
        if not len(values):
            return faults
        name = self.channel.name
        slow = block.rate_hz is None
        single = float(values[0]) if slow and values.shape == (1,) else math.nan
        if math.isfinite(single) and self.channel.low <= single <= self.channel.high:
            # By far the most frequent case, without array operations: one reading that is there and in its range.
            return [*faults, *self._slots(block), *self.axes[0].hear([single], alone=alone)]
        finite = np.isfinite(values)
        missing = 1.0 - float(finite.mean())
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
        elif block.rate_hz is not None and len(values) > 1:
            faults.extend(wave_faults(self.channel, values, block.rate_hz))
        else:
            for axis, column in zip(self.axes, values.reshape(len(values), -1).T, strict=False):
                faults.extend(axis.hear(column[np.isfinite(column)].tolist(), alone=alone))
        return faults

    def _slots(self, block: Block) -> list[FaultText]:
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

    def _said(self, value: float) -> str:
        return f"{self.channel.name}: {value:g} {self.channel.unit}"

    @property
    def _range(self) -> str:
        return f"range {self.channel.low:g} to {self.channel.high:g}"

    def _judge(self, now_ns: int, found: Sequence[FaultText], *, heard: bool) -> None:
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
        ways = {name: check.way(by_channel.get(name, ())) for name, check in self._checks.items()}
        together = Counter(ways.values())
        for name, check in self._checks.items():
            alone = ways[name] != 0 and together[ways[name]] == 1
            good = check.look(now_ns, by_channel.get(name, ()), failed.get(name), alone=alone)
            if good:
                usable[name] = good
        return usable

    @property
    def faults(self) -> dict[str, FaultText]:
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
                "misses": [c.misses.odd, c.misses.all],
                "axes": [axis.state() for axis in c.axes],
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
                if "axes" in habits:
                    check.misses.odd, check.misses.all = (int(number) for number in habits["misses"])
                    for axis, known in zip(check.axes, habits["axes"], strict=False):
                        axis.load(known)
