"""What an examination may use of the world; everything in it can be replaced in a test."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from edge.doctor.access import User, service_user
from edge.doctor.system import Software
from edge.sensors.bus.base import Buses
from edge.sensors.bus.linux import LinuxBuses
from edge.sensors.registry import Surroundings
from wire.clock import boottime_ns
from wire.link import LinkConfig

NAME = "doctor"


@dataclass(frozen=True, slots=True)
class World:
    """One board and who looks at it."""

    root: Path = Path("/")
    """Stands for / in every path."""
    buses: Buses = field(default_factory=LinuxBuses)
    monotonic_ns: Callable[[], int] = boottime_ns
    sleep: Callable[[float], None] = time.sleep
    user: User = field(default_factory=service_user)
    """Who is to use the devices."""
    software: Software = field(default_factory=Software)
    picamera: str = "picamera2"
    """Module through which the board's own camera is asked; empty where there is no board to ask."""

    def surroundings(self, machine: str = NAME, broker: LinkConfig | None = None) -> Surroundings:
        """For a sensor of that machine; it keeps nothing, so that it takes no part in the service's memory."""
        return Surroundings(
            machine=machine,
            kind="generic",
            monotonic_ns=self.monotonic_ns,
            interval_s=1.0,
            root=str(self.root),
            broker=broker,
            buses=self.buses,
        )
