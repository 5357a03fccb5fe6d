"""What one block of acceleration says by itself: level, shape, velocity, bands and orders.

Everything spectral is linear in a power spectrum, so one real FFT a block and one product with a planned weight matrix give
velocity, bands and orders at once.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.condition.features.spectrum import HANN_MAIN_LOBE, Floats, Rows, near

STANDARD_GRAVITY = 9.80665
"""m/s² per g, CODATA."""
ACCELERATION_UNITS = {"g": STANDARD_GRAVITY, "m/s²": 1.0, "m/s2": 1.0, "m/s^2": 1.0, "mg": STANDARD_GRAVITY / 1000}
"""Units of acceleration in m/s²; a waveform in another unit has its integral in that unit."""
VELOCITY_BAND_HZ = (10.0, 1000.0)
"""ISO 20816-1: broad-band vibration velocity is measured from 10 Hz to 1000 Hz."""
ORDERS = (1, 2, 3)
HIGH_ORDERS = (4, 5, 6, 7, 8)
LEAST_LINES = 2.0
"""An order has lines of its own where the shaft turns more than so often in a block."""
LEAST_TURNS = 0.9
"""It can be fitted where it turns about once."""
_LEAST_POWER = 1e-140
_BINS = 48
_SHAPES = ("rms", "peak", "crest", "kurtosis", "skewness", "entropy")


class VibrationPlan(NamedTuple):
    """What is fixed for one length, rate, running speed and gear."""

    names: tuple[str, ...]
    """Of the rows of the spectrum, the shapes before them."""
    weights: Floats
    """(rows, lines)"""
    bins: NDArray[np.intp]
    """First lines of the bins that entropy looks at; what is below is offset and drift."""
    fit: Floats
    """(2 orders, n): its product with a wave are the cosines and sines of the orders that lines are too far apart for."""


def vibration_plan(
    samples: int, rate_hz: float, speed_hz: float | None, mesh_hz: float | None, factor: float | None
) -> VibrationPlan:
    """The plan for blocks of that length; `factor` makes m/s² of the wave's unit, None where that is unknown."""
    window = np.hanning(samples)
    # One-sided mean square per line, corrected for the window's power (Parseval).
    scale = 2.0 / (samples * float(np.square(window).sum()))
    step_hz = rate_hz / samples
    frequency = np.arange(samples // 2 + 1) * step_hz
    half = rate_hz / 2
    names: list[str] = []
    rows: list[Floats] = []
    low = max(VELOCITY_BAND_HZ[0], (HANN_MAIN_LOBE - 0.5) * step_hz)
    inside = (frequency >= low - 1e-9) & (frequency <= VELOCITY_BAND_HZ[1])
    if inside.any():
        names.append("velocity" if factor is None else "velocity_rms")
        unit = 1.0 if factor is None else 1000.0 * factor
        rows.append(np.where(inside, np.square(unit / (2 * math.pi * np.maximum(frequency, step_hz))), 0.0))
    edges = (step_hz * 1.5, half / 16, half / 4, half / 2, half)
    for index, (start, stop) in enumerate(pairwise(edges), 1):
        chosen = (frequency > start) & (frequency <= stop)
        if chosen.any():
            names.append(f"band_{index}")
            rows.append(chosen.astype(np.float64))
    for name, centres in _lines(speed_hz, mesh_hz, step_hz, half).items():
        # Neighbouring orders closer than two main lobes share what lies between them.
        lobe = HANN_MAIN_LOBE if speed_hz is None or speed_hz > 2 * HANN_MAIN_LOBE * step_hz else 1.3
        names.append(name)
        rows.append(2.0 * near(frequency, centres, step_hz, lobe=lobe))
    weights = np.array(rows) * scale if rows else np.zeros((0, len(frequency)))
    bins = np.unique(np.linspace(min(2, len(frequency) - 1), len(frequency), _BINS, endpoint=False).astype(np.intp))
    turned = _turned(speed_hz, step_hz, half)
    names += [f"order_{order}" for order in turned]
    return VibrationPlan((*_SHAPES, *names), weights, bins, _fit(samples, turned, (speed_hz or 0.0) / rate_hz))


def _turned(speed_hz: float | None, step_hz: float, half: float) -> list[int]:
    """Orders to fit instead of reading them off lines: in a block of about one or two turns."""
    if speed_hz is None or not LEAST_TURNS * step_hz <= speed_hz <= LEAST_LINES * step_hz:
        return []
    return [order for order in ORDERS if order * speed_hz < half]


def _fit(samples: int, orders: list[int], turns: float) -> Floats:
    """Least squares of these orders and a mean; `turns` of the shaft in a sample."""
    phase = 2 * math.pi * turns * np.outer(orders, np.arange(samples))
    if not orders:
        return np.zeros((0, samples))
    waves = np.vstack([np.cos(phase), np.sin(phase), np.ones(samples)])
    return np.ascontiguousarray(np.linalg.pinv(waves.T)[:-1])


def _lines(speed_hz: float | None, mesh_hz: float | None, step_hz: float, half: float) -> dict[str, list[float]]:
    lines: dict[str, list[float]] = {}
    if speed_hz is not None and speed_hz > LEAST_LINES * step_hz:
        for order in ORDERS:
            if order * speed_hz < half:
                lines[f"order_{order}"] = [order * speed_hz]
        high = [order * speed_hz for order in HIGH_ORDERS if order * speed_hz < half]
        if high:
            lines["orders_high"] = high
    if mesh_hz is not None and LEAST_LINES * step_hz < mesh_hz < half:
        lines["mesh"] = [mesh_hz * k for k in (1, 2, 3) if mesh_hz * k < half]
        if speed_hz is not None and speed_hz > HANN_MAIN_LOBE * step_hz:
            lines["mesh_sidebands"] = [
                centre + side * speed_hz
                for centre in lines["mesh"]
                for side in (-2, -1, 1, 2)
                if centre + side * speed_hz < half
            ]
    return lines


def spectrum_of(wave: Floats, window: Floats) -> Floats:
    """Power at each line, (axes, lines), not scaled."""
    lines = np.empty((len(wave), wave.shape[1] // 2 + 1), np.complex128)
    spectrum = np.fft.rfft(wave * window, out=lines)
    density = spectrum.real**2
    density += spectrum.imag**2
    return density


def of_block(rows: Rows, density: Floats, plan: VibrationPlan) -> list[float]:
    """Features in the plan's order, each for all axes; `density` is the power at each line."""
    wave, samples = rows.wave, rows.wave.shape[1]
    squared = wave * wave
    tops = np.maximum.reduce(squared, axis=1).tolist()
    fourths = np.vecdot(squared, squared).tolist()
    thirds = np.vecdot(squared, wave).tolist()
    # A few numbers are quicker in Python than in arrays of three.
    shapes: list[float] = []
    for power, top, fourth, third in zip(rows.power, tops, fourths, thirds, strict=True):
        least = max(power, _LEAST_POWER)
        whole, root, peak = samples * least, math.sqrt(least), math.sqrt(top)
        shapes += (math.sqrt(power), peak, peak / root, fourth / (whole * least), third / (whole * root))
    found = shapes[::5] + shapes[1::5] + shapes[2::5] + shapes[3::5] + shapes[4::5]
    found += entropy(np.add.reduceat(density, plan.bins, axis=1))
    found += np.sqrt(plan.weights.dot(density.T)).ravel().tolist()
    if len(plan.fit):
        parts = plan.fit @ wave.T
        half = len(parts) // 2
        found += np.hypot(parts[:half], parts[half:]).ravel().tolist()
    return found


def entropy(power: Floats) -> list[float]:
    """Spectral entropy of (axes, bins): 0 where all power is in one bin, 1 where all have the same.

    Inouye et al., Quantification of EEG irregularity by use of the entropy of the power spectrum, Electroenceph. Clin.
    Neurophysiol. 79, 1991. 0 where there is no power.
    """
    totals = np.add.reduce(power, axis=1).tolist()
    weighted = np.vecdot(power, np.log(np.maximum(power, _LEAST_POWER))).tolist()
    share = 1.0 / math.log(max(power.shape[1], 2))
    return [
        max(math.log(total) - each / total, 0.0) * share if total > _LEAST_POWER else 0.0
        for total, each in zip(totals, weighted, strict=True)
    ]
