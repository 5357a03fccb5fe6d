"""When a machine works: shifts, and a seeded sequence of batches within them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

from edge.sensors.simulation.streams import Streams

ScheduleName: TypeAlias = Literal["daily", "short_day", "continuous"]


@dataclass(frozen=True, slots=True)
class Shift:
    """Working hours that repeat. Times in machine seconds; the period starts at midnight of the first day."""

    period_s: float
    begin_s: float
    end_s: float
    """Longer than `period_s` for a machine that never stops."""

    def position(self, time_s: float) -> tuple[int, float]:
        """Number of the period and seconds since work began in it (negative: before)."""
        number = int(time_s // self.period_s)
        return number, time_s - number * self.period_s - self.begin_s

    def working(self, time_s: float) -> bool:
        """Whether somebody works at the machine."""
        since = self.position(time_s)[1]
        return 0.0 <= since < self.end_s - self.begin_s

    @property
    def length_s(self) -> float:
        """Working seconds in one period."""
        return self.end_s - self.begin_s


SHIFTS: dict[ScheduleName, Shift] = {
    # A bakery's night: ovens on at 03:00, last batch out by 11:00.
    "daily": Shift(period_s=86_400.0, begin_s=10_800.0, end_s=39_600.0),
    # Two hours of work, half an hour off: every regime comes round soon.
    "short_day": Shift(period_s=9_000.0, begin_s=0.0, end_s=7_200.0),
    # One endless shift, 10,000 years of it.
    "continuous": Shift(period_s=3.2e11, begin_s=0.0, end_s=3.2e11),
}


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch: when, how much, how it behaves. `share` and `consistency` are about 1."""

    number: int
    begin_s: float
    end_s: float
    share: float
    """Size relative to a usual batch."""
    consistency: float
    """Stiffness relative to a usual dough (flour, water, temperature)."""


@dataclass(frozen=True, slots=True)
class Batches:
    """Batches at a regular pace within the shifts, each with its own start, length and size.

    `slot_s` is the pace, `lead_s` the time from the start of work to the first slot, `length_s` the usual length of a
    batch; a batch that would not end within the shift is not begun.
    """

    streams: Streams
    shift: Shift
    slot_s: float
    length_s: float
    lead_s: float = 0.0
    slack_s: float = 60.0
    """Latest start within the slot."""

    def at(self, time_s: float) -> Batch | None:
        """The batch that is under way."""
        period, since = self.shift.position(time_s)
        slot = int((since - self.lead_s) // self.slot_s)
        if slot < 0 or not since < self.shift.length_s:
            return None
        batch = _draw(self, period, slot)
        if batch.end_s - period * self.shift.period_s - self.shift.begin_s > self.shift.length_s:
            return None
        return batch if batch.begin_s <= time_s < batch.end_s else None


@lru_cache(maxsize=16)
def _draw(batches: Batches, period: int, slot: int) -> Batch:
    """The same batch however often it is asked for."""
    rng = batches.streams.at("batch", period, slot)
    late, longer, share, consistency = rng.uniform(0.0, 1.0), *rng.standard_normal(3)
    shift = batches.shift
    begin = period * shift.period_s + shift.begin_s + batches.lead_s + slot * batches.slot_s + late * batches.slack_s
    length = batches.length_s * (1.0 + 0.04 * float(min(max(longer, -2.0), 2.0)))
    return Batch(
        number=slot,
        begin_s=begin,
        end_s=begin + length,
        share=1.0 + 0.06 * float(min(max(share, -2.5), 2.5)),
        consistency=1.0 + 0.04 * float(min(max(consistency, -2.5), 2.5)),
    )
