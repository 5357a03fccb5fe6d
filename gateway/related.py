"""What is said of goods and their oven together: the records that an alert carries and an event tells. No logic, no numpy."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from wire.messages import ChannelName, Name, Share, Unit

Measure: TypeAlias = Literal["lightness", "size", "rejects"]
"""Of a batch: mean L* of its crusts, mean size of its items, share of its rejects."""
Aspect: TypeAlias = Literal["level", "duty", "on_level", "recovery"]
"""Of a channel: its reading; the share of the time that it was switched on; its reading while switched on; the minutes that a
temperature took to make up half of its fall after loading."""


class Moved(Struct, frozen=True, kw_only=True):
    """A quantity before and after a change."""

    before: float
    """Median."""
    after: float
    low: float
    """The difference lies between `low` and `high` (95 %)."""
    high: float


class Related(Struct, frozen=True, kw_only=True):
    """One quantity of the machine that moved with the goods."""

    channel: ChannelName
    aspect: Aspect
    unit: Unit
    lag_s: float
    """How long before the goods it moved; 0 where that cannot be told from at the same time."""
    correlation: float
    """Over the batches, -1 to 1."""
    low: float
    """Its interval (95 %)."""
    high: float
    significance: Share
    """Chance that anything looked at would go along as well by accident."""
    moved: Moved


class Relation(Struct, frozen=True, kw_only=True):
    """A change of the goods and what of their machine moved with it, the strongest first."""

    product: Name
    measure: Measure
    unit: Unit
    since_ns: int
    """Time of the first batch after the change."""
    moved: Moved
    batches: int
    """How many were held against the machine."""
    related: list[Related]

    @property
    def text(self) -> str:
        """For the history, in English and short.

        >>> moved = Moved(before=55.0, after=49.0, low=-7.0, high=-5.0)
        >>> Relation(
        ...     product="roll", measure="lightness", unit="L*", since_ns=0, moved=moved, batches=60, related=[]
        ... ).text
        'lightness of roll 55 -> 49 L*'
        """
        said = f"{self.measure} of {self.product} {self.moved.before:.3g} -> {self.moved.after:.3g} {self.unit}"
        for one in self.related:
            said += f"; {one.channel} {one.aspect} {one.moved.before:.3g} -> {one.moved.after:.3g} {one.unit}"
        return said
