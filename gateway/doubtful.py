"""Rejected and doubtful items as an inspection brings them, with their pictures. Pure."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from typing import NamedTuple

from msgspec import Struct

from gateway.batches import Verdict
from wire.messages import Inspection, Item

MOST_ITEMS = 12
"""Items kept of one inspection; a node sends three."""


class SeenItem(Struct, frozen=True, kw_only=True):
    """One rejected or doubtful item as the camera saw it."""

    id: int = 0
    """Where it stands in the file of goods, for `before`; rises with every item that comes in. 0 outside of it."""
    node: str
    inspection: str
    item: int
    at_ns: int
    machine: str
    camera: str
    product: str
    batch: str
    label: str
    verdict: Verdict
    """The camera's."""
    confidence: float
    lightness: float | None
    size_mm: float | None
    why: list[str]
    """Codes of what speaks against it, the strongest first, where a taught product judged."""
    within: tuple[float, float, float, float] | None
    """Its box in the picture: x, y, width and height as fractions."""


class DoubtfulItem(SeenItem, frozen=True, kw_only=True):
    """The same as it is kept."""

    site: str
    seen: bool
    """Whether there is a picture of the places that spoke for its label."""
    lesson: str = ""
    """The lesson that it was collected for; empty for none."""


class Pictured(NamedTuple):
    """An item with its pictures as JPEG; `seen` is empty where there is none."""

    body: DoubtfulItem
    item: bytes
    seen: bytes


def pictured(seen: Inspection) -> tuple[list[Pictured], int]:
    """Its items with a usable picture, and how many pictures are none."""
    found: list[Pictured] = []
    refused = 0
    for number, item in enumerate(seen.items):
        if not item.picture or item.cut_off or item.verdict == "good":
            continue
        jpeg, spots = _jpeg(item.picture), _jpeg(item.seen)
        refused += (not jpeg) + bool(item.seen and not spots)
        if not jpeg:
            continue
        found.append(Pictured(_doubtful(seen, number, item, seen_too=bool(spots)), jpeg, spots))
        if len(found) == MOST_ITEMS:
            break
    return found, refused


def _doubtful(seen: Inspection, number: int, item: Item, *, seen_too: bool) -> DoubtfulItem:
    return DoubtfulItem(
        site=seen.site,
        node=seen.node,
        inspection=seen.id,
        item=number,
        at_ns=seen.time_ns,
        machine=seen.machine,
        camera=seen.camera,
        product=seen.product,
        batch=seen.batch,
        label=item.label,
        verdict=item.verdict,
        confidence=item.confidence,
        lightness=item.lightness,
        size_mm=item.size_mm,
        why=item.why,
        within=item.within,
        seen=seen_too,
        lesson=seen.lesson or "",
    )


def _jpeg(text: str) -> bytes:
    """What base64 of a JPEG holds; nothing where it is none, as it will be served as one."""
    try:
        jpeg = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        return b""
    return jpeg if jpeg.startswith(b"\xff\xd8\xff") and jpeg.endswith(b"\xff\xd9") else b""
