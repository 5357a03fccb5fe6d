"""Findings that a node has forgotten: a restart without its last snapshot never clears what it had reported.

Pure. A node that has called a machine good for an hour without a break holds no finding about it, whatever was last said; the
same for a sensor that it has not called faulty for as long. Only the node's own conditions count, by their own times.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.alerts import SECOND_NS, Alert
from wire.messages import Condition, Severity

MOST_APART_NS = 300 * SECOND_NS
"""A longer silence between two conditions begins the hour anew: nobody knows what was in between."""


class Good(NamedTuple):
    """A machine that its node has called good for long enough at `at_ns`."""

    site: str
    node: str
    origin: str
    machine: str
    at_ns: int
    faulty: frozenset[str]
    """Channels that were called faulty within that time."""

    def forgotten(self, alert: Alert) -> list[str]:
        """The sources of an alert that this node no longer stands by."""
        if alert.kind not in {"machine", "sensor"} or (alert.kind == "sensor" and alert.channel in self.faulty):
            return []
        prefix = f"{self.node}/{self.origin}/{self.machine}/"
        return [source for source in {**alert.active, **alert.settled} if source.startswith(prefix)]


@dataclass(slots=True)
class _Machine:
    since_ns: int
    last_ns: int
    faulty: set[str] = field(default_factory=set)


class StaleWatch:
    """Follows the conditions of every machine; one thread uses it."""

    def __init__(self, after_s: float) -> None:
        self._after_ns = round(after_s * SECOND_NS)
        self._machines: dict[tuple[str, str, str, str], _Machine] = {}

    def hear(self, seen: Condition, *, at_ns: int) -> Good | None:
        """Takes one condition; returns the machine when it has been good for long enough, once per such stretch."""
        key = (seen.site, seen.node, seen.origin, seen.machine)
        good = seen.severity is Severity.GOOD and seen.limit is not None and not seen.paused
        known = self._machines.get(key)
        if known is None or not good or not 0 <= at_ns - known.last_ns <= MOST_APART_NS:
            self._machines[key] = _Machine(at_ns, at_ns, set(seen.sensor_faults))
            return None
        known.last_ns = at_ns
        known.faulty |= set(seen.sensor_faults)
        if at_ns - known.since_ns < self._after_ns:
            return None
        self._machines[key] = _Machine(at_ns, at_ns, set(seen.sensor_faults))
        return Good(*key, at_ns, frozenset(known.faulty))
