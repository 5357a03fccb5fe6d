"""What of a message is a time series: columns of numbers, and texts, named as charts name them. Pure.

| message | machine | channel |
|---|---|---|
| telemetry | its machine | the channel or feature |
| condition | its machine | `condition.` and `score`, `limit`, `severity`, `learned`, `paused`; `regime` (text) |
| inspection | its machine | `inspection.` and `items`, `rejects`, `unsure` |
| health | `node` | `health.<origin>.` and a field of `HEALTH_UNITS` |

Severity is 0 good to 3 alarm, paused 0 or 1. Findings and replies are no series: the ledger keeps them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from types import MappingProxyType
from typing import NamedTuple

from wire.messages import EARLIEST_NS, Condition, Health, Inspection, NodeMessage, Series, Telemetry

NODE = "node"
"""The machine name under which a node's own health is kept."""
LATEST_NS = 2**62
"""2116: no point is later."""

HEALTH_UNITS: Mapping[str, str] = MappingProxyType(
    {
        "uptime": "s",
        "journal_bytes": "B",
        "journal_backlog": "",
        "journal_dropped": "",
        "refused": "",
        "sensors_failed": "",
        "cpu_temperature": "°C",
        "load": "",
        "memory": "B",
        "disk_free": "B",
    }
)


class Column(NamedTuple):
    """Values of one channel, oldest first as sent; `values` are finite."""

    machine: str
    channel: str
    unit: str
    times_ns: Sequence[int]
    values: Sequence[float]


class Label(NamedTuple):
    """A text at one moment."""

    machine: str
    channel: str
    time_ns: int
    text: str


class Unfit(NamedTuple):
    """A column that no store can take, and why."""

    machine: str
    channel: str
    reason: str


class Points(NamedTuple):
    """All series of one message."""

    columns: Sequence[Column]
    labels: Sequence[Label] = ()
    unfit: Sequence[Unfit] = ()


def of(message: NodeMessage) -> Points:
    """The series that this message carries."""
    handler = _HANDLERS.get(type(message))
    return handler(message) if handler else Points(())


def series_times(series: Series, time_ns: int) -> Sequence[int]:
    """Nanoseconds since the epoch of every value, None included.

    Raises:
        OverflowError: a time is beyond anything an integer column can hold.
    """
    if series.at_ms is not None:
        return [time_ns + round(at * 1e6) for at in series.at_ms]
    count = len(series.values)
    start, step = series.start_ms * 1e6, (series.step_ms or 0.0) * 1e6
    first = time_ns + round(start)
    if count == 1:
        return (first,)
    if step > 0 and start.is_integer() and step.is_integer():
        return range(first, first + count * int(step), int(step))
    return [time_ns + round(start + index * step) for index in range(count)]


def condition_fields(message: Condition) -> dict[str, float]:
    """Numbers of a condition by field; `limit` is absent while the machine is still learning."""
    fields: dict[str, float] = {"score": message.score}
    if message.limit is not None:
        fields["limit"] = message.limit
    fields["severity"] = message.severity.rank
    fields["learned"] = message.learned
    fields["paused"] = int(message.paused)
    return fields


def inspection_fields(message: Inspection) -> dict[str, int]:
    """Counts of an inspection by field; items cut off by the frame's edge do not count, nor do those of a lesson."""
    verdicts = [item.verdict for item in message.items if not item.cut_off and message.lesson is None]
    return {"items": len(verdicts), "rejects": verdicts.count("reject"), "unsure": verdicts.count("unsure")}


def health_fields(message: Health) -> dict[str, float]:
    """Numbers of a node's health by field; what the board does not tell is absent."""
    fields: dict[str, float | None] = {
        "uptime": message.uptime_s,
        "journal_bytes": message.journal.bytes,
        "journal_backlog": max(message.journal.next - 1 - message.journal.acked, 0),
        "journal_dropped": message.journal.dropped,
        "refused": sum(message.refused.values()),
        "sensors_failed": sum(not sensor.ok for sensor in message.sensors),
        "cpu_temperature": message.cpu_temperature_c,
        "load": message.load,
        "memory": message.memory_bytes,
        "disk_free": message.disk_free_bytes,
    }
    return {name: float(value) for name, value in fields.items() if value is not None}


def _telemetry(message: Telemetry) -> Points:
    columns: list[Column] = []
    unfit: list[Unfit] = []
    machine, time_ns = message.machine, message.time_ns
    # The columns of one message mostly share their times: computed and checked once, and the same object for all.
    grid: tuple[float, float | None, int] | None = None
    shared: Sequence[int] = ()
    for channel, series in message.series.items():
        values = series.values
        this = (series.start_ms, series.step_ms, len(values)) if series.at_ms is None else None
        if this is not None and this == grid:
            times = shared
        else:
            try:
                times = series_times(series, time_ns)
            except (OverflowError, ValueError) as exc:
                unfit.append(Unfit(machine, channel, f"times beyond any calendar: {exc}"))
                continue
            wrong = _wrong(times)
            if wrong:
                unfit.append(Unfit(machine, channel, wrong))
                continue
            if this is not None:
                grid, shared = this, times
        if None in values:
            kept = [(time, value) for time, value in zip(times, values, strict=True) if value is not None]
            times, values = [time for time, _ in kept], [value for _, value in kept]
        if not values:
            continue
        # A finite sum has finite parts; an infinite one may only be too large.
        if not isfinite(sum(values)) and not all(map(isfinite, values)):  # type: ignore[arg-type]  # None is out by now
            unfit.append(Unfit(machine, channel, "a value is not finite"))
        else:
            columns.append(Column(machine, channel, series.unit, times, values))  # type: ignore[arg-type]  # as above
    return Points(columns, (), unfit)


def _wrong(times: Sequence[int]) -> str:
    """What is wrong with these times; empty when nothing is."""
    if not times:
        return ""
    low, high = (times[0], times[-1]) if type(times) is range else (min(times), max(times))
    if low >= EARLIEST_NS and high <= LATEST_NS:
        return ""
    return f"times from {low} to {high} ns are not between 2024 and 2116"


def _condition(message: Condition) -> Points:
    at = (message.time_ns,)
    machine = message.machine
    columns = [
        Column(machine, f"condition.{name}", "", at, (float(value),))
        for name, value in condition_fields(message).items()
    ]
    return Points(columns, (Label(machine, "condition.regime", message.time_ns, message.regime),))


def _inspection(message: Inspection) -> Points:
    at = (message.time_ns,)
    counts = inspection_fields(message).items()
    return Points([Column(message.machine, f"inspection.{name}", "", at, (float(count),)) for name, count in counts])


def _health(message: Health) -> Points:
    at = (message.time_ns,)
    return Points(
        [
            Column(NODE, f"health.{message.origin}.{name}", HEALTH_UNITS[name], at, (value,))
            for name, value in health_fields(message).items()
        ]
    )


_HANDLERS: Mapping[type, Callable[..., Points]] = MappingProxyType(
    {Telemetry: _telemetry, Condition: _condition, Inspection: _inspection, Health: _health}
)
