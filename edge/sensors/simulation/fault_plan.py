"""Which faults are active when, and how bad: planned ones from the configuration, others injected while it runs."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from edge.sensors.base import UnknownFault


class FaultAt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault that a run contains."""

    name: Annotated[str, Meta(description="one that the machine can suffer, or sensor_stuck.<channel> and the like")]
    at_s: Annotated[float, Meta(ge=0.0, description="seconds after opening at which it starts")] = 0.0
    ramp_s: Annotated[float, Meta(ge=0.0, description="seconds until it has reached its severity")] = 0.0
    severity: Annotated[float, Meta(gt=0.0, le=1.0, description="full extent, 0 to 1")] = 1.0
    until_s: Annotated[float, Meta(gt=0.0, description="seconds after opening at which it ends by itself")] | None = (
        None
    )

    def severity_at(self, time_s: float) -> float:
        """0 before it starts and after it ended, then growing in proportion to time."""
        if time_s < self.at_s or (self.until_s is not None and time_s >= self.until_s):
            return 0.0
        if time_s - self.at_s >= self.ramp_s:
            return self.severity
        return self.severity * (time_s - self.at_s) / self.ramp_s


class FaultPlan:
    """Thread-safe; one fault of each name at a time, a later one takes the earlier one's place.

    Args:
        known: names of the faults there are.
        planned: faults that happen by themselves.
        by_channel: names with a channel, taken too but not listed where a wrong one is refused.
    """

    def __init__(
        self, known: Iterable[str], planned: Sequence[FaultAt] = (), *, by_channel: Iterable[str] = ()
    ) -> None:
        self.known = tuple(known)
        self._by_channel = tuple(by_channel)
        self._lock = threading.Lock()
        self._planned: dict[str, tuple[FaultAt, ...]] = {}
        for fault in planned:
            self._require(fault.name)
            self._planned[fault.name] = (*self._planned.get(fault.name, ()), fault)

    def inject(self, fault: FaultAt) -> None:
        """Starts a fault; raises UnknownFault."""
        self._require(fault.name)
        with self._lock:
            self._planned[fault.name] = (fault,)

    def clear(self, name: str | None = None) -> None:
        """Ends one fault or all, those that were planned for later too; raises UnknownFault."""
        if name is not None:
            self._require(name)
        with self._lock:
            for each in [name] if name is not None else list(self._planned):
                self._planned.pop(each, None)

    def severities(self, time_s: float) -> dict[str, float]:
        """Severity of each fault active at that time, those of 0 left out."""
        with self._lock:
            found = {name: max(fault.severity_at(time_s) for fault in faults) for name, faults in self._planned.items()}
        return {name: severity for name, severity in found.items() if severity > 0.0}

    def _require(self, name: str) -> None:
        if name in self.known or name in self._by_channel:
            return
        more = f"; and {self._by_channel[0]} and the like" if self._by_channel else ""
        raise UnknownFault(f"no fault {name!r} here; there are {', '.join(self.known)}{more}")
