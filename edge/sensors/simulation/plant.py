"""What all simulated machines share: their contract, their surroundings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.sensors.base import Channel
from edge.sensors.simulation.bearing import BearingGeometry
from edge.sensors.simulation.schedule import Shift
from edge.sensors.simulation.streams import Streams

Severities = Mapping[str, float]
"""Severity, 0 to 1, of each fault that is active; a fault that is not active is absent."""

KELVIN = 273.15
LARGEST_STEP_S = 1.0
"""Longest integration step of the slow states, machine seconds."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """A slow channel and its sensor.

    `noise` is the standard deviation of one reading; `floor` what an RMS meter shows when there is nothing. Both in the
    channel's unit.
    """

    channel: Channel
    noise: float
    floor: float = 0.0


@dataclass(frozen=True, slots=True)
class Plant:
    """The place where a simulated machine stands."""

    streams: Streams
    shift: Shift
    start_s: float
    """Machine time at the start, seconds since midnight."""
    ambient_c: float = 24.0
    voltage_v: float = 230.0
    """Mains, phase to neutral, RMS."""
    mains_hz: float = 50.0
    period_s: float = 1.0
    """Time between readings."""
    rate_hz: float = 3200.0
    samples: int = 3200
    """Length of one waveform."""
    axes: int = 3
    running_rpm: float | None = None
    bearing: BearingGeometry = field(default_factory=BearingGeometry)

    @property
    def window_s(self) -> float:
        """How long the machine is looked at in each period, seconds."""
        return self.samples / self.rate_hz

    def ambient(self, time_s: float) -> float:
        """Room temperature in °C: the mean and a daily wave of 2 K, warmest at 15:00."""
        return self.ambient_c + 2.0 * math.cos(2 * math.pi * (time_s / 86_400.0 - 0.625))

    def mains(self, time_s: float) -> float:
        """Phase voltage in V, wandering by up to ±1.5 % as other consumers come and go (EN 50160 allows ±10 %)."""
        wander = (
            0.008 * math.sin(time_s / 857.0 + 0.3) + 0.004 * math.sin(time_s / 131.0) + 0.003 * math.sin(time_s / 37.0)
        )
        return self.voltage_v * (1.0 + wander)


def steps(seconds: float, largest_s: float = LARGEST_STEP_S) -> tuple[int, float]:
    """How many equal steps cover `seconds`, and how long each is."""
    count = max(1, math.ceil(seconds / largest_s - 1e-9))
    return count, seconds / count


class Machine(Protocol):
    """A simulated machine. All times are machine seconds; the caller decides how they relate to a clock.

    A machine is looked at in windows. `window` runs it through the next seconds and returns the true value of every
    gauge there; `waveforms` gives the vibration of that window, when somebody wants it; `lapse` runs the machine
    through seconds at which nobody looks, with coarser steps.
    """

    @property
    def faults(self) -> Sequence[str]:
        """Faults it can suffer."""
        ...

    @property
    def gauges(self) -> Sequence[Gauge]:
        """Slow channels."""
        ...

    @property
    def waves(self) -> Sequence[Channel]:
        """Waveform channels."""
        ...

    def window(self, seconds: float, severities: Severities) -> Mapping[str, float]:
        """Runs on; true values of the gauges: RMS over the window for currents, at its end for the rest."""
        ...

    def waveforms(self, severities: Severities, rng: np.random.Generator) -> Mapping[str, NDArray[np.float64]]:
        """Acceleration during the last window as the sensor delivers it, shape (samples,) or (samples, axes)."""
        ...

    def lapse(self, seconds: float, severities: Severities) -> None:
        """Runs on unseen."""
        ...
