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
TIGHT_HZ, LOOSE_HZ = 6_000.0, 400.0
"""Resonance of the sensor on its mounting, screwed down and hanging loose (ISO 5348: from tens of kHz on a stud to some hundred Hz)."""
MOUNTING_DAMPING = 0.1


@dataclass(frozen=True, slots=True)
class Accelerometer:
    """Turns true acceleration into what the chip reports."""

    range_g: float = 16.0
    step_g: float = 0.0039
    noise_g_rt_hz: float = 0.00029
    upright: tuple[float, float, float] = (0.0, 1.0, 0.0)
    """Share of gravity on x, y, z as it is screwed on."""

    def report(
        self,
        acceleration_m_s2: NDArray[np.float64],
        rate_hz: float,
        axes: int,
        rng: np.random.Generator,
        loose: float = 0.0,
    ) -> NDArray[np.float64]:
        """Acceleration in g.

        Args:
            acceleration_m_s2: true acceleration, (samples, 3).
            rate_hz: sample rate.
            axes: how many axes are read, 1 to 3.
            rng: for the noise.
            loose: how loose the chip sits, 0 to 1.

        Returns:
            (samples,) for one axis, else (samples, axes), on the chip's steps and within its range.
        """
        samples = len(acceleration_m_s2)
        if loose > 0.0:
            acceleration_m_s2 = _on_a_spring(acceleration_m_s2, rate_hz, TIGHT_HZ * (LOOSE_HZ / TIGHT_HZ) ** loose)
        noise = self.noise_g_rt_hz * math.sqrt(rate_hz / 2.0) * rng.standard_normal((samples, axes))
        true_g = acceleration_m_s2[:, :axes] / STANDARD_GRAVITY + np.array(self.upright[:axes])
        steps: NDArray[np.float64] = np.clip(
            np.round((true_g + noise) / self.step_g) * self.step_g, -self.range_g, self.range_g
        )
        return steps[:, 0].copy() if axes == 1 else steps


def _on_a_spring(wave: NDArray[np.float64], rate_hz: float, natural_hz: float) -> NDArray[np.float64]:
    """What a mass on a spring feels of its base: all below its natural frequency, more at it, little above."""
    r = np.fft.rfftfreq(len(wave), 1.0 / rate_hz) / natural_hz
    answer = 1.0 / (1.0 - r**2 + 2j * MOUNTING_DAMPING * r)
    felt: NDArray[np.float64] = np.fft.irfft(np.fft.rfft(wave, axis=0) * answer[:, None], n=len(wave), axis=0)
    return felt


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
