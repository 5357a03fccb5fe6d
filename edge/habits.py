"""What a channel is used to: when it delivers, how often it repeats itself, where its readings lie.

All of it is learned from the channel, good readings only, so that an odd one can be told from one that is this sensor's nature.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto

STUCK_SURPRISE = 9.0
"""A run of equal readings is a fault when its probability is below ten to the minus this."""
DOUBT_SURPRISE = 4.0
"""And is not used any more, untold, from here."""
LEAST_RUN = 6
LEAST_DOUBT = 3
UNSEEN_GAPS = 4
PATIENCE_S = 30.0
"""Before a channel's rhythm is known it may be silent for so long."""
REGULAR_AFTER = 20
REGULAR_JITTER = 0.15
"""Mean distance from the mean gap, as a share of it, up to which a channel is as regular as a clock."""
OUTAGE = 3
"""More missing readings in a row are an outage, or another rhythm."""
OVERDUE = 1.6
"""A regular channel's next reading is missing after this many of its gaps."""
LEVELS_KNOWN_AFTER = 100
USUAL_AFTER = 60
"""Readings before the window from which it is known what is usual."""
MOST_LEVELS = 64
QUARTILE = 0.25
FAR_STEPS = 20.0
"""A reading is far from what was seen beyond this many usual steps, and this share of the span of all that was seen."""
FAR_SHARE = 0.1
SAME_SHARE = 0.1
"""Two readings agree when they differ by no more than this share of the jump."""
MOST_ONWARDS = 2.0
"""A second reading beyond the first, by so much of the jump at most, may be something that goes on changing."""
LONGEST_DOUBT = 5
LEAST_JUMPS = 30
MOST_ALONE = 0.05
"""A channel that has jumped so often, and of this share of its jumps alone at most, is doubted when it does."""


@dataclass
class Rhythm:
    """How often a channel delivers, learned from it: regular sensors and bursty tables alike."""

    mean_s: float = 0.0
    longest_s: float = 0.0
    gaps: int = 0
    jitter: float = 1.0
    """Mean distance of a gap from the mean one, as a share of it."""
    outages: int = 0
    """Outages in a row, without a usual gap between them."""

    def hear(self, gap_s: float) -> None:
        """Takes the time between two deliveries."""
        if gap_s <= 0.0:
            return
        if self.gaps >= UNSEEN_GAPS and gap_s > 50 * self.mean_s:
            self.outages += 1
            if self.outages <= UNSEEN_GAPS:
                return  # an outage says nothing about the rhythm
            # One after the other is no outage but a new rhythm, such as a sensor that was set to report seldom.
            self.mean_s = self.longest_s = 0.0
            self.gaps, self.jitter = 0, 1.0
        self.outages = 0
        self.gaps += 1
        missed = self.missed(gap_s)
        if 0 < missed <= OUTAGE:
            gap_s /= missed + 1  # readings that were left out are no other rhythm
        weight = max(1.0 / self.gaps, 0.02)
        if self.gaps > 1:
            self.jitter += max(weight, 0.05) * (min(abs(gap_s / self.mean_s - 1.0), 1.0) - self.jitter)
        self.mean_s += weight * (gap_s - self.mean_s)
        self.longest_s = max(gap_s, self.longest_s * 0.999)

    @property
    def regular(self) -> bool:
        """Whether the next delivery can be foretold."""
        return self.gaps >= REGULAR_AFTER and self.jitter <= REGULAR_JITTER

    def missed(self, gap_s: float) -> int:
        """Deliveries that a regular channel has left out in such a gap; 0 where nothing can be said."""
        if not self.regular or gap_s < OVERDUE * self.mean_s:
            return 0
        return round(gap_s / self.mean_s) - 1

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
        return self._beyond(LEAST_RUN, STUCK_SURPRISE, 3 * self.longest)

    @property
    def doubtful(self) -> bool:
        """Whether the present run is odd enough not to be relied on."""
        return self._beyond(LEAST_DOUBT, DOUBT_SURPRISE, self.longest + 1)

    def _beyond(self, least: int, surprise: float, habit: int) -> bool:
        if self.pairs < 2 * LEAST_RUN:
            return False
        # Two repeats in advance: a channel is given the benefit of the doubt.
        share = min(max((self.repeats + 2.0) / (self.pairs + 4.0), 0.02), 0.999)
        return self.run >= max(least, surprise / -math.log10(share), habit)


@dataclass
class Oddities:
    """How often something odd happens to a channel, lately and in all its life: often is odd only for one that seldom has it."""

    window: int
    recent: deque[bool] = field(default_factory=deque)
    odd: int = 0
    all: int = 0

    def hear(self, *, odd: bool) -> None:
        """Takes the next reading."""
        self.recent.append(odd)
        if len(self.recent) > self.window:
            self.odd += self.recent.popleft()
            self.all += 1

    @property
    def count(self) -> int:
        """Odd ones within the window."""
        return sum(self.recent)

    def unusual(self, least: int) -> bool:
        """Whether there are `least` within the window, and more than three times as many as it may usually have."""
        if self.all < USUAL_AFTER:
            return False
        # As many as there were, and two deviations of so many more.
        most = (self.odd + 2.0 * math.sqrt(self.odd)) / self.all
        return self.count >= least + int(3.0 * len(self.recent) * most)


