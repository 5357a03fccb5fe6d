"""Features of a block: numbers that mean something to a maintenance engineer.

Everything spectral is linear in a power spectrum, so one real FFT a block and one product with a planned weight
matrix gives velocity, bands, orders and harmonics at once; the envelope costs one short complex inverse FFT and one
more real FFT. `numpy.fft` only: importing `scipy.signal` costs 70 MB on a node.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.condition.bearing import Bearing

Floats: TypeAlias = NDArray[np.float64]
Complexes: TypeAlias = NDArray[np.complex128]

STANDARD_GRAVITY = 9.80665
"""m/s² per g, CODATA."""
ACCELERATION_UNITS = {"g": STANDARD_GRAVITY, "m/s²": 1.0, "m/s2": 1.0, "m/s^2": 1.0, "mg": STANDARD_GRAVITY / 1000}
"""Units of acceleration in m/s²; a waveform in another unit has no velocity."""
VELOCITY_BAND_HZ = (10.0, 1000.0)
"""ISO 20816-1: broad-band vibration velocity is measured from 10 Hz to 1000 Hz."""
ORDERS = (1, 2, 3)
HIGH_ORDERS = (4, 5, 6, 7, 8)
ENVELOPE_HARMONICS = 3
SPEED_TOLERANCE = 0.015
"""Slip of an induction motor and of the balls: a line is looked for within this share of its frequency."""
MIN_SAMPLES = 32
_HANN_MAIN_LOBE = 2
_PLANS = 16


class Feature(NamedTuple):
    """A number with its unit; `1` where it has none."""

    value: float
    unit: str


class Features:
    """Computes features of one machine's waveforms.

    Args:
        running_speed_hz: shaft speed; without it there are no orders and no bearing lines.
        bearing: geometry; without it there are no bearing lines.
        nominal_hz: frequency of the mains, for harmonics of a current.
    """

    def __init__(
        self, running_speed_hz: float | None = None, bearing: Bearing | None = None, nominal_hz: float = 50.0
    ) -> None:
        self._speed = running_speed_hz
        self._lines = bearing.lines(running_speed_hz) if bearing and running_speed_hz else {}
        self._nominal_hz = nominal_hz
        self._plans: OrderedDict[tuple[str, int, int], _Plan] = OrderedDict()

    def vibration(self, values: Floats, rate_hz: float, unit: str) -> dict[str, Feature]:
        """Features of an acceleration waveform.

        Args:
            values: shape (n,) or (n, axes), finite; the mean (gravity, sensor offset) is taken off.
            rate_hz: measured sample rate.
            unit: `g`, `mg` or `m/s²`; anything else is kept as it is and has no velocity.

        Returns:
            By name, `<axis>.` in front where there is more than one axis. Empty for fewer than 32 samples.
        """
        wave = _columns(values)
        if len(wave) < MIN_SAMPLES or rate_hz <= 0:
            return {}
        factor = ACCELERATION_UNITS.get(unit)
        plan = self._plan("vibration", len(wave), rate_hz)
        wave = wave - wave.mean(axis=0)
        squared = wave * wave
        power = squared.mean(axis=0)
        rms = np.sqrt(power)
        peak = np.sqrt(squared.max(axis=0))
        safe = np.maximum(power, 1e-140)
        spectrum = np.fft.rfft(wave * plan.window[:, None], axis=0)
        density = spectrum.real**2 + spectrum.imag**2
        linear = np.sqrt(np.maximum(plan.weights @ density, 0.0))
        rows: dict[str, tuple[Floats, str]] = {
            "rms": (rms, unit),
            "peak": (peak, unit),
            "crest": (peak / np.sqrt(safe), "1"),
            "kurtosis": ((squared * squared).mean(axis=0) / (safe * safe), "1"),
        }
        for index, name in enumerate(plan.names):
            if name == "velocity_rms":
                if factor is not None:
                    rows[name] = (linear[index] * factor * 1000.0, "mm/s")
            else:
                rows[name] = (linear[index], unit)
        if plan.lines:
            lines, background = self._envelope(spectrum, plan)
            for index, name in enumerate(plan.lines):
                rows[f"envelope_{name}"] = (lines[index] / np.maximum(background, 1e-300), "1")
        return _named(rows, wave.shape[1])

    def current(self, values: Floats, rate_hz: float, unit: str) -> dict[str, Feature]:
        """Features of a current waveform: RMS per phase, share of harmonics, unbalance between phases.

        Unbalance is the largest distance of a phase's RMS from the mean of all, in percent of that mean (NEMA MG-1
        14.36 defines it so for voltages).
        """
        wave = _columns(values)
        if len(wave) < MIN_SAMPLES or rate_hz <= 0:
            return {}
        wave = wave - wave.mean(axis=0)
        rms = np.sqrt((wave * wave).mean(axis=0))
        rows: dict[str, tuple[Floats, str]] = {"rms": (rms, unit)}
        plan = self._plan("current", len(wave), rate_hz)
        if plan.names:
            spectrum = np.fft.rfft(wave * plan.window[:, None], axis=0)
            linear = np.sqrt(plan.weights @ (spectrum.real**2 + spectrum.imag**2))
            rows["harmonics"] = (100.0 * linear[1] / np.maximum(linear[0], 0.02 * linear[0].max() + 1e-9), "%")
        features = _named(rows, wave.shape[1])
        if wave.shape[1] > 1:
            features.update(unbalance(rms))
        return features

    def _envelope(self, spectrum: Complexes, plan: _Plan) -> tuple[Floats, Floats]:
        """Line amplitudes and mean level of the squared envelope spectrum, each of shape (…, axes).

        The analytic signal of the upper band, shifted down to zero, has the same envelope and needs only as many points
        as the band has lines.
        """
        band = spectrum[plan.band]
        envelope = np.fft.ifft(band, axis=0)
        square = envelope.real**2 + envelope.imag**2
        square = square - square.mean(axis=0)
        lines = np.abs(np.fft.rfft(square, axis=0))
        amplitude = plan.line_weights @ lines
        background = plan.background @ lines
        return amplitude, background

    def _plan(self, kind: str, samples: int, rate_hz: float) -> _Plan:
        # Measured rates wander a little; a plan serves within half a percent, well inside the tolerance of a line.
        key = (kind, samples, round(math.log(rate_hz) * 200))
        plan = self._plans.get(key)
        if plan is None:
            rate = math.exp(key[2] / 200)
            if kind == "vibration":
                plan = _vibration_plan(samples, rate, self._speed, self._lines)
            else:
                plan = _current_plan(samples, rate, self._nominal_hz)
            self._plans[key] = plan
            if len(self._plans) > _PLANS:
                self._plans.popitem(last=False)
        else:
            self._plans.move_to_end(key)
        return plan


def unbalance(rms: Floats) -> dict[str, Feature]:
    """Unbalance of phases in percent; nothing while no current flows.

    >>> unbalance(np.array([10.0, 10.0, 7.0]))["unbalance"].value.__round__(1)
    22.2
    """
    mean = float(rms.mean())
    if not mean > 1e-6:
        return {}
    return {"unbalance": Feature(100.0 * float(np.abs(rms - mean).max()) / mean, "%")}


def axis_names(axes: int) -> tuple[str, ...]:
    """Names of axes: x, y, z, then a4, a5 and so on."""
    return tuple("xyz"[index] if index < 3 else f"a{index + 1}" for index in range(axes))


class _Plan(NamedTuple):
    """What is fixed for one block length and rate: window and weights over the lines of the spectra."""

    window: Floats
    names: tuple[str, ...]
    weights: Floats
    lines: tuple[str, ...]
    band: slice
    line_weights: Floats
    background: Floats


def _vibration_plan(samples: int, rate_hz: float, speed_hz: float | None, lines: dict[str, float]) -> _Plan:
    window = np.hanning(samples)
    # One-sided mean square per line, corrected for the window's power (Parseval).
    scale = 2.0 / (samples * float(np.square(window).sum()))
    step_hz = rate_hz / samples
    frequency = np.arange(samples // 2 + 1) * step_hz
    names: list[str] = []
    rows: list[Floats] = []
    low = max(VELOCITY_BAND_HZ[0], (_HANN_MAIN_LOBE - 0.5) * step_hz)
    inside = (frequency >= low - 1e-9) & (frequency <= VELOCITY_BAND_HZ[1])
    if inside.any():
        names.append("velocity_rms")
        rows.append(np.where(inside, 1.0 / np.square(2 * math.pi * np.maximum(frequency, step_hz)), 0.0))
    half = rate_hz / 2
    edges = (step_hz * 1.5, half / 16, half / 4, half / 2, half)
    for index, (start, stop) in enumerate(pairwise(edges), 1):
        chosen = (frequency > start) & (frequency <= stop)
        if chosen.any():
            names.append(f"band_{index}")
            rows.append(chosen.astype(np.float64))
    if speed_hz:
        for order in ORDERS:
            if order * speed_hz < half and order * speed_hz > 2 * step_hz:
                names.append(f"order_{order}")
                rows.append(2.0 * _near(frequency, [order * speed_hz], step_hz))
        high = [order * speed_hz for order in HIGH_ORDERS if order * speed_hz < half]
        if high and speed_hz > 3 * step_hz:
            names.append("orders_high")
            rows.append(2.0 * _near(frequency, high, step_hz))
    weights = np.array(rows) * scale if rows else np.zeros((0, len(frequency)))
    start, stop = samples // 8, max(samples // 8 + 8, int(samples * 0.46))
    return _Plan(window, tuple(names), weights, *_envelope_plan(start, stop, step_hz, lines))


def _envelope_plan(
    start: int, stop: int, step_hz: float, lines: dict[str, float]
) -> tuple[tuple[str, ...], slice, Floats, Floats]:
    count = stop - start
    frequency = np.arange(count // 2 + 1) * step_hz
    rows: list[Floats] = []
    names: list[str] = []
    for name, line_hz in lines.items():
        harmonics = [line_hz * k for k in range(1, ENVELOPE_HARMONICS + 1)]
        if line_hz > 2.5 * step_hz and harmonics[0] < frequency[-1]:
            near = _near(frequency, harmonics, step_hz, lobe=1)
            names.append(name)
            rows.append(near / max(near.sum(), 1.0))
    background = ((frequency > 1.5 * step_hz) & (frequency <= max(frequency[-1] * 0.5, 8 * step_hz))).astype(np.float64)
    weights = np.array(rows) if rows else np.zeros((0, len(frequency)))
    return tuple(names), slice(start, stop), weights, background / max(background.sum(), 1.0)


def _current_plan(samples: int, rate_hz: float, nominal_hz: float) -> _Plan:
    window = np.hanning(samples)
    scale = 2.0 / (samples * float(np.square(window).sum()))
    step_hz = rate_hz / samples
    frequency = np.arange(samples // 2 + 1) * step_hz
    harmonics = [nominal_hz * k for k in (2, 3, 5, 7, 11, 13) if nominal_hz * k < rate_hz / 2]
    empty: tuple[tuple[str, ...], slice, Floats, Floats] = ((), slice(0, 0), np.zeros((0, 0)), np.zeros(0))
    if nominal_hz < 2 * step_hz or not harmonics:
        return _Plan(window, (), np.zeros((0, len(frequency))), *empty)
    rows = np.array([_near(frequency, [nominal_hz], step_hz), _near(frequency, harmonics, step_hz)]) * scale
    return _Plan(window, ("fundamental", "harmonics"), rows, *empty)


def _near(
    frequency: NDArray[np.floating[Any]], centres: Iterable[float], step_hz: float, lobe: int = _HANN_MAIN_LOBE
) -> Floats:
    """1 at the lines of a spectrum that belong to one of these frequencies, 0 elsewhere."""
    chosen = np.zeros(len(frequency))
    for centre in centres:
        reach = max(lobe * step_hz, SPEED_TOLERANCE * centre) * (1 + 1e-9)
        chosen[np.abs(frequency - centre) <= reach] = 1.0
    return chosen


def _columns(values: Floats) -> Floats:
    wave = np.asarray(values, dtype=np.float64)
    return wave[:, None] if wave.ndim == 1 else wave


def _named(rows: dict[str, tuple[Floats, str]], axes: int) -> dict[str, Feature]:
    if axes == 1:
        return {name: Feature(float(row[0]), unit) for name, (row, unit) in rows.items()}
    return {
        f"{axis}.{name}": Feature(float(row[index]), unit)
        for index, axis in enumerate(axis_names(axes))
        for name, (row, unit) in rows.items()
    }
