"""What is told of an inspected item: to the gateway, and to the control charts. Pure."""

from __future__ import annotations

from edge.drift import Seen
from edge.item_pictures import Shown
from edge.vision.inspector import InspectedItem
from wire.messages import Item

MOST_REASONS = 8
"""The wire's limit."""


def told_item(item: InspectedItem, size_mm: float | None, shown: Shown | None) -> Item:
    """For the wire."""
    x, y, width, height = (round(number, 5) for number in item.box)
    return Item(
        box=(x, y, width, height),
        label=item.label,
        verdict=item.verdict,
        confidence=min(1.0, max(0.0, round(item.confidence, 4))),
        lightness=round(item.lightness, 2),
        size_mm=size_mm,
        cut_off=item.cut_off,
        why=list(item.why[:MOST_REASONS]),
        picture=shown.picture if shown is not None else "",
        seen=shown.seen if shown is not None else "",
        within=shown.within if shown is not None else None,
    )


def seen_item(item: InspectedItem, size_mm: float | None) -> Seen:
    """An item for the control charts; a broken one says nothing of the size that goods have."""
    whole = item.verdict != "reject" or item.label in ("burnt", "underbaked")
    size = size_mm if size_mm is not None else item.found.area_px**0.5
    return Seen(item.lightness, size if whole else None, item.verdict == "reject")
