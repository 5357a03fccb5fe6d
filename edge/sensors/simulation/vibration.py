"""Vibration of a rotating machine: forces at orders of the shaft, hum of the motor, friction noise, bearing hits.

Orders, forces and their meaning follow ISO 13373-3 (vibration diagnosis of rotating machines) and
ISO 21940-11 (balance quality); the machine stands on a mount and answers a force as one mass on a spring does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.sensors.simulation.bearing import BearingGeometry, Place, Resonance, hits
from edge.sensors.simulation.rotation import Rotation

Axes = tuple[float, float, float]
BEARING_AXES: Axes = (1.0, 0.55, 0.3)
"""How much of a bearing's ringing each axis sees: radial towards the load, radial across it, axial."""
FRICTION_AXES: Axes = (1.0, 0.9, 0.7)


@dataclass(frozen=True, slots=True)
class Order:
    """A force that goes with the shaft: `force_n` at nominal speed, growing with its square.

    `axes` weighs x, y (radial) and z (axial); `quadrature` turns y a quarter behind x, as a rotating force does.
    """

    order: float
    force_n: float
    axes: Axes = (1.0, 0.8, 0.15)
    phase: float = 0.0
    quadrature: bool = False


@dataclass(frozen=True, slots=True)
class Structure:
    """The machine on its mount, and the housing that rings."""

    mass_kg: float
    mount_hz: float
    mount_damping: float
    housing: Resonance = field(default_factory=Resonance)

    def answer(self, frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]:
        """Acceleration per force relative to a free mass: r² / sqrt((1 - r²)² + (2·ζ·r)²)."""
        r = frequency_hz / self.mount_hz
        answered: NDArray[np.float64] = r**2 / np.sqrt((1 - r**2) ** 2 + (2 * self.mount_damping * r) ** 2)
        return answered


@dataclass(frozen=True, slots=True)
class Damage:
    """A bearing's damaged spot and its first ring in m/s² at nominal speed and usual load."""

    place: Place
    height_m_s2: float


@dataclass(frozen=True, slots=True)
class Excitation:
    """Everything that shakes the machine in one window."""

    orders: Sequence[Order]
    hum_m_s2: float
    """Peak acceleration at twice the mains frequency (magnetic pull of the stator)."""
    friction_m_s2: float
    """RMS of broad-band noise at nominal speed and usual load."""
    damage: Sequence[Damage] = ()


def acceleration(
    rotation: Rotation,
    excitation: Excitation,
    structure: Structure,
    *,
    nominal_rad_s: float,
    mains_hz: float,
    geometry: BearingGeometry,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Acceleration in m/s² of shape (samples, 3); all zero for a machine at rest."""
    samples = len(rotation.turns)
    total = np.zeros((samples, 3))
    if rotation.standing:
        return total
    relative = rotation.speed_rad_s / nominal_rad_s
    working = relative * (0.6 + 0.4 * rotation.load)
    total += _orders(rotation, relative, excitation.orders, structure)
    times = rotation.time_s % 1.0 + np.arange(samples) / rotation.rate_hz
    hum = excitation.hum_m_s2 * rotation.energised * np.sin(2 * math.pi * 2 * mains_hz * times)
    total += hum[:, None] * np.array((1.0, 0.7, 0.1))
    if rotation.speed_rad_s.any():
        noise = _friction(samples, rotation.rate_hz, structure.housing, rng)
        total += excitation.friction_m_s2 * working[:, None] * noise * np.array(FRICTION_AXES)
    for damage in excitation.damage:
        total += _ringing(rotation, damage, geometry, structure.housing, working, rng)[:, None] * np.array(BEARING_AXES)
    return total


def _orders(
    rotation: Rotation, relative: NDArray[np.float64], orders: Sequence[Order], structure: Structure
) -> NDArray[np.float64]:
    total = np.zeros((len(rotation.turns), 3))
    shaft_hz = rotation.speed_rad_s / (2 * math.pi)
    steady = float(np.ptp(shaft_hz)) < 0.02 * float(shaft_hz.max())
    for order in orders:
        if order.force_n == 0.0:
            continue
        # At a steady speed the mount's answer is one number; while running up it is worth a curve.
        frequency = order.order * (shaft_hz.mean(keepdims=True) if steady else shaft_hz)
        height = order.force_n / structure.mass_kg * relative**2 * structure.answer(frequency)
        angle = 2 * math.pi * order.order * rotation.turns + order.phase
        x = height * np.sin(angle)
        y = height * np.cos(angle) if order.quadrature else x
        for axis, wave in enumerate((x, y, x)):
            total[:, axis] += order.axes[axis] * wave
    return total


def _friction(samples: int, rate_hz: float, housing: Resonance, rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise of RMS 1 per axis, (samples, 3): white, raised around the housing's resonance (transmissibility)."""
    frequency = np.fft.rfftfreq(samples, 1.0 / rate_hz)
    r = frequency / housing.frequency_hz
    wide = 0.15  # many parts ring, so the hump is wider than one mode's
    shape = np.sqrt((1 + (2 * wide * r) ** 2) / ((1 - r**2) ** 2 + (2 * wide * r) ** 2))
    shape[0] = 0.0
    shape /= math.sqrt(float(np.mean(shape**2)))
    spectrum = rng.standard_normal((2, len(frequency), 3))
    noise = np.fft.irfft((spectrum[0] + 1j * spectrum[1]) * shape[:, None], n=samples, axis=0)
    scaled: NDArray[np.float64] = noise * math.sqrt(samples / 2.0)
    return scaled


def _ringing(
    rotation: Rotation,
    damage: Damage,
    geometry: BearingGeometry,
    housing: Resonance,
    working: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    times, turns = rotation.with_preroll()
    at, heights = hits(damage.place, geometry, turns, times, rng)
    if len(at) == 0:
        return np.zeros(len(rotation.turns))
    strength = damage.height_m_s2 * np.interp(at, times[1:], working)
    return housing.ring(at, heights * strength, len(rotation.turns), rotation.rate_hz)
