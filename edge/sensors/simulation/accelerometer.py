"""A three-axis MEMS accelerometer: gravity, noise, steps, range.

Values of the Analog Devices ADXL345 (data sheet rev. G, table 1): ±16 g, 3.9 mg per step, 290 µg/√Hz on x and y; its
highest output rate, 3200 Hz, passes 1600 Hz.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.sensors.base import Channel, Quantity

STANDARD_GRAVITY = 9.80665


@dataclass(frozen=True, slots=True)
class Accelerometer:
    """Turns true acceleration into what the chip reports."""

    range_g: float = 16.0
    step_g: float = 0.0039
    noise_g_rt_hz: float = 0.00029
    upright: tuple[float, float, float] = (0.0, 1.0, 0.0)
    """Share of gravity on x, y, z as it is screwed on."""

    def report(
        self, acceleration_m_s2: NDArray[np.float64], rate_hz: float, axes: int, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Acceleration in g.

        Args:
            acceleration_m_s2: true acceleration, (samples, 3).
            rate_hz: sample rate.
            axes: how many axes are read, 1 to 3.
            rng: for the noise.

        Returns:
            (samples,) for one axis, else (samples, axes), on the chip's steps and within its range.
        """
        samples = len(acceleration_m_s2)
        noise = self.noise_g_rt_hz * math.sqrt(rate_hz / 2.0) * rng.standard_normal((samples, axes))
        true_g = acceleration_m_s2[:, :axes] / STANDARD_GRAVITY + np.array(self.upright[:axes])
        steps: NDArray[np.float64] = np.clip(
            np.round((true_g + noise) / self.step_g) * self.step_g, -self.range_g, self.range_g
        )
        return steps[:, 0].copy() if axes == 1 else steps


def vibration_channel(axes: int, rate_hz: float, period_s: float) -> Channel:
    """The channel of such a chip."""
    chip = Accelerometer()
    return Channel(
        "vibration",
        "g",
        Quantity.VIBRATION,
        low=-chip.range_g,
        high=chip.range_g,
        axes=axes,
        rate_hz=rate_hz,
        period_s=period_s,
        resolution=chip.step_g,
    )