@dataclass
class Company:
    """How often a channel jumps while no other of the machine jumps the same way: phases of one motor, and its power, never do."""

    jumps: int = 0
    alone: int = 0

    def hear(self, *, alone: bool) -> None:
        """Takes a jump that was real."""
        self.jumps += 1
        self.alone += alone

    @property
    def expected(self) -> bool:
        """Whether a jump without company is odd."""
        return self.jumps >= LEAST_JUMPS and self.alone <= MOST_ALONE * self.jumps


class Heard(Enum):
    """What became of a reading, and of the one before it."""

    READING = auto()
    DOUBT = auto()
    """Far from all that was ever seen: the next one decides."""
    SPIKE = auto()
    """This is a reading; the one before was none, for the channel is back among what was seen."""
    WILD = auto()
    """Neither is a reading: they lie far from each other and from all that was seen."""


@dataclass
class Levels:
    """Where a slow channel's readings have been, so that one without any reason can be told from a machine that was switched.

    A reading is doubted when it jumps to where none ever was. If the next one agrees it was real (a fault, a new regime),
    if the next one is back it was a spike: nothing that has mass heats up and cools down between three readings, and
    what a switch can do was seen before. Only what happens *while* something is switched may not have been: a motor draws several
    times its current for a moment when it starts, and few readings fall into that.
    """

    switched: bool = False
    """Whether it goes from one level to another at once."""
    seen: list[float] = field(default_factory=list)
    """At most `MOST_LEVELS`, rising."""
    step: float = 0.0
    """Lower quartile of the distances between readings that follow each other: noise, whatever the machine does."""
    count: int = 0
    last: float = math.nan
    _doubted: list[float] = field(default_factory=list)

    def way(self, value: float) -> int:
        """Whether a reading would be a jump from the last good one: up (1), down (-1) or not at all (0)."""
        if self.count < LEVELS_KNOWN_AFTER or not abs(value - self.last) > self._reach:
            return 0
        return 1 if value > self.last else -1

    def hear(self, value: float, *, odd: bool = False) -> Heard:
        """Takes the next reading; `odd` where its jump is doubtful wherever it leads."""
        if self.count < LEVELS_KNOWN_AFTER or not (self._far(value) or (odd and self.way(value))):
            spiked = bool(self._doubted) and not (self.switched and abs(value - self.last) > self._reach)
            self._accept(value)
            return Heard.SPIKE if spiked else Heard.READING
        if not self._doubted:
            self._doubted.append(value)
            return Heard.DOUBT
        before = self._doubted[-1]
        agreed = abs(value - before) <= max(SAME_SHARE * abs(before - self.last), FAR_STEPS * self.step)
        if agreed or len(self._doubted) >= LONGEST_DOUBT:
            self._accept(value)
            return Heard.READING
        self._doubted.append(value)
        onwards = 1.0 < (value - self.last) / (before - self.last) <= MOST_ONWARDS
        return Heard.DOUBT if onwards else Heard.WILD

    @property
    def jump(self) -> float:
        """How far the doubted reading lies from the last good one."""
        return max((abs(value - self.last) for value in self._doubted), default=0.0)

    def state(self) -> list[float]:
        """For the snapshot."""
        return [float(self.count), self.step, *self.seen]

    def load(self, numbers: list[float]) -> None:
        """From a snapshot."""
        self.count, self.step, self.seen = int(numbers[0]), numbers[1], sorted(numbers[2 : 2 + MOST_LEVELS])

    def _accept(self, value: float) -> None:
        if not math.isnan(self.last) and value != self.last:
            moved = abs(value - self.last)
            # Followed by small steps up and down, so that switching, however often, does not move it.
            rate = max(1.0 / (self.count + 1), 0.02) * (QUARTILE if moved > self.step else QUARTILE - 1.0)
            self.step = moved if self.step == 0.0 else self.step * (1.0 + rate)
        self._doubted.clear()
        self.count += 1
        self.last = value
        gap = (self.seen[-1] - self.seen[0]) / MOST_LEVELS if self.seen else 0.0
        if not self.seen or self._distance(value) > max(gap, self.step):
            insort(self.seen, value)
            if len(self.seen) > MOST_LEVELS:
                self._thin()

    def _thin(self) -> None:
        """Takes out the level whose neighbours are nearest to each other."""
        spans = [self.seen[k + 1] - self.seen[k - 1] for k in range(1, len(self.seen) - 1)]
        del self.seen[1 + min(range(len(spans)), key=spans.__getitem__)]

    def _far(self, value: float) -> bool:
        return abs(value - self.last) > self._reach and self._distance(value) > self._reach

    @property
    def _reach(self) -> float:
        return max(FAR_STEPS * self.step, FAR_SHARE * (self.seen[-1] - self.seen[0]))

    def _distance(self, value: float) -> float:
        at = bisect_left(self.seen, value)
        return min(abs(value - each) for each in self.seen[max(at - 1, 0) : at + 1])
