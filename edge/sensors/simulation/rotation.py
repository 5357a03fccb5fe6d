"""How a shaft turned during one window, sampled at the waveform's rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FINE_STEP_S = 0.02
"""Integration step of shafts while somebody looks; a motor runs up within about half a second."""
PREROLL_S = 0.04
"""Hits this long before the window still ring in it."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """Speed and turns of a shaft at each sample, and the load it carried.

    Attributes:
        rate_hz: sample rate.
        time_s: machine time of the first sample; the mains' phase follows from it.
        speed_rad_s: (samples,).
        turns: (samples,), never falling; goes on from window to window.
        load: share of the usual load, (samples,).
        energised: whether the motor was on, 0 to 1, (samples,).
    """

    rate_hz: float
    time_s: float
    speed_rad_s: NDArray[np.float64]
    turns: NDArray[np.float64]
    load: NDArray[np.float64]
    energised: NDArray[np.float64]

    @property
    def standing(self) -> bool:
        """Nothing moves and nothing hums."""
        return not (self.speed_rad_s.any() or self.energised.any())

    def with_preroll(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Times relative to the first sample and turns, both with a stretch at constant speed in front."""
        times = np.arange(len(self.turns)) / self.rate_hz
        before = self.turns[0] - PREROLL_S * self.speed_rad_s[0] / (2 * math.pi)
        return np.concatenate([[-PREROLL_S], times]), np.concatenate([[before], self.turns])


@dataclass(slots=True)
class RotationTrace:
    """Collects a shaft's motion at integration steps and interpolates it to samples."""

    time_s: float
    turns: float
    seconds: list[float]
    speeds: list[float]
    loads: list[float]
    energised: list[float]

    @classmethod
    def begin(cls, time_s: float, turns: float, speed: float, load: float, energised: float) -> RotationTrace:
        """A trace with its first point."""
        return cls(time_s, turns, [0.0], [speed], [load], [energised])

    def add(self, seconds: float, speed: float, load: float, energised: float) -> None:
        """One more point, `seconds` after the last."""
        self.seconds.append(self.seconds[-1] + seconds)
        self.speeds.append(speed)
        self.loads.append(load)
        self.energised.append(energised)

    def sampled(self, samples: int, rate_hz: float) -> Rotation:
        """Linear between the points; turns by the trapezoid rule."""
        at = np.arange(samples) / rate_hz
        speed = np.interp(at, self.seconds, self.speeds)
        travelled = np.concatenate([[0.0], np.cumsum(0.5 * (speed[1:] + speed[:-1]))]) / rate_hz
        return Rotation(
            rate_hz=rate_hz,
            time_s=self.time_s,
            speed_rad_s=speed,
            turns=self.turns + travelled / (2 * math.pi),
            load=np.interp(at, self.seconds, self.loads),
            energised=np.interp(at, self.seconds, self.energised),
        )
