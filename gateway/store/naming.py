"""Where a chart's series lives on a server: measurement, field and tags for a key, and back again. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from gateway.store.base import SeriesKey
from gateway.store.points import HEALTH_UNITS, NODE

_PLACE = ("site", "node", "machine")
MEASUREMENTS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = MappingProxyType(
    {
        "telemetry": (("value",), (*_PLACE, "channel", "unit")),
        "condition": (("score", "limit", "severity", "learned", "paused"), _PLACE),
        "inspection": (("items", "rejects", "unsure"), _PLACE),
        "health": (tuple(HEALTH_UNITS), ("site", "node", "origin")),
    }
)
"""Numeric fields of every measurement, and the tags that name its series."""


class Location(NamedTuple):
    """One field of one measurement, and the tags that its points carry."""

    measurement: str
    field: str
    tags: Mapping[str, str]


def locate(key: SeriesKey) -> Location:
    """Where the series of this key is."""
    head, _, field = key.channel.partition(".")
    if head in {"condition", "inspection"} and (field in MEASUREMENTS[head][0] or field == "regime"):
        return Location(head, field, {"site": key.site, "node": key.node, "machine": key.machine})
    origin, _, name = field.partition(".")
    if head == "health" and key.machine == NODE and name in HEALTH_UNITS:
        return Location(head, name, {"site": key.site, "node": key.node, "origin": origin})
    tags = {"site": key.site, "node": key.node, "machine": key.machine, "channel": key.channel}
    return Location("telemetry", "value", tags)


def named(measurement: str, fields: Sequence[str], tags: Mapping[str, str]) -> Sequence[tuple[SeriesKey, str]]:
    """Keys and units of these fields under these tags; nothing when a tag is missing, as in what others wrote."""
    site, node = tags.get("site"), tags.get("node")
    if not site or not node:
        return ()
    if measurement == "health":
        origin = tags.get("origin", "")
        return [
            (SeriesKey(site, node, NODE, f"health.{origin}.{field}"), HEALTH_UNITS.get(field, "")) for field in fields
        ]
    machine = tags.get("machine", "")
    if measurement == "telemetry":
        return [(SeriesKey(site, node, machine, tags.get("channel", "")), tags.get("unit", ""))]
    return [(SeriesKey(site, node, machine, f"{measurement}.{field}"), "") for field in fields]
