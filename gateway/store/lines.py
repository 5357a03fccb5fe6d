r"""Messages as InfluxDB line protocol, written directly: objects per point cost six times as much.

| measurement | tags | fields |
|---|---|---|
| telemetry | site, node, machine, channel, unit (absent when empty) | value |
| condition | site, node, machine | score, limit, severity (integer 0 to 3), learned, paused (0i, 1i), regime (string) |
| inspection | site, node, machine, camera, product | items, rejects, unsure (integers), batch (string) |
| health | site, node, origin | see `points.HEALTH_UNITS` |

One point per value, times in nanoseconds; the same message always gives the same lines, so writing it again overwrites
each point with itself. What line protocol cannot carry (a unit with a line break or a backslash, which would change
what the bytes behind it mean) is set apart here: VictoriaMetrics would skip it in silence.

Line protocol: https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/

>>> escape_tag("°C, dry=1")
'°C\\,\\ dry\\=1'
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from gateway.store import points
from wire.messages import Condition, Health, Inspection, NodeMessage, Telemetry

_MOST_PREFIXES = 20_000
_TAG_SPECIAL = re.compile(r"([,= ])")
_UNFIT_TAG = re.compile(r"[\x00-\x1f\x7f\\]")


class Serialised(NamedTuple):
    """Lines of one message without line ends, and what of it cannot become a line: (text, reason)."""

    lines: list[str]
    unfit: list[tuple[str, str]]


def escape_tag(value: str) -> str:
    """A tag value with commas, equal signs and spaces escaped.

    Raises:
        ValueError: it holds a control character or a backslash, for which there is no unambiguous way to write it.
    """
    if _UNFIT_TAG.search(value):
        raise ValueError(f"a tag cannot hold {value!r}")
    return _TAG_SPECIAL.sub(r"\\\1", value)


class Lines:
    """Serialises; keeps the beginnings of lines it has written before, so make one per thread and keep it."""

    def __init__(self) -> None:
        self._prefixes: dict[tuple[str, str, str, str, str], str] = {}
        self._encoder = msgspec.json.Encoder()

    def of(self, message: NodeMessage) -> Serialised:
        """All lines of a message; none for kinds that are no series."""
        if isinstance(message, Telemetry):
            return self._telemetry(message)
        if isinstance(message, Condition):
            return Serialised([_condition(message)], [])
        if isinstance(message, Inspection):
            return Serialised([_inspection(message)], [])
        if isinstance(message, Health):
            return Serialised([_health(message)], [])
        return Serialised([], [])

    def _telemetry(self, message: Telemetry) -> Serialised:
        lines: list[str] = []
        found = points.of(message)
        unfit = [(f"telemetry {machine} {channel}", reason) for machine, channel, reason in found.unfit]
        digits = self._digits([value for column in found.columns for value in column.values])
        shared: Sequence[int] = ()
        tails: list[str] = []
        end = 0
        for machine, channel, unit, times, values in found.columns:
            start, end = end, end + len(values)
            try:
                prefix = self._prefix(message.site, message.node, machine, channel, unit)
            except ValueError as exc:
                unfit.append((f"telemetry {machine} {channel}", str(exc)))
                continue
            if times is not shared:
                shared, tails = times, [f" {time}" for time in times]
            lines += [f"{prefix}{value}{tail}" for value, tail in zip(digits[start:end], tails, strict=True)]
        return Serialised(lines, unfit)

    def _digits(self, values: Sequence[float]) -> list[str]:
        """Shortest digits that give the same floats again: as `repr`, ten times quicker."""
        return self._encoder.encode(values)[1:-1].decode().split(",")

    def _prefix(self, site: str, node: str, machine: str, channel: str, unit: str) -> str:
        key = (site, node, machine, channel, unit)
        prefix = self._prefixes.get(key)
        if prefix is None:
            if len(self._prefixes) >= _MOST_PREFIXES:
                self._prefixes.clear()
            tag = f",unit={escape_tag(unit)}" if unit else ""
            prefix = f"telemetry,channel={channel},machine={machine},node={node},site={site}{tag} value="
            self._prefixes[key] = prefix
        return prefix


def _condition(message: Condition) -> str:
    numbers = points.condition_fields(message)
    fields = [
        f"{name}={number}i" if isinstance(number, int) else f"{name}={number!r}" for name, number in numbers.items()
    ]
    return (
        f"condition,machine={message.machine},node={message.node},site={message.site} "
        f'{",".join(fields)},regime="{message.regime}" {message.time_ns}'
    )


def _inspection(message: Inspection) -> str:
    fields = ",".join(f"{name}={count}i" for name, count in points.inspection_fields(message).items())
    return (
        f"inspection,camera={message.camera},machine={message.machine},node={message.node},product={message.product},"
        f'site={message.site} {fields},batch="{message.batch}" {message.time_ns}'
    )


def _health(message: Health) -> str:
    fields = ",".join(f"{name}={value!r}" for name, value in points.health_fields(message).items())
    return f"health,node={message.node},origin={message.origin},site={message.site} {fields} {message.time_ns}"
