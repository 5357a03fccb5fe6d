"""Goods within an inspection: single items, and points of control charts."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from wire.fields import Count, Identifier, Measure, Millimetres, Name, Share, Unit


class Item(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One baked good in a frame. `box` is x, y, width, height as fractions of the frame."""

    box: tuple[Share, Share, Share, Share]
    label: Name
    verdict: Literal["good", "reject", "unsure"]
    confidence: Share
    lightness: Annotated[float, Meta(ge=0.0, le=100.0)] | None = None
    """CIELAB L* of the crust."""
    size_mm: Millimetres | None = None
    cut_off: bool = False
    why: Annotated[list[Name], Meta(max_length=8)] = []
    """Codes of what speaks against it, the strongest first, where a taught product judged."""
    picture: Annotated[str, Meta(max_length=12_000)] = ""
    """A small JPEG of it in base64, of some rejected or doubtful items; empty for the others."""
    seen: Annotated[str, Meta(max_length=12_000)] = ""
    """The same with the places that spoke for its label, where the model tells them."""
    within: tuple[Share, Share, Share, Share] | None = None
    """Its box in `picture`, as fractions of that."""


class ChartPoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the control chart of one quantity of a product says after a subgroup of items, in `unit`.

    Montgomery, Introduction to statistical quality control, chapters 6 and 9: X-bar for a jump, EWMA for a drift.
    """

    unit: Unit = ""
    value: Measure
    """Mean of the subgroup."""
    items: Count
    """In it."""
    expected: Measure
    """What good ones have: the centre line."""
    average: Measure
    """The moving average that shows a drift."""
    drift_low: Measure
    drift_high: Measure
    """Limits of the moving average."""
    jump_low: Measure
    jump_high: Measure
    """Limits of a subgroup's mean."""
    rule: Literal["", "drift", "jump"] = ""
    """Which of the two is left; empty for none."""
    learned: Share = 1.0
    """Below 1 the limits are still being learned, and all of these figures are the value itself."""


class TaughtItem(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An item of a lesson as a person sees it."""

    inspection: Identifier
    item: Annotated[int, Meta(ge=0, le=999)]
    """Which item of the inspection, from 0."""
    verdict: Literal["good", "reject"]


class Doubt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What may be wrong with what was taught, see `models.quality.doubts`; `code` is a key of the catalogue."""

    code: Name
    good: Count = 0
    """Good items that it is about."""
    bad: Count = 0
    of_good: Count = 0
    """Of so many."""
    of_bad: Count = 0


class Taught(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a camera has learned of a product."""

    good: Count
    """Items that its profile holds."""
    bad: Count
    wrong: Count = 0
    """Good ones among them that look bad when the others judge them."""
    missed: Count = 0
    """Bad ones that look good."""
    gone: Count = 0
    """Items of the lesson whose picture was no longer held; nothing was learned of them."""
    doubts: Annotated[list[Doubt], Meta(max_length=8)] = []
