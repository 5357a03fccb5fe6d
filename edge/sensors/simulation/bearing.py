"""A rolling bearing with a damaged spot: when the spot is hit, how hard, and how the housing rings.

Kinematics and the 1 to 2 % random slip: R. B. Randall, J. Antoni, "Rolling element bearing diagnostics - a tutorial",
Mechanical Systems and Signal Processing 25 (2011) 485-520. The impulse-train model with load zone: P. D. McFadden,
J. D. Smith, "Model for the vibration produced by a single point defect in a rolling element bearing", Journal of Sound
and Vibration 96 (1984) 69-82. Load distribution: T. A. Harris, Rolling Bearing Analysis, ch. 7 (Stribeck).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Place: TypeAlias = Literal["outer", "inner", "ball", "cage"]

SLIP = 0.012
"""Standard deviation of the time from one hit to the next, as a share of it."""
LOAD_ZONE = 1.0
"""Stribeck's epsilon: the radial load reaches all around."""
PRELOAD = 0.25
"""Share of the load that a wave spring gives to every roller, wherever it is."""
RING_TIMES = 7.0
"""Rings are followed until they have decayed to exp(-7) of their height."""


@dataclass(frozen=True, slots=True)
class BearingGeometry:
    """Ball count, ball and pitch diameter in mm, contact angle in degrees; the default is a 6205."""

    balls: int = 9
    ball_mm: float = 7.94
    pitch_mm: float = 39.04
    contact_deg: float = 0.0

    @property
    def ratio(self) -> float:
        """d/D·cos φ."""
        return self.ball_mm / self.pitch_mm * math.cos(math.radians(self.contact_deg))

    @property
    def cage_order(self) -> float:
        """Turns of the cage per turn of the shaft (FTF)."""
        return 0.5 * (1.0 - self.ratio)

    def order(self, place: Place) -> float:
        """Hits per turn of the shaft: BPFO, BPFI, 2·BSF (a damaged ball hits both races each turn), or FTF for a broken cage."""
        if place == "cage":
            return self.cage_order
        if place == "outer":
            return self.balls * self.cage_order
        if place == "inner":
            return self.balls * 0.5 * (1.0 + self.ratio)
        return self.pitch_mm / self.ball_mm * (1.0 - self.ratio**2)


@dataclass(frozen=True, slots=True)
class Resonance:
    """The housing part that rings when it is hit: natural frequency and share of critical damping."""

    frequency_hz: float = 900.0
    damping: float = 0.06

    def ring(
        self, hits_s: NDArray[np.float64], heights: NDArray[np.float64], samples: int, rate_hz: float
    ) -> NDArray[np.float64]:
        """Sum of decaying sines that start at the hits.

        Args:
            hits_s: times of the hits relative to the first sample; those a little before it still ring. (k,)
            heights: first amplitude of each. (k,)
            samples: length of the result.
            rate_hz: sample rate.

        Returns:
            (samples,) float64, in the unit of `heights`.
        """
        omega = 2 * math.pi * self.frequency_hz
        decay = self.damping * omega
        length = math.ceil(RING_TIMES / decay * rate_hz)
        first = np.ceil(hits_s * rate_hz).astype(np.int64)
        index = first[:, None] + np.arange(length)
        elapsed = index / rate_hz - hits_s[:, None]
        wave = heights[:, None] * np.exp(-decay * elapsed) * np.sin(omega * math.sqrt(1 - self.damping**2) * elapsed)
        inside = (index >= 0) & (index < samples)
        return np.bincount(index[inside], weights=wave[inside], minlength=samples).astype(np.float64)

    @property
    def memory_s(self) -> float:
        """How long a hit is still heard, seconds."""
        return RING_TIMES / (self.damping * 2 * math.pi * self.frequency_hz)


def hits(
    place: Place,
    geometry: BearingGeometry,
    turns: NDArray[np.float64],
    times_s: NDArray[np.float64],
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """When the damaged spot is hit and how hard.

    Args:
        place: where the damage is.
        geometry: the bearing.
        turns: turns of the shaft at `times_s`, never falling. (n,)
        times_s: seconds, rising. (n,)
        rng: for slip and the spread of heights.

    Returns:
        Times in seconds and relative heights (about 1 in the middle of the load zone), both (k,).
    """
    order = geometry.order(place)
    numbers = np.arange(math.ceil(order * turns[0]), math.floor(order * turns[-1]) + 1)
    if len(numbers) == 0 or turns[-1] <= turns[0]:
        return np.empty(0), np.empty(0)
    # The slip adds up from hit to hit, as the rollers do not return to where they should be.
    slipped = numbers / order + np.cumsum(SLIP * rng.standard_normal(len(numbers))) / order
    inside = (slipped >= turns[0]) & (slipped <= turns[-1])
    numbers, slipped = numbers[inside], slipped[inside]
    at = np.interp(slipped, turns, times_s)
    heights = 1.0 + 0.1 * rng.standard_normal(len(numbers))
    if place == "inner":  # the spot turns with the shaft through the load zone
        heights *= _load(slipped)
    elif place == "ball":  # the ball travels with the cage, and hits the inner race less hard than the outer
        heights *= _load(slipped * geometry.cage_order) * np.where(numbers % 2 == 0, 1.0, 0.6)
    return at, heights


def _load(turns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Load on a roller at that angle: Stribeck's (1 - (1 - cos)/(2 epsilon))^1.5 above the preload."""
    share = 1.0 - (1.0 - np.cos(2 * math.pi * turns)) / (2 * LOAD_ZONE)
    loaded: NDArray[np.float64] = PRELOAD + (1.0 - PRELOAD) * np.clip(share, 0.0, None) ** 1.5
    return loaded
