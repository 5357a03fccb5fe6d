"""Inspections with pictures and control charts, as a camera's node sends them."""

from __future__ import annotations

import io
import time
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal

import msgspec
from PIL import Image, ImageDraw

from gateway.daemon import Gateway
from support.broker import until
from support.gateways import Feed
from wire.messages import ChartPoint, Health, Inspection, Item, JournalState, SensorState

Verdict = Literal["good", "reject", "unsure"]


@cache
def jpeg(shade: int = 120, size: tuple[int, int] = (160, 120), *, hot: bool = False) -> str:
    """A roll on a tray as base64 of a JPEG; `hot`: with a spot where the net looked."""
    image = Image.new("RGB", size, (206, 203, 198))
    draw = ImageDraw.Draw(image)
    width, height = size
    draw.ellipse((width * 0.15, height * 0.15, width * 0.85, height * 0.85), fill=(shade, shade * 2 // 3, shade // 3))
    if hot:
        draw.ellipse((width * 0.3, height * 0.3, width * 0.55, height * 0.55), fill=(230, 40, 30))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=75)
    return b64encode(file.getvalue()).decode()


def item(verdict: Verdict = "reject", label: str = "burnt", **fields: Any) -> Item:
    """One, with its pictures unless it is good."""
    values: dict[str, Any] = {
        "box": (0.1, 0.1, 0.1, 0.1),
        "label": "good" if verdict == "good" else label,
        "verdict": verdict,
        "confidence": 0.9,
        "lightness": 55.0,
    }
    if verdict != "good":
        values |= {"picture": jpeg(), "seen": jpeg(size=(96, 96), hot=True), "within": (0.15, 0.15, 0.7, 0.7)}
    return Item(**{**values, **fields})


def tray(good: int, reject: int = 0, unsure: int = 0) -> list[Item]:
    """Good ones first."""
    return [*([item("good")] * good), *([item("reject")] * reject), *([item("unsure", "cracked")] * unsure)]


def point(value: float, *, expected: float = 55.0, average: float | None = None, **fields: Any) -> ChartPoint:
    """Of a chart whose limits stand."""
    values: dict[str, Any] = {"items": 12, "average": value if average is None else average}
    for name, reach in (("drift", 1.2), ("jump", 4.0)):
        values |= {f"{name}_low": expected - reach, f"{name}_high": expected + reach}
    return ChartPoint(value=value, expected=expected, **{**values, **fields})


def learning(values: Sequence[float]) -> list[ChartPoint]:
    """Points of a chart that is still learning its limits."""
    names = ("value", "expected", "average", "drift_low", "drift_high", "jump_low", "jump_high")
    return [
        msgspec.convert({**dict.fromkeys(names, value), "items": 12, "learned": (number + 1) / 25}, ChartPoint)
        for number, value in enumerate(values)
    ]


def inspect(feed: Feed, items: list[Any], *, name: str, ago_s: float = 0.0, **fields: Any) -> None:
    """A tray under a camera of the feed's node."""
    values: dict[str, Any] = {"id": name, "machine": "oven", "camera": "tray", "product": "roll", "batch": "b-9"}
    at_ns = time.time_ns() - round(ago_s * 1e9)
    feed.tell(Inspection(items=items, **{**values, **fields}, **{**feed.node.envelope(at_ns), "origin": "watch"}))


def cameras(feed: Feed, *states: SensorState) -> None:
    """What the node says of its cameras."""
    journal = JournalState(oldest=1, next=2, acked=1, bytes=10, dropped=0)
    envelope = {**feed.node.envelope(time.time_ns()), "origin": "watch"}
    feed.tell(Health(uptime_s=1.0, journal=journal, sensors=list(states), **envelope))


def settled(gateway: Gateway) -> None:
    """Waits until all of it has had its effects."""
    until(lambda: gateway.live.position == gateway.journal.stats().next - 1)
    until(lambda: gateway.alerting.stats().backlog == 0, 20)
